import { NVImage } from '@niivue/niivue';
import { ClipLung } from 'clip-lung';
import { niivue } from 'clip-lung/niivue';

export const clip = await ClipLung.from('/models/clip-lung');
export const { predictAt } = niivue(clip, NVImage);

/** The nodule at the cross-hair, `diameter` mm wide; `true`: in the patient's own coordinates, also where a volume lies obliquely. */
export const predictHere = (viewer, diameter) => predictAt(viewer, viewer.frac2mm(viewer.scene.crosshairPos, 0, true), diameter);

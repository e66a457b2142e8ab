import { cache, volumeLoader } from '@cornerstonejs/core';
import { ClipLung } from 'clip-lung';
import { cornerstone } from 'clip-lung/cornerstone';

export const clip = await ClipLung.from('/models/clip-lung');

/** `predictAt(viewport, point, diameter)`: the nodule at a point in world coordinates, so many mm wide; a volume's id does as well. */
export const { predictAt } = cornerstone(clip, { cache, volumeLoader });

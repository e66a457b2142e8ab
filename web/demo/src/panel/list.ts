/** The marked nodules: picture, place, diameter, probabilities; to choose and to remove. */
import type { ClassName, Info, Prediction } from 'clip-lung';
import type { Marked } from '../nodule/marks';
import { inFrame, type Frame } from '../scan/frame';
import type { Volume } from '../scan/volume';
import { thumbnail } from '../view/slice';
import { element, make } from './dom';

export interface Listed {
  list: readonly Marked[];
  chosen: number | undefined;
  volume: Volume;
  frame: Frame;
  info: Info | undefined;
}

/** Pixels of a picture. */
const SIDE = 44;

/** A small axial picture of a nodule, three diameters wide. */
function pictureOf(volume: Volume, { voxel, diameter }: Marked): HTMLCanvasElement {
  const step = Math.max(12, 3 * diameter) / SIDE;
  const hu = Float32Array.from({ length: SIDE * SIDE }, (_, i) => {
    const [x, y] = [i % SIDE, Math.floor(i / SIDE)].map((v) => (v - (SIDE - 1) / 2) * step) as [number, number];
    return volume.hu(voxel[0] + x / volume.spacing[0], voxel[1] + y / volume.spacing[1], voxel[2]);
  });
  return thumbnail(hu, SIDE, SIDE, SIDE);
}

/** Pictures of nodules as they are. */
const pictures = new WeakMap<Marked['voxel'], { diameter: number; canvas: HTMLCanvasElement }>();

function picture(volume: Volume, nodule: Marked): HTMLCanvasElement {
  const kept = pictures.get(nodule.voxel);
  if (kept?.diameter === nodule.diameter) return kept.canvas;
  const canvas = pictureOf(volume, nodule);
  pictures.set(nodule.voxel, { diameter: nodule.diameter, canvas });
  return canvas;
}

function inWords({ probabilities, set }: Prediction, classes: ClassName[]): string {
  const shares = classes.map((name) => `${name} ${(100 * (probabilities[name] ?? 0)).toFixed(0)} %`).join(', ');
  return set ? `${shares}; open: ${set.join(', ')}` : shares;
}

export function show({ list, chosen, volume, frame, info }: Listed, onchoose: (id: number) => void, onremove: (id: number) => void): void {
  const place = element('nodules');
  // who works by keyboard stays where he is
  const focused = (document.activeElement as HTMLElement | null)?.closest<HTMLElement>('#nodules button')?.dataset.what;
  place.replaceChildren(...list.map((nodule, i) => {
    const { id, diameter, voxel, found } = nodule;
    const mm = inFrame(volume.mm(voxel), frame).map((v) => v.toFixed(1)).join(', ');
    const shares = found ? inWords(found.prediction, info?.classes ?? []) : '…';
    const text = make('span', {}, make('strong', { textContent: `${i + 1}: ${diameter.toFixed(1)} mm` }), ` ${frame} ${mm}`, make('br'), shares);
    const button = make('button', { type: 'button', className: 'nodule' }, picture(volume, nodule), text);
    button.setAttribute('aria-pressed', String(id === chosen));
    button.dataset.what = `choose ${id}`;
    button.onclick = () => onchoose(id);
    const remove = make('button', { type: 'button', textContent: '×' });
    remove.setAttribute('aria-label', `remove nodule ${i + 1}`);
    remove.dataset.what = `remove ${id}`;
    remove.onclick = () => onremove(id);
    return make('li', {}, button, remove);
  }));
  if (focused) (place.querySelector<HTMLElement>(`[data-what="${focused}"]`) ?? place.querySelector('button'))?.focus();
  for (const name of ['copy', 'json', 'csv']) element<HTMLButtonElement>(name).disabled = !list.length;
}

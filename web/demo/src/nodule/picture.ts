/** A small axial picture of a nodule. */
import type { Volume } from '../scan/volume';
import { thumbnail } from '../view/slice';
import type { Marked } from './marks';

const SIDE = 44;

/** Three diameters wide. */
export function pictureOf(volume: Volume, { voxel, diameter }: Marked): HTMLCanvasElement {
  const step = Math.max(12, 3 * diameter) / SIDE;
  const hu = Float32Array.from({ length: SIDE * SIDE }, (_, i) => {
    const [x, y] = [i % SIDE, Math.floor(i / SIDE)].map((v) => (v - (SIDE - 1) / 2) * step) as [number, number];
    return volume.hu(voxel[0] + x / volume.spacing[0], voxel[1] + y / volume.spacing[1], voxel[2]);
  });
  return thumbnail(hu, SIDE, SIDE, SIDE);
}

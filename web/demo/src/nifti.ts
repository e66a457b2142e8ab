/** Voxels in memory as an image of the viewer. */
import { NVImage } from '@niivue/niivue';
import type { Triple } from 'clip-lung';

const INT16 = 4;
const UINT8 = 2;

/** A volume with x towards the left, y towards the back, z towards the head; `first` is the centre of the first voxel and `steps` the ways
 * from a voxel to the next along x, y and z in those directions, mm; straight along the axes where they are not given. */
export async function image(
  name: string, data: Int16Array | Uint8Array, dims: Triple, spacing: Triple, first: Triple,
  steps: [Triple, Triple, Triple] = [[spacing[0], 0, 0], [0, spacing[1], 0], [0, 0, spacing[2]]],
): Promise<NVImage> {
  // RAS+: x and y turn round
  const row = (world: 0 | 1 | 2, sign: number) => [...steps.map((step) => sign * step[world]), sign * first[world]];
  const affine = [...row(0, -1), ...row(1, -1), ...row(2, 1), 0, 0, 0, 1];
  const bytes = NVImage.createNiftiArray(dims, spacing, affine, data instanceof Uint8Array ? UINT8 : INT16, data);
  const buffer = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength) as ArrayBuffer;
  return NVImage.loadFromUrl({ url: buffer, name: `${name}.nii`, buffer });
}

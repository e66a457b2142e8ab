/** Voxels in memory as an image of the viewer. */
import { NVImage } from '@niivue/niivue';
import type { Triple } from 'clip-lung';

const INT16 = 4;
const UINT8 = 2;

/** A volume with x towards the left, y towards the back, z towards the head; `first` is the centre of the first voxel in those
 * directions, mm. */
export async function image(name: string, data: Int16Array | Uint8Array, dims: Triple, spacing: Triple, first: Triple): Promise<NVImage> {
  const [sx, sy, sz] = spacing;
  // RAS+: x and y turn round
  const affine = [-sx, 0, 0, -first[0], 0, -sy, 0, -first[1], 0, 0, sz, first[2], 0, 0, 0, 1];
  const bytes = NVImage.createNiftiArray(dims, spacing, affine, data instanceof Uint8Array ? UINT8 : INT16, data);
  const buffer = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength) as ArrayBuffer;
  return NVImage.loadFromUrl({ url: buffer, name: `${name}.nii`, buffer });
}

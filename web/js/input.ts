/** What a prediction is made from, checked on its way to the worker. */
import { ClipLungError } from './errors.js';
import { sides, type CropGeometry, type Triple } from './geometry.js';
import type { VolumeRequest } from './protocol.js';

/** A crop (`dims` [32, 32, 32]), or a volume with the nodule's `centre` (voxel) and `diameter` (mm). Triples are x, y, z; x runs
 * fastest; x towards the left, y towards the back, z towards the head. */
export interface Input {
  data: ArrayLike<number>;
  dims: Triple;
  /** mm; needed with a volume. */
  spacing?: Triple;
  centre?: Triple;
  /** mm; needed with a volume, and with a crop where the model's `info.diameter` is true. */
  diameter?: number;
  unit: 'HU';
}

/** A nodule in a volume; as in {@link Input}. */
export interface Nodule {
  dims: Triple;
  spacing: Triple;
  centre: Triple;
  diameter: number;
}

/** An object, whatever a caller without types gives. */
function given<T>(input: T): T {
  if (typeof input !== 'object' || input === null) throw new ClipLungError('input', `${input} is no input; give {data, dims, unit: 'HU'}`);
  return input;
}

/** The part of a volume that a model needs around a nodule, read voxel by voxel (HU) from wherever a viewer holds it: a whole scan would
 * take longer to copy than to predict. `crop` is the model's geometry, `info.input.crop`. */
export function around(nodule: Nodule, voxel: (x: number, y: number, z: number) => number, crop: CropGeometry): Required<Input> {
  const { dims, spacing, centre, diameter } = given(nodule);
  if (typeof voxel !== 'function') throw new ClipLungError('input', "around needs a function that gives a voxel's HU");
  if (!crop?.in_plane || !crop.through_plane) throw new ClipLungError('input', "around needs the model's geometry: its info.input.crop");
  if (![dims, spacing, centre].every((t) => t?.length === 3) || diameter === undefined) {
    throw new ClipLungError('input', 'a volume needs dims, spacing (mm), centre (voxel) and diameter (mm)');
  }
  const mm = sides(crop, diameter);
  const axis = (i: 0 | 1 | 2): [number, number] => {
    if (!(spacing[i] > 0 && spacing[i] < Infinity)) throw new ClipLungError('input', `spacing: ${spacing[i]} mm is not positive`);
    if (!(centre[i] >= -0.5 && centre[i] <= dims[i] - 0.5)) {
      throw new ClipLungError('input', `centre [${centre}] is outside of the volume; voxels run from 0 to dims - 1 [${Array.from(dims, (d) => d - 1)}]`);
    }
    const reach = mm[i] / 2 / spacing[i];
    return [Math.max(0, Math.floor(centre[i] - reach)), Math.min(dims[i], Math.ceil(centre[i] + reach) + 1)];
  };
  const [[x0, x1], [y0, y1], [z0, z1]] = [axis(0), axis(1), axis(2)];
  const size: Triple = [x1 - x0, y1 - y0, z1 - z0];
  const data = new Float32Array(size[0] * size[1] * size[2]);
  let at = 0;
  for (let z = z0; z < z1; z++) {
    for (let y = y0; y < y1; y++) {
      for (let x = x0; x < x1; x++) data[at++] = voxel(x, y, z);
    }
  }
  return { data, dims: size, spacing, centre: [centre[0] - x0, centre[1] - y0, centre[2] - z0], diameter, unit: 'HU' };
}

/** What goes to the worker: the samples of a crop, or those of a volume that a crop of the model's geometry touches, with their place. */
export function prepare(input: Input, crop: CropGeometry): { hu: Float32Array; volume?: VolumeRequest; diameter?: number } {
  const { data, dims, unit } = given(input);
  if (unit !== 'HU') throw new ClipLungError('input', `unit: '${unit}' is not 'HU'; rescale the voxels first`);
  const count = dims?.length === 3 ? dims[0] * dims[1] * dims[2] : NaN;
  if (!data || data.length !== count) {
    throw new ClipLungError('input', `data: ${data?.length} values where dims [${dims}] need ${count}`);
  }
  if (typeof data[0] !== 'number') {
    throw new ClipLungError('input', `data: values of type ${typeof data[0]}; HU are numbers, as in a Float32Array or an Int16Array`);
  }
  const isCrop = Array.from(dims).every((d) => d === 32);
  if (input.centre || (input.diameter !== undefined && !isCrop)) {
    const { data: hu, unit: _, ...volume } = around(input as Nodule, (x, y, z) => data[(z * dims[1] + y) * dims[0] + x]!, crop);
    return { hu: hu as Float32Array, volume };
  }
  if (!isCrop) {
    throw new ClipLungError('input', `dims [${dims}] are not a crop of [32, 32, 32]; give centre (voxel) and diameter (mm) of the nodule`);
  }
  return { hu: Float32Array.from(data), ...(input.diameter !== undefined && { diameter: input.diameter }) };
}

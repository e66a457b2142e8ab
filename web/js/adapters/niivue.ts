/**
 * NiiVue: a prediction at a point of a volume on show, and its heat map as an overlay. Points are in NiiVue's frame, mm towards right,
 * front and head (RAS+), as `onLocationChange` gives them.
 */
import { ClipLungError } from '../errors.js';
import type { Triple } from '../geometry.js';
import { cropAt, heatVolume, type Grid, type Options, type Predictor, type Shown } from './crop.js';

/** What is used of an `NVImage`. */
interface Image {
  id: string;
  name: string;
  hdr: { dims: number[]; affine: number[][]; scl_slope: number; scl_inter: number } | null;
  img?: ArrayLike<number> | null;
  frame4D?: number;
  colormap?: string;
  cal_min?: number;
  cal_max?: number;
  opacity?: number;
}

/** What is used of a `Niivue`. */
interface Viewer<T extends Image> {
  volumes: T[];
  addVolume(volume: T): void;
  removeVolume(volume: T): void;
}

/** What is used of the class `NVImage`. */
interface ImageClass<T extends Image> {
  createNiftiArray(dims: number[], pixDims: number[], affine: number[], datatypeCode: number, img: Uint8Array): Uint8Array;
  loadFromUrl(options: { url: ArrayBuffer; name: string; buffer: ArrayBuffer }): Promise<T>;
}

const UINT8 = 2;

/** A volume in the patient's frame (LPS), its values in HU; of several time points the one on show. */
function grid(image: Image): Grid {
  const { hdr, img } = image;
  const dims = hdr?.dims.slice(1, 4) as Triple | undefined;
  const count = dims ? dims[0] * dims[1] * dims[2] : NaN;
  if (!hdr || !dims || !img || !(img.length >= count)) {
    throw new ClipLungError('input', `${image.name}: its voxels are not there yet; wait until NiiVue has loaded it`);
  }
  if (img.length % count !== 0 || img.length / count !== Math.max(1, ...hdr.dims.slice(4, 8))) {
    throw new ClipLungError('input', `${image.name}: a colour image has no HU; show a CT`);
  }
  const start = (image.frame4D ?? 0) * count;
  const { scl_slope: slope, scl_inter: intercept } = hdr;
  const lps = (column: number) => [-hdr.affine[0]![column]!, -hdr.affine[1]![column]!, hdr.affine[2]![column]!] as Triple;
  return {
    dims,
    first: lps(3),
    steps: [lps(0), lps(1), lps(2)],
    voxel: (i, j, k) => {
      const stored = img[start + (k * dims[1] + j) * dims[0] + i]!;
      return slope ? stored * slope + intercept : stored;
    },
  };
}

/** `predictAt` for NiiVue: `const { predictAt } = niivue(clip, NVImage)`. */
export function niivue<T extends Image>(clip: Predictor, NVImage: ImageClass<T>) {
  /** The nodule at a point, `diameter` mm wide, in the first volume or the one of this index or id. */
  async function predictAt(
    viewer: Viewer<T>, point: ArrayLike<number>, diameter: number, options: Options & { volume?: number | string } = {},
  ): Promise<Shown> {
    const { heat = true, target, opacity = 0.5, signal, volume = 0 } = options;
    const image = typeof volume === 'number' ? viewer.volumes[volume] : viewer.volumes.find(({ id }) => id === volume);
    if (!image) throw new ClipLungError('input', `the viewer shows no volume ${volume}; it has ${viewer.volumes.length}`);
    const centre = [-point[0]!, -point[1]!, point[2]!] as Triple;
    const { crop } = clip.info.input;
    const input = cropAt(grid(image), centre, diameter, crop);
    const prediction = await clip.predict(input, { ...(signal && { signal }) });
    if (!heat) return { ...prediction, remove: () => undefined };
    const map = await clip.explain(input, { target: target ?? prediction.label, ...(signal && { signal }) });
    const { values, dims, cells, first } = heatVolume(map, centre, diameter, crop);
    const affine = [-cells[0], 0, 0, -first[0], 0, -cells[1], 0, -first[1], 0, 0, cells[2], first[2], 0, 0, 0, 1];
    const bytes = NVImage.createNiftiArray(dims, cells, affine, UINT8, values);
    const buffer = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength) as ArrayBuffer;
    const overlay = await NVImage.loadFromUrl({ url: buffer, name: 'heat.nii', buffer });
    Object.assign(overlay, { colormap: 'warm', cal_min: 40, cal_max: 255, opacity });
    viewer.addVolume(overlay);
    const remove = () => {
      if (viewer.volumes.includes(overlay)) viewer.removeVolume(overlay);
    };
    return { ...prediction, remove };
  }
  return { predictAt };
}

/** One slice of a volume as grey pixels. */
import type { Triple } from 'clip-lung';
import type { Volume, Voxels } from '../scan/volume';
import { PLANES, type Plane } from './planes';

/** Windows by name, [darkest, brightest] HU: width and level of chest CT. */
export const WINDOWS: Record<string, [number, number]> = { lung: [-1350, 150], mediastinum: [-135, 215], bone: [-450, 1050] };

const OPAQUE = 0xff000000;
const grey = (level: number) => OPAQUE | (level << 16) | (level << 8) | level;

/** Pixels of whole HU from -32768, for one window. */
let table: { window: string; pixels: Uint32Array } = { window: '', pixels: new Uint32Array(0) };

function pixelsOf([low, high]: [number, number]): Uint32Array {
  const window = `${low} ${high}`;
  if (table.window !== window) {
    const pixels = new Uint32Array(65536);
    for (let i = 0; i < pixels.length; i++) pixels[i] = grey(levelOf(i - 32768, low, high));
    table = { window, pixels };
  }
  return table.pixels;
}

const levelOf = (hu: number, low: number, high: number) => Math.round(255 * Math.min(1, Math.max(0, (hu - low) / (high - low))));

/** Fills `into` with rows of pixels, from `start` on with the strides of a row and of a column. */
function fill(into: Uint32Array, width: number, voxels: Voxels, start: number, row: number, column: number, window: [number, number]): void {
  const pixels = pixelsOf(window);
  const [low, high] = window;
  const whole = voxels instanceof Int16Array;
  for (let i = 0, y = 0; i < into.length; y++) {
    for (let x = 0, at = start + y * row; x < width; x++, at += column) {
      into[i++] = whole ? pixels[voxels[at]! + 32768]! : grey(levelOf(voxels[at]!, low, high));
    }
  }
}

/** A slice's picture, drawn again only when something of it changed. */
export class SlicePicture {
  readonly canvas = document.createElement('canvas');
  #drawn = '';
  #volume: Volume | undefined;

  draw(volume: Volume, plane: Plane, index: number, window: [number, number]): HTMLCanvasElement {
    const key = `${plane} ${index} ${window}`;
    if (this.#volume === volume && this.#drawn === key) return this.canvas;
    [this.#volume, this.#drawn] = [volume, key];
    const { across, along, upwards, through } = PLANES[plane];
    const { dims } = volume;
    const [width, height] = [dims[across], dims[along]];
    if (this.canvas.width !== width || this.canvas.height !== height) Object.assign(this.canvas, { width, height });
    const stride: Triple = [1, dims[0], dims[0] * dims[1]];
    const start = index * stride[through] + (upwards ? (height - 1) * stride[along] : 0);
    const image = new ImageData(width, height);
    fill(new Uint32Array(image.data.buffer), width, volume.voxels, start, (upwards ? -1 : 1) * stride[along], stride[across], window);
    this.canvas.getContext('2d')!.putImageData(image, 0, 0);
    return this.canvas;
  }
}

/** A small picture of rows of HU, at most `side` pixels. */
export function thumbnail(hu: ArrayLike<number>, width: number, height: number, side: number, window = WINDOWS.lung!): HTMLCanvasElement {
  const step = Math.max(1, Math.ceil(Math.max(width, height) / side));
  const canvas = Object.assign(document.createElement('canvas'), { width: Math.ceil(width / step), height: Math.ceil(height / step) });
  const image = new ImageData(canvas.width, canvas.height);
  const into = new Uint32Array(image.data.buffer);
  for (let y = 0, i = 0; y < canvas.height; y++) {
    for (let x = 0; x < canvas.width; x++) into[i++] = grey(levelOf(hu[y * step * width + x * step]!, window[0], window[1]));
  }
  canvas.getContext('2d')!.putImageData(image, 0, 0);
  return canvas;
}

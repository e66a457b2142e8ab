/** What the viewers' adapters share: a crop along the patient's axes from a volume that lies in any direction, and its heat map's box. */
import { ClipLungError } from '../errors.js';
import { sides, type CropGeometry, type Triple } from '../geometry.js';
import type { ClassName, HeatMap, Input, Prediction } from '../index.js';

/** A model's answers: a `ClipLung`, or what stands for one. */
export interface Predictor {
  readonly info: { input: { crop: CropGeometry }; classes: ClassName[] };
  predict(input: Input, options?: { signal?: AbortSignal }): Promise<Prediction>;
  explain(input: Input, options?: { target?: ClassName; signal?: AbortSignal }): Promise<HeatMap>;
}

/** How a nodule is predicted and shown. */
export interface Options {
  /** Lay the heat map over the scan; true if not given. */
  heat?: boolean;
  /** The class that the heat map explains; the predicted one if not given. */
  target?: ClassName;
  /** Of the heat map, 0..1. */
  opacity?: number;
  signal?: AbortSignal;
}

/** A prediction, and how to take its heat map away again. */
export interface Shown extends Prediction {
  remove(): void;
}

/** A volume as a viewer holds it: the centre of its first voxel and the ways from a voxel to the next along its axes, LPS, mm. */
export interface Grid {
  dims: Triple;
  first: Triple;
  steps: [Triple, Triple, Triple];
  /** HU. */
  voxel(i: number, j: number, k: number): number;
}

const SIDE = 32;
/** Outside of a volume, as in the command line. */
const AIR = -1000;

const determinant = ([a, b, c]: Triple, [d, e, f]: Triple, [g, h, i]: Triple) => a * (e * i - f * h) - d * (b * i - c * h) + g * (b * f - c * e);

/** The crop of a model's geometry around a point (LPS, mm): trilinear at 32 cell centres along each of the patient's axes. */
export function cropAt({ dims, first, steps: [a, b, c], voxel }: Grid, point: Triple, diameter: number, crop: CropGeometry): Input {
  const mm = sides(crop, diameter);
  const whole = determinant(a, b, c);
  // Cramer's rule: an offset in mm as voxels
  const voxels = (d: Triple): Triple => [determinant(d, b, c) / whole, determinant(a, d, c) / whole, determinant(a, b, d) / whole];
  const centre = voxels(point.map((v, i) => v - first[i]!) as Triple);
  if (!centre.every((v, i) => v >= -0.5 && v <= dims[i]! - 0.5)) {
    throw new ClipLungError('input', `the point [${point}] is outside of the volume: voxel [${centre.map((v) => v.toFixed(1))}] of [${dims}]`);
  }
  const axes = ([[1, 0, 0], [0, 1, 0], [0, 0, 1]] as Triple[]).map(voxels);
  const offset = (i: number, side: number) => ((i + 0.5) / SIDE) * side - side / 2;
  const at = (i: number, j: number, k: number) =>
    i >= 0 && j >= 0 && k >= 0 && i < dims[0] && j < dims[1] && k < dims[2] ? voxel(i, j, k) : AIR;
  const mix = (low: number, high: number, t: number) => (t === 0 ? low : low * (1 - t) + high * t);
  const data = new Float32Array(SIDE ** 3);
  for (let n = 0; n < data.length; n++) {
    const cell = [n % SIDE, Math.floor(n / SIDE) % SIDE, Math.floor(n / SIDE ** 2)].map((i, axis) => offset(i, mm[axis]!));
    const [x, y, z] = centre.map((v, i) => v + axes.reduce((sum, axis, world) => sum + cell[world]! * axis[i]!, 0)) as Triple;
    const [i, j, k] = [Math.floor(x), Math.floor(y), Math.floor(z)];
    const line = (dj: number, dk: number) => mix(at(i, j + dj, k + dk), at(i + 1, j + dj, k + dk), x - i);
    const plane = (dk: number) => mix(line(0, dk), line(1, dk), y - j);
    data[n] = mix(plane(0), plane(1), z - k);
  }
  return { data, dims: [SIDE, SIDE, SIDE], diameter, unit: 'HU' };
}

/** A heat map as a volume: 32 x 32 x 32 values of 0..255, the same in every slice, with the size of a cell and the centre of the first
 * (LPS, mm). */
export function heatVolume({ data }: HeatMap, point: Triple, diameter: number, crop: CropGeometry) {
  const values = new Uint8Array(SIDE ** 3);
  for (let z = 0; z < SIDE; z++) data.forEach((v, i) => (values[z * SIDE * SIDE + i] = Math.round(255 * v)));
  const cells = sides(crop, diameter).map((side) => side / SIDE) as Triple;
  return { values, dims: [SIDE, SIDE, SIDE] as Triple, cells, first: point.map((v, i) => v - ((SIDE - 1) / 2) * cells[i]!) as Triple };
}

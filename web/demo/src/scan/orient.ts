/** Voxels stored in any order of the patient's axes, turned towards left, back and head. */
import type { Triple } from 'clip-lung';
import type { Grid, Voxels } from './volume';

/** Axes may lean this far from the patient's, as in the command line. */
const MAX_TILT_DEGREES = 1;

const length = (v: Triple) => Math.hypot(...v);

/** `ways` are the steps (LPS, mm) along the stored axes, the fastest first; `origin` is the first stored voxel's centre. */
export function oriented<T extends Voxels>(voxels: T, size: Triple, ways: [Triple, Triple, Triple], origin: Triple): { voxels: T; grid: Grid } {
  // which stored axis runs along x, y, z
  const axis: (0 | 1 | 2)[] = [];
  for (const stored of [0, 1, 2] as const) {
    const way = ways[stored];
    const world = ([0, 1, 2] as const).reduce((best, i) => (Math.abs(way[i]) > Math.abs(way[best]) ? i : best));
    const degrees = (Math.acos(Math.min(1, Math.abs(way[world]) / length(way))) * 180) / Math.PI;
    if (!(degrees <= MAX_TILT_DEGREES)) throw new Error(`the volume is tilted by ${degrees.toFixed(0)}° against the patient's axes; resample it to axial slices`);
    axis[world] = stored;
  }
  if ([0, 1, 2].some((i) => axis[i] === undefined)) throw new Error('two of its axes run along one direction');
  const stride = [1, size[0], size[0] * size[1]];
  const first = [...origin] as Triple;
  const order = [0, 1, 2].map((world) => {
    const stored = axis[world]!;
    const backwards = ways[stored][world]! < 0;
    const last = size[stored] - 1;
    const sign = backwards ? -1 : 1;
    if (backwards) ways[stored].forEach((v, i) => (first[i]! += last * v));
    return { stored, sign, from: backwards ? last * stride[stored]! : 0, by: sign * stride[stored]! };
  });
  const dims = order.map(({ stored }) => size[stored]) as Triple;
  const grid: Grid = {
    dims, first,
    spacing: order.map(({ stored }) => length(ways[stored])) as Triple,
    steps: order.map(({ stored, sign }) => ways[stored].map((v) => sign * v)) as [Triple, Triple, Triple],
  };
  const [x, y, z] = order as [typeof order[0], typeof order[0], typeof order[0]];
  if (x.by === 1 && y.by === dims[0] && z.by === dims[0] * dims[1]) return { voxels, grid };
  const turned = new (voxels.constructor as { new (n: number): T })(voxels.length);
  let at = 0;
  for (let k = 0, kk = z.from; k < dims[2]; k++, kk += z.by) {
    for (let j = 0, jj = kk + y.from; j < dims[1]; j++, jj += y.by) {
      for (let i = 0, ii = jj + x.from; i < dims[0]; i++, ii += x.by) turned[at++] = voxels[ii]!;
    }
  }
  return { voxels: turned, grid };
}

/** A CT volume in memory: HU, and where its voxels lie. Voxel axes run towards the left, the back and the head; places are LPS mm. */
import { around, type CropGeometry, type Input, type Triple } from 'clip-lung';

export type Voxels = Int16Array | Float32Array;

/** Where voxels lie; triples are x, y, z. */
export interface Grid {
  dims: Triple;
  /** mm. */
  spacing: Triple;
  /** Centre of the first voxel. */
  first: Triple;
  /** The way from a voxel to the next along x, y and z. */
  steps: [Triple, Triple, Triple];
}

/** What lies outside of a volume: air. */
const OUTSIDE_HU = -1000;

/** Of the matrix with these columns. */
const determinant = ([a, b, c]: Triple, [d, e, f]: Triple, [g, h, i]: Triple) => a * (e * i - f * h) - d * (b * i - c * h) + g * (b * f - c * e);

export class Volume {
  constructor(readonly voxels: Voxels, readonly grid: Grid) {
    const count = grid.dims[0] * grid.dims[1] * grid.dims[2];
    if (voxels.length !== count) throw new Error(`${voxels.length} voxels where ${grid.dims.join(' x ')} are ${count}`);
  }

  get dims(): Triple {
    return this.grid.dims;
  }

  get spacing(): Triple {
    return this.grid.spacing;
  }

  /** The place of voxel coordinates. */
  mm(voxel: Triple): Triple {
    const { first, steps } = this.grid;
    return first.map((v, i) => v + steps.reduce((sum, step, axis) => sum + voxel[axis]! * step[i]!, 0)) as Triple;
  }

  /** Voxel coordinates of a place, by Cramer's rule: the volume may be tilted a little. */
  voxel(mm: Triple): Triple {
    const [a, b, c] = this.grid.steps;
    const d = mm.map((v, i) => v - this.grid.first[i]!) as Triple;
    const whole = determinant(a, b, c);
    return [determinant(d, b, c) / whole, determinant(a, d, c) / whole, determinant(a, b, d) / whole];
  }

  contains(voxel: Triple): boolean {
    return voxel.every((v, i) => v >= -0.5 && v <= this.dims[i]! - 0.5);
  }

  /** The nearest point on the volume. */
  clamp(voxel: Triple): Triple {
    return voxel.map((v, i) => Math.min(Math.max(v, 0), this.dims[i]! - 1)) as Triple;
  }

  get middle(): Triple {
    return this.dims.map((d) => (d - 1) / 2) as Triple;
  }

  /** HU of the nearest voxel. */
  hu(x: number, y: number, z: number): number {
    const [i, j, k] = [Math.round(x), Math.round(y), Math.round(z)];
    const [nx, ny, nz] = this.dims;
    if (i < 0 || j < 0 || k < 0 || i >= nx || j >= ny || k >= nz) return OUTSIDE_HU;
    return this.voxels[(k * ny + j) * nx + i]!;
  }

  /** The part that a model of this geometry needs around a nodule. */
  around(centre: Triple, diameter: number, crop: CropGeometry): Input {
    const [nx, ny] = this.dims;
    const { voxels } = this;
    return around({ dims: this.dims, spacing: this.spacing, centre, diameter }, (x, y, z) => voxels[(z * ny + y) * nx + x]!, crop);
  }
}

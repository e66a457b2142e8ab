/** A CT volume as the viewer holds it, and what the package is given of it. */
import { around, type CropGeometry, type Input, type Triple } from 'clip-lung';
import type { NVImage } from '@niivue/niivue';

/** Planes may lean this far from the patient's axes, as in the command line. */
const MAX_TILT_DEGREES = 1;

/** Of the matrix with these columns. */
const determinant = ([a, b, c]: Triple, [d, e, f]: Triple, [g, h, i]: Triple) => a * (e * i - f * h) - d * (b * i - c * h) + g * (b * f - c * e);

export class Volume {
  /** Stored values, x towards the right, y to the front, z to the head; x runs fastest. */
  readonly #values: ArrayLike<number>;
  readonly dims: Triple;
  readonly spacing: Triple;
  /** Centre of the first voxel, mm (RAS+). */
  readonly first: Triple;
  /** The way from a voxel to the next along x, y and z, mm (RAS+). */
  readonly #steps: [Triple, Triple, Triple];
  readonly #slope: number;
  readonly #intercept: number;

  constructor(image: NVImage) {
    const [, nx, ny, nz] = image.dimsRAS as number[];
    this.dims = [nx!, ny!, nz!];
    this.spacing = (image.pixDimsRAS as number[]).slice(1, 4) as Triple;
    // columns of the voxel-to-mm matrix, stored row by row
    const m = Array.from(image.matRAS as ArrayLike<number>);
    this.first = [m[3]!, m[7]!, m[11]!];
    this.#steps = [0, 1, 2].map((column) => [m[column]!, m[4 + column]!, m[8 + column]!]) as [Triple, Triple, Triple];
    for (let axis = 0; axis < 3; axis++) {
      const along = Math.abs(m[axis * 4 + axis]!) / this.spacing[axis]!;
      const degrees = (Math.acos(Math.min(1, along)) * 180) / Math.PI;
      if (degrees > MAX_TILT_DEGREES) {
        throw new Error(`the volume is tilted by ${degrees.toFixed(0)}° against the patient's axes; resample it to axial slices`);
      }
    }
    if ((image.hdr!.dims[4] ?? 1) > 1) throw new Error('the file holds several volumes; open one of them');
    const values = image.img2RAS();
    if (values.length < nx! * ny! * nz!) throw new Error('colour images have no HU; open a CT');
    this.#values = values;
    this.#slope = image.hdr!.scl_slope || 1;
    this.#intercept = image.hdr!.scl_slope ? image.hdr!.scl_inter : 0;
  }

  /** Voxel coordinates of a point in mm, by Cramer's rule: the volume may be tilted. */
  voxel(mm: Triple): Triple {
    const [a, b, c] = this.#steps;
    const d = mm.map((v, i) => v - this.first[i]!) as Triple;
    const whole = determinant(a, b, c);
    return [determinant(d, b, c) / whole, determinant(a, d, c) / whole, determinant(a, b, d) / whole];
  }

  /** The middle of the volume, mm. */
  get middle(): Triple {
    return this.first.map((v, i) => v + this.#steps.reduce((sum, step, axis) => sum + ((this.dims[axis]! - 1) / 2) * step[i]!, 0)) as Triple;
  }

  /** The part that a model of this geometry needs around a nodule, turned towards left, back and head. */
  around(mm: Triple, diameter: number, crop: CropGeometry): Input {
    const { dims, spacing } = this;
    const [x, y, z] = this.voxel(mm);
    const [right, front] = [dims[0] - 1, dims[1] - 1];
    return around({ dims, spacing, centre: [right - x, front - y, z], diameter }, (i, j, k) => {
      const stored = this.#values[(k * dims[1] + front - j) * dims[0] + right - i]!;
      return stored * this.#slope + this.#intercept;
    }, crop);
  }

  /** The lowest value of a coarse grid: CT has air in it. */
  get lowest(): number {
    const step = Math.max(1, Math.floor(this.#values.length / 1e5));
    let low = Infinity;
    for (let i = 0; i < this.#values.length; i += step) low = Math.min(low, this.#values[i]!);
    return low * this.#slope + this.#intercept;
  }
}

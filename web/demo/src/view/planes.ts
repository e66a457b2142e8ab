/** The three planes as a radiologist looks at them, and where a voxel lies on the screen. */
import type { Triple } from 'clip-lung';

export type Plane = 'axial' | 'coronal' | 'sagittal';
export type Axis = 0 | 1 | 2;

interface Layout {
  /** The voxel axis that runs to the right on the screen, and the one that runs down (or up: `upwards`). */
  across: Axis;
  along: Axis;
  upwards: boolean;
  /** The voxel axis through the screen. */
  through: Axis;
  /** Letters at the left, right, upper and lower edge: right, left, anterior, posterior, head, feet. */
  letters: [string, string, string, string];
}

/** Seen from the feet, from the front, from the left. */
export const PLANES: Record<Plane, Layout> = {
  axial: { across: 0, along: 1, upwards: false, through: 2, letters: ['R', 'L', 'A', 'P'] },
  coronal: { across: 0, along: 2, upwards: true, through: 1, letters: ['R', 'L', 'H', 'F'] },
  sagittal: { across: 1, along: 2, upwards: true, through: 0, letters: ['A', 'P', 'H', 'F'] },
};

/** What is looked at; shared by the three planes. */
export interface Look {
  /** The cross-hair, voxels. */
  cursor: Triple;
  /** What lies in the middle of the screen, voxels. */
  centre: Triple;
  /** 1 shows the whole plane. */
  zoom: number;
  /** The darkest and the brightest HU. */
  window: [number, number];
}

/** One plane of a volume on a screen of `width` by `height` CSS pixels. */
export class Port {
  readonly #layout: Layout;
  /** Pixels a mm. */
  readonly scale: number;

  constructor(plane: Plane, private readonly dims: Triple, readonly spacing: Triple, private readonly look: Look, readonly width: number, readonly height: number) {
    this.#layout = PLANES[plane];
    const { across, along } = this.#layout;
    this.scale = look.zoom * Math.min(width / (dims[across] * spacing[across]), height / (dims[along] * spacing[along]));
  }

  get cursor(): Triple {
    return this.look.cursor;
  }

  /** Pixels from the left edge and from the upper edge. */
  point(voxel: Triple): [number, number] {
    const { across, along, upwards } = this.#layout;
    const { centre } = this.look;
    const right = (voxel[across] - centre[across]) * this.spacing[across] * this.scale;
    const down = (voxel[along] - centre[along]) * this.spacing[along] * this.scale;
    return [this.width / 2 + right, this.height / 2 + (upwards ? -down : down)];
  }

  /** The voxel under a pixel, in the slice of the cross-hair. */
  voxel(x: number, y: number): Triple {
    const { across, along, upwards } = this.#layout;
    const { centre, cursor } = this.look;
    const down = upwards ? this.height / 2 - y : y - this.height / 2;
    const found = [...cursor] as Triple;
    found[across] = centre[across] + (x - this.width / 2) / this.scale / this.spacing[across];
    found[along] = centre[along] + down / this.scale / this.spacing[along];
    return found;
  }

  /** A box around a voxel, `sides` (x, y, z) in mm, as left, top, width and height; nothing where the slice of the cross-hair misses it. */
  box(centre: Triple, sides: Triple): [number, number, number, number] | undefined {
    const { across, along, through } = this.#layout;
    if (Math.abs(this.look.cursor[through] - centre[through]) * this.spacing[through] > sides[through] / 2 + 1e-6) return undefined;
    const [x, y] = this.point(centre);
    const [w, h] = [sides[across] * this.scale, sides[along] * this.scale];
    return [x - w / 2, y - h / 2, w, h];
  }

  /** The circle in which the slice of the cross-hair cuts a ball: middle and radius in pixels. */
  circle(centre: Triple, diameter: number): [number, number, number] | undefined {
    const { through } = this.#layout;
    const off = (this.look.cursor[through] - centre[through]) * this.spacing[through];
    const squared = (diameter / 2) ** 2 - off ** 2;
    // a ball smaller than a slice is cut by the slice it lies in
    const radius = squared > 0 ? Math.sqrt(squared) : Math.abs(off) <= this.spacing[through] / 2 ? diameter / 2 : 0;
    return radius ? [...this.point(centre), radius * this.scale] : undefined;
  }

  /** The whole slice as left, top, width and height: voxels reach half a step beyond their centres. */
  get slice(): [number, number, number, number] {
    const { across, along, upwards } = this.#layout;
    const corner = [0, 0, 0] as Triple;
    corner[across] = -0.5;
    corner[along] = upwards ? this.dims[along] - 0.5 : -0.5;
    const [x, y] = this.point(corner);
    return [x, y, this.dims[across] * this.spacing[across] * this.scale, this.dims[along] * this.spacing[along] * this.scale];
  }
}

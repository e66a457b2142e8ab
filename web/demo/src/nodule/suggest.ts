/**
 * A diameter for a nodule that was clicked: the largest ball at whose surface at least half lies above -600 HU, centred on what lies above
 * -600 HU in it. A suggestion, always editable; how far it is from readers' diameters is in docs/benchmarks.md.
 */
import type { Triple } from 'clip-lung';
import type { Volume } from '../scan/volume';

/** Between lung and soft tissue, HU. */
const TISSUE = -600;
/** Radii that are tried, mm. */
const [FIRST, STEP, LAST] = [0.5, 0.25, 20];
const SHARE = 0.5;
/** How often the centre is moved. */
const ROUNDS = 3;

/** Directions spread evenly over a ball, along a spiral. */
const DIRECTIONS: Triple[] = Array.from({ length: 300 }, (_, i) => {
  const z = 1 - (2 * (i + 0.5)) / 300;
  const angle = Math.PI * (3 - Math.sqrt(5)) * i;
  return [Math.sqrt(1 - z * z) * Math.cos(angle), Math.sqrt(1 - z * z) * Math.sin(angle), z];
});

export interface Suggestion {
  /** Voxels. */
  centre: Triple;
  /** mm. */
  diameter: number;
}

/** Nothing where no ball of tissue begins at the click, or where it does not end: at the wall of the chest, in the heart. */
export function suggest({ spacing, hu }: Pick<Volume, 'spacing'> & { hu: (x: number, y: number, z: number) => number }, click: Triple): Suggestion | undefined {
  const isTissue = (centre: Triple, mm: Triple, scale: number) =>
    hu(centre[0] + (scale * mm[0]) / spacing[0], centre[1] + (scale * mm[1]) / spacing[1], centre[2] + (scale * mm[2]) / spacing[2]) > TISSUE;
  let centre = click;
  let radius = 0;
  for (let round = 0; round < ROUNDS; round++) {
    radius = 0;
    for (let tried = FIRST; tried <= LAST; tried += STEP) {
      let inside = 0;
      for (const direction of DIRECTIONS) if (isTissue(centre, direction, tried)) inside += 1;
      if (inside < SHARE * DIRECTIONS.length) break;
      radius = tried;
    }
    if (radius < 1 || radius >= LAST) return undefined;
    centre = middle(centre, radius, isTissue, spacing);
  }
  return { centre, diameter: 2 * radius };
}

/** The middle of the tissue in a ball. */
function middle(centre: Triple, radius: number, isTissue: (centre: Triple, mm: Triple, scale: number) => boolean, spacing: Triple): Triple {
  const step = Math.max(0.3, radius / 8);
  const sum: Triple = [0, 0, 0];
  let count = 0;
  for (let z = -radius; z <= radius; z += step) {
    for (let y = -radius; y <= radius; y += step) {
      for (let x = -radius; x <= radius; x += step) {
        if (x * x + y * y + z * z > radius * radius || !isTissue(centre, [x, y, z], 1)) continue;
        [sum[0], sum[1], sum[2]] = [sum[0] + x, sum[1] + y, sum[2] + z];
        count += 1;
      }
    }
  }
  return count ? (centre.map((v, i) => v + sum[i]! / count / spacing[i]!) as Triple) : centre;
}

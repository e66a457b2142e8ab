/** The box that a crop covers: its side in the axial plane and along z, in diameters of the nodule or in mm. */
import { ClipLungError } from './errors.js';

export type Triple = [number, number, number];
/** A side's length. */
export type Extent = { diameters: number } | { mm: number };
/** The geometry of a model's crops: `info.input.crop`. */
export interface CropGeometry {
  in_plane: Extent;
  through_plane: Extent;
}

const side = (extent: Extent, diameter: number) => ('mm' in extent ? extent.mm : extent.diameters * diameter);

/** The sides (x, y, z) in mm of the crop around a nodule of this diameter (mm). */
export function sides(crop: CropGeometry, diameter: number): Triple {
  if (!(diameter > 0 && diameter < Infinity)) throw new ClipLungError('input', `diameter: ${diameter} mm is not positive`);
  const plane = side(crop.in_plane, diameter);
  return [plane, plane, side(crop.through_plane, diameter)];
}

/** In words, as the command line has them: `2 x 1 diameters`, `32 mm`. */
export function inWords({ in_plane, through_plane }: CropGeometry): string {
  if ('mm' in in_plane && 'mm' in through_plane) {
    return in_plane.mm === through_plane.mm ? `${in_plane.mm} mm` : `${in_plane.mm} x ${through_plane.mm} mm`;
  }
  if ('diameters' in in_plane && 'diameters' in through_plane) return `${in_plane.diameters} x ${through_plane.diameters} diameters`;
  const words = (extent: Extent) => ('mm' in extent ? `${extent.mm} mm` : `${extent.diameters} diameters`);
  return `${words(in_plane)} in plane, ${words(through_plane)} along z`;
}

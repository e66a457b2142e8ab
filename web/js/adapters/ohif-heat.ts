/**
 * Heat maps in OHIF: a segmentation each, over the series' own slices, whose segments are the levels of the map. OHIF's own panel can hide
 * it, change its opacity and remove it, as any other segmentation.
 */
import { sides, type CropGeometry, type Triple } from '../geometry.js';
import type { HeatMap } from '../index.js';
import type { Nodule } from './ohif-nodules.js';

/** What is used of OHIF's segmentations. */
export interface SegmentationService {
  createLabelmapForDisplaySet(displaySet: object, options: { label: string; segments: Record<number, object> }): Promise<string>;
  getSegmentation(id: string): { representationData: { Labelmap?: { imageIds: string[]; referencedImageIds: string[] } } } | undefined;
  addSegmentationRepresentation(viewportId: string, shown: { segmentationId: string; type: string; config: object }): Promise<void>;
  setStyle(specifier: object, style: object): void;
  remove(id: string): void;
}

/** What is used of `@cornerstonejs/core`. */
export interface Images {
  cache: { getImage(id: string): unknown; removeImageLoadObject(id: string, options: { force: boolean }): void };
  metaData: { get(type: string, id: string): unknown };
}

interface Plane {
  imagePositionPatient: ArrayLike<number>;
  rowCosines: ArrayLike<number>;
  columnCosines: ArrayLike<number>;
  /** Between rows, and between columns, mm. */
  rowPixelSpacing: number;
  columnPixelSpacing: number;
  rows: number;
  columns: number;
}

const LABELMAP = 'Labelmap';
/** Cells of a heat map along an axis. */
const SIDE = 32;
/** Shares of the hottest cell from which a level is shown: below the first nothing is. */
export const LEVELS = [0.16, 0.28, 0.4, 0.52, 0.64, 0.76, 0.88];
/** Of level `i`, opaquer as it is hotter: red to yellow to white. */
const colour = (i: number) => {
  const hot = i / (LEVELS.length - 1);
  return [255, Math.round(255 * Math.min(1, 1.6 * hot)), Math.round(255 * Math.max(0, 2 * hot - 1)), Math.round(90 + 165 * hot)];
};
const STYLE = { renderOutline: false, renderOutlineInactive: false, renderFill: true, renderFillInactive: true, fillAlpha: 0.6, fillAlphaInactive: 0.6 };

const dot = (a: ArrayLike<number>, b: ArrayLike<number>) => a[0]! * b[0]! + a[1]! * b[1]! + a[2]! * b[2]!;

/** The level of each pixel of a slice (0: none), by its index; only those of the nodule's box are told. `mm`: the box, in the patient's axes. */
export function levels({ data }: HeatMap, plane: Plane, centre: Triple, mm: Triple, tell: (pixel: number, level: number) => void): void {
  const { imagePositionPatient: first, rowCosines: right, columnCosines: down, columnPixelSpacing, rowPixelSpacing, columns, rows } = plane;
  const reach = Math.hypot(...mm) / 2;
  const way = centre.map((v, i) => v - first[i]!);
  const middle = [dot(way, right) / columnPixelSpacing, dot(way, down) / rowPixelSpacing];
  const span = (at: number, spacing: number, count: number) => [Math.max(0, Math.floor(at - reach / spacing)), Math.min(count - 1, Math.ceil(at + reach / spacing))] as const;
  const [left, last] = span(middle[0]!, columnPixelSpacing, columns);
  const [top, bottom] = span(middle[1]!, rowPixelSpacing, rows);
  for (let j = top; j <= bottom; j++) {
    for (let i = left; i <= last; i++) {
      const cell = way.map((v, c) => Math.floor(((right[c]! * i * columnPixelSpacing + down[c]! * j * rowPixelSpacing - v) / mm[c]! + 0.5) * SIDE));
      if (!cell.every((v) => v >= 0 && v < SIDE)) continue;
      const heat = data[cell[1]! * SIDE + cell[0]!]!;
      const level = LEVELS.filter((from) => heat >= from).length;
      if (level) tell(j * columns + i, level);
    }
  }
}

export class HeatMaps {
  /** The segmentation of a measurement, and the prediction that it explains. */
  readonly #shown = new Map<string, { id: string; prediction: Nodule['prediction'] }>();

  constructor(private readonly service: SegmentationService, private readonly images: () => Images) {}

  shows(uid: string): boolean {
    const shown = this.#shown.get(uid);
    // OHIF's panel may have removed it
    return shown !== undefined && this.service.getSegmentation(shown.id) !== undefined;
  }

  /** Lays a nodule's map over its series in a viewport. */
  async show({ uid, name, displaySet, centre, diameter, prediction }: Nodule, map: HeatMap, crop: CropGeometry, viewportId: string): Promise<void> {
    this.hide(uid);
    const { cache, metaData } = this.images();
    const segments = Object.fromEntries(LEVELS.map((from, i) => [i + 1, { segmentIndex: i + 1, label: `from ${Math.round(100 * from)} % of the hottest`, locked: true }]));
    const id = await this.service.createLabelmapForDisplaySet(displaySet, { label: `Heat map of ${name}: ${map.target}`, segments });
    this.#shown.set(uid, { id, prediction });
    const { imageIds = [], referencedImageIds = [] } = this.service.getSegmentation(id)?.representationData.Labelmap ?? {};
    imageIds.forEach((image, k) => {
      const { voxelManager } = cache.getImage(image) as { voxelManager: { setAtIndex(index: number, value: number): void } };
      const plane = metaData.get('imagePlaneModule', referencedImageIds[k]!) as Plane;
      levels(map, plane, centre, sides(crop, diameter), (pixel, level) => voxelManager.setAtIndex(pixel, level));
    });
    this.service.setStyle({ segmentationId: id, type: LABELMAP }, STYLE);
    const colorLUTOrIndex = [[0, 0, 0, 0], ...LEVELS.map((_, i) => colour(i))];
    await this.service.addSegmentationRepresentation(viewportId, { segmentationId: id, type: LABELMAP, config: { colorLUTOrIndex } });
  }

  hide(uid: string): void {
    const { id } = this.#shown.get(uid) ?? {};
    this.#shown.delete(uid);
    const segmentation = id === undefined ? undefined : this.service.getSegmentation(id);
    if (id === undefined || !segmentation) return;
    const { imageIds = [] } = segmentation.representationData.Labelmap ?? {};
    this.service.remove(id);
    // a label for every voxel of the scan
    for (const image of imageIds) if (this.images().cache.getImage(image)) this.images().cache.removeImageLoadObject(image, { force: true });
  }

  /** Takes away the maps of what is no longer there, or is predicted anew. */
  keep(nodules: Nodule[]): void {
    for (const [uid, { prediction }] of [...this.#shown]) if (!nodules.some((n) => n.uid === uid && n.prediction === prediction)) this.hide(uid);
  }
}

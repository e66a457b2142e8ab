/**
 * Cornerstone3D: a prediction at a point of a volume or viewport, and its heat map as a volume of its own over it. Points are world
 * coordinates, mm towards left, back and head (LPS).
 */
import { ClipLungError } from '../errors.js';
import type { Triple } from '../geometry.js';
import type { Input } from '../index.js';
import { grid, whole, type Volume } from './cornerstone-volume.js';
import { cropAt, heatVolume, type Options, type Predictor, type Shown } from './crop.js';

/** What is used of a viewport, of volumes or of a stack. */
export interface Viewport {
  getVolumeId?(): string | undefined;
  getImageIds(): string[];
  addVolumes?(volumes: { volumeId: string; actorUID: string; visibility: boolean }[]): Promise<void>;
  removeVolumeActors?(ids: string[]): void;
  getActor?(id: string): { actor: unknown } | undefined;
  getCamera?(): object;
  setCamera?(camera: object): void;
  setProperties(properties: object, volumeId?: string): void;
  render(): void;
}

/** What is used of a volume's actor. */
interface Actor {
  getProperty(): { setScalarOpacityUnitDistance(component: number, mm: number): void };
}

/** What is used of `@cornerstonejs/core`. */
export interface Core {
  cache: { getVolume(id: string): unknown; getImage(id: string): unknown; removeVolumeLoadObject(id: string): void };
  volumeLoader: {
    createAndCacheVolume(id: string, options: { imageIds: string[] }): Promise<unknown>;
    createLocalVolume(id: string, options: never): unknown;
  };
}

/** Of those that Cornerstone brings: black, red, yellow, white. */
const COLOURS = 'Black-Body Radiation';
/** Values of 0..255 from which the heat map is seen. */
const FLOOR = 40;
/** A slice is this thick to Cornerstone, mm; the opacity is that of the way through it. */
const SLICE = 0.1;
/** Heat maps laid so far; each is a volume with a name. */
let laid = 0;

/** `predictAt` for Cornerstone3D: `const { predictAt } = cornerstone(clip, { cache, volumeLoader })`. */
export function cornerstone(clip: Predictor, { cache, volumeLoader }: Core) {
  /** The volume of an id or a viewport; that of a stack is made of its images, which are loaded where they are not. */
  async function volumeOf(where: string | Viewport): Promise<Volume> {
    const id = typeof where === 'string' ? where : where.getVolumeId?.();
    const known = id === undefined ? undefined : cache.getVolume(id);
    if (known) return known as Volume;
    if (typeof where === 'string') throw new ClipLungError('input', `there is no volume ${where} in Cornerstone's cache`);
    return volumeOfImages(where.getImageIds());
  }

  /** The volume of a series' images. */
  async function volumeOfImages(imageIds: string[]): Promise<Volume> {
    if (imageIds.length < 2) throw new ClipLungError('input', `a stack of ${imageIds.length} image(s) is no volume`);
    const name = `cornerstoneStreamingImageVolume:clip-lung:${imageIds[0]}`;
    return (cache.getVolume(name) ?? (await volumeLoader.createAndCacheVolume(name, { imageIds }))) as Volume;
  }

  /** What a model is given of the nodule at a point, `diameter` mm wide. */
  async function inputAt(where: string | Viewport | Volume, point: ArrayLike<number>, diameter: number, signal?: AbortSignal): Promise<Input> {
    const volume = typeof where === 'object' && 'volumeId' in where ? where : await volumeOf(where);
    await whole(volume, signal);
    const centre = Array.from(point).slice(0, 3) as Triple;
    return cropAt(grid(volume, (id) => cache.getImage(id)), centre, diameter, clip.info.input.crop);
  }

  /** The nodule at a point, `diameter` mm wide. The heat map needs a viewport of volumes: `where`, or `options.viewport`. */
  async function predictAt(
    where: string | Viewport | Volume, point: ArrayLike<number>, diameter: number, options: Options & { viewport?: Viewport } = {},
  ): Promise<Shown> {
    const { heat = true, target, opacity = 0.5, signal } = options;
    const viewport = options.viewport ?? (typeof where === 'object' && 'render' in where ? where : undefined);
    const [centre, { crop }] = [Array.from(point).slice(0, 3) as Triple, clip.info.input];
    const input = await inputAt(where, point, diameter, signal);
    const prediction = await clip.predict(input, { ...(signal && { signal }) });
    if (!heat || !viewport?.addVolumes) return { ...prediction, remove: () => undefined };
    const map = await clip.explain(input, { target: target ?? prediction.label, ...(signal && { signal }) });
    const { values, dims, cells, first } = heatVolume(map, centre, diameter, crop);
    // with a colon Cornerstone would look for a loader
    const volumeId = `clip-lung-heat-${++laid}`;
    const local = { scalarData: values, dimensions: dims, spacing: cells, origin: first, direction: [1, 0, 0, 0, 1, 0, 0, 0, 1], metadata: {} };
    volumeLoader.createLocalVolume(volumeId, local as never);
    const camera = viewport.getCamera?.();
    await viewport.addVolumes([{ volumeId, actorUID: volumeId, visibility: true }]);
    // adding a volume moves the plane
    if (camera) viewport.setCamera?.(camera);
    const ramp = [[0, 0], [FLOOR, 0], [FLOOR + 1, opacity], [255, opacity]].map(([value, opacity]) => ({ value, opacity }));
    viewport.setProperties({ voiRange: { lower: 0, upper: 255 }, colormap: { name: COLOURS, opacity: ramp } }, volumeId);
    const heatActor = viewport.getActor?.(volumeId)?.actor as Actor | undefined;
    heatActor?.getProperty().setScalarOpacityUnitDistance(0, SLICE);
    viewport.render();
    // the first frame only brings the volume to the GPU
    requestAnimationFrame(() => requestAnimationFrame(() => viewport.render()));
    const remove = () => {
      viewport.removeVolumeActors?.([volumeId]);
      if (cache.getVolume(volumeId)) cache.removeVolumeLoadObject(volumeId);
      viewport.render();
    };
    return { ...prediction, remove };
  }
  return { predictAt, inputAt, volumeOf, volumeOfImages };
}

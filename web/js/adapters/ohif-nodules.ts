/** The nodules that were measured in OHIF, with what the model says of each; whoever shows them listens for `change`. */
import { ClipLungError } from '../errors.js';
import type { Triple } from '../geometry.js';
import type { ClipLung, HeatMap, Prediction } from '../index.js';
import { cornerstone, type Core } from './cornerstone.js';

/** What is used of a measurement. */
export interface Measurement {
  uid: string;
  toolName: string;
  /** World coordinates (LPS, mm); of a bidirectional measurement the ends of the long axis, then of the short one. */
  points: ArrayLike<number>[];
  displaySetInstanceUID: string;
  label?: string;
}

/** What is used of a display set. */
export interface DisplaySet {
  displaySetInstanceUID: string;
  Modality: string;
  SeriesDescription?: string;
  imageIds?: string[];
  images?: { imageId: string }[];
  instances: Record<string, unknown>[];
}

/** A measured nodule. */
export interface Nodule {
  uid: string;
  name: string;
  /** LPS, mm. */
  centre: Triple;
  /** mm. */
  diameter: number;
  displaySet: DisplaySet;
  /** Neither, while it is being computed. */
  prediction?: Prediction;
  failure?: string;
  /** What became of the last thing that was asked for: a report stored, or why a heat map is missing. */
  note?: string;
}

/** Between the last change of a measurement and its prediction, ms. */
const PAUSE = 300;
/** Tools whose measurements are a nodule's diameter. */
const TOOLS = ['Length', 'Bidirectional'];

/** Middle and length (mm) of the longest axis. */
export function axisOf(points: ArrayLike<number>[]): { centre: Triple; diameter: number } {
  const axes = [0, 2].filter((i) => points.length > i + 1).map((i) => {
    const [a, b] = [Array.from(points[i]!), Array.from(points[i + 1]!)];
    return { centre: a.map((v, k) => (v + b[k]!) / 2) as Triple, diameter: Math.hypot(...a.map((v, k) => v - b[k]!)) };
  });
  return axes.sort((a, b) => b.diameter - a.diameter)[0] ?? { centre: [0, 0, 0], diameter: 0 };
}

const imagesOf = ({ imageIds, images }: DisplaySet) => imageIds ?? images?.map(({ imageId }) => imageId) ?? [];

export class Nodules extends EventTarget {
  readonly #all = new Map<string, Nodule & { stop: AbortController }>();
  readonly #load: () => Promise<ClipLung>;
  readonly #core: () => Core;
  #count = 0;
  #clip: ClipLung | undefined;
  #loading: Promise<ClipLung> | undefined;

  /** `load` gives the model, which is asked for once; `core` Cornerstone, when OHIF has loaded it. */
  constructor(load: () => Promise<ClipLung>, core: () => Core) {
    super();
    this.#load = load;
    this.#core = core;
  }

  /** The model, once it is loaded. */
  get clip(): ClipLung | undefined {
    return this.#clip;
  }

  /** In the order they were measured. */
  get list(): Nodule[] {
    return [...this.#all.values()];
  }

  has(uid: string): boolean {
    return this.#all.has(uid);
  }

  /** Predicts at the middle of a new or changed measurement; another tool's is not a nodule. */
  async measure(measurement: Measurement, displaySet: DisplaySet | undefined): Promise<Nodule | undefined> {
    const { uid, toolName, points } = measurement;
    if (!TOOLS.includes(toolName) || !displaySet || !points?.length) return undefined;
    const axis = axisOf(points);
    const before = this.#all.get(uid);
    if (before && before.diameter === axis.diameter && before.centre.every((v, i) => v === axis.centre[i])) return before;
    before?.stop.abort();
    const stop = new AbortController();
    const nodule = { uid, name: before?.name ?? `nodule ${++this.#count}`, ...axis, displaySet, stop };
    this.#all.set(uid, nodule);
    this.#changed();
    await new Promise((resolve) => setTimeout(resolve, PAUSE));
    const result = await this.#predict(nodule, stop.signal);
    if (stop.signal.aborted || this.#all.get(uid) !== nodule) return undefined;
    Object.assign(nodule, result);
    this.#changed();
    return nodule;
  }

  async #predict({ displaySet, centre, diameter }: Nodule, signal: AbortSignal): Promise<Pick<Nodule, 'prediction' | 'failure'>> {
    try {
      const { Modality: modality } = displaySet;
      if (modality !== 'CT') throw new ClipLungError('input', `${modality} has no HU; measure on a CT`);
      this.#clip = await (this.#loading ??= this.#load());
      if (signal.aborted) return {};
      const { predictAt, volumeOfImages } = cornerstone(this.#clip, this.#core());
      const prediction = await predictAt(await volumeOfImages(imagesOf(displaySet)), centre, diameter, { heat: false, signal });
      return { prediction };
    } catch (error) {
      if (!this.#clip) this.#loading = undefined;
      return { failure: error instanceof Error ? error.message : String(error) };
    }
  }

  /** What a nodule's prediction rests on. */
  async explain({ displaySet, centre, diameter, prediction }: Nodule): Promise<HeatMap> {
    if (!this.#clip || !prediction) throw new ClipLungError('input', 'there is no prediction to explain');
    const { inputAt, volumeOfImages } = cornerstone(this.#clip, this.#core());
    return this.#clip.explain(await inputAt(await volumeOfImages(imagesOf(displaySet)), centre, diameter), { target: prediction.label });
  }

  /** Says what became of something that was asked for of a nodule. */
  tell(uid: string, note?: string): void {
    const nodule = this.#all.get(uid);
    if (!nodule) return;
    if (note === undefined) delete nodule.note;
    else nodule.note = note;
    this.#changed();
  }

  /** Forgets a measurement that is gone, or all. */
  remove(uid?: string): void {
    for (const [key, { stop }] of uid === undefined ? this.#all : [...this.#all].filter(([key]) => key === uid)) {
      stop.abort();
      this.#all.delete(key);
    }
    this.#changed();
  }

  /** Forgets all, and the model. */
  dispose(): void {
    this.remove();
    this.#clip?.dispose();
    this.#clip = this.#loading = undefined;
  }

  #changed(): void {
    this.dispatchEvent(new Event('change'));
  }
}

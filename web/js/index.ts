/**
 * CLIP-Lung in the browser: the malignancy of a lung nodule from a CT crop. Nothing leaves the page but the requests for the
 * model's files. Research software, not a medical device.
 */
import { ClipLungError } from './errors.js';
import { fetchModel } from './fetching.js';
import type { Reading, Reply, Request, VolumeRequest } from './protocol.js';

export { ClipLungError, type ErrorCode } from './errors.js';

export type Triple = [number, number, number];
export type ClassName = 'benign' | 'unsure' | 'malignant';
export const ATTRIBUTES = [
  'subtlety', 'internal structure', 'calcification', 'sphericity', 'margin', 'lobulation', 'spiculation', 'texture',
] as const;

/** A crop (`dims` [32, 32, 32]), or a volume with the nodule's `centre` (voxel) and `diameter` (mm). Triples are x, y, z; x runs
 * fastest; x towards the left, y towards the back, z towards the head. */
export interface Input {
  data: ArrayLike<number>;
  dims: Triple;
  /** mm; needed with a volume. */
  spacing?: Triple;
  centre?: Triple;
  diameter?: number;
  unit: 'HU';
}

export interface Prediction {
  probabilities: Partial<Record<ClassName, number>>;
  label: ClassName;
  logits: number[];
  /** Closeness to the words radiologists use, summing to 1; absent where the model has no words. */
  attributes?: Record<(typeof ATTRIBUTES)[number], number>;
  ms: number;
  device: 'wasm';
  modelId: string;
}

/** Grad-CAM, 32 x 32 in 0..1, one map for all slices: they are the network's channels. */
export interface HeatMap {
  data: Float32Array;
  dims: [32, 32];
  target: ClassName;
}

export interface Options {
  /** `auto` and `wasm` compute on the CPU. */
  device?: 'auto' | 'wasm';
  /** Share of the loading that is done, 0..1. */
  progress_callback?: (share: number) => void;
  signal?: AbortSignal;
  /** Where the module lies, if not beside this file. */
  wasmUrl?: string | URL;
}

/** What a model says of itself: its `config.json`. */
export interface Info {
  method: string;
  task: string;
  classes: ClassName[];
  input: { crop: string; hu_window: [number, number] };
  metadata: { training_data: string; text_encoder: string; intended_use: string; metrics: unknown };
  sha256: Record<string, string>;
}

type Waiting = { resolve: (value: unknown) => void; reject: (error: ClipLungError) => void };

export class ClipLung {
  readonly info!: Info;
  #worker: Worker;
  #waiting = new Map<number, Waiting>();
  #next = 0;
  #gone?: ClipLungError;

  private constructor() {
    this.#worker = new Worker(new URL('./worker.js', import.meta.url), { type: 'module' });
    this.#worker.onmessage = ({ data }: MessageEvent<Reply>) => {
      const waiting = this.#waiting.get(data.id);
      this.#waiting.delete(data.id);
      if ('code' in data) waiting?.reject(new ClipLungError(data.code, data.message));
      else waiting?.resolve(data.value);
    };
    this.#worker.onerror = (event) => this.#end(new ClipLungError('device', `the worker failed: ${event.message || 'it could not be started'}`));
  }

  /** Loads a model directory; resolves when the first prediction will be as fast as any. */
  static async from(modelUrl: string | URL, options: Options = {}): Promise<ClipLung> {
    const { device = 'auto', progress_callback, signal, wasmUrl } = options;
    if (device !== 'auto' && device !== 'wasm') throw new ClipLungError('device', `device: '${device}' is not one of 'auto', 'wasm'`);
    const base = new URL(`${String(modelUrl).replace(/\/$/, '')}/`, globalThis.location?.href);
    const tell = (share: number) => progress_callback?.(share);
    tell(0);
    // fetching is nine tenths of the wait
    const files = await fetchModel(base, (done, all) => tell(all ? (0.9 * done) / all : 0), signal);
    const clip = new ClipLung();
    const abort = () => clip.#end(new ClipLungError('aborted', 'loading was aborted'));
    if (signal?.aborted) abort();
    signal?.addEventListener('abort', abort, { once: true });
    try {
      const place = new URL(wasmUrl ?? new URL('./cpu/clip_lung_web_bg.wasm', import.meta.url), globalThis.location?.href).href;
      const info = await clip.#ask({ kind: 'load', wasmUrl: place, files }, files.map(([, bytes]) => bytes));
      Object.assign(clip, { info: JSON.parse(info as string) });
    } catch (error) {
      clip.dispose();
      throw error;
    } finally {
      signal?.removeEventListener('abort', abort);
    }
    tell(1);
    return clip;
  }

  /** The probabilities of a nodule. */
  async predict(input: Input, options: { signal?: AbortSignal } = {}): Promise<Prediction> {
    const { values, ms } = await this.#read(input, undefined, options.signal);
    const { classes, sha256 } = this.info;
    const logits = Array.from(values.subarray(0, classes.length));
    const top = Math.max(...logits);
    const powers = logits.map((l) => Math.exp(l - top));
    const sum = powers.reduce((a, b) => a + b);
    const probabilities = Object.fromEntries(classes.map((c, i) => [c, powers[i]! / sum]));
    const words = values.subarray(classes.length + 1024);
    const attributes = words.length ? Object.fromEntries(ATTRIBUTES.map((a, i) => [a, words[i]!])) : undefined;
    return {
      probabilities,
      label: classes[logits.indexOf(top)]!,
      logits,
      ...(attributes && { attributes: attributes as NonNullable<Prediction['attributes']> }),
      ms,
      device: 'wasm',
      modelId: sha256['model.safetensors']!,
    };
  }

  /** What a prediction rests on, for the `target` class or the predicted one. */
  async explain(input: Input, options: { target?: ClassName; signal?: AbortSignal } = {}): Promise<HeatMap> {
    const { values } = await this.#read(input, options.target, options.signal);
    const { classes } = this.info;
    const logits = Array.from(values.subarray(0, classes.length));
    const target = options.target ?? classes[logits.indexOf(Math.max(...logits))]!;
    return { data: values.slice(classes.length, classes.length + 1024), dims: [32, 32], target };
  }

  /** Predicts the model's golden pair again: the largest difference of a probability. Rejects when it is too large. */
  async selfTest(): Promise<number | undefined> {
    return (await this.#ask({ kind: 'selfTest' }, [])) as number | undefined;
  }

  /** Frees the worker with the model; whatever waits is rejected. */
  dispose(): void {
    this.#end(new ClipLungError('disposed', 'this ClipLung was disposed; load the model again with ClipLung.from'));
  }

  async #read(input: Input, target?: ClassName, signal?: AbortSignal): Promise<Reading> {
    const request: Request = { kind: 'read', hu: floats(input), ...(target && { target }) };
    const volume = volumeOf(input);
    if (volume) request.volume = volume;
    return (await this.#ask(request, [request.hu.buffer as ArrayBuffer], signal)) as Reading;
  }

  #ask(request: Request, moved: ArrayBuffer[], signal?: AbortSignal): Promise<unknown> {
    if (this.#gone) return Promise.reject(this.#gone);
    if (signal?.aborted) return Promise.reject(new ClipLungError('aborted', 'the request was aborted'));
    const id = this.#next++;
    return new Promise((resolve, reject) => {
      // the worker finishes what it computes; its answer is then nobody's
      const abort = () => {
        this.#waiting.delete(id);
        reject(new ClipLungError('aborted', 'the request was aborted'));
      };
      signal?.addEventListener('abort', abort, { once: true });
      const settled = <T>(then: (value: T) => void) => (value: T) => {
        signal?.removeEventListener('abort', abort);
        then(value);
      };
      this.#waiting.set(id, { resolve: settled(resolve), reject: settled(reject) });
      this.#worker.postMessage({ ...request, id }, moved);
    });
  }

  #end(error: ClipLungError): void {
    this.#gone ??= error;
    this.#worker.terminate();
    for (const { reject } of this.#waiting.values()) reject(this.#gone);
    this.#waiting.clear();
  }
}

/** A copy of the samples that can be handed to the worker. */
function floats(input: Input): Float32Array {
  const { data, dims, unit } = input;
  if (unit !== 'HU') throw new ClipLungError('input', `unit: '${unit}' is not 'HU'; rescale the voxels first`);
  const count = dims?.length === 3 ? dims[0] * dims[1] * dims[2] : NaN;
  if (!data || data.length !== count) {
    throw new ClipLungError('input', `data: ${data?.length} values where dims [${dims}] need ${count}`);
  }
  return Float32Array.from(data);
}

/** The volume's geometry, or nothing for a crop. */
function volumeOf({ dims, spacing, centre, diameter }: Input): VolumeRequest | undefined {
  const crop = dims.every((d) => d === 32);
  if (!centre && diameter === undefined) {
    if (crop) return undefined;
    throw new ClipLungError('input', `dims [${dims}] are not a crop of [32, 32, 32]; give centre (voxel) and diameter (mm) of the nodule`);
  }
  if (!centre || !spacing || diameter === undefined) {
    throw new ClipLungError('input', 'a volume needs centre (voxel), diameter (mm) and spacing (mm)');
  }
  return { dims, spacing, centre, diameter };
}

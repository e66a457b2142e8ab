/**
 * CLIP-Lung in the browser: the malignancy of a lung nodule from a CT crop. Nothing leaves the page but the requests for the
 * model's files. Research software, not a medical device.
 */
import { missingGpu } from './adapter.js';
import { Engine, foreign } from './engine.js';
import { ClipLungError } from './errors.js';
import { fetchModel, forgetModel, keepModel } from './fetching.js';
import type { CropGeometry } from './geometry.js';
import { prepare, type Input } from './input.js';
import type { Loaded, ModelFile, Reading } from './protocol.js';
import { ATTRIBUTES, type Attribute } from './words.js';

export { about, trainedOn } from './about.js';
export { ClipLungError, type ErrorCode } from './errors.js';
export { inWords, sides, type CropGeometry, type Extent, type Triple } from './geometry.js';
export { around, type Input, type Nodule } from './input.js';
export { againstAverage, ATTRIBUTES, knowsWords, type Attribute } from './words.js';

export type ClassName = 'benign' | 'unsure' | 'malignant';
export type Device = 'wasm' | 'webgpu';

export interface Prediction {
  probabilities: Partial<Record<ClassName, number>>;
  /** The class decided on, as the model's `decision` says: the most probable one, or the median. */
  label: ClassName;
  /** The classifier's logits for models with the readout softmax, log-probabilities for all others. */
  logits: number[];
  /** The classes that the answer leaves open, the label among them; absent where the model has no rule for it. */
  set?: ClassName[];
  /** Whether the crop may be a lung nodule's; absent where the model has no rule for it. */
  inDistribution?: boolean;
  /** Why it is none, in a sentence. */
  reason?: string;
  /** What to know of what was asked: a diameter that no nodule has. */
  warning?: string;
  /** Closeness to the words radiologists use, summing to 1; absent where the model has no words. */
  attributes?: Record<Attribute, number>;
  /** Of the pass, which may have held several inputs. */
  ms: number;
  /** What computed it. */
  device: Device;
  modelId: string;
}

/** Grad-CAM, 32 x 32 in 0..1, one map for all slices: they are the network's channels. */
export interface HeatMap {
  data: Float32Array;
  dims: [32, 32];
  target: ClassName;
}

export interface Options {
  /** `auto`: the CPU, and the GPU as soon as a real one answers and passes its test; `webgpu`: the GPU, also a software one, before
   * `from` resolves; `wasm`: the CPU. Whatever the GPU does, the CPU takes over when it fails; {@link ClipLung.fallback} says why. */
  device?: 'auto' | Device;
  /** Share of the loading that is done, 0..1. */
  progress_callback?: (share: number) => void;
  signal?: AbortSignal;
  /** Where the CPU module lies, if not beside this file. */
  wasmUrl?: string | URL;
  /** Where the GPU module lies, if not beside this file. */
  gpuWasmUrl?: string | URL;
  /** Called when {@link ClipLung.device} changes. */
  ondevice?: (device: Device, reason?: string) => void;
}

/** What a model says of itself: its `config.json`. */
export interface Info {
  method: string;
  task: string;
  classes: ClassName[];
  pool: 'view' | 'mean';
  readout: 'softmax' | 'poisson' | 'binomial' | 'sticks' | 'cumulative' | 'forest';
  decision: 'argmax' | 'median';
  /** Whether every input needs its nodule's `diameter` (mm), a crop too. */
  diameter: boolean;
  /** The model's rule for crops that are no lung nodule. */
  guard?: { middle_hu: number; tissue_around: number; tissue_around_large?: number; false_alarms: number; nodules: number };
  /** The model's rule for the classes that an answer leaves open. */
  answer_set?: { coverage: number; threshold: number; measured: number };
  /** `crop`: the box that every crop covers. */
  input: { crop: CropGeometry; hu_window: [number, number] };
  metadata: { version: string; created: string; training_data: string; synthetic: boolean; text_encoder: string; attribute_means?: Partial<Record<Attribute, number>>; intended_use: string; metrics: unknown };
  sha256: Record<string, string>;
}

const MAP = 32 * 32;
/** An address as the page means it. */
function here(url: string | URL): URL {
  try {
    return new URL(url, globalThis.location?.href);
  } catch (cause) {
    throw new ClipLungError('fetch', `'${url}' is no address here; give the model's directory as a URL`, { cause });
  }
}
const gone = () => new ClipLungError('disposed', 'this ClipLung was disposed; load the model again with ClipLung.from');

/** Bundlers look for exactly these words. */
function worker(device: Device): Worker {
  if (typeof Worker === 'undefined') throw new ClipLungError('device', 'clip-lung computes in a browser, in a worker; here is none');
  // a bundler may have made import.meta.url a file on the developer's disk; a sandboxed frame's own origin is nobody's
  const { protocol, origin } = new URL(import.meta.url);
  const away = /^https?:$/.test(protocol) && origin !== globalThis.origin;
  try {
    if (device === 'wasm') {
      if (away) return foreign(new URL('./worker-cpu.js', import.meta.url));
      return new Worker(new URL('./worker-cpu.js', import.meta.url), { type: 'module' });
    }
    if (away) return foreign(new URL('./worker-gpu.js', import.meta.url));
    return new Worker(new URL('./worker-gpu.js', import.meta.url), { type: 'module' });
  } catch (cause) {
    throw new ClipLungError('device', `the browser lets this page start no worker (${cause}); see the Content-Security-Policy, and the sandbox of the frame`, { cause });
  }
}

export class ClipLung {
  readonly info!: Info;
  #base: URL;
  #options: Options;
  #cpu: Engine;
  #gpu: Engine | undefined;
  /** On its way to being `#gpu`. */
  #coming: Engine | undefined;
  #fallback: string | undefined;
  #disposed = false;
  #reasons: string[] = [];

  private constructor(base: URL, options: Options) {
    this.#base = base;
    this.#options = options;
    this.#cpu = new Engine(worker('wasm'));
  }

  /** Loads a model directory; resolves when the first prediction will be as fast as any. */
  static async from(modelUrl: string | URL, options: Options = {}): Promise<ClipLung> {
    const { device = 'auto', progress_callback, signal } = options;
    if (!['auto', 'webgpu', 'wasm'].includes(device)) {
      throw new ClipLungError('device', `device: '${device}' is not one of 'auto', 'webgpu', 'wasm'`);
    }
    if (typeof modelUrl !== 'string' && !(modelUrl instanceof URL)) {
      throw new ClipLungError('fetch', `'${modelUrl}' is no address; give the model's directory as a URL`);
    }
    let failed = false;
    const tell = (share: number) => {
      // files may still be on their way
      if (!failed) progress_callback?.(share);
    };
    tell(0);
    const clip = new ClipLung(here(`${String(modelUrl).replace(/\/$/, '')}/`), options);
    const abort = () => clip.#end(new ClipLungError('aborted', 'loading was aborted'));
    if (signal?.aborted) abort();
    signal?.addEventListener('abort', abort, { once: true });
    try {
      // fetching is nine tenths of the wait
      const share = device === 'webgpu' ? 0.5 : 0.9;
      const info = await clip.#load(clip.#cpu, 'wasm', (done, all) => tell(all ? (share * done) / all : 0));
      Object.assign(clip, { info: JSON.parse(info) });
      if (device === 'webgpu') await clip.#accelerate(true);
      if (signal?.aborted) throw new ClipLungError('aborted', 'loading was aborted');
    } catch (error) {
      failed = true;
      clip.dispose();
      throw error;
    } finally {
      signal?.removeEventListener('abort', abort);
    }
    tell(1);
    if (device === 'auto') void clip.#accelerate(false);
    return clip;
  }

  /** What computes the next prediction. */
  get device(): Device {
    return this.#gpu ? 'webgpu' : 'wasm';
  }

  /** Why the GPU is not used, once that is known. */
  get fallback(): string | undefined {
    return this.#fallback;
  }

  /** The probabilities of a nodule. */
  async predict(input: Input, options: { signal?: AbortSignal } = {}): Promise<Prediction> {
    return (await this.predictAll([input], options))[0]!;
  }

  /** The probabilities of several nodules in one pass, which is faster than one after the other. */
  async predictAll(inputs: Input[], options: { signal?: AbortSignal } = {}): Promise<Prediction[]> {
    const { rows, warnings, ms, device } = await this.#read(inputs, undefined, options.signal);
    return rows.map((row, i) => ({ ...this.#prediction(row, ms, device), ...(warnings[i] && { warning: warnings[i] }) }));
  }

  /** What a prediction rests on, for the `target` class or the predicted one. */
  async explain(input: Input, options: { target?: ClassName; signal?: AbortSignal } = {}): Promise<HeatMap> {
    const { rows, ms, device } = await this.#read([input], options.target, options.signal);
    const [row] = rows as [Float32Array];
    const target = options.target ?? this.#prediction(row, ms, device).label;
    const start = this.#numbers;
    return { data: row.slice(start, start + MAP), dims: [32, 32], target };
  }

  /** Predicts the model's golden pair again: the largest difference of a probability. Rejects when it is too large. */
  async selfTest(): Promise<number | undefined> {
    return (await this.#run((engine) => engine.ask({ kind: 'selfTest' }))).value as number | undefined;
  }

  /** Frees the workers with the model; whatever waits is rejected. */
  dispose(): void {
    this.#end(gone());
  }

  /** Numbers of a row before the map: logits, probabilities, the class decided on, the classes left open, why it is no nodule. */
  get #numbers(): number {
    return 2 * this.info.classes.length + 3;
  }

  #prediction(row: Float32Array, ms: number, device: Device): Prediction {
    const { classes, sha256, guard } = this.info;
    const count = classes.length;
    const [decided, open, reason] = row.subarray(2 * count, 2 * count + 3) as unknown as [number, number, number];
    const probabilities = row.subarray(count, 2 * count);
    const words = row.subarray(this.#numbers + MAP);
    const attributes = Object.fromEntries(ATTRIBUTES.map((a, i) => [a, words[i]!])) as NonNullable<Prediction['attributes']>;
    return {
      probabilities: Object.fromEntries(classes.map((c, i) => [c, probabilities[i]!])),
      label: classes[decided]!,
      logits: Array.from(row.subarray(0, count)),
      ...(open && { set: classes.filter((_, i) => open & (1 << i)) }),
      ...(guard && { inDistribution: !reason }),
      ...(reason && { reason: this.#reasons[reason - 1]! }),
      ...(words.length && { attributes }),
      ms,
      device,
      modelId: sha256['model.safetensors']!,
    };
  }

  async #read(inputs: Input[], target?: ClassName, signal?: AbortSignal) {
    if (this.#disposed) throw gone();
    if (!Array.isArray(inputs)) throw new ClipLungError('input', 'predictAll needs a list of inputs');
    if (!inputs.length) return { rows: [], warnings: [], ms: 0, device: this.device };
    const { value, device } = await this.#run((engine) => {
      const all = inputs.map((input) => prepare(input, this.info.input.crop));
      return engine.ask({ kind: 'read', inputs: all, ...(target && { target }) }, all.map((i) => i.hu.buffer as ArrayBuffer), signal);
    });
    const { values, warnings, ms } = value as Reading;
    const width = values.length / inputs.length;
    return { rows: inputs.map((_, i) => values.subarray(i * width, (i + 1) * width)), warnings, ms, device };
  }

  /** On the GPU where there is one; when it fails, for good on the CPU. */
  async #run(ask: (engine: Engine) => Promise<unknown>): Promise<{ value: unknown; device: Device }> {
    const gpu = this.#gpu;
    if (gpu) {
      try {
        return { value: await ask(gpu), device: 'webgpu' };
      } catch (error) {
        if (this.#disposed || !(error instanceof ClipLungError) || error.code !== 'device') throw error;
        this.#lose(gpu, error.message);
      }
    }
    return { value: await ask(this.#cpu), device: 'wasm' };
  }

  async #load(engine: Engine, device: Device, onBytes: (done: number, all: number) => void): Promise<string> {
    const { wasmUrl, gpuWasmUrl, signal } = this.#options;
    const module = device === 'wasm'
      ? wasmUrl ?? new URL('./cpu/clip_lung_web_bg.wasm', import.meta.url)
      : gpuWasmUrl ?? new URL('./gpu/clip_lung_web_bg.wasm', import.meta.url);
    // the module is compiled while the model is on its way
    const [files] = await Promise.all([fetchModel(this.#base, onBytes, signal), engine.ask({ kind: 'start', wasmUrl: here(module).href })]);
    const load = (files: ModelFile[]) => engine.ask({ kind: 'load', files }, files.map(({ bytes }) => bytes)) as Promise<Loaded>;
    const loaded = await load(files).catch(async (error: ClipLungError) => {
      // what the browser kept is damaged: once more, from the server; a GPU loads what passed on the CPU
      if (device !== 'wasm' || !/SHA-256/.test(error.message) || !(await forgetModel(this.#base))) throw error;
      return load(await fetchModel(this.#base, () => undefined, signal));
    });
    keepModel(this.#base, loaded);
    this.#reasons = loaded.reasons;
    return loaded.info;
  }

  /** Fetches the GPU module where a GPU answers; it takes over when it has passed the golden test. */
  async #accelerate(asked: boolean): Promise<void> {
    const missing = await missingGpu(asked);
    if (missing || this.#disposed) {
      this.#fallback = missing;
      return;
    }
    const engine = (this.#coming = new Engine(worker('webgpu')));
    try {
      await this.#load(engine, 'webgpu', () => undefined);
      this.#gpu = engine;
      this.#options.ondevice?.('webgpu');
    } catch (error) {
      this.#lose(engine, error instanceof Error ? error.message : String(error));
    }
  }

  #lose(engine: Engine, reason: string): void {
    engine.end(new ClipLungError('device', reason));
    this.#fallback = reason;
    if (this.#gpu !== engine) return;
    this.#gpu = undefined;
    this.#options.ondevice?.('wasm', reason);
  }

  #end(error: ClipLungError): void {
    this.#disposed = true;
    this.#cpu.end(error);
    this.#coming?.end(error);
  }
}

/** Inference off the page's thread: one model, one request after the other. */
import type { ErrorCode } from './errors.js';
import type { Loaded, ModelFile, Reading, Reply, Request, VolumeRequest } from './protocol.js';

/** A module built of the Rust facade; both have the same shape. */
type Module = typeof import('./cpu/clip_lung_web.js');
type Engine = import('./cpu/clip_lung_web.js').Engine;

const VOXELS = 32 ** 3;

/** Answers the page's requests with `module`. */
export function serve({ default: init, Engine, Files }: Module): void {
  let engine: Engine | undefined;

  async function answer(request: Request): Promise<unknown> {
    if (request.kind === 'start') {
      await init({ module_or_path: request.wasmUrl });
      return undefined;
    }
    if (request.kind === 'load') {
      // another thread computes them while this one loads
      const digests = digestsOf(request.files);
      const files = new Files();
      for (const { name, bytes } of request.files) files.add(name, new Uint8Array(bytes));
      engine = await Engine.load(files, digests);
      // the first pass grows the memory and compiles shaders; a user should not wait for that
      if (!request.files.some(({ name }) => name === 'golden.safetensors')) await engine.read(new Float32Array(VOXELS), Float64Array.of(8));
      const loaded: Loaded = { info: engine.info(), reasons: Engine.reasons(), files: request.files };
      return loaded;
    }
    const model = engine;
    if (!model) throw new Error('no model is loaded');
    if (request.kind === 'selfTest') return model.self_test();
    const start = performance.now();
    const hu = new Float32Array(request.inputs.length * VOXELS);
    request.inputs.forEach(({ hu: data, volume }, i) => hu.set(volume ? cut(model, data, volume) : data, i * VOXELS));
    const diameters = request.inputs.map(({ volume, diameter }) => volume?.diameter ?? diameter).filter((d) => d !== undefined);
    const values = await model.read(hu, Float64Array.from(diameters), request.target);
    const warnings = request.inputs.map(({ volume, diameter = volume?.diameter }) => (diameter === undefined ? undefined : Engine.odd_diameter(diameter)));
    const reading: Reading = { values, warnings, ms: performance.now() - start };
    return reading;
  }

  function cut(model: Engine, hu: Float32Array, { dims, spacing, centre, diameter }: VolumeRequest): Float32Array {
    // dims and spacing in the voxels' order: z, y, x
    const [d, s, c] = [Uint32Array.from(dims), Float64Array.from(spacing), Float64Array.from(centre)];
    return model.crop(hu, d.reverse(), s.reverse(), c, diameter);
  }

  // one after the other, also where the module waits for a GPU
  let last: Promise<void> = Promise.resolve();
  self.onmessage = ({ data }: MessageEvent<Request & { id: number }>) => {
    last = last.then(async () => {
      let reply: Reply;
      try {
        reply = { id: data.id, value: await answer(data) };
      } catch (error) {
        const code: ErrorCode = ({ start: 'device', load: 'model', selfTest: 'model', read: 'input' } as const)[data.kind];
        reply = { id: data.id, code: isDevice(error) ? 'device' : code, message: error instanceof Error ? error.message : String(error) };
      }
      // bytes go back as they came: handed over, not copied
      self.postMessage(reply, { transfer: data.kind === 'load' ? data.files.map(({ bytes }) => bytes) : [] });
    });
  };
}

/** The SHA-256 of files by name, as JSON; of none outside of secure contexts, where the module computes them. */
async function digestsOf(files: ModelFile[]): Promise<string> {
  const one = async ({ name, bytes }: ModelFile) => {
    const found = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));
    return [name, Array.from(found, (b) => b.toString(16).padStart(2, '0')).join('')] as const;
  };
  const found = globalThis.crypto?.subtle ? await Promise.all(files.map(one)) : [];
  return JSON.stringify(Object.fromEntries(found));
}

/** Failures of the device, and panics, which are exceptions of WebAssembly or bare strings; the rest are errors of the facade. */
const isDevice = (error: unknown) =>
  !(error instanceof Error) || error instanceof WebAssembly.RuntimeError || /^the GPU was lost|^the device /.test(error.message);

/** Inference off the page's thread: one model, one request after the other. */
import init, { Engine, Files, crop } from './cpu/clip_lung_web.js';
import type { ErrorCode } from './errors.js';
import type { Reading, Reply, Request, VolumeRequest } from './protocol.js';

let engine: Engine | undefined;

/** x, y, z -> z, y, x. */
const turned = (v: [number, number, number]) => [v[2], v[1], v[0]];

function cut(hu: Float32Array, volume?: VolumeRequest): Float32Array {
  if (!volume) return hu;
  const { dims, spacing, centre, diameter } = volume;
  const [d, s, c] = [Uint32Array.from(turned(dims)), Float64Array.from(turned(spacing)), Float64Array.from(turned(centre))];
  return crop(hu, d, s, c, diameter);
}

async function answer(request: Request): Promise<unknown> {
  if (request.kind === 'load') {
    await init({ module_or_path: request.wasmUrl });
    const files = new Files();
    for (const [name, bytes] of request.files) files.add(name, new Uint8Array(bytes));
    engine = new Engine(files);
    // the first pass grows the memory; a user should not wait for that
    engine.logits(new Float32Array(32768));
    return engine.info();
  }
  if (!engine) throw new Error('no model is loaded');
  if (request.kind === 'selfTest') return engine.self_test();
  const start = performance.now();
  const values = engine.read(cut(request.hu, request.volume), request.target);
  const reading: Reading = { values, ms: performance.now() - start };
  return reading;
}

self.onmessage = async (event: MessageEvent<Request & { id: number }>) => {
  const { id, kind } = event.data;
  let reply: Reply;
  try {
    reply = { id, value: await answer(event.data) };
  } catch (error) {
    const code: ErrorCode = kind === 'load' ? 'model' : 'input';
    reply = { id, code, message: error instanceof Error ? error.message : String(error) };
  }
  self.postMessage(reply);
};

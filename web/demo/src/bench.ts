/** `?bench=1`: medians on this machine's CPU and GPU, to send to us; beside ONNX Runtime Web where `bench/` holds it, or `&only=` one. */
import { ClipLung, type Device, type Input } from 'clip-lung';
import { element } from './panel/dom';

interface Row {
  what: string;
  batch: number;
  /** Median of a pass, ms. */
  ms: number;
  /** From nothing (its files in memory or in the browser's cache) to the first result, ms. */
  first: number;
}

const median = (values: number[]) => values.sort((a, b) => a - b)[Math.floor(values.length / 2)]!;

/** Crops of noise: what a convolution computes does not change its time. */
const crops = (count: number): Input[] =>
  Array.from({ length: count }, () => ({
    data: Float32Array.from({ length: 32 ** 3 }, () => 1400 * Math.random() - 1000), dims: [32, 32, 32], unit: 'HU',
  }));

async function time(pass: () => Promise<unknown>, rounds: number): Promise<number> {
  const times: number[] = [];
  for (let i = 0; i < rounds; i++) {
    const start = performance.now();
    await pass();
    times.push(performance.now() - start);
  }
  return median(times);
}

async function ours(device: Device, rounds: number): Promise<Row[]> {
  const start = performance.now();
  const clip = await ClipLung.from(new URL('./model', document.baseURI), { device });
  if (clip.device !== device) throw new Error(`${device}: ${clip.fallback}`);
  await clip.predict(crops(1)[0]!);
  const first = performance.now() - start;
  const rows: Row[] = [];
  for (const batch of [1, 8]) {
    const input = crops(batch);
    rows.push({ what: `clip-lung, ${device}`, batch, first, ms: await time(() => clip.predictAll(input), rounds) });
  }
  clip.dispose();
  return rows;
}

async function theirs(device: Device, rounds: number): Promise<Row[]> {
  const place = new URL('./bench/', document.baseURI);
  const start = performance.now();
  const ort = await import(/* @vite-ignore */ new URL(device === 'wasm' ? 'ort.wasm.min.mjs' : 'ort.webgpu.min.mjs', place).href);
  ort.env.wasm.numThreads = 1;
  ort.env.wasm.wasmPaths = place.href;
  const session = await ort.InferenceSession.create(new URL('model.onnx', place).href, { executionProviders: [device] });
  const run = async (batch: number, data: Float32Array) => {
    const out = await session.run({ input: new ort.Tensor('float32', data, [batch, 32, 32, 32]) });
    return out.logits.getData();
  };
  await run(1, new Float32Array(32 ** 3));
  const first = performance.now() - start;
  const rows: Row[] = [];
  for (const batch of [1, 8]) {
    const data = Float32Array.from({ length: batch * 32 ** 3 }, Math.random);
    await run(batch, data);
    rows.push({ what: `onnxruntime-web ${ort.env.versions.web}, ${device}`, batch, first, ms: await time(() => run(batch, data), rounds) });
  }
  await session.release();
  return rows;
}

const LIBRARIES = { 'clip-lung': ours, 'onnxruntime-web': theirs };

/** Replaces the page by the table; the rows are `globalThis.rows` for whoever drives the browser. */
export async function run(): Promise<void> {
  const query = new URLSearchParams(location.search);
  const rounds = Number(query.get('rounds') ?? 30);
  const devices = (query.get('devices') ?? 'wasm,webgpu').split(',') as Device[];
  const compare = (await fetch(new URL('./bench/model.onnx', document.baseURI), { method: 'HEAD' })).ok;
  const only = query.get('only');
  const libraries = Object.entries(LIBRARIES).filter(([name]) => (only ? name === only : compare || name === 'clip-lung'));
  element('banner').textContent = 'A benchmark on noise: no answer of a model is shown, times alone. Research use only.';
  element('device').textContent = 'measuring';
  const main = document.querySelector('main')!;
  main.innerHTML = '<div class="card"><h2>Benchmark</h2><table><thead><tr><th>what</th><th>batch</th><th>median ms</th><th>first result, ms</th></tr></thead><tbody></tbody></table><p class="small"></p></div>';
  const [body, note] = [main.querySelector('tbody')!, main.querySelector('p')!];
  const rows: Row[] = [];
  const gpu = await navigator.gpu?.requestAdapter().catch(() => null);
  note.textContent = `${navigator.userAgent}; GPU: ${gpu ? `${gpu.info.vendor} ${gpu.info.architecture} ${gpu.info.description}` : 'none'}; ${rounds} passes each`;
  for (const device of devices) {
    for (const [name, measure] of libraries) {
      try {
        for (const row of await measure(device, rounds)) {
          rows.push(row);
          const cells = [row.what, row.batch, row.ms.toFixed(1), row.first.toFixed(0)];
          body.append(Object.assign(document.createElement('tr'), { innerHTML: cells.map(() => '<td></td>').join('') }));
          cells.forEach((text, i) => (body.lastElementChild!.children[i]!.textContent = String(text)));
        }
      } catch (error) {
        note.append(`; ${name} on ${device}: ${error instanceof Error ? error.message : error}`);
      }
    }
  }
  element('device').textContent = 'measured';
  Object.assign(globalThis, { rows });
  document.documentElement.dataset.ready = 'yes';
}

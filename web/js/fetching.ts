/** A model directory's files: fetched with progress, kept in the browser's cache, never used before their SHA-256 agrees. */
import { ClipLungError } from './errors.js';
import type { ModelFile } from './protocol.js';

const CACHE = 'clip-lung';

/** Bytes done of all bytes. */
export type OnBytes = (done: number, all: number) => void;

async function get(url: URL, signal?: AbortSignal): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(url, { signal: signal ?? null });
  } catch (cause) {
    if (signal?.aborted) throw new ClipLungError('aborted', 'loading was aborted');
    throw new ClipLungError('fetch', `${url.href}: can't be fetched (${cause}); check the address and its CORS headers`, { cause });
  }
  if (!response.ok) throw new ClipLungError('fetch', `${url.href}: the server answers ${response.status}; check the address`);
  return response;
}

async function body(response: Response, onBytes: (n: number) => void, signal?: AbortSignal): Promise<ArrayBuffer> {
  // a compressed body is longer than its header says
  let bytes = new Uint8Array(Number(response.headers.get('content-length') ?? 0));
  let length = 0;
  try {
    const reader = response.body!.getReader();
    for (let part = await reader.read(); !part.done; part = await reader.read()) {
      const end = length + part.value.length;
      if (end > bytes.length) {
        const longer = new Uint8Array(Math.max(end, 2 * bytes.length));
        longer.set(bytes.subarray(0, length));
        bytes = longer;
      }
      bytes.set(part.value, length);
      length = end;
      onBytes(part.value.length);
    }
  } catch (cause) {
    if (signal?.aborted) throw new ClipLungError('aborted', 'loading was aborted');
    throw new ClipLungError('fetch', `${response.url}: the connection broke; try again`, { cause });
  }
  return length === bytes.length ? bytes.buffer : bytes.buffer.slice(0, length);
}

/** Files on their way into the cache, which nobody waits for but the next reader. */
const writing = new Map<string, Promise<void>>();

/** The cache, where this context has one. */
async function cache(): Promise<Cache | undefined> {
  try {
    return await caches.open(CACHE);
  } catch {
    return undefined;
  }
}

/** The files of a model directory. The digests of `config.json` name cached bytes; the module compares them before it uses a file. */
export async function fetchModel(base: URL, onBytes: OnBytes, signal?: AbortSignal): Promise<ModelFile[]> {
  const text = await (await get(new URL('config.json', base), signal)).text();
  let digests: Record<string, string>;
  try {
    digests = JSON.parse(text).sha256;
    if (typeof digests !== 'object' || !digests['model.safetensors']) throw new Error('no sha256 of model.safetensors in it');
  } catch (cause) {
    throw new ClipLungError('model', `${new URL('config.json', base).href}: not a model's configuration (${cause})`, { cause });
  }
  const files: ModelFile[] = [{ name: 'config.json', bytes: new TextEncoder().encode(text).buffer as ArrayBuffer }];
  const store = await cache();
  const sizes = new Map<string, [number, number]>();
  const tell = () => {
    let [done, all] = [0, 0];
    for (const [d, a] of sizes.values()) [done, all] = [done + d, all + a];
    onBytes(done, all);
  };
  // all headers first, so that the total is known from the start
  const names = Object.keys(digests);
  const open = await Promise.all(
    names.map(async (name) => {
      const key = new URL(`${name}?sha256=${digests[name]}`, base);
      await writing.get(key.href);
      const kept = await store?.match(key.href);
      const response = kept ?? (await get(new URL(name, base), signal));
      sizes.set(name, [0, Number(response.headers.get('content-length') ?? 0)]);
      return { name, key, kept, response };
    }),
  );
  for (const { name, key, kept, response } of open) {
    const bytes = await body(response, (n) => {
      const [d, a] = sizes.get(name)!;
      sizes.set(name, [d + n, Math.max(a, d + n)]);
      tell();
    }, signal);
    const digest = await sha256(bytes);
    if (store && !kept && digest === digests[name]) {
      const headers = { 'content-length': String(bytes.byteLength) };
      const put = store.put(key.href, new Response(bytes, { headers })).catch(() => undefined);
      writing.set(key.href, put);
      void put.then(() => writing.delete(key.href));
    }
    files.push({ name, bytes, ...(digest && { digest }) });
  }
  return files;
}

/** Nothing outside of secure contexts: the module computes it then. */
async function sha256(bytes: ArrayBuffer): Promise<string | undefined> {
  if (!globalThis.crypto?.subtle) return undefined;
  const found = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));
  return Array.from(found, (b) => b.toString(16).padStart(2, '0')).join('');
}

/** A model directory's files: fetched with progress, kept in the browser's cache, never used before their SHA-256 agrees. */
import { ClipLungError } from './errors.js';

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
  const parts: Uint8Array[] = [];
  try {
    const reader = response.body!.getReader();
    for (let part = await reader.read(); !part.done; part = await reader.read()) {
      parts.push(part.value);
      onBytes(part.value.length);
    }
  } catch (cause) {
    if (signal?.aborted) throw new ClipLungError('aborted', 'loading was aborted');
    throw new ClipLungError('fetch', `${response.url}: the connection broke; try again`, { cause });
  }
  return new Blob(parts as BlobPart[]).arrayBuffer();
}

/** The cache, where this context has one. */
async function cache(): Promise<Cache | undefined> {
  try {
    return await caches.open(CACHE);
  } catch {
    return undefined;
  }
}

/** The files of a model directory by name. The digests of `config.json` name cached bytes; the module checks them again. */
export async function fetchModel(base: URL, onBytes: OnBytes, signal?: AbortSignal): Promise<[string, ArrayBuffer][]> {
  const text = await (await get(new URL('config.json', base), signal)).text();
  let digests: Record<string, string>;
  try {
    digests = JSON.parse(text).sha256;
    if (typeof digests !== 'object' || !digests['model.safetensors']) throw new Error('no sha256 of model.safetensors in it');
  } catch (cause) {
    throw new ClipLungError('model', `${new URL('config.json', base).href}: not a model's configuration (${cause})`, { cause });
  }
  const files: [string, ArrayBuffer][] = [['config.json', new TextEncoder().encode(text).buffer as ArrayBuffer]];
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
    if (!kept && store && (await matches(bytes, digests[name]!))) {
      const headers = { 'content-length': String(bytes.byteLength) };
      await store.put(key.href, new Response(bytes, { headers })).catch(() => undefined);
    }
    files.push([name, bytes]);
  }
  return files;
}

async function matches(bytes: ArrayBuffer, digest: string): Promise<boolean> {
  // only secure contexts have it; the module checks in every case
  if (!globalThis.crypto?.subtle) return false;
  const found = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));
  return Array.from(found, (b) => b.toString(16).padStart(2, '0')).join('') === digest;
}

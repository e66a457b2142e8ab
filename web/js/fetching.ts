/** A model directory's files: fetched with progress, kept in the browser's cache, never used before their SHA-256 agrees. */
import { ClipLungError } from './errors.js';
import type { Loaded, ModelFile } from './protocol.js';

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
/** The addresses of files that are in the cache. */
const kept = new Set<string>();

/** The cache, where this context has one. */
async function cache(): Promise<Cache | undefined> {
  try {
    return await caches.open(CACHE);
  } catch {
    return undefined;
  }
}

/** Where a file is kept: cached bytes are named by their digest. */
const place = (base: URL, name: string, digest: string) => new URL(`${name}?sha256=${digest}`, base).href;

/** The SHA-256 of a model's files by name, from its `config.json`. */
function digestsOf(config: string, base: URL): Record<string, string> {
  try {
    const { sha256 } = JSON.parse(config);
    if (typeof sha256 !== 'object' || !sha256['model.safetensors']) throw new Error('no sha256 of model.safetensors in it');
    return sha256;
  } catch (cause) {
    throw new ClipLungError('model', `${new URL('config.json', base).href}: not a model's configuration (${cause})`, { cause });
  }
}

/** The files of a model directory, from the cache where they are there; whoever uses them compares their digests first. */
export async function fetchModel(base: URL, onBytes: OnBytes, signal?: AbortSignal): Promise<ModelFile[]> {
  const opened = cache();
  const config = await (await get(new URL('config.json', base), signal)).text();
  const digests = digestsOf(config, base);
  const store = await opened;
  const sizes = new Map<string, [number, number]>();
  const tell = () => {
    let [done, all] = [0, 0];
    for (const [d, a] of sizes.values()) [done, all] = [done + d, all + a];
    onBytes(done, all);
  };
  // all headers first, so that the total is known from the start
  const open = await Promise.all(
    Object.entries(digests).map(async ([name, digest]) => {
      const key = place(base, name, digest);
      await writing.get(key);
      const found = await store?.match(key);
      if (found) kept.add(key);
      else kept.delete(key);
      const response = found ?? (await get(new URL(name, base), signal));
      sizes.set(name, [0, Number(response.headers.get('content-length') ?? 0)]);
      return { name, response };
    }),
  );
  const files: ModelFile[] = [{ name: 'config.json', bytes: new TextEncoder().encode(config).buffer as ArrayBuffer }];
  for (const { name, response } of open) {
    const bytes = await body(response, (n) => {
      const [d, a] = sizes.get(name)!;
      sizes.set(name, [d + n, Math.max(a, d + n)]);
      tell();
    }, signal);
    files.push({ name, bytes });
  }
  return files;
}

/** Keeps the files of a model that was loaded, so their digests agree, for the next visit; not before whoever waited for it goes on. */
export function keepModel(base: URL, { info, files }: Loaded): void {
  const digests = digestsOf(info, base);
  for (const { name, bytes } of files) {
    const key = digests[name] && place(base, name, digests[name]);
    if (!key || kept.has(key)) continue;
    const put = async () => {
      await new Promise((done) => setTimeout(done));
      const headers = { 'content-length': String(bytes.byteLength) };
      const store = await cache();
      await store?.put(key, new Response(bytes, { headers }));
      kept.add(key);
      // what the same file held before is never asked for again
      const former = ((await store?.keys()) ?? []).filter(({ url }) => url !== key && url.startsWith(place(base, name, '')));
      for (const request of former) await store?.delete(request);
    };
    writing.set(key, put().catch(() => undefined).finally(() => writing.delete(key)));
  }
}

/** Forgets what is kept of a model that could not be loaded; whether anything was. */
export async function forgetModel(base: URL): Promise<boolean> {
  const store = await cache();
  const found = ((await store?.keys()) ?? []).filter(({ url }) => url.startsWith(base.href));
  for (const request of found) await store?.delete(request);
  return found.length > 0;
}

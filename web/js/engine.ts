/** One worker with one module and one model, behind promises. */
import { ClipLungError } from './errors.js';
import type { Reply, Request } from './protocol.js';

type Waiting = { resolve: (value: unknown) => void; reject: (error: ClipLungError) => void };

const aborted = () => new ClipLungError('aborted', 'the request was aborted');

export class Engine {
  #worker: Worker;
  #waiting = new Map<number, Waiting>();
  #next = 0;
  #gone?: ClipLungError;

  constructor(worker: Worker) {
    this.#worker = worker;
    worker.onmessage = ({ data }: MessageEvent<Reply>) => {
      const waiting = this.#waiting.get(data.id);
      this.#waiting.delete(data.id);
      if ('code' in data) waiting?.reject(new ClipLungError(data.code, data.message));
      else waiting?.resolve(data.value);
    };
    // what no request caught: the worker can't be started, or its module panicked while nobody waited for it
    worker.onerror = (event) => {
      event.preventDefault?.();
      const sandboxed = globalThis.origin === 'null' ? '; this frame is sandboxed, and its workers need allow-same-origin' : '';
      this.end(new ClipLungError('device', `the worker failed: ${event.message || `it could not be started${sandboxed}`}`));
    };
  }

  /** Sends a request; `moved` are handed over, not copied. */
  ask(request: Request, moved: ArrayBuffer[] = [], signal?: AbortSignal): Promise<unknown> {
    if (this.#gone) return Promise.reject(this.#gone);
    if (signal?.aborted) return Promise.reject(aborted());
    const id = this.#next++;
    return new Promise((resolve, reject) => {
      // the worker finishes what it computes; its answer is then nobody's
      const abort = () => {
        this.#waiting.delete(id);
        reject(aborted());
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

  /** Ends the worker with everything it holds; whatever waits is rejected with `error`. */
  end(error: ClipLungError): void {
    this.#gone ??= error;
    this.#worker.terminate();
    for (const { reject } of this.#waiting.values()) reject(this.#gone);
    this.#waiting.clear();
  }
}

/** A worker of the script at `url`, also where the package is served from another origin than the page. */
export function foreign(url: URL): Worker {
  const source = new Blob([`import ${JSON.stringify(url.href)};`], { type: 'text/javascript' });
  const place = URL.createObjectURL(source);
  const worker = new Worker(place, { type: 'module' });
  setTimeout(() => URL.revokeObjectURL(place), 60_000);
  return worker;
}

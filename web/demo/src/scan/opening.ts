/** One opening: files on their way to a volume, with the choice of a series between. The last opening wins: ending one drops what it
 * would still say. */
import type { Answer, Aside, Offer, Request, Scan } from './protocol';
import type { Frame } from './frame';

export interface Opened {
  name: string;
  /** The frame that the file's kind is written in. */
  frame: Frame;
  scan: Scan;
  aside: Aside[];
  /** The SeriesInstanceUID of a DICOM series. */
  series?: string;
}

export interface Listener {
  onprogress(what: string, share: number): void;
  /** Series to choose from by `Opening.choose`. */
  onoffers(offers: Offer[], aside: Aside[]): void;
  onopened(opened: Opened): void;
  onerror(message: string, aside: Aside[]): void;
}

export class Opening {
  readonly #worker: Worker;
  #offers: Offer[] = [];
  #aside: Aside[] = [];
  #chosen: Offer | undefined;
  #ended = false;

  constructor(files: File[], listener: Listener) {
    try {
      this.#worker = new Worker(new URL('./worker.ts', import.meta.url), { type: 'module' });
    } catch (error) {
      throw new Error(`the browser lets this page start no reader of scans: a sandboxed frame needs allow-same-origin (${error})`);
    }
    this.#worker.onerror = (event) => listener.onerror(`the reader of scans failed: ${event.message || 'it could not be started'}`, []);
    this.#worker.onmessage = ({ data }: MessageEvent<Answer>) => {
      if (this.#ended) return;
      if (data.kind === 'progress') return listener.onprogress(data.what, data.share);
      if (data.kind === 'error') return listener.onerror(data.message, data.aside.length ? data.aside : this.#aside);
      if (data.kind === 'offers') {
        [this.#offers, this.#aside] = [data.offers, data.aside];
        const readable = data.offers.filter((offer) => !offer.problem);
        listener.onoffers(data.offers, data.aside);
        if (data.offers.length === 1 && readable.length === 1) this.choose(readable[0]!.uid);
        else if (!readable.length) listener.onerror(`series ${data.offers[0]!.uid}: ${data.offers[0]!.problem}`, data.aside);
        return;
      }
      if (data.kind === 'volume') return listener.onopened({ name: data.name, frame: data.frame, scan: data.scan, aside: data.aside });
      const { uid, description } = this.#chosen!;
      if (data.uid !== uid) return;
      listener.onopened({ name: description || 'series', frame: 'LPS', scan: data.scan, aside: this.#aside, series: uid });
    };
    this.#ask({ kind: 'open', files });
  }

  /** Reads one of the offered series; another may be chosen later. */
  choose(uid: string): void {
    this.#chosen = this.#offers.find((offer) => offer.uid === uid);
    this.#ask({ kind: 'series', uid });
  }

  /** Drops everything of it. */
  end(): void {
    this.#ended = true;
    this.#worker.onerror = null;
    this.#worker.terminate();
  }

  #ask(request: Request): void {
    this.#worker.postMessage(request);
  }
}

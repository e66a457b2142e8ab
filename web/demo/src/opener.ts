/** Opening: files and samples become a scan on the screen. The last choice wins, whatever finishes later. */
import { element, input, make } from './panel/dom';
import { leftAside, progress, say } from './panel/messages';
import * as offers from './panel/offers';
import { dropped } from './scan/files';
import { Opening, type Opened } from './scan/opening';
import { samples, type Known, type Sample } from './scan/samples';

export class Opener {
  #opening: Opening | undefined;
  /** Counts what was chosen. */
  #turn = 0;

  /** `show` is given each scan with the nodules that are known of it. */
  constructor(private readonly show: (opened: Opened, known: Known[]) => void) {
    for (const id of ['files', 'folder']) {
      input(id).onchange = () => {
        const files = Array.from(input(id).files ?? []);
        input(id).value = '';
        if (files.length) this.#open(files, files[0]!.name);
      };
    }
    const stage = element('stage');
    document.ondragover = (event) => {
      event.preventDefault();
      stage.classList.add('over');
    };
    document.ondragleave = () => stage.classList.remove('over');
    document.ondrop = (event) => {
      event.preventDefault();
      stage.classList.remove('over');
      this.#open(dropped(event.dataTransfer!), 'what was dropped');
    };
  }

  /** Shows a button for each synthetic sample. */
  async offerSamples(): Promise<void> {
    const found = await samples();
    element('samples').replaceChildren(
      ...found.map((sample, i) => {
        const button = make('button', { type: 'button', textContent: i ? sample.name : `Synthetic ${sample.name}` });
        button.onclick = () => this.#openSample(sample);
        return button;
      }),
    );
  }

  #open(files: File[] | Promise<File[]>, name: string): void {
    void this.#start(name, async (turn) => {
      const all = await files;
      if (turn === this.#turn) this.#read(all, []);
    });
  }

  #openSample({ name, open, nodules }: Sample): void {
    void this.#start(name, async (turn) => {
      const found = await open();
      if (turn !== this.#turn) return;
      if (found instanceof File) this.#read([found], nodules);
      else this.#done({ name, frame: 'LPS', scan: found, aside: [] }, nodules);
    });
  }

  async #start(name: string, act: (turn: number) => Promise<void>): Promise<void> {
    const turn = ++this.#turn;
    this.#opening?.end();
    this.#opening = undefined;
    say(`opening ${name} …`);
    progress(0);
    offers.offer([], () => undefined);
    try {
      await act(turn);
    } catch (error) {
      if (turn === this.#turn) this.#failed(error instanceof Error ? error.message : String(error));
    }
  }

  #read(files: File[], known: Known[]): void {
    const opening = (this.#opening = new Opening(files, {
      onprogress: (what, share) => {
        say(`${what} … ${Math.round(100 * share)} %`);
        progress(share);
      },
      onoffers: (found, aside) => {
        leftAside(aside);
        offers.offer(found, (uid) => {
          offers.choose(uid);
          opening.choose(uid);
        });
        if (found.length < 2) return;
        progress(undefined);
        say('Several series: choose one.');
      },
      onopened: (opened) => this.#done(opened, known),
      onerror: (message, aside) => {
        this.#failed(message);
        if (aside.length) leftAside(aside);
      },
    }));
  }

  #done(opened: Opened, known: Known[]): void {
    progress(undefined);
    leftAside(opened.aside);
    try {
      this.show(opened, known);
    } catch (error) {
      this.#failed(error instanceof Error ? error.message : String(error));
    }
  }

  #failed(message: string): void {
    progress(undefined);
    say(message, 'error');
  }
}

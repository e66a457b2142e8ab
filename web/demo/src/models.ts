/** The models beside the page: one answers, and where there are several the reader chooses. The last choice wins, whatever comes later. */
import { ClipLung, trainedOn, type Info } from 'clip-lung';
import { element } from './panel/dom';
import { say } from './panel/messages';
import * as model from './panel/model';

const address = (path: string) => new URL(`./${path}`, document.baseURI);

async function json<T>(path: string): Promise<T> {
  const response = await fetch(address(path)).catch((cause) => {
    throw new Error(`${path} can't be fetched (${cause}); clip-lung serve serves page and model`, { cause });
  });
  if (!response.ok) throw new Error(`${path}: the server answers ${response.status}; clip-lung serve serves page and model`);
  return response.json();
}

/** What stands for a model in the choice, after "model trained on". */
async function named(folder: string): Promise<string> {
  const info = await json<Info>(`${folder}/config.json`);
  return `${trainedOn(info).replace('trained on ', '')} (${info.method}, ${info.task})`;
}

export class Models {
  readonly #choice = element<HTMLSelectElement>('models');
  #clip: ClipLung | undefined;
  /** Where `#clip` lies. */
  #folder = '';
  #coming: AbortController | undefined;

  /** `use` is given each model that has come, before the former one is gone. */
  constructor(private readonly use: (clip: ClipLung) => void) {}

  /** Offers the models that `models.json` lists, where there are several, and loads the first. */
  async start(): Promise<void> {
    const folders = await json<string[]>('models.json');
    if (folders.length > 1) {
      const name = (folder: string) => named(folder).catch((error: Error) => error.message);
      const names = await Promise.all(folders.map(name));
      this.#choice.replaceChildren(...folders.map((folder, i) => new Option(names[i], folder)));
      this.#choice.onchange = () => void this.#choose(this.#choice.value);
      element('choice').hidden = false;
    }
    await this.#load(folders[0]!);
  }

  async #choose(folder: string): Promise<void> {
    try {
      await this.#load(folder);
    } catch (error) {
      // the one before answers still
      this.#choice.value = this.#folder;
      if (this.#clip) model.device(this.#clip);
      say(error instanceof Error ? error.message : String(error), 'error');
    }
  }

  async #load(folder: string): Promise<void> {
    this.#coming?.abort();
    const { signal } = (this.#coming = new AbortController());
    let clip: ClipLung | undefined;
    try {
      clip = await ClipLung.from(address(folder), {
        signal,
        progress_callback: (share) => (element('device').textContent = `loading ${Math.round(100 * share)} %`),
        ondevice: () => clip && clip === this.#clip && model.device(clip),
      });
    } catch (error) {
      if (signal.aborted) return;
      throw error;
    }
    const former = this.#clip;
    [this.#clip, this.#folder] = [clip, folder];
    this.use(clip);
    former?.dispose();
  }
}

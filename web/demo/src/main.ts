/** The page: a volume, a nodule in it, and what the model says. Everything is computed here. */
import { ClipLung, ClipLungError, sides, type ClassName, type Triple } from 'clip-lung';
import { dropped, open } from './open';
import { badge, blank, describe, element, result } from './panel';
import { samples, type Nodule } from './samples';
import { Viewer } from './viewer';
import { Volume } from './volume';

const input = (id: string) => element<HTMLInputElement>(id);
const axes = ['x', 'y', 'z'].map(input);
const say = (text: string) => (element('message').textContent = text);

let viewer: Viewer;
let clip: ClipLung | undefined;
let volume: Volume | undefined;
let nodules: Nodule[] = [];
/** Where the nodule is, and how large; the fields show it rounded. */
let centre: Triple = [0, 0, 0];
let diameter = 10;
/** Predictions of places that were left since are dropped. */
let turn = 0;

/** Predicts the current place. */
async function predict(): Promise<void> {
  const mine = ++turn;
  if (!volume || !clip) return;
  try {
    const { crop } = clip.info.input;
    const nodule = volume.around(centre, diameter, crop);
    const found = await clip.predict(nodule);
    if (mine !== turn) return;
    const near = nodules.find((n) => Math.hypot(...n.centre.map((v, i) => v - centre[i]!)) < n.diameter / 2);
    result(clip, found, near && `The readers' ratings of this synthetic nodule: ${near.class}.`);
    const target = element<HTMLSelectElement>('target').value as ClassName | '';
    const map = await clip.explain(nodule, target ? { target } : {});
    if (mine !== turn) return;
    await viewer.warm(map.data, centre, sides(crop, diameter), Number(input('opacity').value));
    say('');
  } catch (error) {
    if (mine !== turn) return;
    blank();
    viewer.cool();
    say(error instanceof Error ? error.message : String(error));
  }
}

let waiting = 0;
/** Predicts when the reader has come to rest. */
function soon(): void {
  clearTimeout(waiting);
  waiting = window.setTimeout(() => void predict(), 120);
}

function place(mm: Triple, size = diameter): void {
  [centre, diameter] = [mm, size];
  axes.forEach((field, i) => (field.value = mm[i]!.toFixed(1)));
  input('diameter').value = size.toFixed(1);
  input('handle').value = String(size);
  viewer.place(centre, clip && sides(clip.info.input.crop, diameter));
  soon();
}

/** Shows what was opened; the first nodule of a sample is the centre, else the middle of the volume. */
async function show(name: string, what: () => Promise<{ image: ConstructorParameters<typeof Volume>[0]; note?: string; nodules?: Nodule[] }>): Promise<void> {
  say(`opening ${name} …`);
  try {
    const opened = await what();
    const next = new Volume(opened.image);
    turn += 1;
    volume = next;
    nodules = opened.nodules ?? [];
    viewer.show(opened.image);
    element('hint').hidden = true;
    element<HTMLFieldSetElement>('place').disabled = element<HTMLFieldSetElement>('overlay').disabled = false;
    const [first] = nodules;
    place(first?.centre ?? volume.middle, first?.diameter ?? diameter);
    const unlike = volume.lowest > -500 ? 'No air in it: these may not be Hounsfield units. ' : '';
    say(unlike + (opened.note ?? ''));
  } catch (error) {
    say(error instanceof Error ? error.message : String(error));
  }
}

function listen(): void {
  viewer.onmove = (mm) => {
    if (volume && Math.hypot(...mm.map((v, i) => v - centre[i]!)) > 0.05) place(mm);
  };
  axes.forEach((field, i) => {
    field.onchange = () => field.reportValidity() && place(centre.map((v, k) => (k === i ? Number(field.value) : v)) as Triple);
  });
  input('diameter').onchange = () => input('diameter').reportValidity() && place(centre, Number(input('diameter').value));
  input('handle').oninput = () => place(centre, Number(input('handle').value));
  input('opacity').oninput = () => (viewer.opacity = Number(input('opacity').value));
  element('target').onchange = () => void predict();
  for (const id of ['files', 'folder']) {
    input(id).onchange = () => {
      const files = Array.from(input(id).files ?? []);
      input(id).value = '';
      if (files.length) void show(files[0]!.name, () => open(files));
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
    const transfer = event.dataTransfer!;
    void show('what was dropped', async () => open(await dropped(transfer)));
  };
}

async function offer(): Promise<void> {
  const found = await samples();
  element('samples').replaceChildren(
    ...found.map((sample, i) => {
      const button = Object.assign(document.createElement('button'), { type: 'button', textContent: i ? sample.name : `Synthetic ${sample.name}` });
      button.onclick = () => void show(sample.name, sample.open);
      return button;
    }),
  );
}

async function main(): Promise<void> {
  if ('serviceWorker' in navigator) void navigator.serviceWorker.register('./sw.js').catch(() => undefined);
  viewer = await Viewer.on(element('volume'), element('outline'));
  listen();
  await offer().catch((error: Error) => say(error.message));
  try {
    clip = await ClipLung.from(new URL('./model', document.baseURI), {
      progress_callback: (share) => (element('device').textContent = `loading ${Math.round(100 * share)} %`),
      ondevice: () => clip && badge(clip),
    });
  } catch (error) {
    element('device').textContent = 'no model';
    say(error instanceof ClipLungError ? `${error.message} (clip-lung serve --model DIR serves one)` : String(error));
    return;
  }
  describe(clip);
  badge(clip);
  Object.assign(globalThis, { clip });
  if (volume) place(centre);
  document.documentElement.dataset.ready = 'yes';
}

if (new URLSearchParams(location.search).has('bench')) void import('./bench').then((b) => b.run());
else void main();

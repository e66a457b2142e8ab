/** OHIF's side panel: probabilities, words, the model and the notice. A custom element, so that it needs none of OHIF's React. */
import { about } from '../about.js';
import type { ClassName } from '../index.js';
import { againstAverage, knowsWords } from '../words.js';
import type { Nodule, Nodules } from './ohif-nodules.js';
import { reportOf } from './ohif-report.js';

/** The element's name: what OHIF's React makes an element of. */
export const PANEL = 'clip-lung-panel';
const NOTICE = 'Research use only, not a medical device. Not for diagnosis.';
/** Words shown of a nodule. */
const WORDS = 3;
const STYLE = `
  :host { display: block; height: 100%; overflow: auto; padding: 10px; overflow-wrap: anywhere; color: #dde6ee; font: 14px/1.45 system-ui, sans-serif; }
  .notice { color: #f4c26b; margin: 0 0 10px; }
  section { border: 1px solid #3a4b63; border-radius: 6px; padding: 8px 10px; margin: 0 0 10px; }
  h3 { margin: 0 0 6px; font-size: 14px; font-weight: 600; }
  dl { display: grid; grid-template-columns: 6em 1fr 3.5em; gap: 3px 8px; margin: 0 0 6px; align-items: center; }
  dt, dd { margin: 0; } dd:nth-child(3n) { text-align: right; font-variant-numeric: tabular-nums; }
  meter { width: 100%; height: 10px; }
  meter::-webkit-meter-optimum-value { background: #7fc4ff; } meter::-moz-meter-bar { background: #7fc4ff; } p { margin: 0 0 6px; } .failure { color: #ff9b8a; } small { color: #9fb0c3; }
  button { font: inherit; color: inherit; background: #22344d; border: 1px solid #3a4b63; border-radius: 4px; padding: 2px 8px; margin: 4px 6px 0 0; cursor: pointer; }
  button:focus-visible { outline: 2px solid #7fc4ff; }`;

/** What the panel asks of OHIF. */
export interface Actions {
  show(uid: string): void;
  remove(uid: string): void;
  /** Lays a nodule's heat map over its series, or takes it away. */
  heat(nodule: Nodule): void;
  hasHeat(uid: string): boolean;
  /** Stores the report of a nodule's series in its study; nothing where the source of the data takes none. */
  store(): ((nodule: Nodule) => void) | undefined;
}

/** Defines the element for these nodules, once. */
export function definePanel(nodules: Nodules, actions: Actions): void {
  if (customElements.get(PANEL)) return;
  customElements.define(PANEL, class extends HTMLElement {
    readonly #draw = () => draw(this.shadowRoot!, nodules, actions);

    connectedCallback(): void {
      if (!this.shadowRoot) {
        const sheet = new CSSStyleSheet();
        sheet.replaceSync(STYLE);
        this.attachShadow({ mode: 'open' }).adoptedStyleSheets = [sheet];
      }
      nodules.addEventListener('change', this.#draw);
      this.#draw();
    }

    disconnectedCallback(): void {
      nodules.removeEventListener('change', this.#draw);
    }
  });
}

function element<K extends keyof HTMLElementTagNameMap>(tag: K, text = '', more: Partial<HTMLElementTagNameMap[K]> = {}): HTMLElementTagNameMap[K] {
  return Object.assign(document.createElement(tag), { textContent: text }, more);
}

function draw(root: ShadowRoot, nodules: Nodules, actions: Actions): void {
  const { clip, list } = nodules;
  const parts: HTMLElement[] = [element('p', NOTICE, { className: 'notice' })];
  if (!list.length) parts.push(element('p', 'Measure a nodule on a CT with the length or the bidirectional tool.'));
  parts.push(...list.map((nodule) => section(nodule, nodules, actions)));
  if (clip) {
    const { metadata, sha256 } = clip.info;
    if (metadata.synthetic) parts.push(element('p', 'Trained on drawn images: its answers say nothing about CT.', { className: 'failure' }));
    const device = clip.device === 'webgpu' ? 'the GPU' : 'the CPU';
    const computed = `version ${metadata.version}; computed on ${device} in this browser; weights ${sha256['model.safetensors']?.slice(0, 12)}`;
    parts.push(element('small', `${about(clip.info)}; ${computed}`));
  }
  root.replaceChildren(...parts);
}

function section(nodule: Nodule, nodules: Nodules, actions: Actions): HTMLElement {
  const { uid, name, diameter, prediction, failure, note } = nodule;
  const box = element('section');
  box.append(element('h3', `${name}, ${diameter.toFixed(1)} mm`));
  if (failure !== undefined) box.append(element('p', failure, { className: 'failure' }));
  else if (!prediction) box.append(element('p', 'Computing ...'));
  else {
    const shares = element('dl');
    for (const [label, p] of Object.entries(prediction.probabilities) as [ClassName, number][]) {
      const bar = element('dd');
      bar.append(element('meter', '', { value: p, max: 1, title: label }));
      shares.append(element('dt', label), bar, element('dd', p.toFixed(4)));
    }
    box.append(shares);
    const { reason, warning, set = [] } = prediction;
    for (const said of [reason, warning]) if (said !== undefined) box.append(element('p', said, { className: 'failure' }));
    if (set.length > 1) box.append(element('p', `Left open: ${set.join(' or ')}`));
    const { attributes } = prediction;
    if (attributes && nodules.clip && knowsWords(nodules.clip.info)) {
      const words = againstAverage(nodules.clip.info, attributes).filter(([, more]) => more > 0).sort(([, a], [, b]) => b - a).slice(0, WORDS);
      box.append(element('p', `Words closer than average: ${words.map(([word, more]) => `${word} +${(100 * more).toFixed(0)} %`).join(', ')}`));
    }
  }
  if (note !== undefined) box.append(element('p', note));
  const button = (text: string, onclick: () => void, title = '') => box.append(element('button', text, { title, onclick }));
  button('Show', () => actions.show(uid));
  button('Remove', () => actions.remove(uid));
  if (prediction && nodules.clip) {
    button(actions.hasHeat(uid) ? 'Hide heat map' : 'Heat map', () => actions.heat(nodule), `What speaks for ${prediction.label} (Grad-CAM)`);
    button('Report', () => void save(nodule, nodules), 'A DICOM structured report');
    const store = actions.store();
    if (store) button('Store', () => store(nodule), 'The report, in the study');
  }
  return box;
}

/** Offers the report of all predicted nodules of a nodule's series as a file. */
async function save({ displaySet }: Nodule, { clip, list }: Nodules): Promise<void> {
  if (!clip) return;
  const { bytes, sopInstanceUid } = await reportOf(displaySet, list, clip.info);
  const url = URL.createObjectURL(new Blob([bytes as Uint8Array<ArrayBuffer>], { type: 'application/dicom' }));
  element('a', '', { href: url, download: `${sopInstanceUid}.dcm` }).click();
  setTimeout(() => URL.revokeObjectURL(url), 1e4);
}

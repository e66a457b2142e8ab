/** What the model says of the chosen nodule. */
import type { Info } from 'clip-lung';
import { inWords } from '../nodule/band';
import type { Marked } from '../nodule/marks';
import { fill, rows } from './bars';
import { element, make } from './dom';

export const prepare = ({ classes }: Info) => rows('probabilities', classes);

/** `number` is the nodule's in the list; `known` what is known of it anyway. */
export function show({ classes }: Info, nodule: Marked, number: number, known: string | undefined): void {
  element('whose').textContent = `Nodule ${number}`;
  const { found } = nodule;
  if (!found) return wait();
  const { prediction, band } = found;
  fill('probabilities', classes.map((name) => {
    const share = prediction.probabilities[name] ?? 0;
    return { share, text: `${(100 * share).toFixed(1)} %`, range: band?.ranges[name] };
  }));
  element('label').textContent = `highest: ${prediction.label}`;
  element('steady').textContent = band ? inWords(band, prediction.label, nodule.diameter) : '';
  guard((prediction as { warnings?: string[] }).warnings ?? []);
  const where = prediction.device === 'webgpu' ? 'GPU' : 'CPU';
  element('time').textContent = `${prediction.ms.toFixed(0)} ms on the ${where}.${known ? ` ${known}` : ''} Research use only.`;
}

/** An old number never stands beside a new place. */
function wait(): void {
  fill('probabilities', []);
  element('label').textContent = '';
  element('steady').textContent = '';
  element('time').textContent = '\u00a0';
  guard([]);
}

/** Nothing is marked. */
export function blank(): void {
  element('whose').textContent = 'Malignancy';
  wait();
  element('steady').textContent = 'Nothing is marked: click a nodule, or drag across it with Shift.';
}

/** What the place itself warns of. */
export const guard = (warnings: readonly string[]) =>
  element('guards').replaceChildren(...warnings.map((text) => make('li', { textContent: text })));

/** What the model says of the chosen nodule. */
import type { Info, Prediction } from 'clip-lung';
import { inWords } from '../nodule/band';
import type { Marked } from '../nodule/marks';
import { fill, rows } from './bars';
import { element, make } from './dom';
import { learned } from './model';

/** Rows for the model's classes, and what it learned from. */
export function prepare(info: Info): void {
  rows('probabilities', info.classes);
  element('learned').textContent = `${learned(info)} Research use only, not a medical device.`;
}

/** `number` is the nodule's in the list; `known` what is known of it anyway, `warnings` what is to know of it. */
export function show(info: Info, nodule: Marked, number: number, known: string | undefined, warnings: readonly string[]): void {
  element('whose').textContent = `Nodule ${number}`;
  const { found } = nodule;
  if (!found) return wait();
  const { prediction, band } = found;
  fill('probabilities', info.classes.map((name) => {
    const share = prediction.probabilities[name] ?? 0;
    return { share, text: `${(100 * share).toFixed(1)} %`, range: band?.ranges[name] };
  }));
  element('label').textContent = `highest: ${prediction.label}`;
  element('steady').textContent = band ? inWords(band, prediction.label, nodule.diameter) : '';
  element('open-classes').textContent = leftOpen(info, prediction);
  guard(warnings);
  const where = prediction.device === 'webgpu' ? 'GPU' : 'CPU';
  element('time').textContent = `${prediction.ms.toFixed(0)} ms on the ${where}.${known ? ` ${known}` : ''}`;
}

/** The classes that the model can't tell apart here, where it has a rule for it. */
function leftOpen({ answer_set: rule }: Info, { set }: Prediction): string {
  if (!rule || !set) return '';
  const held = `the true class is among them for ${Math.round(100 * rule.coverage)} % of nodules like those it was measured on`;
  return set.length === 1 ? `Leaves no other class open than ${set[0]}: ${held}.` : `Leaves open: ${set.join(', ')}; ${held}.`;
}

/** An old number never stands beside a new place. */
function wait(): void {
  fill('probabilities', []);
  element('label').textContent = '';
  element('open-classes').textContent = '';
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

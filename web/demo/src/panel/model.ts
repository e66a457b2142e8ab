/** What the model is: above everything it says, and in its card. */
import { inWords, trainedOn, type ClipLung, type Info } from 'clip-lung';
import { element, make, terms } from './dom';

/** A number of an evaluation with its interval, as `config.json` has it. */
interface Measured {
  value: number;
  interval?: { low: number; high: number };
}

const isMeasured = (v: unknown): v is Measured => typeof (v as Measured | null)?.value === 'number';
const percent = (share: number) => `${Math.round(100 * share)} %`;
const between = ({ interval }: Measured, text: (v: number) => string) => (interval ? ` (95 % interval ${text(interval.low)} to ${text(interval.high)})` : '');

/** How well it did on nodules it had not seen, in words; of a model that has seen all, the folds of its recipe say it. */
function scored({ metadata }: Info): string {
  const { accuracy, held_out: held, majority, folds } = (metadata.metrics ?? {}) as Record<string, unknown>;
  if (!isMeasured(accuracy)) return 'How well it does was not measured.';
  const whose = typeof folds === 'number' ? `In ${folds} folds of its recipe: accuracy` : 'Accuracy';
  const on = typeof held === 'number' ? ` on ${held} nodules held out` : '';
  const plain = typeof majority === 'number' ? `; always saying the commonest class: ${percent(majority)}` : '';
  return `${whose} ${percent(accuracy.value)}${between(accuracy, percent)}${on}${plain}.`;
}

/** What it learned from, as a sentence. */
export const learned = (info: Info) => `T${trainedOn(info).slice(1)}.`;

export function banner({ info }: ClipLung): void {
  const place = element('banner');
  const { synthetic } = info.metadata;
  const worth = synthetic ? ' What it says of a real scan means nothing.' : '';
  place.classList.toggle('synthetic', synthetic);
  place.replaceChildren(make('strong', { textContent: learned(info) + worth }), ` ${scored(info)} Research use only.`);
}

/** Where no model came. */
export function none(): void {
  element('device').textContent = 'no model';
  element('banner').textContent = 'There is no model: scans can be looked at, but nothing is said of them.';
}

/** People and nodules are counted, the rest is measured. */
function number(name: string, value: unknown): string | undefined {
  if (isMeasured(value)) return `${value.value.toFixed(3)}${between(value, (v) => v.toFixed(3))}`;
  if (typeof value !== 'number') return undefined;
  return Number.isInteger(value) ? String(value) : name === 'majority' ? percent(value) : value.toFixed(3);
}

export function card({ info }: ClipLung): void {
  const { metadata } = info;
  const scores = Object.entries((metadata.metrics ?? {}) as Record<string, unknown>).flatMap(([name, value]): [string, string][] => {
    const text = number(name, value);
    const known: Record<string, string> = { held_out: 'nodules held out', majority: 'commonest class alone' };
    return text === undefined ? [] : [[known[name] ?? name.replaceAll('_', ' '), text]];
  });
  terms('card', [
    ['method', `${info.method}, task ${info.task}`],
    ['classes', info.classes.join(', ')],
    ['trained on', `${metadata.training_data}${metadata.synthetic ? ', synthetic' : ''}`],
    ['text encoder', metadata.text_encoder],
    ['crop', inWords(info.input.crop)],
    ['intended use', `${metadata.intended_use}; not a medical device`],
    ...scores,
    ['created', `${metadata.created}, version ${metadata.version}`],
    ['weights', `sha256 ${info.sha256['model.safetensors']!.slice(0, 16)}…`],
  ]);
}

/** The device, with the reason in words where the GPU is not used. */
export function device(clip: ClipLung): void {
  const place = element('device');
  place.textContent = clip.device === 'webgpu' ? 'computing on the GPU' : 'computing on the CPU';
  place.title = clip.fallback ? `GPU not used: ${clip.fallback}` : '';
}

/** What the page says about a nodule: bars, times, the device, the model's card. */
import { ATTRIBUTES, inWords, type ClipLung, type Prediction } from 'clip-lung';

export const element = <T extends HTMLElement>(id: string) => document.getElementById(id) as T;

/** Fixed rows, so that nothing moves when values arrive. */
function rows(place: string, names: readonly string[]): void {
  element(place).replaceChildren(
    ...names.flatMap((name) => {
      const [label, bar, value] = [document.createElement('span'), document.createElement('span'), document.createElement('output')];
      label.textContent = name;
      bar.className = 'bar';
      bar.append(Object.assign(document.createElement('i'), { className: name }));
      value.textContent = '–';
      return [label, bar, value];
    }),
  );
}

function fill(place: string, values: number[], most = 1): void {
  element(place).querySelectorAll('i').forEach((bar, i) => (bar.style.transform = `scaleX(${(values[i] ?? 0) / most})`));
  element(place).querySelectorAll('output').forEach((out, i) => (out.textContent = i in values ? `${(100 * values[i]!).toFixed(1)} %` : '–'));
}

/** The rows of a model's classes and words, and its card. */
export function describe(clip: ClipLung): void {
  const { info } = clip;
  rows('probabilities', info.classes);
  rows('attributes', ATTRIBUTES);
  element<HTMLSelectElement>('target').append(...info.classes.map((c) => new Option(c, c)));
  const { metadata } = info;
  const scores = Object.entries((metadata.metrics ?? {}) as Record<string, unknown>).filter(([, v]) => typeof v === 'number' || (v as { value?: unknown })?.value !== undefined);
  const entries: [string, string][] = [
    ['method', `${info.method}, task ${info.task}`],
    ['classes', info.classes.join(', ')],
    ['trained on', metadata.training_data],
    ['text encoder', metadata.text_encoder],
    ['crop', inWords(info.input.crop)],
    ['intended use', `${metadata.intended_use}; not a medical device`],
    ...scores.slice(0, 6).map(([name, v]): [string, string] => [name.replaceAll('_', ' '), Number(typeof v === 'number' ? v : (v as { value: number }).value).toFixed(3)]),
    ['created', `${metadata.created}, version ${metadata.version}`],
    ['weights', `sha256 ${info.sha256['model.safetensors']!.slice(0, 16)}…`],
  ];
  element('card').replaceChildren(
    ...entries.flatMap(([name, text]) => [
      Object.assign(document.createElement('dt'), { textContent: name }),
      Object.assign(document.createElement('dd'), { textContent: text }),
    ]),
  );
}

/** The device, with the reason in words where the GPU is not used. */
export function badge(clip: ClipLung): void {
  const place = element('device');
  place.textContent = clip.device === 'webgpu' ? 'computing on the GPU' : 'computing on the CPU';
  place.title = clip.fallback ? `GPU not used: ${clip.fallback}` : '';
}

/** A nodule's result. */
export function result(clip: ClipLung, p: Prediction, truth?: string): void {
  fill('probabilities', clip.info.classes.map((c) => p.probabilities[c] ?? 0));
  element('label').textContent = p.label;
  element('time').textContent = `${p.ms.toFixed(0)} ms on the ${p.device === 'webgpu' ? 'GPU' : 'CPU'}.${truth ? ` ${truth}` : ''} Research use only.`;
  const scores = p.attributes ? ATTRIBUTES.map((a) => p.attributes![a]) : [];
  fill('attributes', scores, Math.max(...scores, 1e-6));
  element('words').textContent = p.attributes
    ? `Closeness to each word, by the training's text encoder: ${clip.info.metadata.text_encoder}. Not a rating; LIDC-IDRI rated lobulation and spiculation inconsistently.`
    : 'This model was trained without words.';
}

/** Nothing is known of the current place. */
export function blank(): void {
  fill('probabilities', []);
  fill('attributes', []);
  element('label').textContent = '';
  element('time').textContent = '\u00a0';
}

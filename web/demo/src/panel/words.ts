/** The words closest to a nodule, where the text encoder knew what words mean. */
import { ATTRIBUTES, type Info, type Prediction } from 'clip-lung';
import { fill, rows } from './bars';
import { element } from './dom';

/** Encoders that were never pretrained say so in their name; a model without one says none. */
const isPretrained = (encoder: string) => encoder !== 'none' && !/not pretrained/.test(encoder);

/** Differences from the average that fill half a bar. */
const FULL = 0.5;

export function prepare({ metadata: { text_encoder: encoder } }: Info): void {
  const shown = isPretrained(encoder);
  element('attributes').hidden = !shown;
  if (shown) rows('attributes', ATTRIBUTES);
  element('words').textContent = shown ? '\u00a0'
    : encoder === 'none' ? 'No words: this model was trained without a text encoder.'
    : `No words: the text encoder of its training (${encoder}) never learned what words mean, so closeness to them would say nothing.`;
}

/** Each word against the average: of the nodules it was trained on where the model has it, else of the eight words. */
export function show({ metadata }: Info, prediction: Prediction | undefined): void {
  if (!isPretrained(metadata.text_encoder)) return;
  const scores = prediction?.attributes;
  if (!scores) {
    fill('attributes', []);
    element('words').textContent = prediction ? 'This model has no words.' : '\u00a0';
    return;
  }
  const { attribute_means: means } = metadata as { attribute_means?: Partial<Record<string, number>> };
  fill('attributes', ATTRIBUTES.map((name) => {
    const more = scores[name] / (means?.[name] ?? 1 / ATTRIBUTES.length) - 1;
    const share = 0.5 + 0.5 * Math.min(1, Math.max(-1, more / FULL));
    return { from: 0.5, share, text: `${more < 0 ? '−' : '+'}${Math.abs(100 * more).toFixed(0)} %` };
  }));
  element('words').textContent =
    `Closeness to each word, above or below ${means ? 'the average nodule' : 'the average word'}, by the training's text encoder: `
    + `${metadata.text_encoder}. Not a rating; LIDC-IDRI rated lobulation and spiculation inconsistently.`;
}

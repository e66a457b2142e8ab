/** The words closest to a nodule, where the text encoder knew what words mean. */
import { againstAverage, ATTRIBUTES, knowsWords, type Info, type Prediction } from 'clip-lung';
import { fill, rows } from './bars';
import { element } from './dom';

/** Differences from the average that fill half a bar. */
const FULL = 0.5;

export function prepare(info: Info): void {
  const [shown, encoder] = [knowsWords(info), info.metadata.text_encoder];
  element('attributes').hidden = !shown;
  if (shown) rows('attributes', ATTRIBUTES);
  element('words').textContent = shown ? '\u00a0'
    : encoder === 'none' ? 'No words: this model was trained without a text encoder.'
    : `No words: the text encoder of its training (${encoder}) never learned what words mean, so closeness to them would say nothing.`;
}

/** Each word against the average: of the nodules it was trained on where the model has it, else of the eight words. */
export function show(info: Info, prediction: Prediction | undefined): void {
  if (!knowsWords(info)) return;
  const scores = prediction?.attributes;
  if (!scores) {
    fill('attributes', []);
    element('words').textContent = prediction ? 'This model has no words.' : '\u00a0';
    return;
  }
  fill('attributes', againstAverage(info, scores).map(([, more]) => {
    const share = 0.5 + 0.5 * Math.min(1, Math.max(-1, more / FULL));
    return { from: 0.5, share, text: `${more < 0 ? '−' : '+'}${Math.abs(100 * more).toFixed(0)} %` };
  }));
  const { attribute_means: means, text_encoder: encoder } = info.metadata;
  element('words').textContent =
    `Closeness to each word, above or below ${means ? 'the average nodule' : 'the average word'}, by the training's text encoder: `
    + `${encoder}. Not a rating; LIDC-IDRI rated lobulation and spiculation inconsistently.`;
}

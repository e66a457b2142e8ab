/** How an answer changes with the diameter: the model asked again with shares of it, so that nobody takes a knife-edge for an answer. */
import type { ClassName, Prediction } from 'clip-lung';

/** Shares of the diameter, evenly spaced as factors. */
export const SHARES = Array.from({ length: 6 }, (_, i) => 0.8 * (1.25 / 0.8) ** (i / 5));

export interface Band {
  /** Lowest and highest probability by class. */
  ranges: Partial<Record<ClassName, [number, number]>>;
  /** The classes decided on, from the smallest diameter to the largest. */
  labels: ClassName[];
}

/** `one` is the answer for the diameter itself. */
export function bandOf(one: Prediction, others: Prediction[]): Band {
  const ranges: Band['ranges'] = {};
  for (const name of Object.keys(one.probabilities) as ClassName[]) {
    const values = [one, ...others].map((p) => p.probabilities[name] ?? 0);
    ranges[name] = [Math.min(...values), Math.max(...values)];
  }
  return { ranges, labels: others.map((p) => p.label) };
}

/** The band in words: whether the class decided on holds. */
export function inWords({ labels }: Band, label: ClassName, diameter: number): string {
  const mm = (share: number) => `${(share * diameter).toFixed(1)}`;
  const span = `${mm(SHARES[0]!)} to ${mm(SHARES.at(-1)!)} mm`;
  const other = labels.findIndex((l) => l !== label);
  if (other < 0) return `The highest class is the same for ${span}.`;
  return `Not sure of its class: for ${mm(SHARES[other]!)} mm it is ${labels[other]}. The marks on the bars show ${span}.`;
}

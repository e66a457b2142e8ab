/** Rows of a name, a bar and a number; fixed rows, so that nothing moves when values arrive. */
import { element, make } from './dom';

export function rows(place: string, names: readonly string[]): void {
  element(place).replaceChildren(
    ...names.flatMap((name) => [make('span', { textContent: name }), make('span', { className: 'bar' }, make('i'), make('b')), make('output', { textContent: '–' })]),
  );
}

export interface Bar {
  /** Where the bar ends, 0..1 of its width. */
  share: number;
  /** Where it begins: 0, or the middle for bars against an average. */
  from?: number;
  text: string;
  /** A span marked on the bar. */
  range?: [number, number] | undefined;
}

/** Missing bars are empty. */
export function fill(place: string, bars: readonly Bar[]): void {
  const found = element(place);
  found.querySelectorAll('i').forEach((bar, i) => {
    const { share = 0, from = 0 } = bars[i] ?? {};
    const [low, high] = [Math.min(from, share), Math.max(from, share)];
    bar.style.transform = `translateX(${100 * low}%) scaleX(${high - low})`;
  });
  found.querySelectorAll('b').forEach((mark, i) => {
    const range = bars[i]?.range;
    mark.hidden = !range;
    if (range) Object.assign(mark.style, { left: `${100 * range[0]}%`, width: `${100 * (range[1] - range[0])}%` });
  });
  found.querySelectorAll('output').forEach((out, i) => (out.textContent = bars[i]?.text ?? '–'));
}

/** The series of a folder, to choose from. */
import type { Offer } from '../scan/protocol';
import { thumbnail } from '../view/slice';
import { element, make } from './dom';

const SIDE = 72;

export function offer(offers: readonly Offer[], onchoose: (uid: string) => void): void {
  const place = element('offers');
  place.hidden = offers.length < 2;
  if (place.hidden) return;
  const items = offers.map((one) => {
    const { uid, description, slices, thickness, columns, rows, middle, problem } = one;
    const size = `${slices} slices of ${columns} x ${rows}${thickness ? `, ${Number(thickness.toFixed(2))} mm` : ''}`;
    const button = make('button', { type: 'button', disabled: problem !== undefined }, ...(middle ? [thumbnail(middle, columns, rows, SIDE)] : []),
      make('span', {}, make('strong', { textContent: description || 'without a description' }), make('br'), size, ...(problem ? [make('br'), problem] : [])));
    button.title = uid;
    button.dataset.uid = uid;
    button.onclick = () => onchoose(uid);
    return make('li', {}, button);
  });
  const likely = offers.filter(({ problem }) => !problem).length > 1 ? ' The first is the likely one.' : '';
  place.replaceChildren(make('p', { textContent: `These files hold ${offers.length} CT series: choose one.${likely}` }), make('ul', {}, ...items));
}

/** Which one is shown. */
export const choose = (uid: string | undefined) =>
  element('offers').querySelectorAll('button').forEach((button) => button.setAttribute('aria-pressed', String(button.dataset.uid === uid)));

/** What the page says of opening: one line of the moment, warnings and files left aside until the next file. */
import type { Aside } from '../scan/protocol';
import { element, make } from './dom';

/** At most so many names of files. */
const LISTED = 200;

export function say(text: string, kind: 'plain' | 'error' = 'plain'): void {
  const line = element('message');
  line.textContent = text;
  line.classList.toggle('error', kind === 'error');
}

export function progress(share: number | undefined): void {
  const bar = element<HTMLProgressElement>('progress');
  bar.hidden = share === undefined;
  bar.value = share ?? 0;
}

export const warn = (warnings: readonly string[]) =>
  element('warnings').replaceChildren(...warnings.map((text) => make('li', { textContent: text })));

/** What of the files was not used, and why. */
export function leftAside(files: readonly Aside[]): void {
  const place = element<HTMLDetailsElement>('aside');
  place.hidden = !files.length;
  const [first] = files;
  if (!first) return;
  const why = files.length > 1 && files.every((file) => file.why === first.why) ? first.why : `${first.name} (${first.why})${files.length > 1 ? ' …' : ''}`;
  place.querySelector('summary')!.textContent = `${files.length} ${files.length === 1 ? 'file' : 'files'} left aside: ${why}`;
  place.querySelector('ul')!.replaceChildren(
    ...files.slice(0, LISTED).map(({ name, why }) => make('li', {}, make('strong', { textContent: name }), ` ${why}`)),
    ...(files.length > LISTED ? [make('li', { textContent: `and ${files.length - LISTED} more` })] : []),
  );
}

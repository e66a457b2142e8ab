/** The page's elements. */
export const element = <T extends HTMLElement>(id: string) => document.getElementById(id) as T;
export const input = (id: string) => element<HTMLInputElement>(id);

/** A new element with properties and children. */
export function make<K extends keyof HTMLElementTagNameMap>(tag: K, properties: Partial<HTMLElementTagNameMap[K]> = {}, ...children: (Node | string)[]): HTMLElementTagNameMap[K] {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

/** Terms and what they mean, in a `dl`. */
export const terms = (place: string, entries: readonly (readonly [string, string])[]) =>
  element(place).replaceChildren(...entries.flatMap(([term, text]) => [make('dt', { textContent: term }), make('dd', { textContent: text })]));

/** Buttons of which one is pressed. */
export function choice<T extends string>(place: string, names: readonly (readonly [T, string])[], onchoose: (name: T) => void): (name: T | undefined) => void {
  const buttons = names.map(([name, text]) => {
    const button = make('button', { type: 'button', textContent: text });
    button.onclick = () => onchoose(name);
    button.dataset.name = name;
    return button;
  });
  element(place).replaceChildren(...buttons);
  return (name) => buttons.forEach((button) => button.setAttribute('aria-pressed', String(button.dataset.name === name)));
}

/** Place and size in numbers: shown in either frame, typed or pasted in either. */
import type { Triple } from 'clip-lung';
import { inFrame, parsePlace, type Frame, type Pasted } from '../scan/frame';
import { element, input } from './dom';

const AXES = ['x', 'y', 'z'] as const;
const TOWARDS: Record<Frame, [string, string, string]> = { LPS: ['left', 'back', 'head'], RAS: ['right', 'front', 'head'] };

/** Diameters that can be asked for, mm; which of them no nodule has, the model says. */
export const DIAMETERS = { smallest: 1, largest: 100 };

export interface FieldIntents {
  /** Another place, LPS. */
  onplace(mm: Triple): void;
  /** Another diameter, mm; `mark` where a nodule is meant, although none is chosen. */
  ondiameter(mm: number, mark: boolean): void;
  onmark(): void;
  onframe(): void;
}

export class Fields {
  #mm: Triple = [0, 0, 0];

  constructor(intents: FieldIntents) {
    const take = ({ place, frame, diameter }: Pasted) => {
      if (frame) this.frame = frame;
      intents.onplace(inFrame(place, this.frame));
      if (diameter !== undefined && diameter >= DIAMETERS.smallest && diameter <= DIAMETERS.largest) intents.ondiameter(diameter, true);
    };
    AXES.forEach((axis, i) => {
      const field = input(axis);
      field.onpaste = (event) => {
        const pasted = parsePlace(event.clipboardData?.getData('text') ?? '');
        if (!pasted) return;
        event.preventDefault();
        take(pasted);
      };
      field.onchange = () => {
        const pasted = parsePlace(field.value);
        if (pasted) return take(pasted);
        const value = Number(field.value.trim().replace(',', '.'));
        field.setCustomValidity(field.value.trim() && Number.isFinite(value) ? '' : 'a number in mm, or three of them');
        if (!field.reportValidity()) return;
        const typed = inFrame(this.#mm, this.frame);
        typed[i] = value;
        intents.onplace(inFrame(typed, this.frame));
      };
      field.onkeydown = (event) => {
        if (event.key !== 'Enter') return;
        field.onchange!(event);
        if (field.checkValidity()) intents.onmark();
      };
    });
    input('diameter').onchange = () => input('diameter').reportValidity() && intents.ondiameter(Number(input('diameter').value), true);
    input('handle').oninput = () => intents.ondiameter(Number(input('handle').value), false);
    element('frame').onchange = () => {
      this.#names();
      this.place = this.#mm;
      intents.onframe();
    };
    element('mark').onclick = () => intents.onmark();
  }

  get frame(): Frame {
    return element<HTMLSelectElement>('frame').value as Frame;
  }

  set frame(frame: Frame) {
    element<HTMLSelectElement>('frame').value = frame;
    this.#names();
  }

  /** LPS. */
  set place(mm: Triple) {
    this.#mm = mm;
    inFrame(mm, this.frame).forEach((v, i) => {
      const field = input(AXES[i]!);
      field.value = (Math.abs(v) < 0.05 ? 0 : v).toFixed(1);
      field.setCustomValidity('');
    });
  }

  set diameter(mm: number) {
    input('diameter').value = mm.toFixed(1);
    input('handle').value = String(mm);
  }

  #names(): void {
    TOWARDS[this.frame].forEach((name, i) => (element(`${AXES[i]}-name`).textContent = name));
  }
}

/** Everything by keyboard, while a plane has the focus. */
import type { Triple } from 'clip-lung';
import { PLANES, type Plane } from './planes';
import { WINDOWS } from './slice';
import type { Viewer } from './viewer';

export interface KeyIntents {
  /** Marks at the cross-hair. */
  onmark(): void;
  onremove(): void;
  onundo(): void;
  /** Changes the chosen nodule's diameter by mm. */
  onresize(by: number): void;
  onheat(): void;
}

/** The keys in words, for the help. */
export const KEYS: [string, string][] = [
  ['↑ ↓, wheel', 'slice'], ['Page ↑ ↓', 'ten slices'], ['Shift + arrows', 'cross-hair'], ['Enter, click', 'mark a nodule'],
  ['Shift + drag', 'mark with its diameter'], ['[ ]', 'diameter'], ['Delete', 'remove the chosen nodule'], ['Ctrl + Z', 'undo'],
  ['+ − 0, Ctrl + wheel', 'zoom, whole slice'], ['1 2 3', 'lung, mediastinum, bone'], ['right drag', 'window'], ['P', 'next plane'], ['H', 'heat map on, off'],
];

const PLANES_IN_ORDER: Plane[] = ['axial', 'coronal', 'sagittal'];

export function listen(stage: HTMLElement, viewer: Viewer, intents: KeyIntents): void {
  /** The cross-hair by voxels on the screen. */
  const step = (right: number, down: number) => {
    const { across, along, upwards } = PLANES[viewer.large];
    const cursor = [...viewer.look.cursor] as Triple;
    cursor[across] += right;
    cursor[along] += upwards ? -down : down;
    viewer.goTo(cursor);
  };
  const window = (name: string) => (viewer.window = WINDOWS[name]!);
  const plain: Record<string, () => void> = {
    ArrowUp: () => viewer.scroll(1), ArrowRight: () => viewer.scroll(1), ArrowDown: () => viewer.scroll(-1), ArrowLeft: () => viewer.scroll(-1),
    PageUp: () => viewer.scroll(10), PageDown: () => viewer.scroll(-10),
    Home: () => viewer.scroll(-Infinity), End: () => viewer.scroll(Infinity),
    Enter: () => intents.onmark(), Delete: () => intents.onremove(), Backspace: () => intents.onremove(),
    '+': () => viewer.zoom(1.25), '=': () => viewer.zoom(1.25), '-': () => viewer.zoom(0.8), '0': () => viewer.reset(),
    '[': () => intents.onresize(-0.5), ']': () => intents.onresize(0.5),
    '1': () => window('lung'), '2': () => window('mediastinum'), '3': () => window('bone'),
    h: () => intents.onheat(),
    p: () => viewer.enlarge(PLANES_IN_ORDER[(PLANES_IN_ORDER.indexOf(viewer.large) + 1) % 3]!),
  };
  const shifted: Record<string, () => void> = {
    ArrowUp: () => step(0, -1), ArrowDown: () => step(0, 1), ArrowLeft: () => step(-1, 0), ArrowRight: () => step(1, 0), '+': plain['+']!,
  };
  stage.addEventListener('keydown', (event) => {
    if (!viewer.volume || event.altKey) return;
    const { key } = event;
    const command = event.ctrlKey || event.metaKey
      ? (key.toLowerCase() === 'z' ? intents.onundo : undefined)
      : event.shiftKey ? shifted[key] : plain[key.length === 1 ? key.toLowerCase() : key];
    if (!command) return;
    event.preventDefault();
    command();
  });
}

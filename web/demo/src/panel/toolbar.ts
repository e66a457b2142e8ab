/** Buttons over the picture: window, what dragging does, zoom, which plane is large. */
import type { Gestures, Tool } from '../view/gestures';
import { colour } from '../view/heat';
import { PLANES, type Plane } from '../view/planes';
import { WINDOWS } from '../view/slice';
import type { Viewer } from '../view/viewer';
import type { Volume } from '../scan/volume';
import { inFrame, type Frame } from '../scan/frame';
import { choice, element, input } from './dom';

const TOOLS: [Tool, string][] = [['move', 'Move'], ['window', 'Window'], ['measure', 'Measure']];

export class Toolbar {
  readonly #window: (name: string | undefined) => void;
  readonly #tool: (name: Tool) => void;
  readonly #plane: (name: Plane) => void;

  constructor(private readonly viewer: Viewer, private readonly gestures: Gestures) {
    this.#window = choice('windows', Object.keys(WINDOWS).map((name) => [name, `${name[0]!.toUpperCase()}${name.slice(1)}`]), (name) => (viewer.window = WINDOWS[name]!));
    this.#tool = choice('drags', TOOLS, (tool) => {
      gestures.tool = tool;
      this.show();
    });
    this.#plane = choice('planes', (Object.keys(PLANES) as Plane[]).map((name) => [name, name]), (plane) => viewer.enlarge(plane));
    element('closer').onclick = () => viewer.zoom(1.25);
    element('further').onclick = () => viewer.zoom(0.8);
    element('whole').onclick = () => viewer.reset();
    input('heat').onchange = () => (viewer.heatShown = input('heat').checked);
    input('opacity').oninput = () => (viewer.opacity = Number(input('opacity').value));
    const bar = element<HTMLCanvasElement>('colourbar');
    const pen = bar.getContext('2d')!;
    for (let x = 0; x < bar.width; x++) {
      pen.fillStyle = `rgba(${colour(x / bar.width).join(', ')}, ${x / bar.width})`;
      pen.fillRect(x, 0, 1, bar.height);
    }
    this.show();
  }

  /** Heat map on or off, by a key. */
  toggleHeat(): void {
    this.viewer.heatShown = input('heat').checked = !this.viewer.heatShown;
  }

  /** Which buttons are pressed. */
  show(): void {
    const [low, high] = this.viewer.look.window;
    this.#window(Object.entries(WINDOWS).find(([, [l, h]]) => l === low && h === high)?.[0]);
    this.#tool(this.gestures.tool);
    this.#plane(this.viewer.large);
  }

  /** Which slice of the large plane is shown, and where. */
  slice(volume: Volume, frame: Frame): void {
    const { through } = PLANES[this.viewer.large];
    const { cursor } = this.viewer.look;
    const at = [...cursor] as typeof cursor;
    const index = Math.round(cursor[through]);
    at[through] = index;
    const mm = inFrame(volume.mm(at), frame)[through]!.toFixed(1);
    const hu = volume.hu(...cursor).toFixed(0);
    element('slice').textContent = `${this.viewer.large} ${index + 1} of ${volume.dims[through]}, ${'xyz'[through]} ${mm} mm\n${hu} HU at the cross-hair`;
  }
}

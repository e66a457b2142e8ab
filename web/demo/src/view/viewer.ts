/** The three planes of a volume: one large, two small, and what is looked at in them. */
import type { Triple } from 'clip-lung';
import type { Volume } from '../scan/volume';
import { HeatLayer, type Heat } from './heat';
import { Pane, type Drawn, type Scene } from './pane';
import { PLANES, type Look, type Plane, type Port } from './planes';
import { WINDOWS } from './slice';

const MAX_ZOOM = 30;
const NAMES: Plane[] = ['axial', 'coronal', 'sagittal'];

export class Viewer {
  readonly panes: Record<Plane, Pane>;
  readonly #heat = new HeatLayer();
  readonly #scene: Scene;
  #large: Plane = 'axial';
  #due = false;
  /** Something of what is looked at changed. */
  onlook: () => void = () => undefined;

  constructor(canvases: Record<Plane, HTMLCanvasElement>) {
    const pane = (plane: Plane) => new Pane(plane, canvases[plane]);
    this.panes = { axial: pane('axial'), coronal: pane('coronal'), sagittal: pane('sagittal') };
    const look: Look = { cursor: [0, 0, 0], centre: [0, 0, 0], zoom: 1, window: WINDOWS.lung! };
    this.#scene = { volume: undefined, look, nodules: [], chosen: undefined, sides: undefined, measure: undefined, heat: this.#heat };
    const sized = new ResizeObserver(() => this.redraw());
    for (const name of NAMES) sized.observe(canvases[name]);
    this.#lay();
  }

  get volume(): Volume | undefined {
    return this.#scene.volume;
  }

  get large(): Plane {
    return this.#large;
  }

  get look(): Readonly<Look> {
    return this.#scene.look;
  }

  get scene(): Readonly<Scene> {
    return this.#scene;
  }

  /** The large plane on its screen. */
  get port(): Port | undefined {
    return this.panes[this.#large].port(this.#scene);
  }

  /** Shows a volume, or nothing, in place of what was there. */
  show(volume: Volume | undefined): void {
    Object.assign(this.#scene, { volume, nodules: [], chosen: undefined, sides: undefined, measure: undefined });
    this.heat = undefined;
    this.#scene.look.cursor = volume ? volume.middle : [0, 0, 0];
    this.reset();
  }

  /** Moves the cross-hair, voxels; `centred` brings it into the middle of a screen that shows a part. */
  goTo(voxel: Triple, centred = false): void {
    const { volume, look } = this.#scene;
    if (!volume) return;
    look.cursor = volume.clamp(voxel);
    if (look.zoom > 1) {
      const { through } = PLANES[this.#large];
      if (centred) look.centre = [...look.cursor];
      else look.centre[through] = look.cursor[through];
    }
    this.redraw();
    this.onlook();
  }

  /** The slices of a plane, `by` towards the head, the back or the left. */
  scroll(by: number, plane: Plane = this.#large): void {
    const { through } = PLANES[plane];
    const cursor = [...this.#scene.look.cursor] as Triple;
    cursor[through] = Math.round(cursor[through]) + by;
    this.goTo(cursor);
  }

  /** Enlarges by a factor; what lies under a pixel of the large plane stays there. */
  zoom(factor: number, at?: [number, number]): void {
    const { look, volume } = this.#scene;
    const before = this.port;
    if (!volume || !before) return;
    const pixel = at ?? [before.width / 2, before.height / 2];
    const kept = before.voxel(...pixel);
    look.zoom = Math.min(MAX_ZOOM, Math.max(1, look.zoom * factor));
    if (look.zoom === 1) look.centre = volume.middle;
    else {
      const { across, along } = PLANES[this.#large];
      const moved = this.port!.voxel(...pixel);
      for (const axis of [across, along]) look.centre[axis] += kept[axis] - moved[axis];
      look.centre[PLANES[this.#large].through] = look.cursor[PLANES[this.#large].through];
    }
    this.redraw();
    this.onlook();
  }

  /** Moves the picture by pixels. */
  pan(right: number, down: number): void {
    const { port } = this;
    if (!port || this.#scene.look.zoom === 1) return;
    const { across, along, upwards } = PLANES[this.#large];
    const { centre } = this.#scene.look;
    centre[across] -= right / port.scale / port.spacing[across];
    centre[along] -= (upwards ? -down : down) / port.scale / port.spacing[along];
    this.redraw();
  }

  /** The whole plane again. */
  reset(): void {
    const { look, volume } = this.#scene;
    Object.assign(look, { zoom: 1, centre: volume?.middle ?? [0, 0, 0] });
    this.redraw();
    this.onlook();
  }

  set window(window: [number, number]) {
    this.#scene.look.window = window;
    this.redraw();
    this.onlook();
  }

  /** Which plane is large. */
  enlarge(plane: Plane): void {
    this.#large = plane;
    this.#scene.look.centre = this.#scene.look.zoom > 1 ? [...this.#scene.look.cursor] : this.#scene.look.centre;
    this.#lay();
    this.redraw();
    this.onlook();
  }

  /** What is marked, and the box that the model is given of the chosen nodule. */
  mark(nodules: readonly Drawn[], chosen: number | undefined, sides: Triple | undefined): void {
    Object.assign(this.#scene, { nodules, chosen, sides });
    this.redraw();
  }

  set measure(line: [Triple, Triple] | undefined) {
    this.#scene.measure = line;
    this.redraw();
  }

  set heat(heat: Heat | undefined) {
    this.#heat.heat = heat;
    this.redraw();
  }

  set opacity(value: number) {
    this.#heat.opacity = value;
    this.redraw();
  }

  get heatShown(): boolean {
    return this.#heat.shown;
  }

  set heatShown(shown: boolean) {
    this.#heat.shown = shown;
    this.redraw();
  }

  /** Draws once before the screen is shown next. */
  redraw(): void {
    if (this.#due) return;
    this.#due = true;
    requestAnimationFrame(() => {
      this.#due = false;
      for (const name of NAMES) this.panes[name].draw(this.#scene, name === this.#large);
    });
  }

  #lay(): void {
    const small = NAMES.filter((name) => name !== this.#large);
    for (const name of NAMES) {
      const { classList } = this.panes[name].canvas;
      classList.toggle('large', name === this.#large);
      classList.toggle('first', name === small[0]);
      classList.toggle('second', name === small[1]);
    }
  }
}

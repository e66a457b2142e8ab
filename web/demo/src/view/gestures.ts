/** Pointers on the planes, told apart: looking, marking, resizing. A click marks; a drag does what the tool says. */
import type { Triple } from 'clip-lung';
import { grip } from './pane';
import { PLANES, type Plane } from './planes';
import type { Viewer } from './viewer';

export type Tool = 'move' | 'window' | 'measure';

export interface Intents {
  /** A click at a voxel. */
  onclick(voxel: Triple): void;
  /** A line across a nodule: its middle, and its length in mm. */
  onmeasure(voxel: Triple, diameter: number): void;
  /** The chosen nodule by its handles; `done` when the pointer is lifted. */
  onmove(voxel: Triple, done: boolean): void;
  onresize(diameter: number, done: boolean): void;
  /** A small plane was clicked. */
  onenlarge(plane: Plane): void;
}

/** Movements below this are a click, CSS pixels; fingers are less steady. */
const STILL = { mouse: 4, touch: 9 };
const REACH = { mouse: 9, touch: 22 };
/** HU a pixel. */
const WINDOW_SPEED = 3;
/** Pixels of a touch pad that make a slice. */
const WHEEL = 40;

type Drag = 'pan' | 'window' | 'measure' | 'size' | 'place' | 'slices';

export class Gestures {
  tool: Tool = 'move';
  readonly #viewer: Viewer;
  readonly #intents: Intents;
  readonly #down = new Map<number, [number, number]>();
  #drag: Drag | undefined;
  #moved = false;
  #pinched = false;
  #start: [number, number] = [0, 0];
  #last: [number, number] = [0, 0];
  #turned = 0;

  constructor(viewer: Viewer, intents: Intents) {
    this.#viewer = viewer;
    this.#intents = intents;
    for (const { plane, canvas } of Object.values(viewer.panes)) {
      canvas.addEventListener('wheel', (event) => this.#wheel(event, plane), { passive: false });
      canvas.addEventListener('pointerdown', (event) => this.#press(event, plane));
      canvas.addEventListener('pointermove', (event) => this.#move(event));
      canvas.addEventListener('pointerup', (event) => this.#lift(event, plane));
      canvas.addEventListener('pointercancel', (event) => this.#cancel(event));
      canvas.addEventListener('contextmenu', (event) => event.preventDefault());
    }
  }

  #wheel(event: WheelEvent, plane: Plane): void {
    if (!this.#viewer.volume) return;
    event.preventDefault();
    if (event.ctrlKey || event.metaKey) {
      if (plane === this.#viewer.large) this.#viewer.zoom(Math.exp(-event.deltaY / 300), [event.offsetX, event.offsetY]);
      return;
    }
    // a wheel turns in lines or in steps of a hundred pixels, a touch pad in a few pixels
    const pixels = event.deltaMode ? event.deltaY * WHEEL : event.deltaY;
    this.#turned = Math.sign(pixels) === Math.sign(this.#turned) ? this.#turned + pixels : pixels;
    const slices = Math.abs(pixels) >= WHEEL ? Math.sign(pixels) : Math.trunc(this.#turned / WHEEL);
    if (!slices) return;
    this.#turned = 0;
    // away from the reader is towards the head
    this.#viewer.scroll(-slices, plane);
  }

  #press(event: PointerEvent, plane: Plane): void {
    const { canvas } = this.#viewer.panes[plane];
    canvas.focus({ preventScroll: true });
    if (!this.#viewer.volume || plane !== this.#viewer.large) return;
    event.preventDefault();
    try {
      canvas.setPointerCapture(event.pointerId);
    } catch {
      // a pointer that is gone already
    }
    this.#down.set(event.pointerId, [event.offsetX, event.offsetY]);
    if (this.#down.size === 2) {
      this.#pinched = true;
      return;
    }
    [this.#start, this.#last, this.#moved, this.#pinched] = [[event.offsetX, event.offsetY], [event.offsetX, event.offsetY], false, false];
    this.#drag = this.#dragOf(event);
  }

  #dragOf({ button, shiftKey, pointerType, offsetX, offsetY }: PointerEvent): Drag {
    if (button === 2) return 'window';
    if (button === 1) return 'pan';
    const kind = pointerType === 'touch' ? 'touch' : 'mouse';
    const held = grip(this.#viewer.port!, this.#viewer.scene, offsetX, offsetY, REACH[kind]);
    if (held) return held;
    if (shiftKey || this.tool === 'measure') return 'measure';
    if (this.tool === 'window') return 'window';
    return kind === 'touch' && this.#viewer.look.zoom === 1 ? 'slices' : 'pan';
  }

  #move(event: PointerEvent): void {
    const before = this.#down.get(event.pointerId);
    if (!before || !this.#viewer.port) return;
    const at: [number, number] = [event.offsetX, event.offsetY];
    if (this.#down.size === 2) this.#pinch(event.pointerId, at);
    this.#down.set(event.pointerId, at);
    if (this.#pinched) return;
    const still = STILL[event.pointerType === 'touch' ? 'touch' : 'mouse'];
    if (!this.#moved && Math.hypot(at[0] - this.#start[0], at[1] - this.#start[1]) < still) return;
    this.#moved = true;
    const [right, down] = [at[0] - this.#last[0], at[1] - this.#last[1]];
    if (this.#drag === 'slices') {
      const slices = Math.trunc(down / 6);
      if (!slices) return;
      this.#last = at;
      this.#viewer.scroll(slices);
      return;
    }
    this.#last = at;
    if (this.#drag === 'pan') this.#viewer.pan(right, down);
    else if (this.#drag === 'window') this.#level(right, down);
    else this.#draw(at, false);
  }

  /** To the right wider, down brighter. */
  #level(right: number, down: number): void {
    const [low, high] = this.#viewer.look.window;
    const width = Math.max(20, high - low + WINDOW_SPEED * right);
    const middle = (low + high) / 2 - WINDOW_SPEED * down;
    this.#viewer.window = [middle - width / 2, middle + width / 2];
  }

  /** What follows the pointer: a line across a nodule, the chosen one's place or size. */
  #draw(at: [number, number], done: boolean): void {
    const port = this.#viewer.port!;
    const [from, to] = [port.voxel(...this.#start), port.voxel(...at)];
    const mm = (a: [number, number], b: [number, number]) => Math.hypot(a[0] - b[0], a[1] - b[1]) / port.scale;
    if (this.#drag === 'measure') {
      this.#viewer.measure = done ? undefined : [from, to];
      if (done) this.#intents.onmeasure(from.map((v, i) => (v + to[i]!) / 2) as Triple, mm(this.#start, at));
      return;
    }
    const { nodules, chosen, look } = this.#viewer.scene;
    const nodule = nodules.find(({ id }) => id === chosen);
    if (!nodule) return;
    if (this.#drag === 'place') this.#intents.onmove(to, done);
    else {
      const { through } = PLANES[this.#viewer.large];
      const off = (look.cursor[through] - nodule.voxel[through]) * port.spacing[through];
      this.#intents.onresize(2 * Math.hypot(mm(port.point(nodule.voxel), at), off), done);
    }
  }

  #pinch(id: number, at: [number, number]): void {
    const [[, other]] = [...this.#down].filter(([key]) => key !== id) as [[number, [number, number]]];
    const before = this.#down.get(id)!;
    const apart = (a: [number, number]) => Math.max(10, Math.hypot(a[0] - other[0], a[1] - other[1]));
    this.#viewer.zoom(apart(at) / apart(before), [(at[0] + other[0]) / 2, (at[1] + other[1]) / 2]);
    this.#viewer.pan((at[0] - before[0]) / 2, (at[1] - before[1]) / 2);
  }

  #lift(event: PointerEvent, plane: Plane): void {
    if (plane !== this.#viewer.large) {
      if (this.#viewer.volume && event.button === 0) this.#intents.onenlarge(plane);
      return;
    }
    if (!this.#down.delete(event.pointerId) || this.#pinched || !this.#viewer.port) return;
    const at: [number, number] = [event.offsetX, event.offsetY];
    const drag = this.#drag;
    if (this.#moved && (drag === 'measure' || drag === 'size' || drag === 'place')) this.#draw(at, true);
    else if (!this.#moved && event.button === 0) {
      const voxel = this.#viewer.port.voxel(...at);
      if (event.ctrlKey || event.metaKey || event.altKey) this.#viewer.goTo(voxel);
      else if (drag !== 'size' && drag !== 'place' && this.#viewer.volume!.contains(voxel)) this.#intents.onclick(voxel);
    }
    this.#drag = undefined;
  }

  #cancel(event: PointerEvent): void {
    this.#down.delete(event.pointerId);
    this.#viewer.measure = undefined;
    this.#drag = undefined;
  }
}

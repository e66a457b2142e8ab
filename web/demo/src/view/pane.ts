/** One plane on its canvas: slice, heat map, cross-hair, the marked nodules, the box that the model is given, letters. */
import type { Triple } from 'clip-lung';
import type { Volume } from '../scan/volume';
import type { HeatLayer } from './heat';
import { PLANES, Port, type Look, type Plane } from './planes';
import { SlicePicture } from './slice';

/** A nodule as it is drawn. */
export interface Drawn {
  id: number;
  voxel: Triple;
  /** mm. */
  diameter: number;
}

/** Everything that is drawn. */
export interface Scene {
  volume: Volume | undefined;
  look: Look;
  nodules: readonly Drawn[];
  chosen: number | undefined;
  /** Sides (x, y, z) in mm of the box that the model is given of the chosen nodule; unknown before the model is there. */
  sides: Triple | undefined;
  /** A line that is being drawn across a nodule, voxels. */
  measure: [Triple, Triple] | undefined;
  heat: HeatLayer;
}

export const COLOURS = { nodule: '#ffb84d', other: '#c9a36b', cross: 'rgba(127, 209, 224, 0.75)', text: '#e8eef1' };
/** Half the side of a handle, CSS pixels. */
const HANDLE = 4.5;
/** Kept free around the cross-hair's middle. */
const GAP = 14;

export class Pane {
  readonly #picture = new SlicePicture();
  readonly #pen: CanvasRenderingContext2D;

  constructor(readonly plane: Plane, readonly canvas: HTMLCanvasElement) {
    this.#pen = canvas.getContext('2d')!;
  }

  port({ volume, look }: Scene): Port | undefined {
    const { clientWidth: width, clientHeight: height } = this.canvas;
    return volume && width && height ? new Port(this.plane, volume.dims, volume.spacing, look, width, height) : undefined;
  }

  /** `large`: with handles and a scale. */
  draw(scene: Scene, large: boolean): void {
    const [pen, { canvas }] = [this.#pen, this];
    const ratio = devicePixelRatio;
    const [width, height] = [Math.round(canvas.clientWidth * ratio), Math.round(canvas.clientHeight * ratio)];
    if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.clearRect(0, 0, canvas.clientWidth, canvas.clientHeight);
    const port = this.port(scene);
    if (!port) return;
    const { through } = PLANES[this.plane];
    const { volume, look } = scene;
    const index = Math.min(volume!.dims[through] - 1, Math.max(0, Math.round(look.cursor[through])));
    pen.imageSmoothingEnabled = true;
    pen.drawImage(this.#picture.draw(volume!, this.plane, index, look.window), ...port.slice);
    scene.heat.draw(pen, this.plane, port);
    this.#cross(port, scene);
    this.#nodules(port, scene, large);
    this.#letters(port);
    if (large) this.#scale(port);
  }

  #cross(port: Port, { look }: Scene): void {
    const pen = this.#pen;
    const [x, y] = port.point(look.cursor).map((v) => Math.round(v) + 0.5) as [number, number];
    pen.strokeStyle = COLOURS.cross;
    pen.lineWidth = 1;
    pen.beginPath();
    for (const [a, b, c, d] of [[0, y, x - GAP, y], [x + GAP, y, port.width, y], [x, 0, x, y - GAP], [x, y + GAP, x, port.height]] as const) {
      pen.moveTo(a, b);
      pen.lineTo(c, d);
    }
    pen.stroke();
  }

  #nodules(port: Port, { nodules, chosen, sides, measure }: Scene, large: boolean): void {
    const pen = this.#pen;
    for (const { id, voxel, diameter } of nodules) {
      const mine = id === chosen;
      pen.strokeStyle = mine ? COLOURS.nodule : COLOURS.other;
      pen.lineWidth = mine ? 1.5 : 1;
      const circle = port.circle(voxel, diameter);
      if (circle) {
        const [x, y, radius] = circle;
        pen.beginPath();
        pen.arc(x, y, radius, 0, 2 * Math.PI);
        pen.stroke();
        pen.fillStyle = pen.strokeStyle;
        if (mine && large) {
          pen.fillRect(x - 2, y - 2, 4, 4);
          pen.fillRect(x + radius - HANDLE, y - HANDLE, 2 * HANDLE, 2 * HANDLE);
        } else if (large) {
          this.#text(`${nodules.findIndex((n) => n.id === id) + 1}`, x + radius + 8, y - 8, 12);
        }
      }
      const box = mine && sides && port.box(voxel, sides);
      if (box) {
        pen.setLineDash([6, 3]);
        pen.strokeRect(...box);
        pen.setLineDash([]);
      }
    }
    if (!measure || !large) return;
    const [from, to] = measure.map((v) => port.point(v)) as [[number, number], [number, number]];
    pen.strokeStyle = COLOURS.nodule;
    pen.lineWidth = 1.5;
    pen.beginPath();
    pen.moveTo(...from);
    pen.lineTo(...to);
    pen.stroke();
    this.#text(`${(Math.hypot(from[0] - to[0], from[1] - to[1]) / port.scale).toFixed(1)} mm`, to[0] + 30, to[1] - 12, 13);
  }

  #letters({ width, height }: Port): void {
    const [left, right, up, down] = PLANES[this.plane].letters;
    for (const [letter, x, y] of [[left, 12, height / 2], [right, width - 12, height / 2], [up, width / 2, 13], [down, width / 2, height - 12]] as const) {
      this.#text(letter, x, y, 15);
    }
  }

  /** A bar of a round length. */
  #scale({ scale, width, height }: Port): void {
    const mm = [100, 50, 20, 10].find((v) => v * scale < width / 4) ?? 5;
    const [x, y] = [width - 16 - mm * scale, height - 28];
    this.#pen.fillStyle = COLOURS.text;
    this.#pen.fillRect(x, y, mm * scale, 2);
    this.#text(`${mm} mm`, x + (mm * scale) / 2, y - 10, 12);
  }

  #text(text: string, x: number, y: number, size: number): void {
    const pen = this.#pen;
    pen.font = `600 ${size}px system-ui, sans-serif`;
    pen.textAlign = 'center';
    pen.textBaseline = 'middle';
    pen.lineWidth = 3;
    pen.strokeStyle = 'rgba(0, 0, 0, 0.8)';
    pen.strokeText(text, x, y);
    pen.fillStyle = COLOURS.text;
    pen.fillText(text, x, y);
  }
}

/** What of the chosen nodule lies under a pixel of the large plane. */
export function grip(port: Port, { nodules, chosen }: Scene, x: number, y: number, reach: number): 'size' | 'place' | undefined {
  const nodule = nodules.find(({ id }) => id === chosen);
  const circle = nodule && port.circle(nodule.voxel, nodule.diameter);
  if (!circle) return undefined;
  const [cx, cy, radius] = circle;
  if (Math.hypot(x - cx - radius, y - cy) <= reach) return 'size';
  return Math.hypot(x - cx, y - cy) <= Math.min(reach, Math.max(5, radius / 2)) ? 'place' : undefined;
}

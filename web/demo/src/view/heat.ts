/** A heat map over the CT: the stronger, the more opaque; nothing where it is zero. */
import type { Triple } from 'clip-lung';
import type { Plane, Port } from './planes';

/** A map of 32 x 32 (rows y, columns x) that holds for every slice of the crop around `centre` (voxel), `sides` in mm. */
export interface Heat {
  map: Float32Array;
  centre: Triple;
  sides: Triple;
}

const SIDE = 32;
/** Cells below this share of the strongest say nothing that an eye could tell from none. */
const LEAST = 0.02;

/** Colour at a share from 0 to 1: from red over orange to yellow, for eyes that tell red from green and for those that don't. */
export const colour = (share: number): [number, number, number] => [255, Math.round(70 + 170 * share), Math.round(30 + 60 * share * share)];

/** Whether there is anything to see. */
export const isBlank = (map: ArrayLike<number>): boolean => Array.from(map).every((v) => !(v > LEAST));

/** The map as a picture whose opacity follows it. */
function picture(map: Float32Array): HTMLCanvasElement {
  const canvas = Object.assign(document.createElement('canvas'), { width: SIDE, height: SIDE });
  const image = new ImageData(SIDE, SIDE);
  map.forEach((value, i) => {
    if (!(value > LEAST)) return;
    image.data.set([...colour(value), Math.round(255 * Math.min(1, value))], 4 * i);
  });
  canvas.getContext('2d')!.putImageData(image, 0, 0);
  return canvas;
}

export class HeatLayer {
  #heat: Heat | undefined;
  #picture: HTMLCanvasElement | undefined;
  /** Of the strongest cell. */
  opacity = 0.6;
  shown = true;

  set heat(heat: Heat | undefined) {
    this.#heat = heat;
    this.#picture = heat && picture(heat.map);
  }

  draw(pen: CanvasRenderingContext2D, plane: Plane, port: Port): void {
    if (!this.#heat || !this.#picture || !this.shown) return;
    const { centre, sides } = this.#heat;
    const box = port.box(centre, sides);
    if (!box) return;
    pen.save();
    pen.globalAlpha = this.opacity;
    pen.imageSmoothingEnabled = true;
    // one map for all slices: the coronal plane sees one of its rows, the sagittal one of its columns
    const cell = (axis: 0 | 1) => {
      const mm = (port.cursor[axis] - centre[axis]) * port.spacing[axis];
      return Math.min(SIDE - 1, Math.max(0, Math.floor((mm / sides[axis] + 0.5) * SIDE)));
    };
    const [from, size] = plane === 'axial' ? [[0, 0], [SIDE, SIDE]] as const
      : plane === 'coronal' ? [[0, cell(1)], [SIDE, 1]] as const
      : [[cell(0), 0], [1, SIDE]] as const;
    if (plane === 'sagittal') {
      // its columns run across the screen there
      const [x, y, w, h] = box;
      pen.translate(x, y);
      pen.transform(0, h, w, 0, 0, 0);
      pen.drawImage(this.#picture, from[0], from[1], size[0], size[1], 0, 0, 1, 1);
    } else {
      pen.drawImage(this.#picture, from[0], from[1], size[0], size[1], ...box);
    }
    pen.restore();
  }
}

/** The three planes: NiiVue, the outline of the crop over it, and the heat map as an overlay. */
import { MULTIPLANAR_TYPE, NVImage, Niivue, SHOW_RENDER, SLICE_TYPE } from '@niivue/niivue';
import type { Triple } from 'clip-lung';
import { image } from './nifti';

/** Lung window, HU. */
const WINDOW: [number, number] = [-1350, 150];

export class Viewer {
  readonly #nv: Niivue;
  readonly #outline: HTMLCanvasElement;
  #heat: NVImage | undefined;
  #box: { centre: Triple; sides: Triple } | undefined;
  /** A click or a drag moved the cross-hair: mm, RAS+. */
  onmove: (mm: Triple) => void = () => undefined;

  private constructor(nv: Niivue, outline: HTMLCanvasElement) {
    this.#nv = nv;
    this.#outline = outline;
    nv.onLocationChange = (location) => this.onmove(Array.from((location as { mm: ArrayLike<number> }).mm).slice(0, 3) as Triple);
    const draw = nv.drawScene.bind(nv);
    nv.drawScene = () => {
      const drawn = draw();
      this.#draw();
      return drawn;
    };
  }

  static async on(canvas: HTMLCanvasElement, outline: HTMLCanvasElement): Promise<Viewer> {
    const nv = new Niivue({
      backColor: [0, 0, 0, 1], crosshairColor: [0.5, 0.82, 0.88, 0.6], crosshairWidth: 0.6, crosshairGap: 8, dragAndDropEnabled: false,
      isRadiologicalConvention: true, loadingText: '', multiplanarForceRender: false, multiplanarShowRender: SHOW_RENDER.NEVER,
      multiplanarLayout: MULTIPLANAR_TYPE.AUTO, isOrientationTextVisible: true, logLevel: 'error',
    });
    await nv.attachToCanvas(canvas);
    nv.setSliceType(SLICE_TYPE.MULTIPLANAR);
    return new Viewer(nv, outline);
  }

  /** Shows a volume in place of what was there. */
  show(volume: NVImage): void {
    this.#heat = undefined;
    this.#box = undefined;
    for (const old of [...this.#nv.volumes]) this.#nv.removeVolume(old);
    volume.cal_min = WINDOW[0];
    volume.cal_max = WINDOW[1];
    this.#nv.addVolume(volume);
    this.#nv.updateGLVolume();
  }

  /** Moves the cross-hair and the outline of the crop, whose sides (x, y, z) in mm are known with the model. */
  place(centre: Triple, sides: Triple | undefined): void {
    this.#box = sides && { centre, sides };
    this.#nv.scene.crosshairPos = this.#nv.mm2frac(centre);
    this.#nv.drawScene();
  }

  /** Lays a map of 32 x 32 over the slices of the crop of these sides (x, y, z), mm; one map for all of them. */
  async warm(map: Float32Array, centre: Triple, sides: Triple, opacity: number): Promise<void> {
    this.cool();
    const values = new Uint8Array(32 ** 3);
    for (let z = 0; z < 32; z++) map.forEach((v, i) => (values[z * 1024 + i] = Math.round(255 * v)));
    const cells = sides.map((side) => side / 32) as Triple;
    // towards left, back, head
    const first = [-centre[0] - 15.5 * cells[0], -centre[1] - 15.5 * cells[1], centre[2] - 15.5 * cells[2]] as Triple;
    const heat = await image('heat', values, [32, 32, 32], cells, first);
    heat.colormap = 'warm';
    heat.cal_min = 40;
    heat.cal_max = 255;
    heat.opacity = opacity;
    this.#heat = heat;
    this.#nv.addVolume(heat);
  }

  /** Takes the map away. */
  cool(): void {
    if (this.#heat) this.#nv.removeVolume(this.#heat);
    this.#heat = undefined;
  }

  set opacity(value: number) {
    const index = this.#heat ? this.#nv.volumes.indexOf(this.#heat) : -1;
    if (index > 0) this.#nv.setOpacity(index, value);
  }

  #draw(): void {
    const { width, height } = this.#nv.gl.canvas;
    if (this.#outline.width !== width || this.#outline.height !== height) Object.assign(this.#outline, { width, height });
    const pen = this.#outline.getContext('2d')!;
    pen.clearRect(0, 0, width, height);
    if (!this.#box) return;
    const { centre, sides } = this.#box;
    const edge = (axis: 0 | 1 | 2, sign: number) => centre[axis] + (sign * sides[axis]) / 2;
    pen.strokeStyle = '#f4b860';
    pen.lineWidth = Math.max(1.5, devicePixelRatio * 1.5);
    for (const { axCorSag, leftTopWidthHeight, leftTopMM, fovMM } of this.#nv.screenSlices) {
      if (axCorSag > SLICE_TYPE.SAGITTAL) continue;
      // which patient axes run to the right and upwards on the screen
      const [right, up] = [[0, 1], [0, 2], [1, 2]][axCorSag] as [0 | 1, 1 | 2];
      let [left, top, w, h] = leftTopWidthHeight as [number, number, number, number];
      const mirrored = w < 0;
      if (mirrored) [left, w] = [left + w, -w];
      const x = (mm: number) => {
        const share = (mm - leftTopMM[0]!) / fovMM[0]!;
        return left + w * (mirrored ? 1 - share : share);
      };
      const y = (mm: number) => top + h * (1 - (mm - leftTopMM[1]!) / fovMM[1]!);
      const [x0, x1] = [x(edge(right, -1)), x(edge(right, 1))].sort((a, b) => a - b) as [number, number];
      const [y0, y1] = [y(edge(up, -1)), y(edge(up, 1))].sort((a, b) => a - b) as [number, number];
      pen.save();
      pen.beginPath();
      pen.rect(left, top, w, h);
      pen.clip();
      pen.strokeRect(x0, y0, x1 - x0, y1 - y0);
      pen.restore();
    }
  }
}

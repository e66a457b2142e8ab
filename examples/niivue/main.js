import { Niivue, NVImage } from '@niivue/niivue';
import { clip, predictAt } from './predict.js';

const [canvas, scan, diameter, output] = ['canvas', '#scan', '#diameter', 'output'].map((s) => document.querySelector(s));
const viewer = new Niivue({ dragAndDropEnabled: false });
await viewer.attachToCanvas(canvas);
let shown;

/** Predicts at a point (mm, RAS+) and shows the heat map in place of the last one. */
async function predict(point) {
  shown?.remove();
  shown = undefined;
  output.textContent = '...';
  try {
    shown = await predictAt(viewer, point, diameter.valueAsNumber);
    output.textContent = Object.entries(shown.probabilities).map(([name, p]) => `${name} ${p.toFixed(3)}`).join(', ');
  } catch (error) {
    output.textContent = error.message;
  }
  return shown;
}

/** Shows a file. */
async function open(file) {
  for (const old of [...viewer.volumes]) viewer.removeVolume(old);
  shown = undefined;
  viewer.addVolume(await NVImage.loadFromFile({ file, name: file.name }));
  output.textContent = 'Double-click a nodule.';
}

scan.addEventListener('change', () => open(scan.files[0]));
// `true`: the patient's own coordinates, in a volume that lies obliquely too
canvas.addEventListener('dblclick', () => predict(viewer.frac2mm(viewer.scene.crosshairPos, 0, true)));
// for the browser's console
globalThis.example = { clip, viewer, predict, predictAt, NVImage };
output.textContent = 'Open a scan, then double-click a nodule.';

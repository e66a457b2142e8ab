import * as core from '@cornerstonejs/core';
import { init as initLoader, wadouri } from '@cornerstonejs/dicom-image-loader';
import { clip, predictAt } from './predict.js';

const [view, files, diameter, output] = ['#view', '#files', '#diameter', 'output'].map((s) => document.querySelector(s));
await core.init();
initLoader({ maxWebWorkers: 1 });
const engine = new core.RenderingEngine('engine');
engine.enableElement({ viewportId: 'axial', element: view, type: core.Enums.ViewportType.ORTHOGRAPHIC, defaultOptions: { orientation: 'axial' } });
const viewport = engine.getViewport('axial');
let shown;

/** Predicts at a point (mm, LPS) and shows the heat map in place of the last one. */
async function predict(point) {
  shown?.remove();
  shown = undefined;
  output.textContent = '...';
  try {
    shown = await predictAt(viewport, point, diameter.valueAsNumber);
    output.textContent = Object.entries(shown.probabilities).map(([name, p]) => `${name} ${p.toFixed(3)}`).join(', ');
  } catch (error) {
    output.textContent = error.message;
  }
  return shown;
}

/** Shows a series. */
async function open(list) {
  shown?.remove();
  shown = undefined;
  const imageIds = [...list].map((file) => wadouri.fileManager.add(file));
  // a file's place is known when it has been read
  await Promise.all(imageIds.map((id) => core.imageLoader.loadAndCacheImage(id)));
  const volumeId = `cornerstoneStreamingImageVolume:${imageIds[0]}`;
  const volume = await core.volumeLoader.createAndCacheVolume(volumeId, { imageIds });
  volume.load();
  await viewport.setVolumes([{ volumeId }]);
  viewport.setProperties({ voiRange: { lower: -1350, upper: 150 } }, volumeId);
  viewport.render();
  output.textContent = 'Double-click a nodule.';
}

files.addEventListener('change', () => open(files.files));
view.addEventListener('dblclick', (event) => {
  const { left, top } = view.getBoundingClientRect();
  return predict(viewport.canvasToWorld([event.clientX - left, event.clientY - top]));
});
// for the browser's console
globalThis.example = { clip, core, viewport, predict, predictAt };
output.textContent = 'Open a series, then double-click a nodule.';

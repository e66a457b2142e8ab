/** Whether a heat map lies over the scan where it should: pixel by pixel, from pictures without and with it. */
import assert from 'node:assert/strict';

/** Values of 0..255: what is colder is not drawn, what is warmer must be seen. Viewers draw nothing below 40. */
const [COLD, WARM] = [28, 56];

/**
 * `toMm` is a function's text: canvas pixels (x, y) to patient coordinates (LPS, mm). Every pixel that changed must lie where the map
 * is warm, and every pixel where it is warm must have changed, but for the share `lines` that something else may be drawn over.
 */
export async function liesThere(page, [before, after], toMm, { heat, centre, sides, cold = COLD, warm = WARM, lines = 0.02 }) {
  const seen = await page.evaluate(async ([pictures, toMm, heat, centre, sides, cold, warm]) => {
    const place = new Function('x', 'y', toMm);
    const [one, two] = await Promise.all(pictures.map(async (base64) => {
      const image = await createImageBitmap(new Blob([Uint8Array.from(atob(base64), (c) => c.charCodeAt(0))]));
      const pen = new OffscreenCanvas(image.width, image.height).getContext('2d');
      pen.drawImage(image, 0, 0);
      return pen.getImageData(0, 0, image.width, image.height);
    }));
    const counts = { warm: 0, missed: 0, changed: 0, wrong: 0 };
    for (let y = 0; y < one.height; y += 2) {
      for (let x = 0; x < one.width; x += 2) {
        const at = 4 * (y * one.width + x);
        const changed = [0, 1, 2].some((c) => Math.abs(one.data[at + c] - two.data[at + c]) > 8);
        const mm = place(x + 0.5, y + 0.5);
        if (!mm) continue;
        const [u, v, w] = mm.map((m, i) => ((m - centre[i]) / sides[i] + 0.5) * 32);
        // what is drawn is a mixture of the neighbouring cells
        const near = [];
        for (let dy = -1; dy <= 1; dy++) {
          for (let dx = -1; dx <= 1; dx++) {
            const [i, j] = [Math.floor(u) + dx, Math.floor(v) + dy];
            near.push(i >= 0 && j >= 0 && i < 32 && j < 32 && w > 1 && w < 31 ? 255 * heat[j * 32 + i] : 0);
          }
        }
        const outside = [u, v, w].some((c) => c < -1 || c > 33);
        if (changed) counts.changed++;
        if (changed && (outside || Math.max(...near) < cold) && !(w > -1 && w < 2) && !(w > 30 && w < 33)) counts.wrong++;
        if (Math.min(...near) > warm) {
          counts.warm++;
          if (!changed) counts.missed++;
        }
      }
    }
    return counts;
  }, [[before, after].map((p) => p.toString('base64')), toMm, heat, centre, sides, cold, warm]);
  const said = JSON.stringify(seen);
  assert.ok(seen.warm > 50 && seen.missed < lines * seen.warm, `warm cells are drawn: ${said}`);
  assert.ok(seen.wrong < 0.01 * seen.changed, `cold ones are not: ${said}`);
  return said;
}

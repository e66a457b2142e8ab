/**
 * How the page looks, against pictures/NAME.png: means over cells of 16 pixels, so that a font's edges don't count, but a panel
 * that is gone, moved or of another colour does. SCREENSHOTS names a folder to keep what was seen; look at it, and copy it to pictures/
 * when the page was changed on purpose.
 */
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const pictures = join(dirname(fileURLToPath(import.meta.url)), 'pictures');
/** Levels of 255 that a cell may differ, and the share of cells that may differ more. */
const LEVELS = 24;
const SHARE = 0.03;

export async function looks(page, name, folder) {
  mkdirSync(folder, { recursive: true });
  const shot = () => page.screenshot({ path: join(folder, `${name}.png`), scale: 'css' });
  // what has just scrolled into sight may still be without its pixels
  let seen = await shot();
  for (let i = 0; i < 20; i++) {
    await page.waitForTimeout(250);
    const before = seen;
    seen = await shot();
    if (seen.equals(before)) break;
  }
  const [size, kept, share] = await page.evaluate(async ([a, b, levels]) => {
    const cells = async (base64) => {
      const bytes = Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
      const image = await createImageBitmap(new Blob([bytes], { type: 'image/png' }));
      const { width, height } = image;
      const pen = new OffscreenCanvas(width, height).getContext('2d');
      pen.drawImage(image, 0, 0);
      const { data } = pen.getImageData(0, 0, width, height);
      const across = Math.floor(width / 16);
      const sums = new Float64Array(across * Math.floor(height / 16) * 3);
      for (let y = 0; y < 16 * Math.floor(height / 16); y++) {
        for (let x = 0; x < 16 * across; x++) {
          for (let c = 0; c < 3; c++) sums[((y >> 4) * across + (x >> 4)) * 3 + c] += data[(y * width + x) * 4 + c] / 256;
        }
      }
      return { size: [width, height], sums };
    };
    const [one, two] = [await cells(a), await cells(b)];
    const off = one.sums.filter((v, i) => !(Math.abs(v - two.sums[i]) <= levels)).length;
    return [one.size, two.size, off / one.sums.length];
  }, [seen.toString('base64'), readFileSync(join(pictures, `${name}.png`)).toString('base64'), LEVELS]);
  assert.deepEqual(size, kept, `${name}: the size of the picture`);
  assert.ok(share < SHARE, `${name}: ${(100 * share).toFixed(1)} % of the page looks unlike web/test/pictures/${name}.png`);
  console.log(`   ${name}: ${(100 * share).toFixed(2)} % unlike the kept picture`);
}

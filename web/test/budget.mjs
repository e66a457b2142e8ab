/** What the page costs: bytes, the time until a series of 130 slices is on the screen, and how long the page is ever busy meanwhile. */
import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { browser as start, opened, serving, times, visit, watch } from './browse.mjs';
import { slice } from './dicom.mjs';
import { web } from './fixture.mjs';

/** Gzipped bytes of what the built page's assets are, by name, and what they may be. */
const LIMITS = [[/^index-.*\.(js|css)$/, 40_000], [/^worker-(?!gpu|cpu).*\.js$/, 12_000], [/^clip_lung_scans_bg.*\.wasm$/, 450_000]];
/** A task that is longer is felt, ms. */
const LONG_TASK = 200;
/** ms by slices: three seconds for 130 and five for 261 on two free cores; the cores of a test are seldom free. */
const OPENED = { 130: 9000, 261: 15000 };

export default async function ({ work }, test) {
  const { url, stop } = await serving(join(work, 'model'));
  const browser = await start();
  const troubles = [];

  await test('bytes of the page, of its reader of scans', () => {
    const assets = join(process.env.CLIP_LUNG_PAGE ?? join(web, 'demo/dist'), 'assets');
    for (const [pattern, limit] of LIMITS) {
      const names = readdirSync(assets).filter((name) => pattern.test(name));
      assert.ok(names.length, `${pattern}`);
      const bytes = names.reduce((sum, name) => sum + gzipSync(readFileSync(join(assets, name)), { level: 9 }).length, 0);
      console.log(`   ${names.join(', ')}: ${bytes} bytes gzipped (at most ${limit})`);
      assert.ok(bytes <= limit, `${names}: ${bytes}`);
    }
  });

  const size = Buffer.alloc(2);
  size.writeUInt16LE(512);
  const more = { 0x00280010: ['US', size], 0x00280011: ['US', size], 0x00280030: ['DS', '0.7\\0.7'] };
  const pixels = Int16Array.from({ length: 512 * 512 }, (_, i) => (Math.hypot((i % 512) - 256, Math.floor(i / 512) - 256) < 9 ? 40 : -850 + ((i * 7919) % 60)));
  for (const [count, limit] of Object.entries(OPENED)) {
    await test(`${count} slices of 512 x 512: opened, scrolled, marked; the page alive all the while`, async () => {
      const dir = join(work, `long-${count}`);
      mkdirSync(dir);
      const files = Array.from({ length: count }, (_, k) => join(dir, `${k}.dcm`));
      files.forEach((path, k) => writeFileSync(path, slice(pixels, 2.5 * k, { number: k + 1, more })));
      const page = await visit(browser, url, { viewport: { width: 1400, height: 900 }, troubles });
      await watch(page);
      await opened(page, () => page.setInputFiles('#files', files));
      const { opening, longest, text } = await times(page, () => page.locator('#mark').click());
      console.log(`   ${text}`);
      assert.ok(opening < limit, `opened in ${opening} ms`);
      assert.ok(longest < LONG_TASK, `a task of ${longest} ms`);
      await page.context().close();
    });
  }

  assert.deepEqual(troubles, []);
  await browser.close();
  await stop();
}

/**
 * The page on a whole series of a patient (LIDC-IDRI-0002, 261 slices), on a desktop and on a phone: the command line's answer at its
 * nodule. SCREENSHOTS names a folder to keep what was seen, outside of the repository.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { browser as start, DESKTOP, opened, ordered, PHONE, place, serving, shares, text, times, visit, watch } from './browse.mjs';
import { web } from './fixture.mjs';

const REAL = join(web, '../../shared/data/lidc-series/LIDC-IDRI-0002.tar.xz');
const CENTRE = [59.817662, 71.683023, -103.194322];
const DIAMETER = 24.007;

export default async function ({ work, run }, test) {
  if (!existsSync(REAL)) return console.log(`   skipped: ${REAL} is missing`);
  const dir = join(work, 'patient');
  mkdirSync(dir);
  execFileSync('tar', ['-xJf', REAL, '-C', dir, '--strip-components=3', '--wildcards', '*.dcm']);
  const files = readdirSync(dir).map((name) => join(dir, name));
  const words = ['predict', '--model', join(work, 'model'), dir, `--centre=${CENTRE}`, '--diameter', String(DIAMETER), '--json'];
  const known = ordered(JSON.parse(run(...words)).predictions[0]);
  const { url, stop } = await serving(join(work, 'model'));
  const browser = await start();
  const troubles = [];
  const shot = async (page, name) => process.env.SCREENSHOTS && page.screenshot({ path: join(process.env.SCREENSHOTS, `${name}.png`) });

  for (const [name, options] of [['desktop', DESKTOP], ['light', { ...DESKTOP, colorScheme: 'light' }], ['phone', PHONE]]) {
    await test(`a patient's series, ${name}`, async () => {
      const page = await visit(browser, url, { ...options, troubles });
      await watch(page);
      await shot(page, `real-${name}-before`);
      await opened(page, () => page.setInputFiles('#files', files));
      assert.match(await text(page, 'message'), /512 x 512 x 261 voxels/);
      await shot(page, `real-${name}-opened`);
      const { text: said } = await times(page, () => place(page, CENTRE, DIAMETER));
      console.log(`   ${said}`);
      (await shares(page)).forEach((share, i) => assert.ok(Math.abs(share - known[i]) < 1e-3, `${share} ${known[i]}`));
      await page.evaluate(() => scrollTo(0, 0));
      await shot(page, `real-${name}`);
      assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), 'no sideways scrolling');
      const bottom = await page.evaluate(() => document.getElementById('probabilities').getBoundingClientRect().bottom - innerHeight);
      assert.ok(bottom < 0, `the result is above the fold: ${bottom}`);
      await page.context().close();
    });
  }

  assert.deepEqual(troubles, []);
  await browser.close();
  await stop();
}

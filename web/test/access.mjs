/** The page for everybody: no violation that axe finds, in both schemes, on a phone, with a result and with errors; and all of it by keyboard. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { answered, browser as start, DESKTOP, opened, PHONE, serving, text, visit } from './browse.mjs';
import { file, series, nifti } from './dicom.mjs';
import { web } from './fixture.mjs';

const axe = readFileSync(join(web, 'node_modules/axe-core/axe.min.js'), 'utf8');

export default async function ({ work }, test) {
  const { url, stop } = await serving(join(work, 'model'));
  const browser = await start();
  const troubles = [];

  const clean = async (page, when) => {
    await page.evaluate(axe);
    const { violations } = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ['violations'] }));
    assert.deepEqual(violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html.slice(0, 120)).join(' | ')}`), [], when);
  };

  for (const [name, options] of [['dark', DESKTOP], ['light', { ...DESKTOP, colorScheme: 'light' }], ['phone', PHONE]]) {
    await test(`axe finds nothing: ${name}`, async () => {
      const page = await visit(browser, url, { ...options, troubles });
      await clean(page, 'before anything is opened');
      await page.setInputFiles('#files', [...series('a', { series: '1.2.3.1' }), ...series('b', { series: '1.2.3.2', count: 30 }), file('list.csv', Buffer.from('a'))]);
      await page.waitForFunction(() => document.querySelectorAll('#offers button').length === 2);
      await clean(page, 'a choice of series');
      await opened(page, () => page.setInputFiles('#files', file('grey.nii', nifti({ code: 2, bits: 8, body: Buffer.alloc(72 * 64 * 40, 90) }))));
      await answered(page, () => page.locator('#mark').click());
      await page.evaluate(() => document.querySelectorAll('details').forEach((one) => (one.open = true)));
      await clean(page, 'a result and a warning');
      await opened(page, () => page.setInputFiles('#files', file('notes.txt', Buffer.from('nothing'))));
      await clean(page, 'an error');
      await page.context().close();
    });
  }

  await test('by keyboard alone: open a sample, find, mark, resize, remove, undo', async () => {
    const page = await visit(browser, url, { ...DESKTOP, troubles });
    /** Presses Tab until an element has the focus. */
    const reach = async (selector) => {
      for (let i = 0; i < 80; i++) {
        await page.keyboard.press('Tab');
        if (await page.evaluate((s) => document.activeElement.matches(s), selector)) return;
      }
      assert.fail(`${selector} can't be reached with Tab`);
    };
    await reach('#samples button');
    await opened(page, () => page.keyboard.press('Enter'));
    await page.evaluate(() => document.activeElement.blur());
    await reach('#volume');
    assert.notEqual(await page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle), 'none', 'the focus is seen');
    for (const key of ['ArrowDown', 'ArrowUp', 'Shift+ArrowLeft', 'Shift+ArrowRight']) await page.keyboard.press(key);
    await answered(page, () => page.keyboard.press('Enter'));
    const before = Number(await page.inputValue('#diameter'));
    await answered(page, () => page.keyboard.press(']'));
    assert.equal(Number(await page.inputValue('#diameter')), before + 0.5);
    for (const id of ['frame', 'x', 'diameter', 'handle', 'heat', 'target', 'opacity']) await reach(`#${id}`);
    await reach('#nodules .nodule');
    await reach('#nodules [aria-label="remove nodule 1"]');
    await page.keyboard.press('Enter');
    assert.equal(await page.locator('#nodules li').count(), 0);
    assert.match(await text(page, 'steady'), /Nothing is marked/);
    await page.focus('#volume');
    await page.keyboard.press('Control+z');
    assert.equal(await page.locator('#nodules li').count(), 1);
    await page.keyboard.press('p');
    assert.match(await text(page, 'slice'), /^coronal/);
    await page.context().close();
  });

  assert.deepEqual(troubles, []);
  await browser.close();
  await stop();
}

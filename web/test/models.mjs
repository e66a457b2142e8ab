/** Several models on the page: the first is loaded, each says what it learned from, and all that is said changes with the choice. */
import assert from 'node:assert/strict';
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { answered, browser as start, DESKTOP, opened, place, PHONE, serving, shares, text, visit } from './browse.mjs';
import { web } from './fixture.mjs';
import { serve } from './serve.mjs';

export default async function ({ work, run }, test) {
  const at = (name) => join(work, name);
  const shots = process.env.SCREENSHOTS ?? at('shots');
  mkdirSync(shots, { recursive: true });
  // of two classes, and said to have learned from CT
  run('train', '--data', at('set'), '--out', at('real-run'), '--method', 'ce', '--task', 'lidc-c', '--epochs', '2', '--lr', '0.02', '--ema', '0.5');
  run('export', at('real-run'), '--out', at('real'), '--dtype', 'f16');
  const config = JSON.parse(readFileSync(at('real/config.json'), 'utf8'));
  Object.assign(config.metadata, { synthetic: false, training_data: `12 LIDC-IDRI nodules of 7 patients, data set lidc (sha256 ${'0'.repeat(64)})` });
  Object.assign(config.metadata.metrics, { folds: 5 });
  writeFileSync(at('real/config.json'), JSON.stringify(config));
  cpSync(at('model'), at('drawn'), { recursive: true });
  const natively = (model, nodules) => JSON.parse(run('predict', '--model', at(model), at('set/volume.nii.gz'), '--nodules', nodules, '--json'));
  const about = Object.fromEntries(['real', 'drawn'].map((name) => [name, natively(name, at('set/volume.csv')).model.about]));
  /** What stands in the choice, and above the page, of a model's sentence. */
  const parts = (name) => /^(.*) on (.*), trained on (.*); research use only/.exec(about[name]);
  const named = (name) => `${parts(name)[3]} (${parts(name)[1]}, ${parts(name)[2]})`;
  const learned = (name) => `Trained on ${parts(name)[3]}`;

  const browser = await start();
  const troubles = [];
  const { url, stop } = await serving([at('real'), at('drawn')]);
  const page = await visit(browser, url, { ...DESKTOP, troubles });

  /** Chooses a model, and waits until it has answered for all that is marked. */
  const choose = async (folder) => {
    await page.evaluate(() => (globalThis.before = clip));
    await answered(page, async () => {
      await page.selectOption('#models', folder);
      await page.waitForFunction(() => clip !== before);
    });
    await page.waitForFunction(() => !/…/.test(document.getElementById('nodules').textContent));
  };
  const saved = async (id) => {
    const download = page.waitForEvent('download');
    await page.locator(`#${id}`).click();
    await (await download).saveAs(at(`models.${id}`));
    return readFileSync(at(`models.${id}`), 'utf8');
  };
  /** That the list, as it is saved, holds the answers of the native program with this model. */
  const are = async (name) => {
    await saved('csv');
    const { model, nodules } = JSON.parse(await saved('json'));
    assert.equal(model.about, about[name]);
    const { predictions } = natively(name, at('models.csv'));
    assert.equal(nodules.length, predictions.length);
    nodules.forEach(({ probabilities }, i) => {
      assert.deepEqual(Object.keys(probabilities).sort(), Object.keys(predictions[i].probabilities).sort());
      for (const [c, p] of Object.entries(probabilities)) assert.ok(Math.abs(p - predictions[i].probabilities[c]) < 1e-3, `${name}, nodule ${i + 1}: ${c} ${p}`);
    });
  };
  const picture = () => page.evaluate(() => document.getElementById('volume').toDataURL());

  await test('the first model is loaded; each says what it learned from, as the command line does', async () => {
    const choices = await page.locator('#models').evaluate(({ options }) => [...options].map(({ value, text }) => [value, text]));
    assert.deepEqual(choices, [['model', named('real')], ['model-2', named('drawn')]]);
    assert.equal(named('real'), 'real CT: 12 LIDC-IDRI nodules of 7 patients, data set lidc (ce, lidc-c)');
    assert.match(named('drawn'), /^synthetic drawings, not on CT: \d+ nodules of \d+ patients, data set lidc-phantom \(clip-lung, lidc-a\)$/);
    assert.ok((await text(page, 'banner')).startsWith(`${learned('real')}. In 5 folds of its recipe: accuracy `));
    assert.equal(await text(page, 'learned'), `${learned('real')}. Research use only, not a medical device.`);
    assert.equal(await page.locator('#banner').getAttribute('class'), null);
  });

  await test('banner, classes, answers and heat change with the choice, for all that is marked', async () => {
    await opened(page, () => page.locator('#samples button').first().click());
    await place(page, [4, -40, 2.5], 9);
    const [x, y] = await page.evaluate(() => {
      const { x, y } = document.getElementById('volume').getBoundingClientRect();
      const [left, top] = viewer.port.point(viewer.look.cursor.map((v, i) => v + [25, 12, 0][i]));
      return [x + left, y + top];
    });
    await answered(page, () => page.mouse.click(x, y));
    assert.equal(await page.locator('#nodules li').count(), 2);
    await are('real');
    assert.equal((await shares(page)).length, 2);
    const before = await picture();

    await choose('model-2');
    await are('drawn');
    assert.equal((await shares(page)).length, 3);
    assert.ok((await text(page, 'banner')).startsWith(`${learned('drawn')}. What it says of a real scan means nothing.`));
    assert.ok((await text(page, 'learned')).startsWith(learned('drawn')));
    assert.equal(await page.locator('#banner').getAttribute('class'), 'synthetic');
    assert.deepEqual(await page.locator('#target').evaluate(({ options }) => [...options].map(({ value }) => value)), ['', 'benign', 'unsure', 'malignant']);
    assert.notEqual(await picture(), before);
    await page.screenshot({ path: join(shots, 'models.png') });

    await choose('model');
    await are('real');
    assert.equal(await picture(), before);
  });

  await test('what is undone to has no answer of the model before', async () => {
    await choose('model-2');
    await answered(page, () => page.locator('#undo').click());
    assert.equal(await page.locator('#nodules li').count(), 1);
    await are('drawn');
  });

  await test('on a phone the choice fits', async () => {
    const phone = await visit(browser, url, { ...PHONE, troubles });
    assert.ok(await phone.locator('#models').isVisible());
    assert.ok(await phone.evaluate(() => document.documentElement.scrollWidth <= innerWidth), 'no sideways scrolling');
    await phone.screenshot({ path: join(shots, 'models-phone.png') });
    await phone.context().close();
  });

  await test('the last of several choices wins; one that can\'t be loaded leaves the model before', async () => {
    await page.evaluate(() => {
      globalThis.before = clip;
      const choice = document.getElementById('models');
      for (const folder of ['model', 'model-2', 'model']) {
        choice.value = folder;
        choice.dispatchEvent(new Event('change'));
      }
    });
    await answered(page, () => page.waitForFunction(() => clip !== before && clip.info.task === 'lidc-c'));
    await are('real');
    const here = troubles.length;
    rmSync(at('drawn/config.json'));
    await page.selectOption('#models', 'model-2');
    await page.waitForFunction(() => document.getElementById('message').classList.contains('error'));
    assert.match(await text(page, 'message'), /config\.json: the server answers 404/);
    assert.equal(await page.inputValue('#models'), 'model');
    assert.match(await text(page, 'device'), /computing on/);
    await are('real');
    assert.match(troubles.splice(here).join(), /404/);
  });

  await stop();

  await test('without --model the default is served; one model is no choice, nor on a static site', async () => {
    process.env.CLIP_LUNG_MODEL = at('real-run');
    const served = await serving([]);
    delete process.env.CLIP_LUNG_MODEL;
    const site = await serve({ '/': join(web, 'demo/dist'), '/model/': at('real') }, '');
    for (const address of [served.url, `${site.url}/`]) {
      const alone = await visit(browser, address, { ...DESKTOP, troubles });
      assert.equal(await alone.evaluate(() => clip.info.task), 'lidc-c');
      assert.equal(await alone.locator('#choice').isVisible(), false);
      await alone.context().close();
    }
    site.close();
    await served.stop();
  });

  assert.deepEqual(troubles, [], 'no violation of the policy, no error, no other origin');
  await browser.close();
}

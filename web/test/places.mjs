/** The page in places that browsers and servers make hard: no WebGL, a sandboxed frame, an address without its last slash, two versions on
 * one origin, a server of files alone. */
import assert from 'node:assert/strict';
import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { answered, opened, text } from './browse.mjs';
import { file, nifti } from './dicom.mjs';
import { launch, web } from './fixture.mjs';
import { serve } from './serve.mjs';

export default async function ({ work }, test) {
  const built = process.env.CLIP_LUNG_PAGE ?? join(web, 'demo/dist');
  const model = join(work, 'model');
  const ready = (page) => page.waitForFunction(() => document.documentElement.dataset.ready, null, { timeout: 30000 });
  const browser = await launch(['--disable-gpu']);

  await test('without WebGL: the picture and the answers are there', async () => {
    const plain = await launch(['--disable-gpu', '--disable-software-rasterizer', '--disable-3d-apis']);
    const site = await serve({ '/': built, '/model/': model }, '');
    const page = await plain.newPage();
    await page.goto(`${site.url}/`);
    await ready(page);
    assert.equal(await page.evaluate(() => Boolean(document.createElement('canvas').getContext('webgl2'))), false);
    await opened(page, () => page.setInputFiles('#files', file('scan.nii', nifti())));
    const { deviation, mean } = await page.evaluate(() => {
      const canvas = document.getElementById('volume');
      const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
      const grey = Array.from({ length: data.length / 4 }, (_, i) => data[4 * i]);
      const mean = grey.reduce((a, b) => a + b) / grey.length;
      return { mean, deviation: Math.sqrt(grey.reduce((sum, v) => sum + (v - mean) ** 2, 0) / grey.length) };
    });
    assert.ok(mean > 20 && deviation > 10, `${mean} ${deviation}`);
    await answered(page, () => page.locator('#mark').click());
    site.close();
    await plain.close();
  });

  await test('a sandboxed frame: it starts where it can, and says why where it can\'t', async () => {
    const site = await serve({ '/page/': built, '/page/model/': model, '/host/': join(web, 'test') }, '');
    for (const [sandbox, known] of [['allow-scripts allow-same-origin', /computing on the CPU/], ['allow-scripts', /no model/]]) {
      const page = await browser.newPage();
      await page.goto(`${site.url}/host/page.html`);
      await page.evaluate(([sandbox, src]) => document.body.append(Object.assign(document.createElement('iframe'), { sandbox, src, width: 1000, height: 700 })), [sandbox, `${site.url}/page/`]);
      const frame = await (await page.waitForSelector('iframe')).contentFrame();
      await frame.waitForFunction((known) => new RegExp(known).test(document.getElementById('device').textContent), known.source);
      if (sandbox === 'allow-scripts') assert.match(await frame.textContent('#message'), /sandboxed/);
      await frame.setInputFiles('#files', file('scan.nii', nifti()));
      await frame.waitForFunction(() => /voxels of|sandbox/.test(document.getElementById('message').textContent));
      await page.close();
    }
    site.close();
  });

  await test('an address without its last slash is corrected; a page whose scripts are gone says so', async () => {
    const site = await serve({ '/tools/clip/': built, '/tools/clip/model/': model, '/tools/clip': built }, '');
    const context = await browser.newContext({ serviceWorkers: 'block' });
    const page = await context.newPage();
    await page.goto(`${site.url}/tools/clip#here`);
    await ready(page);
    assert.equal(page.url(), `${site.url}/tools/clip/#here`);
    const script = /assets\/index-[^"]+\.js/.exec(readFileSync(join(built, 'index.html'), 'utf8'))[0];
    site.replaced[`/tools/clip/${script}`] = null;
    await page.goto(`${site.url}/tools/clip/index.html`);
    await page.waitForFunction(() => /could not be fetched/.test(document.getElementById('message').textContent));
    assert.equal(await text(page, 'device'), 'not started');
    await context.close();
    site.close();
  });

  await test('two versions of the page on one origin: each keeps its own offline copy', async () => {
    const other = join(work, 'page2');
    cpSync(built, other, { recursive: true });
    const worker = readFileSync(join(other, 'sw.js'), 'utf8');
    writeFileSync(join(other, 'sw.js'), worker.replace(/clip-lung-page-[0-9a-f]+/, (name) => `${name}0`));
    const site = await serve({ '/one/': built, '/one/model/': model, '/two/': other, '/two/model/': model }, '');
    const context = await browser.newContext();
    const page = await context.newPage();
    for (const path of ['one', 'two']) {
      await page.goto(`${site.url}/${path}/`);
      await ready(page);
      await page.evaluate(() => navigator.serviceWorker.ready.then(({ active }) => active.state === 'activated' || new Promise((done) => (active.onstatechange = done))));
      await page.waitForFunction(async (path) => (await (await caches.open('clip-lung')).keys()).some(({ url }) => url.includes(`/${path}/model/model.safetensors`)), path);
    }
    await context.setOffline(true);
    for (const path of ['one', 'two']) {
      const copy = await context.newPage();
      await copy.goto(`${site.url}/${path}/`);
      await ready(copy);
      await opened(copy, () => copy.locator('#samples button').first().click());
      await copy.close();
    }
    await context.close();
    site.close();
  });

  await browser.close();
}

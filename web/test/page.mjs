/** The demo page as `clip-lung serve` serves it: what the model is, samples, other geometries, a real series, offline, and how it looks. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { answered, browser as start, DESKTOP, opened, ordered, PHONE, place, serving, shares, text, visit } from './browse.mjs';
import { GEOMETRIES, program } from './fixture.mjs';
import { looks } from './picture.mjs';

export default async function ({ work, run }, test) {
  const shots = process.env.SCREENSHOTS ?? join(work, 'shots');
  const { url, stop } = await serving(join(work, 'model'));
  const browser = await start();
  const troubles = [];
  const go = (options = DESKTOP) => visit(browser, url, { ...options, troubles });
  /** A sample, marked where its first nodule is. */
  const sample = async (page, number, act = (button) => button.click()) => {
    await opened(page, () => act(page.locator('#samples button').nth(number)));
    await answered(page, () => page.locator('#mark').click());
  };

  await test('serve: types, policy, ranges, caching, and errors that help', async () => {
    const head = async (path, headers) => fetch(new URL(path, url), { headers });
    const page = await head('');
    assert.equal(page.headers.get('content-type'), 'text/html');
    assert.match(page.headers.get('content-security-policy'), /default-src 'none'.*connect-src 'self'/);
    const asset = /assets\/[^"]+\.js/.exec(await page.text())[0];
    assert.match((await head(asset)).headers.get('cache-control'), /immutable/);
    assert.equal((await head('package/cpu/clip_lung_web_bg.wasm')).headers.get('content-type'), 'application/wasm');
    const part = await head('model/model.safetensors', { range: 'bytes=8-15' });
    assert.deepEqual([part.status, (await part.arrayBuffer()).byteLength], [206, 8]);
    const config = await head('model/config.json');
    assert.equal(config.headers.get('cache-control'), 'no-cache');
    const again = await head('model/config.json', { 'if-modified-since': config.headers.get('last-modified') });
    assert.equal(again.status, 304);
    assert.equal((await head('nothing')).status, 404);
    assert.equal((await head('model/..%2f..%2fset/dataset.json')).status, 404);
    for (const [words, code, part] of [
      [['--model', join(work, 'none')], 3, '--model'], [['--model', join(work, 'short')], 3, 'SHA-256'],
      [['--model', join(work, 'model'), '--page', work], 3, 'make page'], [['--port', 'x'], 2, 'port'],
      [['--model', join(work, 'model'), '--port', new URL(url).port], 1, '--port'],
    ]) {
      const found = await new Promise((resolve) => {
        const one = spawn(program, ['serve', ...words]);
        let said = '';
        one.stderr.on('data', (t) => (said += t));
        one.on('exit', (code) => resolve([code, said]));
      });
      assert.ok(found[0] === code && found[1].includes(part), `${words}: ${found}`);
    }
  });

  const page = await go();

  await test('says what the model is above everything else, and all of it in the card', async () => {
    assert.match(await text(page, 'notice'), /Research use only/);
    assert.match(await text(page, 'device'), /computing on the CPU/);
    const { metrics } = JSON.parse(readFileSync(join(work, 'model/config.json'), 'utf8')).metadata;
    const share = (v) => `${Math.round(100 * v)} %`;
    const { value, interval } = metrics.accuracy;
    const banner = await text(page, 'banner');
    assert.match(banner, /Trained on synthetic drawings.*means nothing.*Research use only/s);
    assert.ok(banner.includes(`Accuracy ${share(value)} (95 % interval ${share(interval.low)} to ${share(interval.high)}) on ${metrics.held_out} nodules held out`), banner);
    assert.match(await text(page, 'card'), /clip-lung.*random tower.*not a medical device/s);
    assert.match(await text(page, 'card'), new RegExp(`nodules held out${metrics.held_out}(?!\\.)`));
    assert.equal(await page.evaluate(() => document.getElementById('banner').getBoundingClientRect().bottom <= document.getElementById('result').getBoundingClientRect().top), true);
  });

  await test('words are shown only where the text encoder was a pretrained one', async () => {
    assert.match(await text(page, 'words'), /never learned what words mean/);
    assert.equal(await page.locator('#attributes').isVisible(), false);
    const pretrained = await go({ viewport: { width: 1280, height: 860 }, serviceWorkers: 'block' });
    await pretrained.route('**/model/config.json', async (route) => {
      const config = JSON.parse(readFileSync(join(work, 'model/config.json'), 'utf8'));
      config.metadata = { ...config.metadata, text_encoder: 'CLIP ViT-B/32', synthetic: false, training_data: 'LIDC-IDRI' };
      await route.fulfill({ json: config });
    });
    await pretrained.reload();
    await pretrained.waitForFunction(() => document.documentElement.dataset.ready);
    assert.match(await text(pretrained, 'banner'), /^Trained on real CT: LIDC-IDRI\./);
    await sample(pretrained, 0);
    const shown = await pretrained.locator('#attributes output').allTextContents();
    const told = await pretrained.evaluate(async () => {
      const { nodules: [{ voxel, diameter }] } = viewer.scene;
      return Object.values((await clip.predict(viewer.volume.around(voxel, diameter, clip.info.input.crop))).attributes);
    });
    // above or below what the nodules of its training have on average
    const { attribute_means: means } = JSON.parse(readFileSync(join(work, 'model/config.json'), 'utf8')).metadata;
    assert.ok(Math.abs(Object.values(means).reduce((a, b) => a + b) - 1) < 1e-5, JSON.stringify(means));
    const names = await pretrained.locator('#attributes > span:not(.bar)').allTextContents();
    shown.forEach((t, i) => assert.equal(Number(t.replace('−', '-').replace('%', '').trim()), Math.round(100 * (told[i] / means[names[i]] - 1))));
    assert.match(await text(pretrained, 'words'), /above or below the average nodule/);
    await pretrained.context().close();
  });

  await test('a sample scan: the result is that of the command line, above the fold', async () => {
    await sample(page, 0);
    const set = join(work, 'set');
    const native = JSON.parse(run('predict', '--model', join(work, 'model'), join(set, 'volume.nii.gz'), '--nodules', join(set, 'volume.csv'), '--json'));
    const expected = ordered(native.predictions[0]);
    (await shares(page)).forEach((share, i) => assert.ok(Math.abs(share - expected[i]) < 1e-3, `${share} ${expected[i]}`));
    assert.match(await text(page, 'time'), / ms on the CPU.*readers' ratings of this synthetic nodule/);
    assert.ok(await page.evaluate(() => document.getElementById('time').getBoundingClientRect().bottom < innerHeight), 'above the fold');
    await looks(page, 'desktop', shots);
  });

  await test('a typed place: the result of the command line', async () => {
    const at = [4, -40, 2.5];
    await place(page, at, 9);
    const native = JSON.parse(run('predict', '--model', join(work, 'model'), join(work, 'set/volume.nii.gz'), `--centre=${at}`, '--diameter', '9', '--json'));
    const expected = ordered(native.predictions[0]);
    (await shares(page)).forEach((share, i) => assert.ok(Math.abs(share - expected[i]) < 1e-3, `${share} ${expected[i]}`));
  });

  await test('a model of another box: outline, heat and result are its own', async () => {
    const set = join(work, 'set');
    for (const [name, { in_plane, through_plane }] of Object.entries(GEOMETRIES)) {
      const other = await serving(join(work, name));
      const own = await visit(browser, other.url, { ...DESKTOP, troubles });
      // what the page is told: it shows a thousandth
      await own.evaluate(() => {
        const predict = clip.predict.bind(clip);
        clip.predict = async (input) => (globalThis.told = await predict(input));
      });
      await sample(own, 0);
      const [native] = JSON.parse(run('predict', '--model', join(work, name), join(set, 'volume.nii.gz'), '--nodules', join(set, 'volume.csv'), '--json')).predictions;
      const logits = await own.evaluate(() => told.logits);
      logits.forEach((v, i) => assert.ok(Math.abs(v - native.logits[i]) < 2e-4, `${name}: ${logits}, natively ${native.logits}`));
      // the box drawn over each plane, by its colour beside its edges' middles
      const found = await own.evaluate(() => {
        const { scene } = viewer;
        const diameter = scene.nodules[0].diameter;
        return Object.values(viewer.panes).map((pane) => {
          const port = pane.port(scene);
          const [x, y, w, h] = port.box(scene.nodules[0].voxel, scene.sides);
          const pen = pane.canvas.getContext('2d');
          const ratio = devicePixelRatio;
          const lit = (px, py) => {
            const { data } = pen.getImageData(Math.round((px - 3) * ratio), Math.round((py - 3) * ratio), 6 * ratio, 6 * ratio);
            return data.some((_, i) => i % 4 === 0 && data[i] > 200 && data[i + 1] > 120 && data[i + 2] < 150);
          };
          return { sides: [w / port.scale, h / port.scale], diameter, drawn: [lit(x, y + h / 2), lit(x + w, y + h / 2), lit(x + w / 2, y), lit(x + w / 2, y + h)] };
        });
      });
      const mm = (extent, diameter) => extent.mm ?? extent.diameters * diameter;
      found.forEach(({ sides, diameter, drawn }, plane) => {
        const known = [mm(in_plane, diameter), plane === 0 ? mm(in_plane, diameter) : mm(through_plane, diameter)];
        sides.forEach((side, i) => assert.ok(Math.abs(side - known[i]) < 1e-6, `${name}: ${sides}, not ${known}`));
        assert.ok(drawn.filter(Boolean).length >= 3, `${name}, plane ${plane}: ${drawn}`);
      });
      await own.context().close();
      await other.stop();
    }
  });

  await test('nothing is fetched while a scan is looked at and marked', async () => {
    const requests = [];
    const note = (r) => requests.push(r.url());
    page.on('request', note);
    await page.focus('#handle');
    await answered(page, () => page.keyboard.press('ArrowRight'));
    await answered(page, () => page.selectOption('#target', 'malignant'));
    page.off('request', note);
    assert.deepEqual(requests.filter((u) => !u.startsWith('data:') && !u.startsWith('blob:')), []);
  });

  await test('a sample crop: the result of the command line', async () => {
    const button = page.locator('#samples button').nth(1);
    const id = /nodule (\d+)/.exec(await button.textContent())[1];
    await sample(page, 1);
    const set = join(work, 'samples');
    run('phantom', '--limit', '24', '--out', set);
    const rows = readFileSync(join(set, 'nodules.csv'), 'utf8').split('\n').slice(1).map((l) => l.split(','));
    const native = JSON.parse(run('predict', '--model', join(work, 'model'), set, '--json')).predictions[rows.findIndex((r) => r[3] === id)];
    const expected = ordered(native);
    (await shares(page)).forEach((share, i) => assert.ok(Math.abs(share - expected[i]) < 1e-3, `${share} ${expected[i]}`));
  });

  await test('a real series: LIDC-IDRI-0002\'s nodule as the command line has it', async () => {
    const dir = process.env.CLIP_LUNG_DICOM ?? new URL('../../../shared/data/lidc-mini', import.meta.url).pathname;
    let all;
    try {
      all = readdirSync(dir, { recursive: true }).filter((n) => n.endsWith('.dcm')).map((n) => join(dir, n));
    } catch {
      console.log('   skipped: no DICOM series here; name one in CLIP_LUNG_DICOM');
      return;
    }
    await opened(page, () => page.setInputFiles('#files', all));
    const centre = [59.817662, 71.683023, -103.194322];
    await place(page, centre, 24.007);
    const native = JSON.parse(run('predict', '--model', join(work, 'model'), dir, `--centre=${centre}`, '--diameter', '24.007', '--json'));
    const expected = ordered(native.predictions[0]);
    (await shares(page)).forEach((share, i) => assert.ok(Math.abs(share - expected[i]) < 1e-3, `${share} ${expected[i]}`));
  });

  await test('nothing moves when a result arrives', async () => {
    const other = await go({ viewport: { width: 1280, height: 860 } });
    await other.evaluate(() => {
      globalThis.shift = 0;
      new PerformanceObserver((list) => list.getEntries().forEach((e) => (shift += e.value))).observe({ type: 'layout-shift', buffered: true });
    });
    await sample(other, 0);
    assert.ok((await other.evaluate(() => shift)) < 0.02, `layout shift ${await other.evaluate(() => shift)}`);
    await other.context().close();
  });

  await test('phone, dark: readable, no sideways scrolling, marked by a finger', async () => {
    const phone = await go(PHONE);
    await sample(phone, 0, (button) => button.tap());
    assert.ok(await phone.evaluate(() => document.documentElement.scrollWidth <= innerWidth), 'no sideways scrolling');
    await phone.evaluate(() => scrollTo(0, 0));
    assert.ok(await phone.evaluate(() => document.getElementById('probabilities').getBoundingClientRect().bottom < innerHeight), 'the result is above the fold');
    await looks(phone, 'phone', shots);
    await phone.locator('#result').scrollIntoViewIfNeeded();
    await looks(phone, 'phone-result', shots);
    await phone.locator('#volume').tap({ position: { x: 120, y: 160 } });
    await phone.waitForFunction(() => document.querySelectorAll('#nodules li').length === 2);
    await phone.context().close();
  });

  await test('?bench=1 measures and shows a table', async () => {
    const bench = await browser.newPage();
    await bench.goto(`${url}?bench=1&devices=wasm&rounds=2`);
    await bench.waitForFunction(() => document.documentElement.dataset.ready);
    assert.deepEqual(await bench.evaluate(() => rows.map((r) => [r.what, r.batch, r.ms > 0])), [['clip-lung, wasm', 1, true], ['clip-lung, wasm', 8, true]]);
    assert.equal(await bench.locator('tbody tr').count(), 2);
    assert.match(await text(bench, 'banner'), /^A benchmark on noise: no answer of a model is shown/);
    assert.equal(await text(bench, 'device'), 'measured');
    await bench.close();
  });

  await test('offline after the first visit', async () => {
    const other = await go({ viewport: { width: 1000, height: 800 } });
    await other.evaluate(() => navigator.serviceWorker.ready);
    await other.waitForFunction(async () => (await (await caches.open('clip-lung')).keys()).some((k) => k.url.includes('model.safetensors')));
    await other.context().setOffline(true);
    await stop();
    await other.reload();
    await other.waitForFunction(() => document.documentElement.dataset.ready);
    await sample(other, 0);
    assert.match(await text(other, 'time'), / ms on the CPU/);
    await other.context().close();
  });

  // what the browser says of a connection that is gone is no trouble
  const real = troubles.filter((t) => !/ERR_INTERNET_DISCONNECTED|ERR_CONNECTION_REFUSED|Failed to fetch/i.test(t));
  assert.deepEqual(real, [], 'no violation of the policy, no error, no other origin');
  await browser.close();
}

/** The demo page as `clip-lung serve` serves it: samples, files of every kind, offline, and how it looks. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { GEOMETRIES, launch, program } from './fixture.mjs';
import { looks } from './picture.mjs';

/** Software rendering, so that WebGL 2 is there without a GPU. */
const GL = ['--use-angle=swiftshader', '--enable-unsafe-swiftshader'];

/** The probabilities in the order of the page's rows. */
const ordered = ({ probabilities }) => ['benign', 'unsure', 'malignant'].map((c) => probabilities[c]);

async function start(model, port = '0') {
  const server = spawn(program, ['serve', '--model', model, '--port', port], { stdio: ['ignore', 'pipe', 'inherit'] });
  const url = await new Promise((resolve, reject) => {
    server.stdout.on('data', (text) => /http:\S+/.test(text) && resolve(/http:\S+/.exec(text)[0]));
    server.on('exit', (code) => reject(new Error(`serve ended with ${code}`)));
  });
  const stop = () => new Promise((resolve) => { server.removeAllListeners('exit').on('exit', resolve); server.kill('SIGINT'); });
  return { url, stop };
}

export default async function ({ work, run }, test) {
  const shots = process.env.SCREENSHOTS ?? join(work, 'shots');
  let { url, stop } = await start(join(work, 'model'));
  const browser = await launch(GL);
  const troubles = [];
  const visit = async (options) => {
    const context = await browser.newContext(options);
    const page = await context.newPage();
    page.on('console', (m) => (m.type() === 'error' || /Content Security Policy/.test(m.text())) && troubles.push(m.text()));
    page.on('pageerror', (e) => troubles.push(e.message));
    page.on('request', (r) => !r.url().startsWith(url) && !/^(data|blob):/.test(r.url()) && troubles.push(r.url()));
    await page.goto(url);
    await page.waitForFunction(() => document.documentElement.dataset.ready);
    return page;
  };
  const text = (page, id) => page.locator(`#${id}`).textContent();
  /** Waits for a result that is newer than what is shown. */
  const settled = async (page, act) => {
    await page.evaluate(() => (document.getElementById('time').textContent = ''));
    await act();
    await page.waitForFunction(() => / ms on the /.test(document.getElementById('time').textContent) || document.getElementById('message').textContent.length > 3 && !document.getElementById('message').textContent.startsWith('opening'));
    await page.waitForTimeout(300);
  };
  const shares = (page) => page.locator('#probabilities output').allTextContents().then((all) => all.map((t) => parseFloat(t) / 100));

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

  const page = await visit({ viewport: { width: 1280, height: 860 } });

  await test('shows the notice, the device and the card before anything is opened', async () => {
    assert.match(await text(page, 'notice'), /Research use only/);
    assert.match(await text(page, 'device'), /computing on the CPU/);
    assert.match(await text(page, 'card'), /clip-lung.*random tower.*not a medical device/s);
  });

  await test('a sample scan: the result is that of the command line', async () => {
    await settled(page, () => page.locator('#samples button').first().click());
    await looks(page, 'desktop', shots);
    const samples = join(work, 'set');
    const native = JSON.parse(run('predict', '--model', join(work, 'model'), join(samples, 'volume.nii.gz'), '--nodules', join(samples, 'volume.csv'), '--json'));
    const expected = ordered(native.predictions[0]);
    (await shares(page)).forEach((share, i) => assert.ok(Math.abs(share - expected[i]) < 1e-3, `${share} ${expected[i]}`));
    assert.match(await text(page, 'words'), /random tower/);
    assert.equal(await page.locator('#attributes output').count(), 8);
  });

  await test('a typed place: the result of the command line', async () => {
    const at = [4, -40, 2.5];
    const samples = join(work, 'set');
    await settled(page, async () => {
      for (const [i, id] of ['x', 'y', 'z'].entries()) await page.fill(`#${id}`, String(at[i]));
      await page.fill('#diameter', '9');
      await page.locator('#diameter').blur();
    });
    const native = JSON.parse(run('predict', '--model', join(work, 'model'), join(samples, 'volume.nii.gz'), `--centre=${at}`, '--diameter', '9', '--json'));
    const expected = ordered(native.predictions[0]);
    (await shares(page)).forEach((share, i) => assert.ok(Math.abs(share - expected[i]) < 1e-3, `${share} ${expected[i]}`));
  });

  await test('a model of another box: outline, heat and result are its own', async () => {
    const samples = join(work, 'set');
    const outlined = [];
    for (const name of Object.keys(GEOMETRIES)) {
      const other = await start(join(work, name));
      const context = await browser.newContext({ viewport: { width: 1280, height: 860 } });
      const own = await context.newPage();
      own.setDefaultTimeout(120000);
      own.on('pageerror', (e) => troubles.push(e.message));
      await own.goto(other.url);
      await own.waitForFunction(() => document.documentElement.dataset.ready);
      // what the page is told: it shows a thousandth
      await own.evaluate(() => {
        const predict = clip.predict.bind(clip);
        clip.predict = async (input) => (globalThis.told = await predict(input));
      });
      await settled(own, () => own.locator('#samples button').first().click());
      const words = ['predict', '--model', join(work, name), join(samples, 'volume.nii.gz'), '--nodules', join(samples, 'volume.csv'), '--json'];
      const [native] = JSON.parse(run(...words)).predictions;
      const logits = await own.evaluate(() => told.logits);
      logits.forEach((v, i) => assert.ok(Math.abs(v - native.logits[i]) < 2e-4, `${name}: ${logits}, natively ${native.logits}`));
      (await shares(own)).forEach((share, i) => assert.ok(Math.abs(share - ordered(native)[i]) < 1e-3, `${name}: ${share}`));
      // the boxes drawn over the planes: how wide and how high each is
      outlined.push(await own.evaluate(() => {
        const { width, height } = document.getElementById('outline');
        const { data } = document.getElementById('outline').getContext('2d').getImageData(0, 0, width, height);
        const drawn = (x, y) => data[4 * (y * width + x) + 3] > 0;
        const columns = Array.from({ length: width }, (_, x) => Array.from({ length: height }, (_, y) => drawn(x, y)).filter(Boolean).length);
        return columns.reduce((a, b) => a + b);
      }));
      await context.close();
      await other.stop();
    }
    const [cube, flat, mm] = outlined;
    assert.ok(flat < 0.95 * cube && cube > 0 && mm !== cube, `lengths of the outlines: ${outlined}`);
  });

  await test('a click sets the centre, the handle the diameter, keys do both; nothing is fetched', async () => {
    const requests = [];
    const note = (r) => requests.push(r.url());
    page.on('request', note);
    const before = await page.inputValue('#x');
    const box = await page.locator('#volume').boundingBox();
    await settled(page, () => page.mouse.click(box.x + box.width * 0.2, box.y + box.height * 0.25));
    assert.notEqual(await page.inputValue('#x'), before);
    await page.focus('#handle');
    await settled(page, () => page.keyboard.press('ArrowRight'));
    assert.equal(await page.inputValue('#diameter'), '9.5');
    await page.focus('#target');
    await page.selectOption('#target', 'malignant');
    await page.waitForTimeout(500);
    page.off('request', note);
    assert.deepEqual(requests.filter((u) => !u.startsWith('data:') && !u.startsWith('blob:')), []);
  });

  await test('a sample crop: the result of the command line', async () => {
    const button = page.locator('#samples button').nth(1);
    const id = /nodule (\d+)/.exec(await button.textContent())[1];
    await settled(page, () => button.click());
    const set = join(work, 'samples');
    run('phantom', '--limit', '24', '--out', set);
    const rows = readFileSync(join(set, 'nodules.csv'), 'utf8').split('\n').slice(1).map((l) => l.split(','));
    const native = JSON.parse(run('predict', '--model', join(work, 'model'), set, '--json')).predictions[rows.findIndex((r) => r[3] === id)];
    const expected = ordered(native);
    // stored in 256 grey levels, shown in whole HU
    (await shares(page)).forEach((share, i) => assert.ok(Math.abs(share - expected[i]) < 3e-3, `${share} ${expected[i]}`));
  });

  await test('files: NIfTI, NRRD and what is neither', async () => {
    await settled(page, () => page.setInputFiles('#files', join(work, 'set/volume.nii.gz')));
    const whole = await shares(page);
    writeFileSync(join(work, 'volume.nrrd'), nrrd(join(work, 'set/volume.nii.gz')));
    await settled(page, () => page.setInputFiles('#files', join(work, 'volume.nrrd')));
    (await shares(page)).forEach((share, i) => assert.ok(Math.abs(share - whole[i]) < 2e-3));
    await page.setInputFiles('#files', join(work, 'set/nodules.csv'));
    await page.waitForFunction(() => /no CT slice/.test(document.getElementById('message').textContent));
    writeFileSync(join(work, 'broken.nii'), 'nothing');
    await page.setInputFiles('#files', join(work, 'broken.nii'));
    await page.waitForFunction(() => /not a readable NIfTI/.test(document.getElementById('message').textContent));
  });

  await test('a DICOM folder: the result of the command line', async () => {
    const dir = process.env.CLIP_LUNG_DICOM ?? new URL('../../../shared/data/lidc-mini', import.meta.url).pathname;
    let all;
    try {
      all = readdirSync(dir, { recursive: true }).filter((n) => n.endsWith('.dcm')).map((n) => join(dir, n));
    } catch {
      console.log('   skipped: no DICOM series here; name one in CLIP_LUNG_DICOM');
      return;
    }
    await settled(page, () => page.setInputFiles('#files', all));
    assert.match(await text(page, 'time'), / ms on the /, await text(page, 'message'));
    const at = await Promise.all(['x', 'y', 'z'].map((id) => page.inputValue(`#${id}`)));
    await settled(page, async () => {
      await page.fill('#diameter', '20');
      await page.locator('#diameter').blur();
    });
    // the page counts towards right and front, DICOM towards left and back
    const centre = [-at[0], -at[1], +at[2]];
    const native = JSON.parse(run('predict', '--model', join(work, 'model'), dir, `--centre=${centre}`, '--diameter', '20', '--json'));
    const expected = ordered(native.predictions[0]);
    (await shares(page)).forEach((share, i) => assert.ok(Math.abs(share - expected[i]) < 2e-3, `${share} ${expected[i]}`));
  });

  await test('nothing moves when a result arrives', async () => {
    const other = await visit({ viewport: { width: 1280, height: 860 } });
    await other.evaluate(() => {
      globalThis.shift = 0;
      new PerformanceObserver((list) => list.getEntries().forEach((e) => (shift += e.value))).observe({ type: 'layout-shift', buffered: true });
    });
    await settled(other, () => other.locator('#samples button').first().click());
    assert.ok((await other.evaluate(() => shift)) < 0.02, `layout shift ${await other.evaluate(() => shift)}`);
    await other.context().close();
  });

  await test('phone and dark: readable, no sideways scrolling', async () => {
    const phone = await visit({ viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true, deviceScaleFactor: 2, colorScheme: 'dark' });
    await settled(phone, () => phone.locator('#samples button').first().tap());
    assert.ok(await phone.evaluate(() => document.documentElement.scrollWidth <= innerWidth), 'no sideways scrolling');
    await looks(phone, 'phone', shots);
    await phone.locator('#attributes').scrollIntoViewIfNeeded();
    await looks(phone, 'phone-result', shots);
    const contrast = await phone.evaluate(() => {
      const light = (c) => c.match(/\d+/g).slice(0, 3).map((v) => v / 255).map((v) => (v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)).reduce((s, v, i) => s + v * [0.2126, 0.7152, 0.0722][i], 0);
      const of = (e) => light(getComputedStyle(e).color);
      return (of(document.querySelector('.small')) + 0.05) / (light(getComputedStyle(document.querySelector('.card')).backgroundColor) + 0.05);
    });
    assert.ok(contrast > 4.5, `contrast ${contrast}`);
    await phone.context().close();
  });

  await test('?bench=1 measures and shows a table', async () => {
    const bench = await browser.newPage();
    await bench.goto(`${url}?bench=1&devices=wasm&rounds=2`);
    await bench.waitForFunction(() => document.documentElement.dataset.ready);
    assert.deepEqual(await bench.evaluate(() => rows.map((r) => [r.what, r.batch, r.ms > 0])), [['clip-lung, wasm', 1, true], ['clip-lung, wasm', 8, true]]);
    assert.equal(await bench.locator('tbody tr').count(), 2);
    await bench.close();
  });

  await test('offline after the first visit', async () => {
    const other = await visit({ viewport: { width: 1000, height: 800 } });
    await other.evaluate(() => navigator.serviceWorker.ready);
    await other.waitForFunction(async () => (await (await caches.open('clip-lung')).keys()).some((k) => k.url.includes('model.safetensors')));
    await other.context().setOffline(true);
    await stop();
    await other.reload();
    await other.waitForFunction(() => document.documentElement.dataset.ready);
    await settled(other, () => other.locator('#samples button').first().click());
    assert.match(await text(other, 'time'), / ms on the CPU/);
    await other.context().close();
  });

  // what the browser says of a connection that is gone, and the viewer of the broken file, is no trouble
  const real = troubles.filter((t) => !/ERR_INTERNET_DISCONNECTED|ERR_CONNECTION_REFUSED|Failed to fetch|niivue-error.*NIfTI/i.test(t));
  assert.deepEqual(real, [], 'no violation of the policy, no error, no other origin');
  await browser.close();
}

/** The NIfTI volume of the samples as NRRD (LPS, the same voxels). */
function nrrd(path) {
  const bytes = gunzipSync(readFileSync(path));
  const dims = [0, 1, 2].map((i) => bytes.readInt16LE(42 + 2 * i));
  const row = (axis) => [0, 1, 2, 3].map((i) => bytes.readFloatLE(280 + 16 * axis + 4 * i));
  const [x, y, z] = [row(0), row(1), row(2)];
  const head = `NRRD0004\ntype: short\ndimension: 3\nspace: left-posterior-superior\nsizes: ${dims.join(' ')}\n` +
    `space directions: (${-x[0]},0,0) (0,${-y[1]},0) (0,0,${z[2]})\nkinds: domain domain domain\nendian: little\nencoding: raw\n` +
    `space origin: (${-x[3]},${-y[3]},${z[3]})\n\n`;
  return Buffer.concat([Buffer.from(head), bytes.subarray(352)]);
}

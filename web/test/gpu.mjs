/** The package on WebGPU (Chromium's software adapter, asked for by name), and what happens when it fails. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { COUNT, launch, web } from './fixture.mjs';
import { doesNotGrow } from './growth.mjs';

export default async function ({ native, explained, site, browser, open }, test) {
  const context = await browser.newContext();
  const violations = [];
  const page = await open(context, violations);
  const load = (page, options) =>
    page.evaluate(async (options) => {
      globalThis.clip = await ClipLung.from('/work/model', options);
      return [clip.device, clip.fallback];
    }, options);

  await test('auto does not fetch the GPU module for a software adapter, and says why', async () => {
    site.log.length = 0;
    await load(page, { device: 'auto' });
    await page.waitForFunction(() => clip.fallback);
    assert.match(await page.evaluate(() => clip.fallback), /software/);
    assert.ok(!site.log.some((path) => path.includes('gpu')), site.log.join(' '));
    await page.evaluate(() => clip.dispose());
  });

  await test('before the GPU module is built the CPU computes, and says why', async () => {
    site.replaced['/dist/gpu/clip_lung_web.js'] = readFileSync(join(web, 'no-gpu.js'));
    const [device, fallback] = await load(page, { device: 'webgpu' });
    assert.equal(device, 'wasm');
    assert.match(fallback, /not built yet/);
    assert.equal((await page.evaluate(() => clip.predict(input(0)))).label, native[0].class);
    await page.evaluate(() => clip.dispose());
    delete site.replaced['/dist/gpu/clip_lung_web.js'];
  });

  await test('webgpu takes over when its golden test has passed', async () => {
    assert.deepEqual(await load(page, { device: 'webgpu' }), ['webgpu', undefined]);
    assert.ok(site.log.some((path) => path.endsWith('gpu/clip_lung_web_bg.wasm')));
  });

  await test(`predicts ${COUNT} crops as the native program does`, async () => {
    const found = await page.evaluate(async () => {
      const out = [];
      for (let i = 0; i < crops.length; i += 16) out.push(...(await clip.predictAll(crops.slice(i, i + 16).map((_, k) => input(i + k)))));
      return out;
    });
    let worst = 0;
    found.forEach((p, i) => {
      assert.equal(p.device, 'webgpu');
      assert.equal(p.label, native[i].class);
      for (const [c, v] of Object.entries(native[i].probabilities)) worst = Math.max(worst, Math.abs(v - p.probabilities[c]));
    });
    console.log(`   largest difference of a probability: ${worst.toExponential(1)}; ${(found[0].ms / 16).toFixed(0)} ms a crop`);
    assert.ok(worst < 1e-3, `${worst}`);
  });

  await test('explains, reads attributes, tests itself', async () => {
    const found = await page.evaluate(async () => ({
      heat: Array.from((await clip.explain(input(5), { target: 'malignant' })).data),
      attributes: (await clip.predict(input(5))).attributes,
      test: await clip.selfTest(),
    }));
    assert.ok(Math.max(...found.heat.map((v, i) => Math.abs(v - explained.heat[i]))) < 1e-3);
    assert.equal(Object.keys(found.attributes).length, 8);
    for (const [word, share] of Object.entries(explained.attributes)) assert.ok(Math.abs(found.attributes[word] - share) < 1e-3, word);
    assert.ok(found.test < 1e-3);
  });

  await test('bad input is an error of the input, and the GPU stays', async () => {
    const code = await page.evaluate(() => clip.predict({ ...input(0), data: new Float32Array(32768).fill(NaN) }).catch((e) => e.code));
    assert.deepEqual([code, await page.evaluate(() => clip.device)], ['input', 'webgpu']);
    await page.evaluate(() => clip.dispose());
  });

  await test('disposes and loads again 20 times, without growth', () => doesNotGrow({ browser, page, device: 'webgpu', times: 20 }));

  await test('device.destroy() in the middle of a run: the CPU answers, with the reason', async () => {
    // the worker as served, with a handle on the device it asks for
    const worker = readFileSync(join(web, 'dist/worker-gpu.js'), 'utf8');
    site.replaced['/dist/worker-gpu.js'] = `const ask = GPUAdapter.prototype.requestDevice;
      GPUAdapter.prototype.requestDevice = async function (...all) { return (globalThis.device = await ask.apply(this, all)); };
      addEventListener('message', (e) => { if (e.data === 'destroy') { device.destroy(); e.stopImmediatePropagation(); } });
      ${worker}`;
    const other = await open(context, violations);
    await other.evaluate(() => {
      globalThis.changes = [];
      const Real = Worker;
      globalThis.Worker = class extends Real { constructor(...all) { super(...all); (globalThis.all ??= []).push(this); } };
    });
    await other.evaluate(async () => {
      globalThis.clip = await ClipLung.from('/work/model', { device: 'webgpu', ondevice: (...all) => changes.push(all) });
    });
    const found = await other.evaluate(async () => {
      const before = (await clip.predict(input(0))).device;
      const running = clip.predict(input(1));
      all[1].postMessage('destroy');
      const during = await running;
      const after = await clip.predict(input(2));
      return { before, during: [during.label, during.device], after: [after.label, after.device], fallback: clip.fallback, changes };
    });
    assert.equal(found.before, 'webgpu');
    assert.equal(found.during[0], native[1].class);
    assert.deepEqual(found.after, [native[2].class, 'wasm']);
    assert.ok(found.fallback, 'a reason');
    console.log(`   reason: ${found.fallback}`);
    assert.deepEqual(found.changes.map((c) => c[0]), ['webgpu', 'wasm']);
    delete site.replaced['/dist/worker-gpu.js'];
    await other.close();
  });

  await test('a GPU that gives zeros never takes over', async () => {
    const worker = readFileSync(join(web, 'dist/worker-gpu.js'), 'utf8');
    // every buffer that is read back reads as zeros
    site.replaced['/dist/worker-gpu.js'] = `const read = GPUBuffer.prototype.getMappedRange;
      GPUBuffer.prototype.getMappedRange = function (...all) { return new ArrayBuffer(read.apply(this, all).byteLength); };
      ${worker}`;
    const other = await open(context, violations);
    const found = await load(other, { device: 'webgpu' });
    delete site.replaced['/dist/worker-gpu.js'];
    assert.equal(found[0], 'wasm');
    assert.match(found[1], /golden probabilities/);
    assert.equal(await other.evaluate(async () => (await clip.predict(input(3))).label), native[3].class);
    await other.close();
  });

  await test('a GPU module that is damaged or missing leaves the CPU in place', async () => {
    for (const bytes of [Buffer.from('not a module'), null]) {
      site.replaced['/dist/gpu/clip_lung_web_bg.wasm'] = bytes;
      const other = await open(context);
      const found = await load(other, { device: 'webgpu' });
      assert.equal(found[0], 'wasm');
      assert.ok(found[1]);
      await other.close();
    }
    delete site.replaced['/dist/gpu/clip_lung_web_bg.wasm'];
  });

  await test('disposing while the GPU is being prepared leaves no worker', async () => {
    const other = await open(context);
    await other.evaluate(async () => {
      const stop = new AbortController();
      const loading = ClipLung.from('/work/model', { device: 'webgpu', signal: stop.signal }).catch((e) => e.code);
      setTimeout(() => stop.abort(), 1500);
      globalThis.code = await loading;
    });
    assert.equal(await other.evaluate(() => globalThis.code), 'aborted');
    for (let i = 0; i < 50 && other.workers().length; i++) await new Promise((resolve) => setTimeout(resolve, 100));
    assert.equal(other.workers().length, 0);
    await other.close();
  });

  await test('without WebGPU: the CPU, with the reason', async () => {
    const plain = await launch(['--disable-features=WebGPU', '--disable-gpu']);
    const other = await open(await plain.newContext());
    await other.evaluate(() => Object.defineProperty(navigator, 'gpu', { value: undefined }));
    const found = await load(other, { device: 'webgpu' });
    assert.deepEqual([found[0], /no WebGPU/.test(found[1])], ['wasm', true]);
    await plain.close();
  });

  assert.deepEqual(violations, [], 'no violation of the content security policy');
  await context.close();
}

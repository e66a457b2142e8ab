/** The package on the CPU, in a headless Chromium, against the native program. */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { COUNT, GEOMETRIES } from './fixture.mjs';
import { doesNotGrow } from './growth.mjs';

export default async function ({ work, run, native, explained, site, browser, open }, test) {
  const violations = [];
  const context = await browser.newContext();
  const page = await open(context, violations);

  await test('loads, with progress from 0 to 1', async () => {
    const shares = await page.evaluate(async () => {
      const shares = [];
      globalThis.clip = await ClipLung.from('/work/model', { device: 'wasm', progress_callback: (s) => shares.push(s) });
      return shares;
    });
    assert.equal(shares[0], 0);
    assert.equal(shares.at(-1), 1);
    assert.ok(shares.every((s, i) => i === 0 || s >= shares[i - 1]), 'progress never goes back');
  });

  await test(`predicts ${COUNT} crops as the native program does`, async () => {
    const found = await page.evaluate(async () => {
      const out = [];
      for (const data of crops) out.push(await clip.predict({ data, dims: [32, 32, 32], unit: 'HU' }));
      return out;
    });
    let worst = 0;
    found.forEach((p, i) => {
      assert.equal(p.label, native[i].class);
      for (const [c, v] of Object.entries(native[i].probabilities)) worst = Math.max(worst, Math.abs(v - p.probabilities[c]));
      assert.ok(Math.abs(Object.values(p.attributes).reduce((a, b) => a + b) - 1) < 1e-4);
    });
    console.log(`   largest difference of a probability: ${worst.toExponential(1)}; median ${found.map((p) => p.ms).sort((a, b) => a - b)[COUNT / 2].toFixed(1)} ms a crop`);
    assert.ok(worst < 1e-3, `${worst}`);
    for (const [word, share] of Object.entries(explained.attributes)) assert.ok(Math.abs(found[5].attributes[word] - share) < 1e-3, word);
  });

  await test('explains as the native program does', async () => {
    const heat = await page.evaluate(async () => {
      const found = await clip.explain(input(5), { target: 'malignant' });
      return { ...found, data: Array.from(found.data) };
    });
    assert.equal(heat.target, 'malignant');
    assert.deepEqual(heat.dims, [32, 32]);
    const worst = Math.max(...heat.data.map((v, i) => Math.abs(v - explained.heat[i])));
    assert.ok(worst < 1e-3, `${worst}`);
    assert.ok((await page.evaluate(() => clip.selfTest())) < 1e-3);
  });

  await test('cuts the same crop from a volume', async () => {
    // a volume whose voxels are the crop's samples: a cube of 32 mm around its middle
    const [a, b, off] = await page.evaluate(async () => {
      const data = new Float32Array(40 * 36 * 34).fill(-1000);
      for (let z = 0; z < 32; z++) for (let y = 0; y < 32; y++) for (let x = 0; x < 32; x++) {
        data[((z + 1) * 36 + y + 2) * 40 + x + 4] = crops[7][(z * 32 + y) * 32 + x];
      }
      const volume = { data, dims: [40, 36, 34], spacing: [0.5, 0.5, 0.5], centre: [19.5, 17.5, 16.5], diameter: 8, unit: 'HU' };
      const off = { ...volume, centre: [19.5, 17.5, 90] };
      return [await clip.predict(volume), await clip.predict(input(7)), await clip.predict(off).catch((e) => `${e.code}: ${e.message}`)];
    });
    assert.match(off, /^input: centre .* outside/);
    a.logits.forEach((v, i) => assert.ok(Math.abs(v - b.logits[i]) < 1e-4));
  });

  await test('cuts what each model was trained on: package, `around` and command line agree', async () => {
    const set = (name) => join(work, 'set', name);
    const { dims, spacing, hu, first } = niftiOf(gunzipSync(readFileSync(set('volume.nii.gz'))));
    writeFileSync(join(work, 'volume.bin'), hu);
    const [head, row] = readFileSync(set('volume.csv'), 'utf8').split('\n').map((line) => line.split(','));
    const cell = (name) => Number(row[head.indexOf(name)]);
    const diameter = cell('diameter_mm');
    const centre = ['x', 'y', 'z'].map((axis, i) => (cell(`centre_${axis}_mm`) - first[i]) / spacing[i]);
    const seen = [];
    for (const name of Object.keys(GEOMETRIES)) {
      const words = ['predict', '--model', join(work, name), set('volume.nii.gz'), '--nodules', set('volume.csv'), '--json'];
      const known = JSON.parse(run(...words)).predictions[0].logits;
      const found = await page.evaluate(async ([name, nodule, dims]) => {
        const { around } = await import('/dist/index.js');
        const clip = await ClipLung.from(`/work/${name}`, { device: 'wasm' });
        const data = new Int16Array(await (await fetch('/work/volume.bin')).arrayBuffer());
        const part = around(nodule, (x, y, z) => data[(z * dims[1] + y) * dims[0] + x], clip.info.input.crop);
        const logits = [await clip.predict({ ...nodule, data, unit: 'HU' }), await clip.predict(part)].map((p) => p.logits);
        const missing = (() => { try { around(nodule, () => 0); } catch (e) { return `${e.code}: ${e.message}`; } })();
        const { crop } = clip.info.input;
        clip.dispose();
        return { logits, crop, dims: part.dims, missing };
      }, [name, { dims, spacing, centre, diameter }, dims]);
      assert.deepEqual(found.crop, GEOMETRIES[name]);
      assert.match(found.missing, /^input: around needs the model's geometry/);
      for (const logits of found.logits) logits.forEach((v, i) => assert.ok(Math.abs(v - known[i]) < 1e-4, `${name}: ${logits}, natively ${known}`));
      seen.push({ known, dims: found.dims });
    }
    const [cube, flat, mm] = seen;
    assert.ok(flat.dims[2] < cube.dims[2] && flat.dims[0] === cube.dims[0], `${flat.dims} of ${cube.dims}`);
    for (const other of [flat, mm]) assert.ok(other.known.some((v, i) => Math.abs(v - cube.known[i]) > 2e-3), 'the crops differ');
  });

  await test('sends not one request while predicting 100 crops', async () => {
    site.log.length = 0;
    await page.evaluate(async () => {
      for (let i = 0; i < 100; i++) await clip.predict(input(i % crops.length));
    });
    assert.deepEqual(site.log, []);
  });

  await test('typed errors for every bad file', async () => {
    const bad = async (name) => page.evaluate(async (name) => {
      try {
        await ClipLung.from(`/work/${name}`);
        return { code: 'none' };
      } catch (e) {
        return { code: e.code, message: e.message, typed: e instanceof ClipLungError };
      }
    }, name);
    for (const [name, code, part] of [['shape', 'model', 'fc.weight'], ['golden', 'model', 'golden'], ['nowhere', 'fetch', '404'], ['digest', 'model', 'SHA-256'], ['short', 'model', 'SHA-256'], ['set', 'fetch', '404']]) {
      const found = await bad(name);
      assert.deepEqual([found.code, found.typed], [code, true], `${name}: ${JSON.stringify(found)}`);
      assert.ok(found.message.includes(part), found.message);
    }
  });

  await test('typed errors for bad input, and life goes on', async () => {
    const found = await page.evaluate(async () => {
      const good = crops[0];
      const inputs = {
        nan: { data: Float32Array.from(good, (v, i) => (i === 9 ? NaN : v)), dims: [32, 32, 32], unit: 'HU' },
        short: { data: good.subarray(1), dims: [32, 32, 32], unit: 'HU' },
        unit: { data: good, dims: [32, 32, 32], unit: 'grey' },
        nowhere: { data: new Float32Array(64), dims: [4, 4, 4], unit: 'HU' },
        flat: { data: new Float32Array(64), dims: [4, 4, 4], spacing: [1, 1, 1], centre: [1, 1, 1], diameter: 0, unit: 'HU' },
        spacing: { data: new Float32Array(64), dims: [4, 4, 4], spacing: [1, 0, 1], centre: [1, 1, 1], diameter: 5, unit: 'HU' },
      };
      const out = {};
      for (const [name, input] of Object.entries(inputs)) {
        out[name] = await clip.predict(input).then(() => 'none', (e) => `${e instanceof ClipLungError} ${e.code}: ${e.message}`);
      }
      out.target = await clip.explain({ data: good, dims: [32, 32, 32], unit: 'HU' }, { target: 'odd' }).then(() => 'none', (e) => `${e instanceof ClipLungError} ${e.code}: ${e.message}`);
      out.after = (await clip.predict({ data: good, dims: [32, 32, 32], unit: 'HU' })).label;
      return out;
    });
    for (const [name, part] of Object.entries({ nan: 'NaN or infinity at element 9', short: '32767 values', unit: "'grey' is not 'HU'", nowhere: 'give centre', flat: 'diameter', spacing: 'spacing', target: 'no class `odd`' })) {
      assert.ok(found[name].startsWith('true input') && found[name].includes(part), `${name}: ${found[name]}`);
    }
    assert.equal(found.after, native[0].class);
  });

  await test('aborts: while loading, before and during a prediction', async () => {
    const found = await page.evaluate(async () => {
      const code = (promise) => promise.then(() => 'none', (e) => e.code);
      const stop = new AbortController();
      const loading = code(ClipLung.from('/work/model', { signal: stop.signal }));
      stop.abort();
      const during = new AbortController();
      const crop = input(0);
      const running = code(clip.predict(crop, { signal: during.signal }));
      during.abort();
      const late = code(clip.predict(crop, { signal: AbortSignal.abort() }));
      return [await loading, await running, await late, (await clip.predict(crop)).label];
    });
    assert.deepEqual(found, ['aborted', 'aborted', 'aborted', native[0].class]);
  });

  await test('disposes and loads again 20 times, without growth', () => doesNotGrow({ browser, page, device: 'wasm', times: 20 }));

  await test('the second visit fetches no weights', async () => {
    site.log.length = 0;
    await page.evaluate(async () => (await ClipLung.from('/work/model')).dispose());
    assert.ok(!site.log.some((p) => p.endsWith('model.safetensors')), site.log.join(' '));
  });

  await test('weights that went bad in the cache are fetched again', async () => {
    const spoil = () => page.evaluate(async () => {
      const cache = await caches.open('clip-lung');
      const [key] = (await cache.keys()).filter(({ url }) => url.includes('/work/model/model.safetensors'));
      if (key) await cache.put(key, new Response(new Uint8Array(9)));
      return Boolean(key);
    });
    assert.ok(await spoil(), 'weights are kept');
    site.log.length = 0;
    await page.evaluate(async () => (await ClipLung.from('/work/model')).dispose());
    assert.equal(site.log.filter((p) => p.endsWith('model.safetensors')).length, 1, site.log.join(' '));
  });

  await test('works in an iframe and in a second tab', async () => {
    const tab = await context.newPage();
    await tab.goto(`${site.url}/page/page.html`);
    await tab.evaluate(() => {
      const frame = document.createElement('iframe');
      frame.src = '/page/page.html';
      document.body.append(frame);
    });
    await tab.waitForFunction(() => document.querySelector('iframe')?.contentDocument?.title === 'ready');
    const [labels, mine] = await Promise.all([
      Promise.all(tab.frames().map((frame) => frame.evaluate(async () => {
        const clip = await ClipLung.from('/work/model');
        return (await clip.predict({ data: new Float32Array(32768), dims: [32, 32, 32], unit: 'HU' })).label;
      }))),
      page.evaluate(async () => (await clip.predict({ data: new Float32Array(32768), dims: [32, 32, 32], unit: 'HU' })).label),
    ]);
    assert.deepEqual(labels, [mine, mine]);
    await tab.close();
  });

  assert.deepEqual(violations, [], 'no violation of the content security policy');
  await context.close();
}

/** A volume that `phantom --volume` wrote, as the package takes it: towards left, back and head, with its first voxel's centre (LPS). */
function niftiOf(bytes) {
  const dims = [0, 1, 2].map((i) => bytes.readInt16LE(42 + 2 * i));
  const spacing = [0, 1, 2].map((i) => bytes.readFloatLE(80 + 4 * i));
  const first = [-1, -1, 1].map((sign, i) => sign * bytes.readFloatLE(280 + 16 * i + 12));
  return { dims, spacing, first, hu: bytes.subarray(352) };
}

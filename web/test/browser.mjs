/**
 * The package in a headless Chromium against the native command line: `npm test`, after `npm run build`.
 * CLIP_LUNG names the program (default: where make puts it), CHROMIUM the browser.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';
import { serve } from './serve.mjs';

const here = dirname(fileURLToPath(import.meta.url));
const target = process.env.CARGO_TARGET_DIR ?? join(homedir(), '.cache/clip-lung/target');
const program = process.env.CLIP_LUNG ?? join(target, 'release/clip-lung');
const work = mkdtempSync(join(tmpdir(), 'clip-lung-web-'));
const run = (...words) => execFileSync(program, words, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
const COUNT = 64;

// a model with words, and what the program says of 64 crops
run('phantom', '--limit', String(COUNT), '--out', join(work, 'set'));
run('train', '--data', join(work, 'set'), '--out', join(work, 'run'), '--method', 'clip-lung', '--text-encoder', 'random',
  '--epochs', '2', '--lr', '0.02', '--ema', '0.5');
run('export', join(work, 'run'), '--out', join(work, 'model'), '--dtype', 'f16');
const native = JSON.parse(run('predict', '--model', join(work, 'model'), join(work, 'set'), '--json')).predictions;
const explained = JSON.parse(run('explain', '--model', join(work, 'model'), join(work, 'set'), '--index', '5', '--class', 'malignant',
  '--out', join(work, 'heat.png'), '--json'));
for (const damage of ['digest', 'short']) cpSync(join(work, 'model'), join(work, damage), { recursive: true });
const weights = readFileSync(join(work, 'model/model.safetensors'));
weights[weights.length - 1] ^= 1;
writeFileSync(join(work, 'digest/model.safetensors'), weights);
writeFileSync(join(work, 'short/model.safetensors'), weights.subarray(0, weights.length / 2));

// the crops in HU, as the browser is given them
const raw = readFileSync(join(work, 'set/crops.safetensors'));
const head = Number(raw.readBigUInt64LE());
const meta = JSON.parse(raw.subarray(8, 8 + head)).__metadata__;
writeFileSync(join(work, 'crops.bin'), raw.subarray(8 + head));

const site = await serve({ '/dist/': join(here, '../dist'), '/page/': here, '/work/': work });
const executablePath = process.env.CHROMIUM ?? '/usr/bin/chromium';
if (!existsSync(executablePath)) throw new Error(`${executablePath} is missing: apt-get install chromium, or name a browser in CHROMIUM`);
const browser = await chromium.launch({ executablePath, args: ['--no-sandbox'] });
const context = await browser.newContext();
const page = await context.newPage();
const violations = [];
page.on('console', (m) => /Content Security Policy/.test(m.text()) && violations.push(m.text()));
await page.goto(`${site.url}/page/page.html`);
await page.waitForFunction(() => document.title === 'ready');

let passed = 0;
async function test(name, body) {
  const start = performance.now();
  await body();
  passed += 1;
  console.log(`ok ${name} (${Math.round(performance.now() - start)} ms)`);
}

try {
  await test('loads, with progress from 0 to 1', async () => {
    const shares = await page.evaluate(async ([slope, intercept]) => {
      const shares = [];
      globalThis.clip = await ClipLung.from('/work/model', { progress_callback: (s) => shares.push(s) });
      const bytes = new Uint8Array(await (await fetch('/work/crops.bin')).arrayBuffer());
      globalThis.crops = Array.from({ length: bytes.length / 32768 }, (_, i) =>
        Float32Array.from(bytes.subarray(i * 32768, (i + 1) * 32768), (v) => v * slope + intercept));
      return shares;
    }, [Number(meta.hu_slope), Number(meta.hu_intercept)]);
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
  });

  await test('explains as the native program does', async () => {
    const heat = await page.evaluate(async () => {
      const found = await clip.explain({ data: crops[5], dims: [32, 32, 32], unit: 'HU' }, { target: 'malignant' });
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
    const [a, b] = await page.evaluate(async () => {
      const data = new Float32Array(40 * 36 * 34).fill(-1000);
      for (let z = 0; z < 32; z++) for (let y = 0; y < 32; y++) for (let x = 0; x < 32; x++) {
        data[((z + 1) * 36 + y + 2) * 40 + x + 4] = crops[7][(z * 32 + y) * 32 + x];
      }
      const volume = { data, dims: [40, 36, 34], spacing: [0.5, 0.5, 0.5], centre: [19.5, 17.5, 16.5], diameter: 8, unit: 'HU' };
      return [await clip.predict(volume), await clip.predict({ data: crops[7], dims: [32, 32, 32], unit: 'HU' })];
    });
    a.logits.forEach((v, i) => assert.ok(Math.abs(v - b.logits[i]) < 1e-4));
  });

  await test('sends not one request while predicting 100 crops', async () => {
    site.log.length = 0;
    await page.evaluate(async () => {
      for (let i = 0; i < 100; i++) await clip.predict({ data: crops[i % crops.length], dims: [32, 32, 32], unit: 'HU' });
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
    for (const [name, code, part] of [['nowhere', 'fetch', '404'], ['digest', 'model', 'SHA-256'], ['short', 'model', 'SHA-256'], ['set', 'fetch', '404']]) {
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
      const input = { data: crops[0], dims: [32, 32, 32], unit: 'HU' };
      const running = code(clip.predict(input, { signal: during.signal }));
      during.abort();
      const late = code(clip.predict(input, { signal: AbortSignal.abort() }));
      return [await loading, await running, await late, (await clip.predict(input)).label];
    });
    assert.deepEqual(found, ['aborted', 'aborted', 'aborted', native[0].class]);
  });

  await test('disposes and loads again 20 times, without growth', async () => {
    const client = await context.newCDPSession(page);
    const heap = async () => {
      await client.send('HeapProfiler.collectGarbage');
      return (await client.send('Runtime.getHeapUsage')).usedSize;
    };
    // the browser tells of a worker's end a moment later
    const workers = async () => {
      for (let i = 0; i < 50 && page.workers().length > 1; i++) await new Promise((resolve) => setTimeout(resolve, 100));
      return page.workers().length;
    };
    const before = [await heap(), await workers()];
    await page.evaluate(async () => {
      for (let i = 0; i < 20; i++) {
        const other = await ClipLung.from('/work/model');
        const pending = other.predict({ data: crops[0], dims: [32, 32, 32], unit: 'HU' }).catch((e) => e.code);
        other.dispose();
        if ((await pending) !== 'disposed') throw new Error('a request outlived its object');
      }
    });
    const after = [await heap(), await workers()];
    assert.deepEqual([before[1], after[1]], [1, 1], 'workers are gone');
    assert.ok(after[0] - before[0] < 4e6, `the heap grew from ${before[0]} to ${after[0]}`);
  });

  await test('the second visit fetches no weights', async () => {
    site.log.length = 0;
    await page.evaluate(async () => (await ClipLung.from('/work/model')).dispose());
    assert.ok(!site.log.some((p) => p.endsWith('model.safetensors')), site.log.join(' '));
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
  console.log(`${passed} tests passed`);
} finally {
  await browser.close();
  site.close();
  rmSync(work, { recursive: true, force: true });
}

/** The package with what callers without types give, where there is no browser, and when a model changes under its address. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { web } from './fixture.mjs';

export default async function ({ work, browser, open }, test) {
  const context = await browser.newContext();
  const page = await open(context);

  await test('every failure is a ClipLungError with a code, whatever is given', async () => {
    const found = await page.evaluate(async () => {
      globalThis.clip = await ClipLung.from('/work/model', { device: 'wasm' });
      const { around } = await import('/dist/index.js');
      const code = (act) => Promise.resolve().then(act).then(() => 'none', (e) => (e instanceof ClipLungError ? e.code : `${e.name}: ${e.message}`));
      const crop = { data: new Float32Array(32768), dims: [32, 32, 32], unit: 'HU' };
      const inputs = {
        undefined, null: null, number: 7, text: 'crop', empty: {}, 'no dims': { data: crop.data, unit: 'HU' }, 'no data': { dims: crop.dims, unit: 'HU' },
        'BigInt64Array': { ...crop, data: new BigInt64Array(32768) }, 'array of texts': { ...crop, data: Array(32768).fill('air') },
        'array of nothing': { ...crop, data: Array(32768) }, 'dims of texts': { ...crop, dims: ['a', 'b', 'c'] }, 'centre of texts': { ...crop, spacing: [1, 1, 1], centre: ['a', 0, 0], diameter: 8 },
        'centre only': { ...crop, centre: [1, 1, 1] }, 'diameter of text': { ...crop, spacing: [1, 1, 1], centre: [1, 1, 1], diameter: 'x' },
      };
      const said = {};
      for (const [name, input] of Object.entries(inputs)) {
        said[`predict ${name}`] = await code(() => clip.predict(input));
        said[`explain ${name}`] = await code(() => clip.explain(input));
      }
      said['predictAll undefined'] = await code(() => clip.predictAll(undefined));
      said['predictAll of undefined'] = await code(() => clip.predictAll([undefined]));
      said['around undefined'] = await code(() => around(undefined, () => 0, clip.info.input.crop));
      said['around without voxels'] = await code(() => around({ dims: [9, 9, 9], spacing: [1, 1, 1], centre: [4, 4, 4], diameter: 4 }, undefined, clip.info.input.crop));
      const urls = {};
      for (const url of [undefined, null, 7, '', 'http://[', '/nothing']) urls[`from ${url}`] = await code(() => ClipLung.from(url));
      const typed = {};
      for (const [name, data] of Object.entries({ plain: Array.from(crop.data), Int16Array: new Int16Array(32768), Float64Array: new Float64Array(32768), Uint8Array: new Uint8Array(32768) })) {
        typed[name] = (await clip.predict({ ...crop, data })).label;
      }
      typed['typed dims'] = (await clip.predict({ ...crop, dims: Uint32Array.of(32, 32, 32) })).label;
      typed.frozen = (await clip.predict(Object.freeze({ ...crop }))).label;
      return { said, urls, typed, plain: (await clip.predict(crop)).label };
    });
    for (const [name, code] of Object.entries(found.said)) assert.equal(code, 'input', name);
    for (const [name, code] of Object.entries(found.urls)) assert.match(code, /^(fetch|model)$/, name);
    for (const [name, label] of Object.entries(found.typed)) assert.equal(label, found.plain, name);
  });

  await test('on a server: importing does nothing, loading says that there is no browser', () => {
    const said = execFileSync('node', ['--input-type=module', '-e', `
      const { ClipLung, ClipLungError } = await import(${JSON.stringify(join(web, 'dist/index.js'))});
      for (const url of ['/x', 'https://example.org/model']) {
        await ClipLung.from(url).catch((e) => console.log(e instanceof ClipLungError, e.code, e.message));
      }`], { encoding: 'utf8' });
    assert.match(said, /^true (fetch|device) .*\ntrue device .*browser/);
  });

  await test('a model that changed under its address: the old weights are not kept for ever', async () => {
    cpSync(join(work, 'model'), join(work, 'changing'), { recursive: true });
    const kept = () => page.evaluate(async () => {
      await new Promise((resolve) => setTimeout(resolve, 500));
      return (await (await caches.open('clip-lung')).keys()).map(({ url }) => url).filter((url) => url.includes('/work/changing/model.safetensors'));
    });
    const load = () => page.evaluate(async () => (await ClipLung.from('/work/changing', { device: 'wasm' })).dispose());
    await load();
    const [first, ...none] = await kept();
    assert.deepEqual(none, []);
    // the same weights in another file: a longer header
    const bytes = readFileSync(join(work, 'changing/model.safetensors'));
    const head = Number(bytes.readBigUInt64LE());
    const size = Buffer.alloc(8);
    size.writeBigUInt64LE(BigInt(head + 8));
    const changed = Buffer.concat([size, bytes.subarray(8, 8 + head), Buffer.alloc(8, ' '), bytes.subarray(8 + head)]);
    writeFileSync(join(work, 'changing/model.safetensors'), changed);
    const config = JSON.parse(readFileSync(join(work, 'changing/config.json'), 'utf8'));
    config.sha256['model.safetensors'] = createHash('sha256').update(changed).digest('hex');
    writeFileSync(join(work, 'changing/config.json'), JSON.stringify(config));
    await load();
    const now = await kept();
    assert.equal(now.length, 1, now.join(' '));
    assert.notEqual(now[0], first);
    assert.ok(now[0].includes(config.sha256['model.safetensors']));
  });

  await context.close();
}

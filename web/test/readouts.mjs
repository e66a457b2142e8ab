/** A model of every readout, with both ways of pooling, in the browser as natively: on the CPU, and on WebGPU (software). */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { readFileSync } from 'node:fs';

/** Crops compared. */
const FEW = 8;
/** A model of every readout; the diameter is read by one with the view and one without. */
const MODELS = {
  'ce, mean': ['--method', 'ce', '--diameter'],
  'ce, view': ['--method', 'ce', '--pool', 'view', '--diameter'],
  poisson: ['--method', 'poisson'],
  binomial: ['--method', 'poisson', '--poisson-law', 'binomial', '--pool', 'view'],
  nsb: ['--method', 'nsb'],
  udm: ['--method', 'udm'],
  corf: ['--method', 'corf', '--task', 'lidc-c'],
};

export default async function ({ work, run, browser, open }, test) {
  const models = Object.entries(MODELS).map(([name, options], i) => {
    const dir = `readout-${i}`;
    run('train', '--data', join(work, 'set'), '--out', join(work, `${dir}-run`), '--epochs', '3', '--lr', '0.02', '--ema', '0.5', ...options);
    run('export', join(work, `${dir}-run`), '--out', join(work, dir));
    const native = JSON.parse(run('predict', '--model', join(work, dir), join(work, 'set'), '--json')).predictions.slice(0, FEW);
    const heat = JSON.parse(run('explain', '--model', join(work, dir), join(work, 'set'), '--index', '1', '--class', 'malignant',
      '--out', join(work, 'heat.png'), '--json')).heat;
    return { name, dir, native, heat, config: JSON.parse(readFileSync(join(work, dir, 'config.json'), 'utf8')) };
  });
  const diameters = readFileSync(join(work, 'set/nodules.csv'), 'utf8').trim().split('\n').map((line) => line.split(','));
  const column = diameters[0].indexOf('diameter_mm');
  const mm = diameters.slice(1, FEW + 1).map((row) => Number(row[column]));
  const page = await open(await browser.newContext());

  for (const [device, limit] of [['wasm', 1e-5], ['webgpu', 1e-3]]) {
    for (const { name, dir, native, heat, config } of models) {
      await test(`${name} on ${device}: predicts and explains as the native program does`, async () => {
        const found = await page.evaluate(async ({ dir, device, mm }) => {
          const clip = await ClipLung.from(`/work/${dir}`, { device });
          const given = (i) => ({ ...input(i), ...(clip.info.diameter && { diameter: mm[i] }) });
          const all = await clip.predictAll(mm.map((_, i) => given(i)));
          const { data } = await clip.explain(given(1), { target: 'malignant' });
          const without = clip.info.diameter ? await clip.predict(input(0)).then(() => 'none', (e) => `${e.code}: ${e.message}`) : undefined;
          const info = { readout: clip.info.readout, pool: clip.info.pool, decision: clip.info.decision };
          const used = clip.device;
          clip.dispose();
          return { all, heat: Array.from(data), info, used, without };
        }, { dir, device, mm });
        assert.equal(found.used, device);
        assert.deepEqual(found.info, { readout: config.readout, pool: config.pool, decision: config.decision });
        let worst = 0;
        found.all.forEach((p, i) => {
          assert.equal(p.label, native[i].class);
          for (const [c, v] of Object.entries(native[i].probabilities)) worst = Math.max(worst, Math.abs(v - p.probabilities[c]));
          p.logits.forEach((l, k) => assert.ok(Math.abs(l - native[i].logits[k]) < 20 * limit, `logit ${k} of crop ${i}`));
        });
        console.log(`   largest difference of a probability: ${worst.toExponential(1)}`);
        assert.ok(worst < limit, `${worst}`);
        assert.ok(Math.max(...found.heat.map((v, i) => Math.abs(v - heat[i]))) < 1e-3);
        if (config.diameter) assert.match(found.without, /^input: .*diameter/);
      });
    }
  }
  await page.context().close();
}

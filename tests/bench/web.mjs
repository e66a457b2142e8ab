/** Opens the page's benchmark in fresh browsers, a library at a time, in turn, five times on the CPU and three on WebGPU, and prints the
 * medians. In one browser what goes first waits for the browser's own start. Started by web.sh. */
import { launch, web } from '../../web/test/fixture.mjs';
import { serve } from '../../web/test/serve.mjs';
import { join } from 'node:path';

const [work, rounds, devices = 'wasm,webgpu'] = process.argv.slice(2);
const RUNS = 5;
const site = await serve({ '/': join(web, 'demo/dist'), '/model/': join(work, 'model'), '/bench/': join(work, 'bench') }, '');
const median = (values) => values.sort((a, b) => a - b)[Math.floor(values.length / 2)];

async function once(device, passes, library) {
  // a new browser: nothing in its caches, nothing compiled
  const browser = await launch();
  const page = await browser.newPage();
  await page.goto(`${site.url}/?bench=1&devices=${device}&rounds=${passes}&only=${library}`);
  await page.waitForFunction(() => document.documentElement.dataset.ready, null, { timeout: 600_000 });
  const found = await page.evaluate(() => [rows, document.querySelector('main p').textContent]);
  await browser.close();
  return found;
}

// the software adapter is slow: fewer passes
for (const [device, passes, runs] of [['wasm', rounds, RUNS], ['webgpu', 3, 3]].filter(([d]) => devices.includes(d))) {
  const all = [];
  let note = '';
  for (let i = 0; i < runs; i++) {
    const [[own], [other, text]] = [await once(device, passes, 'clip-lung'), await once(device, passes, 'onnxruntime-web')];
    all.push([...own, ...other]);
    note = text;
  }
  console.log(`\n${device}, ${runs} browsers a library, ${passes} passes each\n`);
  console.log('| | clip-lung (ms) | onnxruntime-web (ms) | ratio |\n|---|---|---|---|');
  const pick = (rows, ours, batch) => rows.find((r) => r.what.startsWith('clip-lung') === ours && r.batch === batch);
  for (const [name, batch, key] of [['one crop', 1, 'ms'], ['8 crops', 8, 'ms'], ['first result after a cold load', 1, 'first']]) {
    const pairs = all.map((rows) => [pick(rows, true, batch)?.[key], pick(rows, false, batch)?.[key]]);
    const [a, b] = [0, 1].map((k) => median(pairs.map((p) => p[k] ?? NaN)));
    console.log(`| ${name} | ${a.toFixed(1)} | ${b.toFixed(1)} | ${median(pairs.map((p) => p[0] / p[1])).toFixed(2)} |`);
  }
  console.log(`\n${note}`);
}
site.close();
process.exit();

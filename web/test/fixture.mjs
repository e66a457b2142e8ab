/**
 * What the browser tests share: a model with words, what the native program says of 64 crops, a server, and a Chromium.
 * CLIP_LUNG names the program (default: where make puts it), CHROMIUM the browser.
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';
import { serve } from './serve.mjs';

export const COUNT = 64;
/** Models by their directory's name, and the boxes that their crops cover. */
export const GEOMETRIES = {
  'model-2x2': { in_plane: { diameters: 2 }, through_plane: { diameters: 2 } },
  'model-2x1': { in_plane: { diameters: 2 }, through_plane: { diameters: 1 } },
  'model-32mm': { in_plane: { mm: 32 }, through_plane: { mm: 32 } },
};
export const web = join(dirname(fileURLToPath(import.meta.url)), '..');
/** Where make puts what it builds and fetches. */
export const target = process.env.CARGO_TARGET_DIR ?? join(homedir(), '.cache/clip-lung/target');
export const program = process.env.CLIP_LUNG ?? join(target, 'release/clip-lung');

/** Headless Chromium has only a software adapter, and only when told so. */
const GPU = ['--enable-unsafe-webgpu', '--use-webgpu-adapter=swiftshader', '--enable-features=Vulkan'];

/**
 * Chromium sets environment variables while its D-Bus thread looks for a translation of "no such socket" in them (getenv beside
 * setenv), and now and then dies of it where there is no D-Bus: the C locale looks nothing up, and a start that failed is tried again.
 */
export async function launch(args = GPU, tries = 3) {
  const executablePath = process.env.CHROMIUM ?? '/usr/bin/chromium';
  if (!existsSync(executablePath)) throw new Error(`${executablePath} is missing: apt-get install chromium, or name a browser in CHROMIUM`);
  try {
    return await chromium.launch({ executablePath, args: ['--no-sandbox', ...args], env: { ...process.env, LC_ALL: 'C' } });
  } catch (error) {
    if (tries === 1) throw error;
    console.log(`Chromium did not start, trying again: ${String(error.message).split('\n')[0]}`);
    return launch(args, tries - 1);
  }
}

export async function fixture() {
  const work = mkdtempSync(join(tmpdir(), 'clip-lung-web-'));
  const run = (...words) => execFileSync(program, words, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
  const place = (name) => join(work, name);
  run('phantom', '--limit', String(COUNT), '--out', place('set'), '--volume');
  run('train', '--data', place('set'), '--out', place('run'), '--method', 'clip-lung', '--text-encoder', 'random',
    '--epochs', '2', '--lr', '0.02', '--ema', '0.5');
  run('export', place('run'), '--out', place('model'), '--dtype', 'f16');
  const native = JSON.parse(run('predict', '--model', place('model'), place('set'), '--json')).predictions;
  const explained = JSON.parse(run('explain', '--model', place('model'), place('set'), '--index', '5', '--class', 'malignant',
    '--out', place('heat.png'), '--json'));

  // the same weights for crops of other boxes
  for (const [name, crop] of Object.entries(GEOMETRIES)) {
    cpSync(place('model'), place(name), { recursive: true });
    const config = JSON.parse(readFileSync(place(`${name}/config.json`), 'utf8'));
    config.input.crop = crop;
    writeFileSync(place(`${name}/config.json`), JSON.stringify(config));
  }

  for (const damage of ['digest', 'short', 'shape', 'golden']) cpSync(place('model'), place(damage), { recursive: true });
  const weights = readFileSync(place('model/model.safetensors'));
  weights[weights.length - 1] ^= 1;
  writeFileSync(place('digest/model.safetensors'), weights);
  writeFileSync(place('short/model.safetensors'), weights.subarray(0, weights.length / 2));
  // an honest digest of weights of another shape, and of a golden pair that other weights made
  reshape(place('shape'), 'fc.weight', (shape) => [shape[1], shape[0]]);
  spoil(place('golden'));

  // the crops in HU, as the browser is given them
  const raw = readFileSync(place('set/crops.safetensors'));
  const head = Number(raw.readBigUInt64LE());
  const { hu_slope, hu_intercept } = JSON.parse(raw.subarray(8, 8 + head)).__metadata__;
  writeFileSync(place('crops.bin'), raw.subarray(8 + head));

  const site = await serve({ '/dist/': join(web, 'dist'), '/page/': join(web, 'test'), '/work/': work });
  const browser = await launch();
  const close = async () => {
    await browser.close();
    site.close();
    rmSync(work, { recursive: true, force: true });
  };

  /** A page with the package in `ClipLung` and the crops in `crops`; `violations` collects those of the policy. */
  async function open(context, violations = []) {
    const page = await context.newPage();
    page.on('console', (m) => /Content Security Policy/.test(m.text()) && violations.push(m.text()));
    await page.goto(`${site.url}/page/page.html`);
    await page.waitForFunction(() => document.title === 'ready');
    await page.evaluate(async ([slope, intercept]) => {
      const bytes = new Uint8Array(await (await fetch('/work/crops.bin')).arrayBuffer());
      globalThis.crops = Array.from({ length: bytes.length / 32768 }, (_, i) =>
        Float32Array.from(bytes.subarray(i * 32768, (i + 1) * 32768), (v) => v * slope + intercept));
      globalThis.input = (i) => ({ data: crops[i], dims: [32, 32, 32], unit: 'HU' });
    }, [Number(hu_slope), Number(hu_intercept)]);
    return page;
  }
  return { work, run, native, explained, site, browser, open, close };
}

/** Rewrites a model's weights with another header, and the digest with them. */
function digest(dir, name, bytes) {
  writeFileSync(join(dir, name), bytes);
  const config = JSON.parse(readFileSync(join(dir, 'config.json'), 'utf8'));
  config.sha256[name] = createHash('sha256').update(bytes).digest('hex');
  writeFileSync(join(dir, 'config.json'), JSON.stringify(config));
}

function reshape(dir, tensor, turn) {
  const bytes = readFileSync(join(dir, 'model.safetensors'));
  const head = Number(bytes.readBigUInt64LE());
  const header = JSON.parse(bytes.subarray(8, 8 + head));
  header[tensor].shape = turn(header[tensor].shape);
  const text = Buffer.from(JSON.stringify(header).padEnd(head));
  digest(dir, 'model.safetensors', Buffer.concat([bytes.subarray(0, 8), text, bytes.subarray(8 + head)]));
}

function spoil(dir) {
  const bytes = readFileSync(join(dir, 'golden.safetensors'));
  const head = Number(bytes.readBigUInt64LE());
  const [start] = JSON.parse(bytes.subarray(8, 8 + head)).probabilities.data_offsets;
  bytes.writeFloatLE(bytes.readFloatLE(8 + head + start) < 0.5 ? 0.9 : 0.1, 8 + head + start);
  digest(dir, 'golden.safetensors', bytes);
}

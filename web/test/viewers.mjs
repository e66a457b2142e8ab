/**
 * The adapters in the viewers' own libraries, as examples/ uses them: probabilities of the command line, heat maps where they belong, for
 * volumes that lie straight, mirrored and obliquely. SCREENSHOTS names a folder to keep what was seen.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { web } from './fixture.mjs';
import { DIRECTIONS, cropOf, nifti, npy, scanOf, turned, writeSeries } from './series.mjs';
import { serve } from './serve.mjs';
import { liesThere } from './warmth.mjs';

const examples = join(web, '../examples');
/** As examples/README.md has it. */
const POLICY = /```text\n([^]*?)```/.exec(readFileSync(join(examples, 'README.md'), 'utf8'))[1].replace(/\s+/g, ' ').trim();
const NAMES = ['niivue', 'cornerstone', 'react'];
const NODULE = 0;

export default async function ({ work, run, browser }, test) {
  const project = join(work, 'viewers');
  const shots = process.env.SCREENSHOTS;
  const scan = scanOf(join(work, 'set'));
  const { centre, diameter } = scan.nodules[NODULE];
  // twice the diameter, as the model has it
  const sides = [2, 2, 2].map((n) => n * diameter);
  const volumes = Object.fromEntries(Object.entries(DIRECTIONS).map(([name, direction]) => [name, turned(scan, direction)]));
  const known = {};
  let site;

  /** The page of an example; what it fetched from elsewhere and what the policy forbade, in `faults`. */
  async function open(name) {
    const page = await browser.newPage({ viewport: { width: 900, height: 800 } });
    page.faults = [];
    page.on('console', (m) => /Content Security Policy/.test(m.text()) && page.faults.push(m.text()));
    page.on('pageerror', (e) => page.faults.push(e.message));
    page.on('request', (r) => /^https?:/.test(r.url()) && !r.url().startsWith(site.url) && page.faults.push(r.url()));
    await page.goto(`${site.url}/${name}/`);
    await page.waitForFunction(() => globalThis.example, undefined, { timeout: 30000 }).catch(() => assert.fail(`${name}: ${page.faults.join('; ')}`));
    await page.locator('#diameter').fill(String(diameter));
    return page;
  }
  const shot = async (page, selector, name) => {
    const picture = await page.locator(selector).first().screenshot();
    if (shots) mkdirSync(shots, { recursive: true }), writeFileSync(join(shots, `${name}.png`), picture);
    return picture;
  };
  const equal = (found, name) => {
    for (const [c, p] of Object.entries(known[name].probabilities)) assert.ok(Math.abs(found[c] - p) < 1e-4, `${name}, ${c}: ${found[c]}, natively ${p}`);
  };

  await test('the examples are built from the package as packed', async () => {
    mkdirSync(project, { recursive: true });
    const packed = execFileSync('npm', ['pack', '--silent', '--pack-destination', work], { cwd: web, encoding: 'utf8' }).trim();
    writeFileSync(join(project, 'package.json'), JSON.stringify({ name: 'viewers', private: true, type: 'module' }));
    const needs = NAMES.map((name) => JSON.parse(readFileSync(join(examples, name, 'package.json'), 'utf8')));
    const all = Object.assign({}, ...needs.flatMap((n) => [n.dependencies, n.devDependencies]), { 'clip-lung': undefined });
    const versions = Object.entries(all).filter(([, version]) => version).map(([name, version]) => `${name}@${version}`);
    const npm = (...words) => execFileSync('npm', words, { cwd: project, stdio: ['ignore', 'pipe', 'pipe'] });
    npm('install', '--no-audit', '--no-fund', '--prefer-offline', join(work, packed), ...versions);
    const mounts = { '/models/clip-lung/': join(work, 'model') };
    for (const name of NAMES) {
      cpSync(join(examples, name), join(project, name), { recursive: true });
      npm('exec', '--', 'vite', 'build', name, '--base', './', '--logLevel', 'error');
      mounts[`/${name}/`] = join(project, name, 'dist');
    }
    site = await serve(mounts, POLICY);
  });

  await test('web/README.md shows what the examples run', () => {
    const readme = readFileSync(join(web, 'README.md'), 'utf8');
    for (const file of ['niivue/predict.js', 'cornerstone/predict.js', 'react/nodule.jsx']) {
      assert.ok(readme.includes(readFileSync(join(examples, file), 'utf8')), `examples/${file} stands in web/README.md`);
    }
  });

  await test('React', async () => {
    const page = await browser.newPage();
    await page.goto(`${site.url}/react/`);
    await page.locator('output', { hasText: /^benign 0\.\d+, unsure 0\.\d+, malignant 0\.\d+$/ }).waitFor({ timeout: 30000 });
    await page.close();
  });

  await test('the command line predicts the same volumes', async () => {
    for (const [name, volume] of Object.entries(volumes)) {
      const [file, dir] = [join(work, `${name}.nii`), join(work, `${name}-series`)];
      writeFileSync(file, nifti(volume));
      writeSeries(dir, volume);
      writeFileSync(join(work, `${name}.npy`), npy(cropOf(volume, centre, sides)));
      const place = ['--centre', centre.join(','), '--diameter', String(diameter), '--frame', 'lps'];
      const of = (...input) => JSON.parse(run('predict', '--model', join(work, 'model'), ...input, '--json')).predictions[0];
      known[name] = of(join(work, `${name}.npy`));
      // it reads what lies straight from the files too; what lies obliquely only as a crop
      if (name !== 'oblique') for (const input of [file, dir]) equal(of(input, ...place).probabilities, name);
    }
    assert.ok(Math.abs(known.oblique.probabilities.benign - known.identity.probabilities.benign) < 0.02, 'resampling changes little');
  });

  for (const name of Object.keys(DIRECTIONS)) {
    await test(`NiiVue, ${name}`, async () => {
      const page = await open('niivue');
      await page.locator('#scan').setInputFiles(join(work, `${name}.nii`));
      await page.waitForFunction(() => example.viewer.volumes.length === 1);
      await page.evaluate(([x, y, z]) => {
        const { viewer } = example;
        viewer.setSliceType(0);
        Object.assign(viewer.opts, { crosshairWidth: 0 });
        viewer.scene.crosshairPos = viewer.mm2frac([-x, -y, z], 0, true);
        viewer.drawScene();
      }, centre);
      const before = await shot(page, 'canvas', `niivue-${name}-before`);
      // a double click in the middle of the nodule, which the cross-hair is at already
      const found = await page.evaluate(async ([x, y, z]) => {
        const shown = await example.predict([-x, -y, z]);
        return { probabilities: shown?.probabilities, said: document.querySelector('output').textContent, overlays: example.viewer.volumes.length - 1 };
      }, centre);
      assert.ok(found.probabilities, found.said);
      equal(found.probabilities, name);
      assert.match(found.said, /^benign 0\.\d+, unsure 0\.\d+, malignant 0\.\d+$/);
      assert.equal(found.overlays, 1);
      const after = await shot(page, 'canvas', `niivue-${name}`);
      const heat = await explained(page, name);
      const toMm = `
        const { viewer } = example;
        const frac = viewer.canvasPos2frac([x, y]);
        if (frac[0] < 0) return undefined;
        const mm = viewer.frac2mm(frac, 0, true);
        return [-mm[0], -mm[1], mm[2]];`;
      console.log(`   ${await liesThere(page, [before, after], toMm, { heat, centre, sides })}`);
      await page.evaluate(() => example.predict([1e4, 0, 0]));
      assert.match(await page.locator('output').textContent(), /outside of the volume/);
      assert.equal(await page.evaluate(() => example.viewer.volumes.length), 1, 'the heat map is gone');
      assert.deepEqual(page.faults, []);
      await page.close();
    });

    await test(`Cornerstone3D, ${name}`, async () => {
      const page = await open('cornerstone');
      const dir = join(work, `${name}-series`);
      const files = Array.from({ length: scan.dims[2] }, (_, k) => join(dir, `${String(k).padStart(4, '0')}.dcm`));
      await page.locator('#files').setInputFiles(files);
      await page.waitForFunction(() => /Double-click/.test(document.querySelector('output').textContent) && example.viewport.getVolumeId?.());
      await page.evaluate(async (point) => {
        const { viewport, core } = example;
        const volume = core.cache.getVolume(viewport.getVolumeId());
        while (!volume.loadStatus.loaded) await new Promise((r) => setTimeout(r, 50));
        const { focalPoint, position } = viewport.getCamera();
        const shift = point.map((v, i) => v - focalPoint[i]);
        viewport.setCamera({ focalPoint: point, position: position.map((v, i) => v + shift[i]) });
        viewport.render();
      }, centre);
      await page.waitForTimeout(300);
      const before = await shot(page, '#view', `cornerstone-${name}-before`);
      const [x, y] = await page.evaluate((point) => example.viewport.worldToCanvas(point), centre);
      await page.locator('#view').dblclick({ position: { x: Math.round(x), y: Math.round(y) } });
      await page.waitForFunction(() => /benign/.test(document.querySelector('output').textContent), undefined, { timeout: 20000 });
      // where the mouse was is not quite the centre
      const found = await page.evaluate(async (point) => (await example.predict(point))?.probabilities ?? document.querySelector('output').textContent, centre);
      equal(found, name);
      await page.waitForTimeout(300);
      const after = await shot(page, '#view', `cornerstone-${name}`);
      const heat = await explained(page, name);
      const toMm = 'return Array.from(example.viewport.canvasToWorld([x, y]));';
      console.log(`   ${await liesThere(page, [before, after], toMm, { heat, centre, sides })}`);
      const left = await page.evaluate(async () => {
        await example.predict([1e4, 0, 0]);
        return example.viewport.getActors().length;
      });
      assert.equal(left, 1, 'the heat map is gone');
      assert.match(await page.locator('output').textContent(), /outside of the volume/);
      assert.deepEqual(page.faults, []);
      await page.close();
    });
  }

  await test('Cornerstone3D: volumes that are coming, stored values, missing slices, another modality', async () => {
    const page = await open('cornerstone');
    const { dims, spacing, origin, hu } = volumes.identity;
    const found = await page.evaluate(async ({ dims, spacing, origin, hu, centre, diameter }) => {
      const { core, predictAt } = example;
      const [width, height, depth] = dims;
      const raw = Uint16Array.from(hu, (v) => v + 1024);
      const number = (id) => Number(id.split('/')[1]);
      // values as they are stored, a slice every few ms
      const image = (imageId) => {
        const scalarData = raw.slice(number(imageId) * width * height, (number(imageId) + 1) * width * height);
        return {
          imageId, rows: height, columns: width, height, width, color: false, rgba: false, slope: 1, intercept: -1024, minPixelValue: 0,
          maxPixelValue: 4095, windowCenter: 400, windowWidth: 1500, columnPixelSpacing: spacing[0], rowPixelSpacing: spacing[1], numberOfComponents: 1,
          sizeInBytes: scalarData.byteLength, dataType: 'Uint16Array', getPixelData: () => scalarData,
          voxelManager: core.utilities.VoxelManager.createImageVoxelManager({ width, height, scalarData, numberOfComponents: 1 }),
        };
      };
      const load = (imageId) => ({ promise: new Promise((resolve, reject) => setTimeout(() => {
        if (imageId.startsWith('gap') && number(imageId) === 40) reject(new Error('gone'));
        else resolve(image(imageId));
      }, 40 * number(imageId))) });
      core.metaData.addProvider((type, id) => {
        if (!/^(slow|gap|mr):/.test(id)) return undefined;
        if (type === 'imagePlaneModule') {
          return {
            imageOrientationPatient: [1, 0, 0, 0, 1, 0], rowCosines: [1, 0, 0], columnCosines: [0, 1, 0], rows: height, columns: width,
            imagePositionPatient: [origin[0], origin[1], origin[2] + number(id) * spacing[2]], rowPixelSpacing: spacing[1], columnPixelSpacing: spacing[0],
            pixelSpacing: [spacing[1], spacing[0]], sliceThickness: spacing[2], frameOfReferenceUID: '1.2',
          };
        }
        if (type === 'imagePixelModule') {
          return { bitsAllocated: 16, bitsStored: 16, highBit: 15, samplesPerPixel: 1, pixelRepresentation: 0, photometricInterpretation: 'MONOCHROME2' };
        }
        if (type === 'generalSeriesModule') return { modality: id.startsWith('mr') ? 'MR' : 'CT', seriesInstanceUID: '1.3' };
        return undefined;
      }, 1e5);
      const out = {};
      for (const scheme of ['slow', 'gap', 'mr']) {
        core.imageLoader.registerImageLoader(scheme, load);
        const imageIds = Array.from({ length: depth }, (_, k) => `${scheme}:/${k}`);
        const volume = await core.volumeLoader.createAndCacheVolume(`${scheme}-volume`, { imageIds });
        const say = (e) => `${e.code}: ${e.message}`;
        if (scheme === 'slow') {
          out.aborted = await predictAt(volume.volumeId, centre, diameter, { signal: AbortSignal.timeout(300) }).then(() => 'none', say);
          out.early = volume.framesProcessed;
        }
        out[scheme] = await predictAt(volume.volumeId, centre, diameter).then((p) => p.probabilities, say);
      }
      out.nowhere = await predictAt('nothing', centre, diameter).catch((e) => `${e.code}: ${e.message}`);
      return out;
    }, { dims, spacing, origin, hu: Array.from(hu), centre, diameter });
    assert.match(found.aborted, /^aborted: /);
    assert.ok(found.early < dims[2], `${found.early} slices when it was asked`);
    equal(found.slow, 'identity');
    assert.match(found.gap, /^input: .*(slice 40 is not there|not all of its slices)/);
    assert.match(found.mr, /^input: MR has no HU; show a CT/);
    assert.match(found.nowhere, /^input: there is no volume nothing/);
    await page.close();
  });

  await test('NiiVue: several volumes, colour, and voxels that are not there', async () => {
    const page = await open('niivue');
    await page.locator('#scan').setInputFiles(join(work, 'identity.nii'));
    await page.waitForFunction(() => example.viewer.volumes.length === 1);
    const found = await page.evaluate(async ([point, diameter]) => {
      const { viewer, predictAt } = example;
      const ras = [-point[0], -point[1], point[2]];
      const say = (e) => `${e.code}: ${e.message}`;
      const [first] = viewer.volumes;
      const ask = (volume) => predictAt(viewer, ras, diameter, { volume, heat: false }).then((p) => p.probabilities, say);
      const empty = Object.assign(Object.create(first), { id: 'empty', name: 'empty', img: undefined });
      const colour = Object.assign(Object.create(first), { id: 'colour', name: 'colour', img: new Uint8Array(3 * first.img.length) });
      const series = Object.assign(Object.create(first), {
        id: 'series', frame4D: 1, img: Float32Array.from({ length: 2 * first.img.length }, (_, i) => (i < first.img.length ? 0 : first.img[i - first.img.length])),
        hdr: { ...first.hdr, dims: [4, ...first.hdr.dims.slice(1, 4), 2, 1, 1, 1] },
      });
      viewer.volumes.push(empty, colour, series);
      return { byIndex: await ask(0), byId: await ask(first.id), second: await ask('series'), empty: await ask('empty'), colour: await ask(2), none: await ask(9) };
    }, [centre, diameter]);
    for (const name of ['byIndex', 'byId', 'second']) equal(found[name], 'identity');
    assert.match(found.empty, /^input: empty: its voxels are not there yet/);
    assert.match(found.colour, /^input: colour: a colour image has no HU/);
    assert.match(found.none, /^input: the viewer shows no volume 9/);
    await page.close();
  });

  /** The heat map of the class predicted, from the crop that the test cut. */
  async function explained(page, name) {
    const crop = cropOf(volumes[name], centre, sides);
    return page.evaluate(async (data) => {
      const { data: heat } = await example.clip.explain({ data: Float32Array.from(data), dims: [32, 32, 32], unit: 'HU' });
      return Array.from(heat);
    }, Array.from(crop));
  }

  site.close();
}

/**
 * The extension in OHIF as it is published: `@ohif/app`'s own files, our `app-config.js`, the package beside it, and a study that the test
 * writes. SCREENSHOTS names a folder to keep what was seen.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { web } from './fixture.mjs';
import { looks } from './picture.mjs';
import { CANARY, DIRECTIONS, scanOf, turned, writeSeries } from './series.mjs';
import { headerOf } from '../dist/sr/source.js';
import { serve } from './serve.mjs';

const VERSION = '3.13.2';
/** A series of LIDC-IDRI with one annotated nodule (LPS, mm). */
const REAL = join(web, '../../shared/data/lidc-series/LIDC-IDRI-0002.tar.xz');
const ANNOTATED = { centre: [59.817662, 71.683023, -103.194322], diameter: 24.007 };
/** As examples/ohif/README.md has it: OHIF's own pages have scripts in them. */
const POLICY = /```text\n([^]*?)```/.exec(readFileSync(join(web, '../examples/ohif/README.md'), 'utf8'))[1].replace(/\s+/g, ' ').trim();

/** The folder of OHIF's files: fetched once, and kept beside the packages. */
function viewer() {
  const folder = join(web, 'node_modules/.cache', `ohif-${VERSION}`);
  if (!existsSync(join(folder, 'package/dist/index.html'))) {
    mkdirSync(folder, { recursive: true });
    const name = execFileSync('npm', ['pack', '--silent', '--pack-destination', folder, `@ohif/app@${VERSION}`], { encoding: 'utf8' }).trim();
    execFileSync('tar', ['-xzf', join(folder, name), '-C', folder]);
  }
  return join(folder, 'package/dist');
}

export default async function ({ work, run, browser }, test) {
  const data = join(work, 'ohif');
  const scan = scanOf(join(work, 'set'));
  const [nodule, other] = scan.nodules;
  const series = [
    { name: 'straight', volume: turned(scan, DIRECTIONS.identity), modality: 'CT' },
    { name: 'mirrored', volume: turned(scan, DIRECTIONS.flipped), modality: 'CT' },
    { name: 'resonance', volume: turned(scan, DIRECTIONS.identity), modality: 'MR' },
  ].map((s, i) => ({ ...s, slices: writeSeries(join(data, s.name), s.volume, { number: i + 1, modality: s.modality, description: s.name }) }));
  const site = await serve({
    '/': viewer(), '/packages/clip-lung/dist/': join(web, 'dist'), '/models/clip-lung/': join(work, 'model'), '/data/': data,
  }, POLICY, { routes: true });
  site.replaced['/app-config.js'] = readFileSync(join(web, '../examples/ohif/app-config.js'), 'utf8');
  const { StudyInstanceUID } = series[0].slices[0].metadata;
  writeFileSync(join(data, 'study.json'), JSON.stringify({
    studies: [{
      StudyInstanceUID, StudyDate: '20260102', StudyTime: '030405', PatientName: CANARY, PatientID: 'TEST-1', AccessionNumber: 'A1', Modalities: 'CT\\MR',
      NumInstances: series.reduce((n, s) => n + s.slices.length, 0),
      series: series.map(({ name, modality, slices }, i) => ({
        SeriesInstanceUID: slices[0].metadata.SeriesInstanceUID, SeriesNumber: i + 1, Modality: modality, SeriesDescription: name,
        instances: slices.map((s) => ({ url: `dicomweb:${site.url}/data/${name}/${s.name}`, metadata: s.metadata })),
      })),
    }],
  }));

  const faults = [];
  const page = await browser.newPage({ viewport: { width: 1280, height: 800 } });
  page.on('console', (m) => /Content Security Policy/.test(m.text()) && faults.push(m.text()));
  page.on('request', (r) => /^https?:/.test(r.url()) && !r.url().startsWith(`${site.url}/`) && faults.push(r.url()));
  page.on('pageerror', (e) => faults.push(e.message));
  const panel = page.locator('clip-lung-panel');
  const view = () => page.evaluate(() => cornerstone.getEnabledElements().map(({ viewport: { id, type } }) => `${id} ${type}`).join());

  /** Shows the slice of the active viewport nearest to a point, and drags a tool's measurement over it. */
  async function measure(tool, centre, ends) {
    await page.evaluate(async (c) => {
      const { viewport } = cornerstone.getEnabledElements()[0];
      const away = viewport.getImageIds().map((id) => Math.abs(cornerstone.metaData.get('imagePlaneModule', id).imagePositionPatient[2] - c[2]));
      await viewport.setImageIdIndex(away.indexOf(Math.min(...away)));
      viewport.render();
    }, centre);
    if (tool === 'Length') await page.locator('[data-cy=MeasurementTools-split-button-primary]').click();
    else {
      await page.locator('[data-cy=MeasurementTools-split-button-secondary]').click();
      await page.locator(`[data-cy=${tool}]`).last().click();
    }
    await page.waitForTimeout(500);
    const [from, to] = await page.evaluate((points) => {
      const { viewport } = cornerstone.getEnabledElements()[0];
      const { x, y } = viewport.canvas.getBoundingClientRect();
      return points.map((p) => viewport.worldToCanvas(p)).map(([a, b]) => [x + a, y + b]);
    }, ends);
    await page.mouse.move(...from);
    await page.mouse.down();
    for (const share of [0.3, 0.6, 1]) await page.mouse.move(...from.map((v, i) => v + share * (to[i] - v)), { steps: 3 });
    await page.mouse.up();
  }

  /** What the panel says of its last nodule, once it says anything. */
  async function said() {
    const box = panel.locator('section').last();
    await box.locator('dl, .failure').first().waitFor({ timeout: 60000 });
    const shares = await box.locator('dd:nth-of-type(2n)').allTextContents();
    return { text: await box.textContent(), shares: shares.map(Number) };
  }

  /** The command line at the last measurement's own place: middle and length of its long axis. */
  async function natively(name) {
    const points = await page.evaluate(() => cornerstoneTools.annotation.state.getAllAnnotations()
      .filter((a) => ['Length', 'Bidirectional'].includes(a.metadata.toolName)).at(-1).data.handles.points.map((p) => Array.from(p)));
    const [a, b] = points;
    const [centre, diameter] = [a.map((v, i) => (v + b[i]) / 2), Math.hypot(...a.map((v, i) => v - b[i]))];
    const place = ['--centre', centre.join(','), '--diameter', String(diameter)];
    const { probabilities } = JSON.parse(run('predict', '--model', join(work, 'model'), join(data, name), ...place, '--json')).predictions[0];
    return { diameter, shares: Object.values({ benign: 0, unsure: 0, malignant: 0, ...probabilities }) };
  }
  const equal = (found, known) => {
    assert.equal(found.shares.length, 3, found.text);
    found.shares.forEach((v, i) => assert.ok(Math.abs(v - known.shares[i]) <= 1e-4, `${found.text}; natively ${known.shares}`));
    assert.ok(found.text.includes(`${known.diameter.toFixed(1)} mm`), found.text);
  };
  const across = ({ centre, diameter }, way) => [-0.5, 0.5].map((s) => centre.map((v, i) => v + s * diameter * way[i]));

  await test('OHIF opens a study in the mode, with the panel beside its own', async () => {
    await page.goto(`${site.url}/clip-lung/dicomjson?url=${site.url}/data/study.json`);
    await page.locator('[data-cy=nodules-btn]').waitFor({ timeout: 60000 });
    await page.locator('[data-cy=trackedMeasurements-btn]').waitFor();
    await page.locator('[data-cy=confirm-and-hide-button]').click();
    await page.waitForFunction(() => cornerstone.getEnabledElements()[0]?.viewport.getImageIds?.().length > 0, undefined, { timeout: 60000 });
    assert.match(await view(), /stack/);
    assert.equal(await panel.count(), 0, 'closed until a nodule is measured');
  });

  await test("a length opens the panel with the command line's probabilities", async () => {
    await measure('Length', nodule.centre, across(nodule, [1, 0, 0]));
    const found = await said();
    equal(found, await natively('straight'));
    assert.ok(Math.abs(parseFloat(/, ([\d.]+) mm/.exec(found.text)[1]) - nodule.diameter) < 0.5, found.text);
    const all = await panel.evaluate((p) => p.shadowRoot.textContent);
    for (const part of ['Research use only', 'Trained on drawn images', 'the CPU', 'Closest words', 'lidc-phantom']) assert.ok(all.includes(part), `${part}: ${all}`);
  });

  await test("OHIF's own dialog asks to track, and tracking works", async () => {
    await page.getByRole('button', { name: 'Yes', exact: true }).click();
    await page.locator('[data-cy=trackedMeasurements-btn]').click();
    await page.locator('[data-cy="trackedMeasurements-panel"]').getByText('mm', { exact: false }).first().waitFor();
    await page.locator('[data-cy=nodules-btn]').click();
    assert.equal(await panel.locator('section').count(), 1, 'the nodule is still there');
    await looks(page, 'ohif', process.env.SCREENSHOTS ?? mkdtempSync(join(tmpdir(), 'clip-lung-ohif-')));
  });

  await test('a report of the nodule', async () => {
    const [download] = await Promise.all([page.waitForEvent('download'), panel.getByRole('button', { name: 'Report' }).click()]);
    const file = join(work, download.suggestedFilename());
    await download.saveAs(file);
    const bytes = readFileSync(file);
    const { shares } = await natively('straight');
    assert.equal(bytes.toString('latin1').split(CANARY).length, 2);
    assert.ok(bytes.includes('P-MALIGNANT') && bytes.includes(shares[2].toFixed(3)), `${shares}`);
    try {
      const checked = execFileSync('sh', ['-c', `dciodvfy "${file}" 2>&1`], { encoding: 'utf8' });
      assert.ok(checked.includes('Comprehensive3DSR') && !checked.includes('Error'), checked);
    } catch (error) {
      if (error.status !== 127) throw error;
      console.log('   skipped: dciodvfy (dicom3tools) is not installed');
    }
  });

  /** Shows another series in the viewport. */
  async function show(name) {
    await page.locator('[data-cy=study-browser-thumbnail]', { hasText: name }).dblclick();
    const uid = series.find((s) => s.name === name).slices[0].metadata.SeriesInstanceUID;
    await page.waitForFunction((uid) => {
      const id = cornerstone.getEnabledElements()[0]?.viewport.getCurrentImageId?.();
      return id && cornerstone.metaData.get('generalSeriesModule', id)?.seriesInstanceUID === uid;
    }, uid, { timeout: 30000 });
  }

  await test('a bidirectional measurement in a second series, which is mirrored', async () => {
    await show('mirrored');
    await measure('Bidirectional', other.centre, across(other, [0, 1, 0]));
    await panel.locator('section').nth(1).waitFor();
    equal(await said(), await natively('mirrored'));
  });

  await test('a measurement on another modality is told, and not predicted', async () => {
    await show('resonance');
    await measure('Length', nodule.centre, across(nodule, [1, 0, 0]));
    await panel.locator('section').nth(2).waitFor();
    assert.match((await said()).text, /MR has no HU; measure on a CT/);
  });

  await test('removing takes measurement and prediction away', async () => {
    const left = () => page.evaluate(() => cornerstoneTools.annotation.state.getAllAnnotations().filter((a) => ['Length', 'Bidirectional'].includes(a.metadata.toolName)).length);
    assert.equal(await left(), 3);
    await panel.getByRole('button', { name: 'Remove' }).last().click();
    await panel.locator('section').nth(2).waitFor({ state: 'detached' });
    assert.equal(await left(), 2);
  });

  await test('a real series', async () => {
    if (!existsSync(REAL)) return console.log(`   skipped: ${REAL} is missing`);
    const dir = join(data, 'real');
    mkdirSync(dir);
    execFileSync('tar', ['-xJf', REAL, '-C', dir, '--strip-components=3', '--wildcards', '*.dcm']);
    const instances = readdirSync(dir).map((name) => ({ url: `dicomweb:${site.url}/data/real/${name}`, metadata: metadataOf(readFileSync(join(dir, name))) }));
    const { StudyInstanceUID, SeriesInstanceUID } = instances[0].metadata;
    const series = [{ SeriesInstanceUID, SeriesNumber: 1, Modality: 'CT', SeriesDescription: 'real', instances }];
    writeFileSync(join(data, 'real.json'), JSON.stringify({ studies: [{ StudyInstanceUID, PatientName: 'none', Modalities: 'CT', NumInstances: instances.length, series }] }));
    await page.goto(`${site.url}/clip-lung/dicomjson?url=${site.url}/data/real.json`);
    await page.waitForFunction(() => globalThis.cornerstone?.getEnabledElements()[0]?.viewport.getImageIds?.().length > 200, undefined, { timeout: 60000 });
    await measure('Length', ANNOTATED.centre, across(ANNOTATED, [1, 0, 0]));
    const found = await said();
    equal(found, await natively('real'));
    console.log(`   ${found.text}`);
  });

  assert.deepEqual(faults, [], 'nothing is fetched from elsewhere, and the policy holds');
  await page.close();
  site.close();
}

/** What OHIF needs to know of a slice. */
function metadataOf(bytes) {
  const found = headerOf(bytes, 0x00281053);
  const text = (tag) => Buffer.from(found.get(tag) ?? []).toString('latin1').replace(/[\0 ]+$/, '');
  const numbers = (tag) => text(tag).split('\\').map(Number);
  const short = (tag) => Buffer.from(found.get(tag)).readUInt16LE();
  return {
    SOPClassUID: text(0x00080016), SOPInstanceUID: text(0x00080018), Modality: text(0x00080060), StudyInstanceUID: text(0x0020000d),
    SeriesInstanceUID: text(0x0020000e), InstanceNumber: Number(text(0x00200013)), ImagePositionPatient: numbers(0x00200032),
    ImageOrientationPatient: numbers(0x00200037), FrameOfReferenceUID: text(0x00200052), SamplesPerPixel: 1, PhotometricInterpretation: 'MONOCHROME2',
    Rows: short(0x00280010), Columns: short(0x00280011), PixelSpacing: numbers(0x00280030), BitsAllocated: short(0x00280100),
    BitsStored: short(0x00280101), HighBit: short(0x00280102), PixelRepresentation: short(0x00280103), WindowCenter: -600, WindowWidth: 1500,
    RescaleIntercept: Number(text(0x00281052)), RescaleSlope: Number(text(0x00281053)), PatientName: 'none', PatientID: 'none',
  };
}

/**
 * The extension in OHIF as it is published: `@ohif/app`'s own files, our `app-config.js`, the package beside it, and a study that the test
 * writes. SCREENSHOTS names a folder to keep what was seen.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { web } from './fixture.mjs';
import { across, equal, last, measure, natively, POLICY, said, viewer, visit } from './measuring.mjs';
import { looks } from './picture.mjs';
import { CANARY, cropOf, DIRECTIONS, npy, scanOf, turned, writeSeries } from './series.mjs';
import { headerOf } from '../dist/sr/source.js';
import { serve } from './serve.mjs';
import { liesThere } from './warmth.mjs';

/** A series of LIDC-IDRI with one annotated nodule (LPS, mm). */
const REAL = join(web, '../../shared/data/lidc-series/LIDC-IDRI-0002.tar.xz');
const ANNOTATED = { centre: [59.817662, 71.683023, -103.194322], diameter: 24.007 };

export default async function ({ work, run, browser }, test) {
  const data = join(work, 'ohif');
  const scan = scanOf(join(work, 'set'));
  const [nodule, other] = scan.nodules;
  const series = [
    { name: 'straight', volume: turned(scan, DIRECTIONS.identity), modality: 'CT' },
    { name: 'mirrored', volume: turned(scan, DIRECTIONS.flipped), modality: 'CT' },
    { name: 'oblique', volume: turned(scan, DIRECTIONS.oblique), modality: 'CT' },
    { name: 'resonance', volume: turned(scan, DIRECTIONS.identity), modality: 'MR' },
  ].map((s, i) => ({ ...s, slices: writeSeries(join(data, s.name), s.volume, { number: i + 1, modality: s.modality, description: s.name }) }));
  // the model's words are shown only where its text encoder knew what they mean
  const named = join(work, 'ohif-model');
  cpSync(join(work, 'model'), named, { recursive: true });
  const config = JSON.parse(readFileSync(join(named, 'config.json'), 'utf8'));
  writeFileSync(join(named, 'config.json'), JSON.stringify({ ...config, metadata: { ...config.metadata, text_encoder: 'CLIP ViT-B/32' } }));
  const site = await serve({
    '/': viewer(), '/packages/clip-lung/dist/': join(web, 'dist'), '/models/clip-lung/': named, '/data/': data,
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

  const { page, faults, panel } = await visit(browser, site.url);
  const view = () => page.evaluate(() => cornerstone.getEnabledElements().map(({ viewport: { id, type } }) => `${id} ${type}`).join());

  const model = join(work, 'model');
  /** The command line at the last measurement's own place. */
  const command = async (name) => natively(run, await last(page), '--model', model, join(data, name));
  /** The box that the model is given, twice the diameter, as the test cuts it from a volume. */
  const cropped = (name, { centre, diameter }) => {
    const sides = [2, 2, 2].map((n) => n * diameter);
    return { sides, crop: cropOf(series.find((s) => s.name === name).volume, centre, sides) };
  };

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
    await measure(page, 'Length', nodule.centre, across(nodule, [1, 0, 0]));
    const found = await said(panel);
    equal(found, await command('straight'));
    assert.ok(Math.abs(parseFloat(/, ([\d.]+) mm/.exec(found.text)[1]) - nodule.diameter) < 0.5, found.text);
    const all = await panel.evaluate((p) => p.shadowRoot.textContent);
    for (const part of ['Research use only', 'Trained on drawn images', 'the CPU', 'Words closer than average: ', 'lidc-phantom']) assert.ok(all.includes(part), `${part}: ${all}`);
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
    const { shares } = await command('straight');
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

  /** Lays the heat map of the last nodule, looks where it lies, pixel by pixel, and takes it away. */
  async function heated(name) {
    const { centre, diameter } = await last(page);
    const { sides, crop } = cropped(name, { centre, diameter });
    const heat = await page.evaluate(async (data) => {
      const { ClipLung } = await import('/packages/clip-lung/dist/index.js');
      const clip = await ClipLung.from('/models/clip-lung', { device: 'wasm' });
      const { data: heat } = await clip.explain({ data: Float32Array.from(data), dims: [32, 32, 32], unit: 'HU' });
      clip.dispose();
      return Array.from(heat);
    }, Array.from(crop));
    // what is drawn of the scan, without the measurement over it
    const drawn = async () => {
      await page.waitForTimeout(400);
      return Buffer.from(await page.evaluate(() => cornerstone.getEnabledElements()[0].viewport.canvas.toDataURL('image/png').split(',')[1]), 'base64');
    };
    const [box, kept] = [panel.locator('section').last(), () => page.evaluate(() => cornerstoneTools.segmentation.state.getSegmentations().length)];
    const before = await drawn();
    await box.getByRole('button', { name: 'Heat map', exact: true }).click();
    await box.getByRole('button', { name: 'Hide heat map' }).waitFor({ timeout: 20000 });
    const toMm = 'return Array.from(cornerstone.getEnabledElements()[0].viewport.canvasToWorld([x, y]));';
    console.log(`   ${await liesThere(page, [before, await drawn()], toMm, { heat, centre, sides })}`);
    if (process.env.SCREENSHOTS) await page.screenshot({ path: join(process.env.SCREENSHOTS, `ohif-heat-${name}.png`) });
    assert.equal(await kept(), 1);
    await box.getByRole('button', { name: 'Hide heat map' }).click();
    await box.getByRole('button', { name: 'Heat map', exact: true }).waitFor();
    assert.ok(before.equals(await drawn()), 'as it was before');
    assert.equal(await kept(), 0);
  }

  await test('the heat map is a segmentation over the series, where the nodule is', () => heated('straight'));

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
    await measure(page, 'Bidirectional', other.centre, across(other, [0, 1, 0]));
    await panel.locator('section').nth(1).waitFor();
    equal(await said(panel), await command('mirrored'));
    await heated('mirrored');
  });

  await test('a heat map goes with its nodule', async () => {
    await panel.locator('section').last().getByRole('button', { name: 'Heat map', exact: true }).click();
    await panel.getByRole('button', { name: 'Hide heat map' }).waitFor({ timeout: 20000 });
    await panel.locator('section').last().getByRole('button', { name: 'Remove' }).click();
    await panel.locator('section').nth(1).waitFor({ state: 'detached' });
    assert.equal(await page.evaluate(() => cornerstoneTools.segmentation.state.getSegmentations().length), 0);
    assert.equal(await panel.locator('section').first().getByRole('button', { name: 'Store' }).count(), 0, 'DICOM JSON takes no report');
  });

  await test('a length in a series that lies obliquely: the crop lies along the patient, and so does the heat map', async () => {
    await show('oblique');
    await measure(page, 'Length', nodule.centre, across(nodule, DIRECTIONS.oblique[0]));
    await panel.locator('section').nth(1).waitFor();
    const at = await last(page);
    writeFileSync(join(work, 'oblique.npy'), npy(cropped('oblique', at).crop));
    // the command line reads what lies obliquely only as a crop
    const { probabilities } = JSON.parse(run('predict', '--model', model, join(work, 'oblique.npy'), '--json')).predictions[0];
    equal(await said(panel), { diameter: at.diameter, shares: ['benign', 'unsure', 'malignant'].map((name) => probabilities[name]) });
    await heated('oblique');
    // the first nodule's series is not shown
    await panel.getByRole('button', { name: 'Heat map', exact: true }).first().click();
    await panel.getByText('No heat map: its series is in no viewport; show it first').waitFor({ timeout: 20000 });
    await panel.locator('section').last().getByRole('button', { name: 'Remove' }).click();
    await panel.locator('section').nth(1).waitFor({ state: 'detached' });
  });

  await test('a measurement on another modality is told, and not predicted', async () => {
    await show('resonance');
    await measure(page, 'Length', nodule.centre, across(nodule, [1, 0, 0]));
    await panel.locator('section').nth(1).waitFor();
    assert.match((await said(panel)).text, /MR has no HU; measure on a CT/);
  });

  await test('removing takes measurement and prediction away', async () => {
    const left = () => page.evaluate(() => cornerstoneTools.annotation.state.getAllAnnotations().filter((a) => ['Length', 'Bidirectional'].includes(a.metadata.toolName)).length);
    assert.equal(await left(), 2);
    await panel.getByRole('button', { name: 'Remove' }).last().click();
    await panel.locator('section').nth(1).waitFor({ state: 'detached' });
    assert.equal(await left(), 1);
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
    await measure(page, 'Length', ANNOTATED.centre, across(ANNOTATED, [1, 0, 0]));
    const found = await said(panel);
    equal(found, await command('real'));
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

/** Structured reports: the browser's bytes are the command line's, from the same findings. */
import assert from 'node:assert/strict';
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { CANARY, DIRECTIONS, scanOf, turned, writeSeries } from './series.mjs';

const WORDS = ['subtlety', 'internal structure', 'calcification', 'sphericity', 'margin', 'lobulation', 'spiculation', 'texture'];

export default async function ({ work, run, browser, open }, test) {
  const dir = join(work, 'report-series');
  const scan = scanOf(join(work, 'set'));
  const volume = turned(scan, DIRECTIONS.flipped);
  const slices = writeSeries(dir, volume);
  const list = join(work, 'report.json');
  // three nodules, and a place where there is none
  const places = [...scan.nodules, { id: 'none', centre: scan.first.map((v, i) => v + 12 * scan.spacing[i]), diameter: 6 }];
  writeFileSync(list, JSON.stringify(places.map(({ id, centre, diameter }) => ({ id: `nodule ${id}`, frame: 'lps', centre, diameter_mm: diameter }))));
  const page = await open(await browser.newContext());
  const known = {};
  const model = (name) => join(work, name);

  await test('the command line writes a report of a series', async () => {
    run('train', '--data', join(work, 'set'), '--out', join(work, 'two-run'), '--method', 'ce', '--task', 'lidc-c', '--epochs', '1');
    run('export', join(work, 'two-run'), '--out', model('two'), '--dtype', 'f16');
    // with the rule for places that are no nodule
    run('export', join(work, 'run'), '--out', model('guarded'), '--dtype', 'f16', '--guard', join(work, 'set'));
    for (const name of ['guarded', 'two']) {
      const words = ['predict', '--model', model(name), dir, '--nodules', list, '--sr', join(work, `reports-${name}`), '--json'];
      const { predictions } = JSON.parse(run(...words));
      const [file] = readdirSync(join(work, `reports-${name}`));
      const findings = predictions.map((p, i) => {
        const explain = ['explain', '--model', model(name), dir, '--nodules', list, '--index', String(i), '--out', join(work, 'h.png'), '--json'];
        const { attributes } = JSON.parse(run(...explain));
        const scores = Object.keys(attributes).length ? Object.fromEntries(WORDS.map((w) => [w, attributes[w]])) : undefined;
        const { centre_mm: centre, diameter_mm: diameter } = p.crop;
        const reaches = ({ position }) => Math.abs(position[2] - centre[2]) <= Math.max(diameter / 2, scan.spacing[2] / 2);
        return { id: p.id, centre, diameter, slices: slices.filter(reaches).map((s) => s.sop), prediction: { probabilities: p.probabilities, label: p.class, attributes: scores, set: p.set, reason: p.reason } };
      });
      known[name] = { file, bytes: readFileSync(join(work, `reports-${name}`, file)), findings };
    }
    assert.equal(known.guarded.findings.length, 4);
    assert.match(known.guarded.findings[3].prediction.reason, /not like a nodule/);
    assert.ok(known.guarded.bytes.includes(known.guarded.findings[3].prediction.reason), 'the report says so');
    assert.equal(known.two.findings[0].prediction.attributes, undefined);
  });

  /** The page's report as base64, or the message of its error. */
  const made = (name, from, findings, moment) => page.evaluate(async ({ name, from, findings, moment }) => {
    const { report, sourceOf, sourceOfMetadata } = await import('/dist/sr/index.js');
    const info = await (await fetch(`/work/${name}/config.json`)).json();
    try {
      const file = from.url ? new Uint8Array(await (await fetch(from.url)).arrayBuffer()) : undefined;
      const source = file ? sourceOf(file.subarray(0, from.end ?? file.length)) : sourceOfMetadata(from.metadata);
      const start = performance.now();
      const { bytes, sopInstanceUid } = await report(source, info, findings, moment);
      return { base64: btoa(Array.from(bytes, (b) => String.fromCharCode(b)).join('')), sopInstanceUid, ms: performance.now() - start };
    } catch (e) {
      return { error: `${e.code}: ${e.message}` };
    }
  }, { name, from, findings, moment });
  const momentOf = (bytes) => {
    const value = (tag, vr) => new RegExp(`\\x08\\x00${tag}\\x00${vr}..(\\d+)`, 's').exec(bytes.toString('latin1'))[1];
    return { date: value('\\x23', 'DA'), time: value('\\x33', 'TM') };
  };
  const url = `/work/report-series/${slices[0].name}`;

  for (const [name, what] of [['guarded', 'three classes and attributes'], ['two', 'two classes and none']]) {
    await test(`the browser's bytes are the command line's: ${what}`, async () => {
      const { bytes, file, findings } = known[name];
      const found = await made(name, { url }, findings, momentOf(bytes));
      assert.equal(found.error, undefined);
      assert.equal(`${found.sopInstanceUid}.dcm`, file);
      assert.ok(Buffer.from(found.base64, 'base64').equals(bytes), 'the same bytes');
      assert.equal(bytes.toString('latin1').split(CANARY).length, 2, 'the name stands once');
      console.log(`   ${bytes.length} bytes in ${found.ms.toFixed(0)} ms`);
    });
  }

  await test("from a viewer's metadata, with names beyond ASCII", async () => {
    const { findings, bytes } = known.guarded;
    const metadata = {
      PatientName: [{ Alphabetic: 'Müller^Jürgen' }], PatientID: 'TEST-1', StudyInstanceUID: slices[0].metadata.StudyInstanceUID, SeriesInstanceUID: slices[0].metadata.SeriesInstanceUID,
      SOPClassUID: '1.2.840.10008.5.1.4.1.1.2', FrameOfReferenceUID: '1.2.3', StudyDate: '20260102', PatientComments: 'secret', Rows: 512,
    };
    const found = Buffer.from((await made('guarded', { metadata }, findings, momentOf(bytes))).base64, 'base64').toString('utf8');
    assert.ok(found.includes('ISO_IR 192') && found.includes('Müller^Jürgen') && !found.includes('secret'));
    const without = await made('guarded', { metadata: { ...metadata, FrameOfReferenceUID: undefined } }, findings);
    assert.match(without.error, /^input: FrameOfReferenceUID is missing/);
  });

  await test('typed errors for what is no slice', async () => {
    const { findings } = known.guarded;
    assert.match((await made('guarded', { url: '/work/guarded/config.json' }, findings)).error, /^input: not a DICOM file/);
    for (const end of [140, 200, 400, 600]) assert.match((await made('guarded', { url, end }, findings)).error, /^input: the DICOM file ends within/, `${end}`);
    assert.match((await made('guarded', { url }, [])).error, /^input: a report needs a finding/);
  });

  await test('the writer is small', async () => {
    const size = ['index', 'codes', 'content', 'elements', 'items', 'source', 'uid']
      .reduce((sum, part) => sum + readFileSync(new URL(`../dist/sr/${part}.js`, import.meta.url)).length, 0);
    console.log(`   ${(size / 1024).toFixed(1)} kB of JavaScript`);
    assert.ok(size < 24 * 1024, `${size}`);
  });
  await page.context().close();
}

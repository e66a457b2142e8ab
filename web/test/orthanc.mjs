/**
 * OHIF on a PACS: Orthanc's series come over DICOMweb through one origin, which examples/ohif/nginx.conf makes; the panel says what the
 * command line says of the same PACS, and the report is stored there. SCREENSHOTS names a folder to keep what was seen.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { web } from './fixture.mjs';
import { across, equal, last, measure, natively, POLICY, said, viewer, visit } from './measuring.mjs';
import { missing, pacs } from './pacs.mjs';
import { CANARY, DIRECTIONS, scanOf, turned, writeSeries } from './series.mjs';

/** A series of LIDC-IDRI with one annotated nodule (LPS, mm). */
const REAL = join(web, '../../shared/data/lidc-series/LIDC-IDRI-0002.tar.xz');
const ANNOTATED = { centre: [59.817662, 71.683023, -103.194322], diameter: 24.007 };

export default async function ({ work, run, browser }, test) {
  const lacking = missing();
  if (lacking.length) return console.log(`   skipped: not installed: ${lacking.join(', ')} (Debian: orthanc orthanc-dicomweb nginx-light)`);
  const data = join(work, 'pacs');
  const scan = scanOf(join(work, 'set'));
  const [nodule] = scan.nodules;
  const slices = writeSeries(join(data, 'straight'), turned(scan, DIRECTIONS.identity), { description: 'straight' });
  const { url, orthanc, close } = await pacs(data, {
    '/srv/ohif/dist': viewer(), '/srv/clip-lung/app-config.js': join(web, '../examples/ohif/app-config.js'), '/srv/clip-lung/dist': join(web, 'dist'),
    '/srv/clip-lung/model': join(work, 'model'), '/srv/clip-lung/page': process.env.CLIP_LUNG_PAGE ?? join(web, 'demo/dist'),
  });
  const { page, faults, panel } = await visit(browser, url);
  const send = async (dir) => {
    for (const name of readdirSync(dir)) assert.ok((await fetch(`${orthanc}/instances`, { method: 'POST', body: readFileSync(join(dir, name)) })).ok, name);
  };
  const query = async (path) => {
    const answer = await fetch(`${url}/dicom-web/${path}`, { headers: { accept: 'application/dicom+json' } });
    return answer.status === 204 ? [] : answer.json();
  };
  const remote = async ({ StudyInstanceUID: study, SeriesInstanceUID: series }) =>
    natively(run, await last(page), '--model', join(work, 'model'), '--dicomweb', `${url}/dicom-web`, '--study', study, '--series', series);
  const shown = (count) => page.waitForFunction((n) => globalThis.cornerstone?.getEnabledElements()[0]?.viewport.getImageIds?.().length === n, count, { timeout: 60000 });
  const { metadata } = slices[0];
  const { StudyInstanceUID: study, SeriesInstanceUID: series } = metadata;

  try {
    await test('one origin: the policy of the README, the page with its model, the package, the PACS', async () => {
      await send(join(data, 'straight'));
      assert.equal((await fetch(`${url}/clip-lung`)).headers.get('content-security-policy'), POLICY);
      assert.equal((await query(`studies/${study}/series`)).length, 1);
      const own = await visit(browser, url);
      await own.page.goto(`${url}/nodules/`);
      await own.page.waitForFunction(() => document.documentElement.dataset.ready);
      assert.deepEqual(own.faults, []);
      await own.page.close();
    });

    await test("a length on a series of Orthanc's: the probabilities of the command line on the same PACS", async () => {
      await page.goto(`${url}/clip-lung?StudyInstanceUIDs=${study}`);
      await page.locator('[data-cy=nodules-btn]').waitFor({ timeout: 60000 });
      await page.locator('[data-cy=confirm-and-hide-button]').click();
      await shown(slices.length);
      await measure(page, 'Length', nodule.centre, across(nodule, [1, 0, 0]));
      const found = await said(panel);
      equal(found, await remote(metadata));
      assert.ok(!found.text.includes('Words'), 'a random text encoder knows none');
    });

    await test('the report is stored in the study, and a query returns it', async () => {
      await panel.getByRole('button', { name: 'Store' }).click();
      await panel.getByText('The report is stored in the study.').waitFor({ timeout: 20000 });
      const found = await query(`studies/${study}/series?Modality=SR`);
      assert.equal(found.length, 1, JSON.stringify(found));
      const [report] = await query(`studies/${study}/series/${found[0]['0020000E'].Value[0]}/metadata`);
      assert.equal(report['00100010'].Value[0].Alphabetic, CANARY);
      const items = within(report['0040A730'].Value);
      const numbers = Object.fromEntries(items.flatMap((one) => (one['0040A300'] ? [[one['0040A043'].Value[0]['00080100'].Value[0], one['0040A300'].Value[0]['0040A30A'].Value[0]]] : [])));
      const [shares, { centre, diameter }] = [(await said(panel)).shares, await last(page)];
      ['P-BENIGN', 'P-UNSURE', 'P-MALIGNANT'].forEach((code, i) => assert.ok(Math.abs(numbers[code] - shares[i]) <= 1e-4, `${code}: ${numbers[code]}, not ${shares[i]}`));
      assert.ok(Math.abs(numbers['81827009'] - diameter) < 1e-3, `${numbers['81827009']}, not ${diameter} mm`);
      const place = items.find((one) => one['00700022'])['00700022'].Value;
      assert.ok(Math.hypot(...place.map((v, i) => v - centre[i])) < 1e-3, `${place}, not ${centre}`);
      assert.equal((await query(`studies/${study}/series/${series}/instances`)).length, slices.length, 'the source is as it was');
      if (process.env.SCREENSHOTS) await page.screenshot({ path: join(process.env.SCREENSHOTS, 'ohif-orthanc.png') });
    });

    await test('OHIF lists the report when the study is opened again', async () => {
      await page.goto(`${url}/clip-lung?StudyInstanceUIDs=${study}`);
      await page.locator('[data-cy^=study-browser-thumbnail]', { hasText: 'clip-lung, research use only' }).first().waitFor({ timeout: 60000 });
    });

    await test('a report that the PACS refuses is told', async () => {
      await shown(slices.length);
      await measure(page, 'Length', nodule.centre, across(nodule, [0, 1, 0]));
      await said(panel);
      await page.route('**/dicom-web/studies', (route) => (route.request().method() === 'POST' ? route.fulfill({ status: 507, body: 'full' }) : route.continue()));
      await panel.getByRole('button', { name: 'Store' }).click();
      await panel.getByText('The report is not stored').waitFor({ timeout: 20000 });
      await page.unroute('**/dicom-web/studies');
    });

    await test('a real series', async () => {
      if (!existsSync(REAL)) return console.log(`   skipped: ${REAL} is missing`);
      const dir = join(data, 'real');
      mkdirSync(dir);
      execFileSync('tar', ['-xJf', REAL, '-C', dir, '--strip-components=3', '--wildcards', '*.dcm']);
      const before = new Set((await query('studies')).map((s) => s['0020000D'].Value[0]));
      await send(dir);
      const uid = (await query('studies')).map((s) => s['0020000D'].Value[0]).find((s) => !before.has(s));
      const [{ '0020000E': { Value: [SeriesInstanceUID] } }] = await query(`studies/${uid}/series`);
      await page.goto(`${url}/clip-lung?StudyInstanceUIDs=${uid}`);
      await shown(readdirSync(dir).length);
      await measure(page, 'Length', ANNOTATED.centre, across(ANNOTATED, [1, 0, 0]));
      const found = await said(panel);
      equal(found, await remote({ StudyInstanceUID: uid, SeriesInstanceUID }));
      console.log(`   ${found.text}`);
    });

    assert.deepEqual(faults, [], 'nothing is fetched from elsewhere, and the policy holds');
  } finally {
    await page.close();
    await close();
  }
}

/** The content items of a report, those within others too. */
function within(items) {
  return items.flatMap((item) => [item, ...within(item['0040A730']?.Value ?? [])]);
}

/** What the tests in OHIF share: its files, the policy, measurements drawn with its tools, what the panel says, and what the command line does. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { web } from './fixture.mjs';

const VERSION = '3.13.2';
/** As examples/ohif/README.md has it: OHIF's own pages have scripts in them. */
export const POLICY = /```text\n([^]*?)```/.exec(readFileSync(join(web, '../examples/ohif/README.md'), 'utf8'))[1].replace(/\s+/g, ' ').trim();

/** The folder of OHIF's files: fetched once, and kept beside the packages. */
export function viewer() {
  const folder = join(web, 'node_modules/.cache', `ohif-${VERSION}`);
  if (!existsSync(join(folder, 'package/dist/index.html'))) {
    mkdirSync(folder, { recursive: true });
    const name = execFileSync('npm', ['pack', '--silent', '--pack-destination', folder, `@ohif/app@${VERSION}`], { encoding: 'utf8' }).trim();
    execFileSync('tar', ['-xzf', join(folder, name), '-C', folder]);
  }
  return join(folder, 'package/dist');
}

/** Ends of a line across a nodule, along a direction. */
export const across = ({ centre, diameter }, way) => [-0.5, 0.5].map((s) => centre.map((v, i) => v + s * diameter * way[i]));

/** A page of OHIF's, and what went wrong in it: requests to elsewhere, errors, violations of the policy. */
export async function visit(browser, url) {
  const faults = [];
  const page = await browser.newPage({ viewport: { width: 1280, height: 800 } });
  page.on('console', (m) => /Content Security Policy/.test(m.text()) && faults.push(m.text()));
  page.on('request', (r) => /^https?:/.test(r.url()) && !r.url().startsWith(`${url}/`) && faults.push(r.url()));
  page.on('pageerror', (e) => faults.push(e.message));
  return { page, faults, panel: page.locator('clip-lung-panel') };
}

/** Shows the slice of the active viewport nearest to a point. */
export const turnTo = (page, centre) => page.evaluate(async (c) => {
  const { viewport } = cornerstone.getEnabledElements()[0];
  const away = viewport.getImageIds().map((id) => {
    const { imagePositionPatient: first, rowCosines: r, columnCosines: d } = cornerstone.metaData.get('imagePlaneModule', id);
    const normal = [r[1] * d[2] - r[2] * d[1], r[2] * d[0] - r[0] * d[2], r[0] * d[1] - r[1] * d[0]];
    return Math.abs(normal.reduce((sum, v, i) => sum + v * (first[i] - c[i]), 0));
  });
  await viewport.setImageIdIndex(away.indexOf(Math.min(...away)));
  viewport.render();
}, centre);

/** Drags a tool's measurement from one end to the other, on the slice nearest to `centre`. */
export async function measure(page, tool, centre, ends) {
  await turnTo(page, centre);
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
export async function said(panel) {
  const box = panel.locator('section').last();
  await box.locator('dl, .failure').first().waitFor({ timeout: 60000 });
  const shares = await box.locator('dd:nth-of-type(2n)').allTextContents();
  return { text: await box.textContent(), shares: shares.map(Number) };
}

/** Middle (LPS) and length (mm) of the long axis of the last measurement. */
export async function last(page) {
  const [a, b] = await page.evaluate(() => cornerstoneTools.annotation.state.getAllAnnotations()
    .filter((a) => ['Length', 'Bidirectional'].includes(a.metadata.toolName)).at(-1).data.handles.points.map((p) => Array.from(p)));
  return { centre: a.map((v, i) => (v + b[i]) / 2), diameter: Math.hypot(...a.map((v, i) => v - b[i])) };
}

/** What the command line says there; `words` name model and scan. */
export function natively(run, { centre, diameter }, ...words) {
  const place = ['--centre', centre.join(','), '--diameter', String(diameter)];
  const { probabilities } = JSON.parse(run('predict', ...words, ...place, '--json')).predictions[0];
  return { diameter, shares: Object.values({ benign: 0, unsure: 0, malignant: 0, ...probabilities }) };
}

export function equal(found, known) {
  assert.equal(found.shares.length, 3, found.text);
  found.shares.forEach((v, i) => assert.ok(Math.abs(v - known.shares[i]) <= 1e-4, `${found.text}; natively ${known.shares}`));
  assert.ok(found.text.includes(`${known.diameter.toFixed(1)} mm`), found.text);
}

/** The page: looking and marking are two things; what is marked stands in a list that can be undone, and its diameter can be doubted. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { answered, browser as start, opened, ordered, place, serving, shares, text, visit } from './browse.mjs';
import { liesThere } from './warmth.mjs';

export default async function ({ work, run }, test) {
  const { url, stop } = await serving(join(work, 'model'));
  const browser = await start();
  const troubles = [];
  const page = await visit(browser, url, { viewport: { width: 1400, height: 900 }, troubles });
  const asked = () => page.evaluate(() => globalThis.asked);
  await page.evaluate(() => {
    globalThis.asked = 0;
    for (const name of ['predict', 'predictAll', 'explain']) {
      const ask = clip[name].bind(clip);
      clip[name] = (...all) => (globalThis.asked++, ask(...all));
    }
  });
  const items = () => page.locator('#nodules li').count();
  const canvas = page.locator('#volume');
  /** Where a voxel of the scan lies on the screen. */
  const point = (voxel) => page.evaluate((v) => {
    const { x, y } = document.getElementById('volume').getBoundingClientRect();
    const [right, down] = viewer.port.point(v);
    return [x + right, y + down];
  }, voxel);
  const cursor = () => page.evaluate(() => viewer.look.cursor);

  await test('looking asks the model nothing: slices, zoom, window, planes, cross-hair', async () => {
    await opened(page, () => page.locator('#samples button').first().click());
    const slice = await text(page, 'slice');
    const box = await canvas.boundingBox();
    await page.mouse.move(box.x + 200, box.y + 200);
    await page.mouse.wheel(0, -120);
    await page.waitForFunction((before) => document.getElementById('slice').textContent !== before, slice);
    const number = async () => Number(/axial (\d+)/.exec(await text(page, 'slice'))[1]);
    const before = await number();
    await canvas.focus();
    await page.keyboard.press('ArrowUp');
    assert.equal(await number(), before + 1);
    await page.keyboard.press('PageDown');
    assert.equal(await number(), before - 9);
    const [x] = await cursor();
    await page.keyboard.press('Shift+ArrowRight');
    assert.equal((await cursor())[0], x + 1);
    await page.keyboard.press('+');
    assert.ok(await page.evaluate(() => viewer.look.zoom > 1));
    await page.mouse.move(box.x + 300, box.y + 300);
    await page.mouse.down();
    await page.mouse.move(box.x + 340, box.y + 320, { steps: 4 });
    await page.mouse.up();
    await page.mouse.move(box.x + 300, box.y + 300);
    await page.mouse.down({ button: 'right' });
    await page.mouse.move(box.x + 350, box.y + 310, { steps: 4 });
    await page.mouse.up({ button: 'right' });
    assert.equal(await page.locator('#windows [aria-pressed=true]').count(), 0);
    await page.keyboard.press('2');
    assert.equal(await page.locator('#windows [aria-pressed=true]').textContent(), 'Mediastinum');
    await page.locator('#whole').click();
    await page.locator('#windows button').first().click();
    await page.locator('#coronal').click();
    assert.match(await text(page, 'slice'), /^coronal/);
    await page.locator('#planes button').first().click();
    await page.waitForTimeout(500);
    assert.deepEqual([await asked(), await items()], [0, 0]);
    assert.match(await text(page, 'steady'), /Nothing is marked/);
  });

  const rows = readFileSync(join(work, 'set/volume.csv'), 'utf8').trim().split('\n').slice(1).map((line) => line.split(','));
  // the file is NIfTI, so the page counts towards right and front
  const known = rows.map((cells) => ({ ras: [-cells.at(-3), -cells.at(-2), +cells.at(-1)], diameter: Number(cells.at(-4)) }));
  const voxels = await page.evaluate((all) => all.map(([x, y, z]) => viewer.volume.voxel([-x, -y, z])), known.map(({ ras }) => ras));

  await test('a click marks, with a suggested diameter; the answer is the command line\'s', async () => {
    await page.evaluate((v) => viewer.goTo(v), voxels[0]);
    const [x, y] = await point(voxels[0]);
    await answered(page, () => page.mouse.click(x, y));
    assert.equal(await items(), 1);
    assert.match(await text(page, 'origin'), /Suggested/);
    const suggested = Number(await page.inputValue('#diameter'));
    assert.ok(Math.abs(Math.log(suggested / known[0].diameter)) < Math.log(1.4), `${suggested} of ${known[0].diameter}`);
    const { frame, centre, diameter_mm } = (await exported(page)).nodules[0];
    assert.equal(frame, 'ras');
    const [native] = JSON.parse(run('predict', '--model', join(work, 'model'), join(work, 'set/volume.nii.gz'), `--centre=${centre}`, '--diameter', String(diameter_mm), '--json')).predictions;
    (await shares(page)).forEach((share, i) => assert.ok(Math.abs(share - ordered(native)[i]) < 1e-3, `${share} ${ordered(native)[i]}`));
  });

  await test('an answer never stands beside another place', async () => {
    await canvas.focus();
    await answered(page, async () => {
      await page.keyboard.press(']');
      assert.equal((await text(page, 'time')).trim(), '', 'the old answer is gone at once');
    });
  });

  await test('the handle on the image sets the diameter, the middle moves the nodule, a drag is undone as one', async () => {
    await page.keyboard.press('0');
    const before = Number(await page.inputValue('#diameter'));
    const [x, y, reach] = await page.evaluate(() => {
      const { x, y } = document.getElementById('volume').getBoundingClientRect();
      const [nodule] = viewer.scene.nodules;
      const [cx, cy, radius] = viewer.port.circle(nodule.voxel, nodule.diameter);
      return [x + cx, y + cy, radius];
    });
    await answered(page, async () => {
      await page.mouse.move(x + reach, y);
      await page.mouse.down();
      await page.mouse.move(x + 1.5 * reach, y, { steps: 6 });
      await page.mouse.up();
    });
    const after = Number(await page.inputValue('#diameter'));
    assert.ok(Math.abs(after / before - 1.5) < 0.1, `${before} ${after}`);
    await page.mouse.move(x, y);
    await page.mouse.down();
    await page.mouse.move(x + 20, y + 10, { steps: 4 });
    await page.mouse.up();
    assert.equal(await items(), 1);
    assert.notDeepEqual(await page.evaluate(() => viewer.scene.nodules[0].voxel), voxels[0]);
    await page.locator('#undo').click();
    await answered(page, () => page.locator('#undo').click());
    assert.ok(Math.abs(Number(await page.inputValue('#diameter')) - before) < 0.06, 'both drags are undone');
  });

  await test('a line across a nodule marks it with that diameter', async () => {
    await page.evaluate((v) => viewer.goTo(v), voxels[1]);
    const [x, y] = await point(voxels[1]);
    const pixels = await page.evaluate((mm) => mm * viewer.port.scale, known[1].diameter);
    await answered(page, async () => {
      await page.keyboard.down('Shift');
      await page.mouse.move(x - pixels / 2, y);
      await page.mouse.down();
      await page.mouse.move(x + pixels / 2, y, { steps: 6 });
      await page.mouse.up();
      await page.keyboard.up('Shift');
    });
    assert.equal(await items(), 2);
    assert.ok(Math.abs(Number(await page.inputValue('#diameter')) - known[1].diameter) < 0.4);
    assert.match(await text(page, 'origin'), /Drawn/);
  });

  await test('the band: six predictions of 0.8 to 1.25 of the diameter', async () => {
    const all = await page.evaluate(async () => {
      const nodule = viewer.scene.nodules.at(-1);
      const { crop } = clip.info.input;
      const at = (share) => clip.predict(viewer.volume.around(nodule.voxel, share * nodule.diameter, crop));
      const found = [];
      for (const share of [1, ...Array.from({ length: 6 }, (_, i) => 0.8 * (1.25 / 0.8) ** (i / 5))]) found.push((await at(share)).probabilities.malignant);
      return found;
    });
    const { probabilities_for_0_8_to_1_25_of_the_diameter: band } = (await exported(page)).nodules[1];
    assert.ok(Math.abs(band.malignant[0] - Math.min(...all)) < 1e-5 && Math.abs(band.malignant[1] - Math.max(...all)) < 1e-5, `${band.malignant} ${all}`);
    assert.equal(await page.locator('#probabilities b:not([hidden])').count(), 3);
  });

  await test('the list: choose, remove, undo; CSV that predict reads', async () => {
    await page.locator('#nodules .nodule').first().click();
    assert.equal(await page.locator('#nodules .nodule').first().getAttribute('aria-pressed'), 'true');
    assert.match(await text(page, 'whose'), /Nodule 1/);
    const download = page.waitForEvent('download');
    await page.locator('#csv').click();
    const path = join(work, 'marked.csv');
    await (await download).saveAs(path);
    const again = ['predict', '--model', join(work, 'model'), join(work, 'set/volume.nii.gz'), '--nodules', path];
    const native = JSON.parse(run(...again, '--json')).predictions;
    assert.equal(native.length, 2);
    const [head, row] = readFileSync(path, 'utf8').split('\n').map((line) => line.split(','));
    const [theirs, their] = run(...again, '--csv').split('\n').map((line) => line.split(','));
    assert.deepEqual(head.filter((name) => !theirs.includes(name)), []);
    const same = ['class', 'in_distribution', 'set', 'reason'];
    assert.deepEqual(same.map((name) => row[head.indexOf(name)]), same.map((name) => their[theirs.indexOf(name)]));
    assert.equal(row.at(-1), their.at(-1));
    (await shares(page)).forEach((share, i) => assert.ok(Math.abs(share - ordered(native[0])[i]) < 1e-3));
    await page.locator('#nodules [aria-label="remove nodule 1"]').click();
    assert.equal(await items(), 1);
    await page.locator('#undo').click();
    assert.equal(await items(), 2);
    await page.locator('#volume').focus();
    await page.keyboard.press('Delete');
    assert.equal(await items(), 1);
    await page.keyboard.press('Control+z');
    assert.equal(await items(), 2);
  });

  await test('places in either frame: shown, typed, pasted as three numbers', async () => {
    await opened(page, () => page.setInputFiles('#files', join(work, 'set/volume.nii.gz')));
    assert.equal(await page.inputValue('#frame'), 'RAS');
    const [x, y, z] = known[0].ras;
    await place(page, known[0].ras, known[0].diameter);
    const ras = await shares(page);
    const shown = async () => Promise.all(['x', 'y', 'z'].map(async (id) => Number(await page.inputValue(`#${id}`))));
    await page.selectOption('#frame', 'LPS');
    (await shown()).forEach((v, i) => assert.ok(Math.abs(v - [-x, -y, z][i]) < 0.051));
    await page.locator('#undo').click();
    assert.equal(await items(), 0);
    // as it is copied from nodules.csv, with a frame of its own
    await page.evaluate(([text]) => {
      const data = new DataTransfer();
      data.setData('text', text);
      document.getElementById('y').dispatchEvent(new ClipboardEvent('paste', { clipboardData: data, cancelable: true }));
    }, [`${-x}\t${-y}\t${z}`]);
    await answered(page, async () => {
      await page.fill('#diameter', String(known[0].diameter));
      await page.locator('#diameter').blur();
    });
    assert.deepEqual(await shares(page), ras);
    await page.locator('#undo').click();
    await page.fill('#x', `RAS (${x}; ${y}; ${z})`.replaceAll('.', ','));
    await page.locator('#x').blur();
    assert.equal(await page.inputValue('#frame'), 'RAS');
    (await shown()).forEach((v, i) => assert.ok(Math.abs(v - known[0].ras[i]) < 0.051, `${v}`));
    await page.fill('#x', '5000');
    await page.locator('#x').blur();
    assert.match(await text(page, 'message'), /off the scan/);
    assert.equal(await items(), 0);
  });

  await test('what the model warns of at a place, and the classes it leaves open, stand beside the result and in the list', async () => {
    await page.evaluate(() => {
      const predict = clip.predict;
      clip.info.answer_set = { coverage: 0.9, threshold: 0.3, measured: 0.91 };
      clip.predict = async (...all) => ({ ...(await predict(...all)), set: ['benign', 'unsure'], inDistribution: false, reason: 'There is hardly any lung around.' });
    });
    await place(page, known[1].ras, known[1].diameter);
    assert.deepEqual(await page.locator('#guards li').allTextContents(), ['There is hardly any lung around.']);
    assert.match(await text(page, 'open-classes'), /^Leaves open: benign, unsure; .*90 %/);
    assert.match(await page.locator('#nodules li').last().textContent(), /open: benign, unsure/);
    const { set, warnings, in_distribution, reason } = (await exported(page)).nodules.at(-1);
    assert.deepEqual([set, warnings], [['benign', 'unsure'], ['There is hardly any lung around.']]);
    assert.deepEqual([in_distribution, reason], [false, warnings[0]]);
    await page.locator('#undo').click();
    assert.equal(await text(page, 'open-classes'), '');
  });

  await test('the heat map lets the CT through: its opacity follows the map, nothing is drawn where it is cold', async () => {
    await place(page, known[0].ras, known[0].diameter);
    await page.evaluate(() => {
      const { nodules: [{ voxel }] } = viewer.scene;
      viewer.goTo(voxel, true);
    });
    const drawn = async (shown) => {
      await page.evaluate((shown) => (viewer.heatShown = shown), shown);
      await page.waitForTimeout(200);
      return Buffer.from(await page.evaluate(() => document.getElementById('volume').toDataURL('image/png').split(',')[1]), 'base64');
    };
    const { heat, centre, sides } = await page.evaluate(async () => {
      const { nodules: [{ voxel, diameter }], sides } = viewer.scene;
      const { data } = await clip.explain(viewer.volume.around(voxel, diameter, clip.info.input.crop));
      return { heat: Array.from(data), centre: viewer.volume.mm(voxel), sides };
    });
    const toMm = 'return viewer.volume.mm(viewer.port.voxel(x / devicePixelRatio, y / devicePixelRatio));';
    console.log(`   ${await liesThere(page, [await drawn(false), await drawn(true)], toMm, { heat, centre, sides, cold: 5, warm: 75, lines: 0.05 })}`);
  });

  await test('what is marked is copied as JSON', async () => {
    await page.context().grantPermissions(['clipboard-read', 'clipboard-write']);
    await page.locator('#copy').click();
    await page.waitForFunction(() => document.getElementById('message').textContent === 'Copied.');
    assert.deepEqual(JSON.parse(await page.evaluate(() => navigator.clipboard.readText())), await exported(page));
  });

  await test('a place that is no nodule: the sentence of the command line', async () => {
    const model = join(work, 'marking-guarded');
    run('export', join(work, 'run'), '--out', model, '--dtype', 'f16', '--guard', join(work, 'set'));
    const guarded = await serving(model);
    const own = await visit(browser, guarded.url, { viewport: { width: 1400, height: 900 }, troubles });
    await opened(own, () => own.setInputFiles('#files', join(work, 'set/volume.nii.gz')));
    const at = await own.evaluate(() => {
      const [x, y, z] = viewer.volume.mm([12, 12, 12]);
      return [-x, -y, z];
    });
    await place(own, at, 6);
    const [native] = JSON.parse(run('predict', '--model', model, join(work, 'set/volume.nii.gz'), `--centre=${at}`, '--diameter', '6', '--json')).predictions;
    assert.ok(native.reason && !native.in_distribution, JSON.stringify(native));
    assert.deepEqual(await own.locator('#guards li').allTextContents(), [native.reason]);
    await own.context().close();
    await guarded.stop();
  });

  await test('a blank heat map says why; the key takes the map away', async () => {
    await place(page, known[0].ras, known[0].diameter);
    await canvas.focus();
    await page.keyboard.press('h');
    assert.equal(await page.evaluate(() => viewer.heatShown || document.getElementById('heat').checked), false);
    await page.keyboard.press('h');
    await page.evaluate(() => {
      const explain = clip.explain;
      clip.explain = async (...all) => ({ ...(await explain(...all)), data: new Float32Array(1024) });
    });
    const other = /benign/.test(await text(page, 'label')) ? 'unsure' : 'benign';
    await answered(page, () => page.selectOption('#target', other));
    await page.waitForFunction((name) => document.getElementById('heatnote').textContent.includes(`speaks for ${name}`), other);
  });

  assert.deepEqual(troubles, []);
  await browser.close();
  await stop();
}

/** The list as its JSON has it. */
async function exported(page) {
  const download = page.waitForEvent('download');
  await page.locator('#json').click();
  return JSON.parse(readFileSync(await (await download).path(), 'utf8'));
}

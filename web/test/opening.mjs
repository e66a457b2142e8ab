/** The page opens what people have: a choice of series, what is left aside, what can't be read and why, the last choice wins. */
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { answered, browser as start, opened, ordered, place, serving, shares, text, visit } from './browse.mjs';
import { file, nifti, nrrd, SCENE, series, slice, voxels } from './dicom.mjs';

export default async function ({ work, run }, test) {
  const { url, stop } = await serving(join(work, 'model'));
  const browser = await start();
  const troubles = [];
  const page = await visit(browser, url, { viewport: { width: 1400, height: 900 }, troubles });
  const open = (...files) => opened(page, () => page.setInputFiles('#files', files));
  const warnings = () => page.locator('#warnings li').allTextContents();

  // the command line's answer, of files on disk
  mkdirSync(join(work, 'scene'));
  for (const { name, buffer } of series('s')) writeFileSync(join(work, 'scene', name), buffer);
  const native = JSON.parse(run('predict', '--model', join(work, 'model'), join(work, 'scene'), `--centre=${SCENE.centre}`, '--diameter', String(SCENE.diameter), '--json')).predictions[0];
  const agrees = async (why) => {
    await page.selectOption('#frame', 'LPS');
    await place(page, SCENE.centre, SCENE.diameter);
    (await shares(page)).forEach((share, i) => assert.ok(Math.abs(share - ordered(native)[i]) < 1e-3, `${why}: ${share} ${ordered(native)[i]}`));
  };

  await test('a DICOM series, NIfTI, NRRD and MetaImage of one scene: the command line\'s answer, at one place', async () => {
    const ways = `(${SCENE.spacing[0]},0,0) (0,${SCENE.spacing[1]},0) (0,0,${SCENE.spacing[2]})`;
    const lps = ['space: left-posterior-superior', `space directions: ${ways}`, `space origin: (${SCENE.first})`];
    const swapped = Buffer.alloc(2 * voxels().length);
    voxels().forEach((v, i) => swapped.writeInt16BE(v, 2 * i));
    const asText = Buffer.from(voxels().join(' '));
    for (const [why, ...files] of [
      ['DICOM', ...series('s')],
      ['NIfTI', file('scan.nii', nifti())],
      ['NIfTI of gzip, downloaded twice', file('scan.nii (1).gz', gzipSync(nifti()))],
      ['NRRD', file('scan.nrrd', nrrd([...lps, 'encoding: raw']))],
      ['NRRD of gzip, with the lines of Windows', file('scan.nrrd', nrrd([...lps, 'encoding: gzip'], gzipSync(Buffer.from(voxels().buffer)), '\r\n'))],
      ['NRRD of another byte order', file('scan.nrrd', nrrd([...lps, 'encoding: raw', 'endian: big'], swapped))],
      ['NRRD as text', file('scan.nrrd', nrrd([...lps, 'encoding: ascii'], asText))],
      ['NRRD in RAS', file('scan.nrrd', nrrd(['space: right-anterior-superior', `space directions: (${-SCENE.spacing[0]},0,0) (0,${-SCENE.spacing[1]},0) (0,0,${SCENE.spacing[2]})`,
        `space origin: (${[-SCENE.first[0], -SCENE.first[1], SCENE.first[2]]})`, 'encoding: raw']))],
      ['MetaImage', file('scan.mha', Buffer.concat([Buffer.from(`ObjectType = Image\nNDims = 3\nBinaryData = True\nBinaryDataByteOrderMSB = False\nTransformMatrix = 1 0 0 0 1 0 0 0 1\nOffset = ${SCENE.first.join(' ')}\nElementSpacing = ${SCENE.spacing.join(' ')}\nDimSize = ${SCENE.dims.join(' ')}\nElementType = MET_SHORT\nElementDataFile = LOCAL\n`), Buffer.from(voxels().buffer)]))],
      ['a header beside its data', file('scan.nhdr', nrrd([...lps, 'encoding: raw', 'data file: scan.raw'], Buffer.alloc(0))), file('scan.raw', Buffer.from(voxels().buffer))],
    ]) {
      await open(...files);
      assert.match(await text(page, 'message'), /72 x 64 x 40 voxels/, why);
      assert.deepEqual(await warnings(), [], why);
      await agrees(why);
    }
  });

  await test('a structured report of a DICOM series: the command line\'s numbers, its slices', async () => {
    await open(...series('s', { more: { 0x00200052: ['UI', '1.2.3.4'] } }));
    await place(page, SCENE.centre, SCENE.diameter);
    const download = page.waitForEvent('download');
    await page.locator('#sr').click();
    const bytes = readFileSync(await (await download).path());
    assert.equal(bytes.subarray(128, 132).toString(), 'DICM');
    const said = bytes.toString('latin1');
    assert.match(said, /research use only/i);
    // slices within half a diameter, of 40 two mm apart from -100 mm: -66, -64, -62, -60, -58, -56
    const slices = new Set(said.match(/1\.2\.826\.0\.1\.3680043\.9\.7777\.1\.\d+/g));
    assert.deepEqual([...slices].map((uid) => Number(uid.split('.').at(-1))).sort((a, b) => a - b), [18, 19, 20, 21, 22, 23]);
    for (const share of ordered(native)) assert.ok(said.includes(String(share.toFixed(3)).replace(/0+$/, '').slice(0, 4)), `${share}`);
    await open(file('scan.nii', nifti()));
    await answered(page, () => page.locator('#mark').click());
    assert.equal(await page.locator('#sr').isDisabled(), true, 'only a DICOM series has slices to refer to');
  });

  await test('NRRD of spacings alone: the orientation is unknown, and said', async () => {
    await open(file('scan.nrrd', nrrd([`spacings: ${SCENE.spacing.join(' ')}`, 'encoding: raw'])));
    assert.match((await warnings()).join(), /does not say how its axes lie/);
    const centre = SCENE.centre.map((v, i) => v - SCENE.first[i]);
    await place(page, centre, SCENE.diameter);
    (await shares(page)).forEach((share, i) => assert.ok(Math.abs(share - ordered(native)[i]) < 1e-3));
    // outline, nodule and cross-hair stand at one voxel
    const off = await page.evaluate(() => {
      const { scene, look } = viewer;
      const [x, y, w, h] = viewer.port.box(scene.nodules[0].voxel, scene.sides);
      const [cx, cy] = viewer.port.point(look.cursor);
      return Math.hypot(x + w / 2 - cx, y + h / 2 - cy);
    });
    assert.ok(off < 1e-6, `${off}`);
  });

  const two = [...series('a', { series: '1.2.3.1', description: 'LUNG' }), ...series('b', { series: '1.2.3.2', description: 'SOFT', add: 300, count: 30 })];

  await test('two series: a choice with description, slices, thickness and a picture; either can be taken, and the other after it', async () => {
    await page.setInputFiles('#files', two);
    await page.waitForFunction(() => document.querySelectorAll('#offers button').length === 2);
    assert.match(await text(page, 'message'), /choose one/);
    const offers = await page.locator('#offers button').allTextContents();
    assert.match(offers[0], /LUNG.*40 slices of 72 x 64, 2 mm/);
    assert.match(offers[1], /SOFT.*30 slices/);
    assert.equal(await page.locator('#offers canvas').count(), 2);
    await opened(page, () => page.locator('#offers button').nth(1).click());
    assert.match(await text(page, 'message'), /SOFT: 72 x 64 x 30/);
    await opened(page, () => page.locator('#offers button').first().click());
    assert.match(await text(page, 'message'), /LUNG: 72 x 64 x 40/);
    assert.equal(await page.locator('#offers [aria-pressed=true]').count(), 1);
    await agrees('the first of two');
  });

  await test('what is no CT slice is left aside and named; what a Mac adds is not', async () => {
    const foreign = [
      file('video.dcm', slice(new Int16Array(8), 0, { syntax: '1.2.840.10008.1.2.4.102' })),
      file('dose.dcm', slice(new Int16Array(8), 0, { more: { 0x00080060: ['CS', 'SR'], 0x7fe00010: undefined } })),
      file('cut.dcm', series('c')[0].buffer.subarray(0, 300)), file('list.csv', Buffer.from('a,b\n1,2\n')),
      file('._s000.dcm', Buffer.from('Mac')), file('.DS_Store', Buffer.from('Mac')),
    ];
    await open(...series('s'), ...foreign);
    assert.match(await text(page, 'message'), /72 x 64 x 40 voxels/);
    const aside = await page.locator('#aside li').allTextContents();
    assert.equal(aside.length, 4, aside.join('; '));
    for (const name of ['video.dcm', 'dose.dcm', 'cut.dcm', 'list.csv']) assert.ok(aside.some((line) => line.startsWith(`${name} `)), `${name}: ${aside}`);
    assert.match(await page.locator('#aside summary').textContent(), /^4 files left aside/);
    await agrees('beside foreign files');
    assert.equal(await page.locator('#aside li').count(), 4, 'they stay readable');
  });

  await test('missing slices, and voxels that are no HU: warnings that stay until the next file', async () => {
    await open(...series('s', { skip: [20, 21, 22] }));
    assert.match((await warnings()).join(), /slices are missing between z -62 and -54 mm/);
    await place(page, SCENE.centre, SCENE.diameter);
    assert.match((await warnings()).join(), /slices are missing/);
    const grey = Buffer.from(Uint8Array.from(voxels(), (v) => Math.max(0, Math.min(255, ((v + 1000) / 1400) * 255))));
    await open(file('grey.nii', nifti({ code: 2, bits: 8, body: grey })));
    assert.match((await warnings()).join(), /may not be Hounsfield units/);
    assert.equal((await warnings()).length, 1);
    await open(file('scan.nii', nifti()));
    assert.deepEqual(await warnings(), []);
  });

  await test('what the command line warns of one nodule stands beside its result: slices missing in its crop, a diameter that no nodule has', async () => {
    const files = series('gap', { skip: [20, 21, 22] });
    const [dir, list] = [join(work, 'gap'), join(work, 'gap.csv')];
    mkdirSync(dir);
    for (const { name, buffer } of files) writeFileSync(join(dir, name), buffer);
    const [x, y, z] = SCENE.centre;
    const nodules = [[z, SCENE.diameter], [-88, 5], [z, 75], [-88, 1.5]];
    writeFileSync(list, ['centre_x_mm,centre_y_mm,centre_z_mm,diameter_mm,nodule_id', ...nodules.map(([z, mm], i) => [x, y, z, mm, i].join())].join('\n'));
    const { warnings: known } = JSON.parse(run('predict', '--model', join(work, 'model'), dir, '--nodules', list, '--json'));
    await open(...files);
    const found = [];
    for (const [z, mm] of nodules) {
      await place(page, [x, y, z], mm);
      found.push(await page.locator('#guards li').allTextContents());
    }
    const told = nodules.map((_, i) => known.filter((w) => w.id === String(i)).sort((a, b) => a.kind.localeCompare(b.kind)).map(({ message }) => message));
    assert.deepEqual(found, told);
    assert.deepEqual(found.map((all) => all.length), [1, 0, 2, 1]);
  });

  await test('what can\'t be read says why, and what can', async () => {
    const rgb = Buffer.alloc(3 * voxels().length, 90);
    for (const [why, ...files] of [
      [/colour|datatype|RGB/i, file('rgb.nii', nifti({ code: 128, bits: 24, body: rgb }))],
      [/series\.zip.*not a readable ZIP archive/, file('series.zip', Buffer.from('PK\u0003\u0004'))],
      [/no CT slice.*archive.*DICOM series.*NIfTI-1.*NRRD.*ZIP/s, file('series.7z', Buffer.from('7z'))],
      [/scan\.mha.*missing/, file('scan.mha', Buffer.from('ObjectType = Image\n'))],
      [/not DICOM.*reads/s, file('notes.txt', Buffer.from('nothing'))],
      [/broken\.nii/, file('broken.nii', Buffer.from('nothing'))],
      [/scan\.nrrd.*incomplete/, file('scan.nrrd', nrrd(['spacings: 1 1 1', 'encoding: raw'], Buffer.alloc(100)))],
      [/other\.raw, which is not beside it; give both/, file('scan.nhdr', nrrd(['spacings: 1 1 1', 'encoding: raw', 'data file: other.raw'], Buffer.alloc(0)))],
      [/bzip2/, file('scan.nrrd', nrrd(['spacings: 1 1 1', 'encoding: bzip2']))],
      [/scan\.nrrd.*30/, file('scan.nrrd', nrrd(['space: LPS', 'space directions: (0.866,0.5,0) (-0.5,0.866,0) (0,0,1)', 'encoding: raw']))],
    ]) {
      await open(...files);
      assert.match(await text(page, 'message'), why);
      assert.equal(await page.locator('#message.error').count(), 1);
    }
    assert.match(await text(page, 'slice'), /of 40/, 'the scan that was there stays');
  });

  await test('the last choice wins, whatever finishes later; nothing of the old scan stays', async () => {
    await open(file('scan.nii', nifti()));
    await place(page, SCENE.centre, SCENE.diameter);
    await page.evaluate(() => (globalThis.shown = []) && new MutationObserver(() => shown.push(document.getElementById('message').textContent)).observe(document.getElementById('message'), { childList: true }));
    // the first reader answers late
    await page.evaluate(() => {
      const Real = Worker;
      globalThis.Worker = class extends Real {
        constructor(...all) {
          super(...all);
          globalThis.Worker = Real;
          const on = Object.getOwnPropertyDescriptor(Real.prototype, 'onmessage');
          Object.defineProperty(this, 'onmessage', { set: (f) => on.set.call(this, f && ((event) => setTimeout(() => f(event), 700))) });
        }
      };
    });
    await page.setInputFiles('#files', series('s', { description: 'SLOW' }));
    await open(file('fast.nii', nifti()));
    await page.waitForTimeout(1800);
    assert.match(await text(page, 'message'), /^fast\.nii/);
    assert.ok(!(await page.evaluate(() => shown)).some((line) => /^SLOW/.test(line)));
    assert.deepEqual([await page.locator('#nodules li').count(), await page.evaluate(() => viewer.scene.nodules.length), await text(page, 'label')], [0, 0, '']);
    // a question on its way when another scan comes: its answer is nobody's
    await page.fill('#diameter', '12');
    await page.locator('#diameter').blur();
    await open(...series('s'));
    await page.waitForTimeout(1000);
    assert.equal((await text(page, 'label')), '');
    await answered(page, () => page.locator('#mark').click());
  });

  assert.deepEqual(troubles, []);
  await browser.close();
  await stop();
}

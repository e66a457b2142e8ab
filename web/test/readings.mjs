/** One scan is read alike by the page and by the command line: size, spacing, place and direction of its voxels, HU at ten of them,
 * warnings; and what the one refuses, the other does, for the same reason. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { browser as start, opened, serving, text, visit } from './browse.mjs';
import { file } from './dicom.mjs';
import { program, web } from './fixture.mjs';
import { dicom, metaImages, mhds, nhdrs, niftis, nrrds, zips } from './generated.mjs';
import { DIRECTIONS, scanOf, turned, writeSeries } from './series.mjs';

/** Voxels that are compared, as shares of the way through the volume: its ends, its middle, and others. */
const SHARES = [[0, 0, 0], [1, 1, 1], [0.5, 0.5, 0.5], [1, 0, 0], [0, 1, 0], [0, 0, 1], [0.3, 0.6, 0.8], [0.7, 0.2, 0.4], [0.45, 0.55, 0.48], [0.1, 0.9, 0.6]];

export default async function ({ work }, test) {
  const { url, stop } = await serving(join(work, 'model'));
  const browser = await start();
  const troubles = [];
  const page = await visit(browser, url, { viewport: { width: 1400, height: 900 }, troubles });
  const all = (locator) => page.locator(locator).allTextContents();

  /** What the page says of files: one reading for each series that it offers. */
  async function onPage(files) {
    await page.evaluate(() => document.querySelectorAll('#aside li, #offers button').forEach((old) => old.remove()));
    const act = () => page.setInputFiles('#files', files);
    await Promise.race([opened(page, act), page.waitForFunction(() => document.querySelectorAll('#offers button').length > 1)]);
    const offers = await page.locator('#offers button').count();
    const readings = [];
    for (let i = 0; i < Math.max(1, offers); i++) {
      if (offers > 1) await opened(page, () => page.locator('#offers button').nth(i).click());
      const failed = await page.locator('#message.error').count();
      readings.push(failed ? { refused: await text(page, 'message') } : {
        warnings: await all('#warnings li'),
        ...(await page.evaluate((shares) => {
          const { volume } = viewer;
          const voxels = shares.map((share) => share.map((s, i) => Math.round(s * (volume.dims[i] - 1))));
          const { first, steps } = volume.grid;
          return { dims: volume.dims, spacing: volume.spacing, first, steps, points: voxels.map((v) => ({ voxel: v, mm: volume.mm(v), hu: volume.hu(...v) })) };
        }, SHARES)),
      });
    }
    return { readings, aside: await all('#aside li') };
  }

  /** What the command line says of the same files, at the same points. */
  function onCommandLine(path, { points = [] }, series) {
    const words = ['inspect', path, '--json', ...points.map(({ mm }) => `--at=${mm}`), ...(series ? ['--series', series] : [])];
    const { status, stdout, stderr } = spawnSync(program, words, { encoding: 'utf8' });
    assert.ok(status === 0 || status === 3, `${path}: exit code ${status}, ${stderr}`);
    return status ? { refused: stderr } : JSON.parse(stdout);
  }

  const near = (mine, theirs, what) => mine.flat().forEach((v, i) => assert.ok(Math.abs(v - theirs.flat()[i]) <= 1e-9 * Math.max(1, Math.abs(v)), `${what}: ${mine} on the page, ${theirs} on the command line`));

  /** Compares one scan's readings; gives whether it was read. */
  async function same(why, files, path, names) {
    const { readings: [mine, ...more], aside } = await onPage(files);
    assert.deepEqual(more, [], `${why}: one series`);
    const theirs = onCommandLine(path, mine);
    assert.equal(Boolean(mine.refused), Boolean(theirs.refused), `${why}: ${mine.refused ?? 'read'} on the page, ${theirs.refused ?? 'read'} on the command line`);
    if (mine.refused) {
      // the reason is the reader's, the words around it are each one's own
      const said = theirs.refused.replaceAll(`${dirname(path)}/`, '').replaceAll(`${path}/`, '');
      const known = (line) => names.find((name) => line.startsWith(`${name} `)) ?? line.split(' ')[0];
      const reasons = [mine.refused, ...aside.map((line) => line.slice(known(line).length + 1))];
      assert.ok(reasons.some((reason) => said.includes(reason)), `${why}: ${reasons.join(' / ')} on the page, ${said} on the command line`);
      return false;
    }
    assert.deepEqual(mine.dims, theirs.dims, why);
    near([mine.spacing], [theirs.spacing_mm], why);
    near([mine.first], [theirs.first_mm], why);
    near(mine.steps, theirs.steps_mm, why);
    assert.deepEqual(mine.points.map(({ voxel, hu }) => ({ voxel, hu })), theirs.points.map(({ voxel, hu }) => ({ voxel, hu })), why);
    // the page names every file that it leaves aside in a list of its own
    const own = theirs.warnings.filter(({ kind, message }) => {
      const first = kind === 'left_aside' && /left aside: (.*?) \(/.exec(message)[1];
      return !(first && aside.some((line) => line.startsWith(`${first} `)));
    });
    assert.deepEqual(mine.warnings, own.map(({ message }) => message), why);
    return true;
  }

  /** The files on disk in a folder of their own, and compared. */
  async function written(why, files, whole) {
    const dir = join(work, 'readings');
    rmSync(dir, { recursive: true, force: true });
    mkdirSync(dir);
    for (const { name, buffer } of files) writeFileSync(join(dir, name), buffer);
    return same(why, files, whole ? dir : join(dir, files[0].name), files.map(({ name }) => name));
  }

  for (const [kind, cases, least, whole] of [
    ['DICOM', Object.entries(dicom), 14, true],
    ['NIfTI', Object.entries(niftis).map(([why, one]) => [why, [file(...one)]]), 24],
    ['NRRD', [...Object.entries(nrrds).map(([why, one]) => [why, [file(...one)]]), ...Object.entries(nhdrs)], 13],
    ['MetaImage', [...Object.entries(metaImages).map(([why, one]) => [why, [file(...one)]]), ...Object.entries(mhds)], 9],
    ['ZIP', Object.entries(zips).map(([why, bytes]) => [why, [file('scan.zip', bytes)]]), 6],
  ]) {
    await test(`${kind}: ${cases.length} files or folders are read alike`, async () => {
      let read = 0;
      for (const [why, files] of cases) read += Number(await written(`${kind}, ${why}`, files, whole));
      console.log(`   ${read} read, ${cases.length - read} refused`);
      assert.ok(read >= least && read < cases.length, `${read} of ${cases.length} read`);
    });
  }

  await test('a series in every direction, and the program\'s own volume', async () => {
    const scan = scanOf(join(work, 'set'));
    for (const [name, direction] of Object.entries(DIRECTIONS)) {
      const dir = join(work, `readings-${name}`);
      writeSeries(dir, turned(scan, direction));
      const files = readdirSync(dir).map((slice) => file(slice, readFileSync(join(dir, slice))));
      assert.equal(await same(name, files, dir, readdirSync(dir)), name !== 'oblique');
    }
    const path = join(work, 'set', 'volume.nii.gz');
    assert.ok(await same('volume', [file('volume.nii.gz', readFileSync(path))], path, []));
  });

  await test('damaged and hostile files', async () => {
    const hostile = join(web, '../tests/hostile');
    let count = 0;
    for (const name of readdirSync(hostile).filter((n) => /\.(dcm|nii|nii\.gz)$|^folder_/.test(n))) {
      const path = join(hostile, name);
      const folder = statSync(path).isDirectory();
      const names = folder ? readdirSync(path).filter((n) => statSync(join(path, n)).isFile()) : [name];
      if (folder && name === 'folder_mixed_series') continue;
      const files = names.map((n) => file(n, readFileSync(folder ? join(path, n) : path)));
      // a slice alone is given as its folder
      await (name.endsWith('.dcm') ? written(name, files, true) : same(name, files, path, names));
      count += 1;
    }
    assert.ok(count >= 90, `${count}`);
  });

  await test('two series: each is read alike', async () => {
    const path = join(web, '../tests/hostile/folder_mixed_series');
    const files = readdirSync(path).map((n) => file(n, readFileSync(join(path, n))));
    const { readings } = await onPage(files);
    const { refused } = onCommandLine(path, {});
    assert.match(refused, /2 CT series; choose one with --series/);
    const uids = refused.split('--series: ')[1].match(/[\d.]{6,}(?= \()/g);
    assert.equal(uids.length, readings.length);
    for (const { dims, points } of readings) {
      const theirs = uids.map((uid) => onCommandLine(path, { points }, uid));
      assert.ok(theirs.some((one) => String(one.dims) === String(dims) && one.points.every(({ hu }, i) => hu === points[i].hu)), `${dims}`);
    }
  });

  assert.ok(existsSync(join(work, 'readings')));
  assert.deepEqual(troubles, []);
  await browser.close();
  await stop();
}

/** What `make dist` leaves in dist/, as its users have it: a virtual environment of nothing but pip, an empty npm project, a plain server
 * of static files. Artefacts that come without a model are given one here. */
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { answered, browser as start, DESKTOP, opened, ordered, shares, text, visit } from './browse.mjs';
import { web } from './fixture.mjs';
import { documented } from './pack.mjs';
import { serve } from './serve.mjs';

const dist = join(web, '../dist');

export default async function ({ work, run }, test) {
  const only = (pattern) => {
    const found = existsSync(dist) ? readdirSync(dist).filter((name) => pattern.test(name)) : [];
    assert.equal(found.length, 1, `${dist} holds ${found.length} of ${pattern}: make dist`);
    return join(dist, found[0]);
  };
  const browser = await start();
  const set = join(work, 'set');

  /** The page at `url` says of the sample scan what the program says with this model, and asks nobody else for anything. */
  async function answersLike(url, model) {
    const troubles = [];
    const page = await visit(browser, url, { ...DESKTOP, troubles });
    await opened(page, () => page.locator('#samples button').first().click());
    await answered(page, () => page.locator('#mark').click());
    const words = ['predict', '--model', model, join(set, 'volume.nii.gz'), '--nodules', join(set, 'volume.csv'), '--json'];
    const expected = ordered(JSON.parse(run(...words)).predictions[0]);
    (await shares(page)).forEach((share, i) => assert.ok(Math.abs(share - expected[i]) < 1e-3, `${share} ${expected[i]}`));
    assert.match(await text(page, 'notice'), /Research use only/);
    assert.deepEqual(troubles, []);
    // the policy holds: what the page must not reach, it does not
    const refused = await page.evaluate(() => fetch('https://elsewhere.example/').then(() => 'fetched', () => 'refused'));
    assert.equal(refused, 'refused');
    assert.ok(troubles.some((t) => /Content Security Policy/.test(t)), troubles.join(' '));
    await page.context().close();
  }

  await test('the npm package: an empty project, a plain page', async () => {
    const project = join(work, 'empty');
    mkdirSync(project);
    writeFileSync(join(project, 'package.json'), JSON.stringify({ name: 'empty', private: true }));
    execFileSync('npm', ['install', '--offline', '--no-audit', '--no-fund', only(/\.tgz$/)], { cwd: project, stdio: ['ignore', 'pipe', 'pipe'] });
    assert.deepEqual(readdirSync(join(project, 'node_modules')).filter((name) => !name.startsWith('.')), ['clip-lung']);
    cpSync(join(work, 'model'), join(project, 'models/clip-lung'), { recursive: true });
    writeFileSync(join(project, 'index.html'), documented('In a plain page'));
    const site = await serve({ '/': project }, '');
    const page = await browser.newPage();
    await page.goto(`${site.url}/`);
    await page.waitForFunction(() => /^(benign|unsure|malignant), with words$/.test(document.title), null, { timeout: 30000 });
    await page.close();
    site.close();
  });

  await test('the static site: a plain server, under a path of its own', async () => {
    const archive = only(/^clip-lung-page-.*\.tar\.gz$/);
    const place = join(work, 'site');
    mkdirSync(place);
    execFileSync('tar', ['-xzf', archive, '-C', place]);
    const [name] = readdirSync(place);
    assert.equal(`${name}.tar.gz`, archive.split('/').at(-1));
    const all = (dir) => readdirSync(dir, { recursive: true }).sort();
    assert.deepEqual(all(join(place, name)), all(join(dist, name)));
    assert.match(readFileSync(join(place, name, 'README.md'), 'utf8'), /not a medical device/);
    const model = join(place, name, 'model');
    if (!existsSync(model)) cpSync(join(work, 'model'), model, { recursive: true });
    // no policy but the page's own
    const site = await serve({ '/of/somebody/': join(place, name) }, '');
    await answersLike(`${site.url}/of/somebody/`, model);
    assert.ok(site.log.every((path) => path.startsWith('/of/somebody/') || path === '/favicon.ico'), site.log.join(' '));
    site.close();
    rmSync(place, { recursive: true });
  });

  await test('the wheel: a virtual environment of nothing but pip', async () => {
    const env = join(work, 'env');
    const home = join(work, 'home');
    mkdirSync(home);
    execFileSync('python3', ['-m', 'venv', env]);
    execFileSync(join(env, 'bin/python'), ['-m', 'pip', 'install', '--quiet', '--no-index', '--disable-pip-version-check', only(/\.whl$/)]);
    // no program but this one, nobody's settings and caches
    const options = { cwd: home, env: { PATH: join(env, 'bin'), HOME: home } };
    const clipLung = (...words) => execFileSync('clip-lung', words, { ...options, encoding: 'utf8' });
    const { version } = JSON.parse(readFileSync(join(web, 'package.json'), 'utf8'));
    assert.equal(clipLung('--version').trim(), `clip-lung ${version}`);

    const shipped = join(env, 'share/clip-lung/model');
    const model = existsSync(shipped) ? shipped : join(work, 'model');
    const named = existsSync(shipped) ? [] : ['--model', model];
    clipLung('phantom', '--limit', '1', '--volume', '--out', 'few');
    const scan = (at) => [join(at, 'volume.nii.gz'), '--nodules', join(at, 'volume.csv'), '--json'];
    const logits = (text) => JSON.parse(text).predictions.map((prediction) => prediction.logits);
    const found = logits(clipLung('predict', ...named, ...scan('few')));
    assert.equal(found.length, 3);
    assert.deepEqual(found, logits(run('predict', '--model', model, ...scan(join(home, 'few')))));

    const server = spawn('clip-lung', ['serve', ...named, '--port', '0'], options);
    try {
      const url = await new Promise((resolve, reject) => {
        let said = '';
        for (const stream of [server.stdout, server.stderr]) stream.on('data', (t) => (said += t) && /http:\S+/.test(said) && resolve(/http:\S+/.exec(said)[0]));
        server.on('exit', () => reject(new Error(said)));
      });
      assert.ok(existsSync(join(env, 'share/clip-lung/page/index.html')));
      await answersLike(url, model);
    } finally {
      server.kill('SIGINT');
    }
  });

  await browser.close();
}

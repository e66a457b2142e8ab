/** What `npm pack` gives, used as web/README.md says: in a fresh vite project, in Cornerstone3D, in a plain page, and from another
 * origin. */
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { web } from './fixture.mjs';
import { serve } from './serve.mjs';

/** The first code block under a heading of the README. */
export const documented = (heading) => readFileSync(join(web, 'README.md'), 'utf8').split(`## ${heading}`)[1].split(/```\w+\n/)[1].split('```')[0];

export default async function ({ work, browser }, test) {
  const project = join(work, 'project');
  const npm = (...words) => execFileSync('npm', words, { cwd: project, stdio: ['ignore', 'pipe', 'pipe'], encoding: 'utf8' });
  const titled = async (url, pattern) => {
    const page = await browser.newPage();
    const said = [];
    page.on('console', (m) => said.push(m.text()));
    page.on('pageerror', (e) => said.push(e.message));
    await page.goto(url);
    await page.waitForFunction((p) => new RegExp(p).test(document.title), pattern, { timeout: 30000 })
      .catch(async () => assert.fail(`${url}: title ${await page.title()}; ${said.join('; ')}`));
    await page.close();
  };

  await test('npm pack holds the package and nothing else', async () => {
    mkdirSync(project, { recursive: true });
    const [{ filename, files }] = JSON.parse(execFileSync('npm', ['pack', '--json', '--pack-destination', work], { cwd: web, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }));
    for (const { path } of files) assert.match(path, /^(dist\/|README\.md$|package\.json$|LICENSE)/, path);
    for (const path of ['dist/index.js', 'dist/index.d.ts', 'dist/cpu/clip_lung_web_bg.wasm', 'dist/gpu/clip_lung_web_bg.wasm', 'LICENSE-MIT']) {
      assert.ok(files.some((f) => f.path === path), path);
    }
    writeFileSync(join(project, 'package.json'), JSON.stringify({ name: 'fresh', private: true, type: 'module' }));
    const { version } = JSON.parse(readFileSync(join(web, 'node_modules/vite/package.json'), 'utf8'));
    npm('install', '--no-audit', '--no-fund', '--prefer-offline', join(work, filename), `vite@${version}`);
  });

  await test('a fresh vite project: build', async () => {
    writeFileSync(join(project, 'index.html'), '<!doctype html><title>vite</title><script type="module" src="/main.js"></script>');
    writeFileSync(join(project, 'main.js'), documented('In a vite project'));
    cpSync(join(work, 'model'), join(project, 'public/models/clip-lung'), { recursive: true });
    npm('exec', 'vite', 'build');
    const site = await serve({ '/': join(project, 'dist') });
    await titled(`${site.url}/`, '^(benign|unsure|malignant) 0\\.\\d+, \\d+ ms on wasm, 1024 cells$');
    site.close();
  });

  await test('a fresh vite project: development server', async () => {
    writeFileSync(join(project, 'vite.config.js'), /`(export default .*?)`/.exec(readFileSync(join(web, 'README.md'), 'utf8'))[1]);
    const server = spawn('npx', ['vite', '--port', '0', '--host', '127.0.0.1'], { cwd: project, detached: true });
    try {
      const url = await new Promise((resolve, reject) => {
        let said = '';
        server.stdout.on('data', (text) => {
          // without the colours of a terminal
          said += String(text).replace(/\u001b\[\d*m/g, '');
          const found = /http:\/\/[\d.]+:\d+\//.exec(said);
          if (found) resolve(found[0]);
        });
        server.on('exit', () => reject(new Error(said)));
      });
      await titled(url, '^(benign|unsure|malignant) 0\\.\\d+, \\d+ ms on wasm, 1024 cells$');
    } finally {
      process.kill(-server.pid);
    }
  });

  await test('Cornerstone3D: the prediction of the same voxels', async () => {
    npm('install', '--no-audit', '--no-fund', '--prefer-offline', '@cornerstonejs/core@5.14.0');
    writeFileSync(join(project, 'predict.js'), documented('In Cornerstone3D'));
    writeFileSync(join(project, 'main.js'), `
      import { init, volumeLoader } from '@cornerstonejs/core';
      import { ClipLung } from 'clip-lung';
      import { predictAt } from './predict.js';
      await init();
      const [dimensions, spacing, origin] = [[64, 60, 40], [0.7, 0.7, 1.25], [-30, 20, 100]];
      const scalarData = Int16Array.from({ length: 64 * 60 * 40 }, (_, i) => (i * 7919) % 1400 - 1000);
      volumeLoader.createLocalVolume('ct', { scalarData, dimensions, spacing, origin, direction: [1, 0, 0, 0, 1, 0, 0, 0, 1], metadata: {} });
      const centre = [31, 17, 22];
      const found = await predictAt('ct', centre.map((c, i) => origin[i] + c * spacing[i]), 12);
      const clip = await ClipLung.from('/models/clip-lung');
      const plain = await clip.predict({ data: scalarData, dims: dimensions, spacing, centre, diameter: 12, unit: 'HU' });
      const difference = Math.max(...found.logits.map((l, i) => Math.abs(l - plain.logits[i])));
      document.title = difference < 1e-4 ? 'equal' : 'differs by ' + difference;`);
    npm('exec', 'vite', 'build');
    const site = await serve({ '/': join(project, 'dist') });
    await titled(`${site.url}/`, '^equal$');
    site.close();
  });

  await test('a plain page', async () => {
    const plain = join(work, 'plain');
    mkdirSync(plain);
    cpSync(join(project, 'node_modules/clip-lung'), join(plain, 'node_modules/clip-lung'), { recursive: true });
    cpSync(join(work, 'model'), join(plain, 'models/clip-lung'), { recursive: true });
    writeFileSync(join(plain, 'index.html'), documented('In a plain page'));
    const site = await serve({ '/deep/path/': plain }, '');
    await titled(`${site.url}/deep/path/`, '^(benign|unsure|malignant), with words$');

    // the page here, the package and the model there
    const away = documented('In a plain page').replaceAll("'./", `'${site.url}/deep/path/`);
    const other = join(work, 'other');
    mkdirSync(other);
    writeFileSync(join(other, 'index.html'), away);
    const second = await serve({ '/': other }, '');
    await titled(`${second.url}/`, '^(benign|unsure|malignant), with words$');
    second.close();
    site.close();
  });
}

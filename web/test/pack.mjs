/** What `npm pack` gives, used as web/README.md says: in a fresh vite project, in a plain page, and from another origin. */
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { web } from './fixture.mjs';
import { serve } from './serve.mjs';

/** The first code block under a heading of the README. */
const documented = (heading) => readFileSync(join(web, 'README.md'), 'utf8').split(`## ${heading}`)[1].split(/```\w+\n/)[1].split('```')[0];

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

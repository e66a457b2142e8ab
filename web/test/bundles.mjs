/** What `npm pack` gives, in the bundlers that people have, as web/README.md says, under the policy that it names. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { web } from './fixture.mjs';
import { POLICY, serve } from './serve.mjs';

/** The first code block under a heading of the README. */
const documented = (heading) => readFileSync(join(web, 'README.md'), 'utf8').split(`## ${heading}`)[1].split(/```\w+\n/)[1].split('```')[0];

export default async function ({ work, browser }, test) {
  const project = join(work, 'bundled');
  mkdirSync(join(project, 'public'), { recursive: true });
  const call = (command, ...words) => execFileSync(command, words, { cwd: project, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
  const tool = (name, ...words) => call(join(web, 'node_modules/.bin', name), ...words);
  const [{ filename }] = JSON.parse(execFileSync('npm', ['pack', '--json', '--pack-destination', work], { cwd: web, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }));
  writeFileSync(join(project, 'package.json'), JSON.stringify({ name: 'bundled', private: true, type: 'module' }));
  call('npm', 'install', '--no-audit', '--no-fund', '--prefer-offline', join(work, filename));
  writeFileSync(join(project, 'main.js'), documented('In a vite project'));

  /** Serves what was built and waits for the title that the documented code sets; no violation of the policy, no error. */
  const works = async (folder, html) => {
    writeFileSync(join(folder, 'index.html'), `<!doctype html><meta charset="utf-8"><title>bundled</title>${html}`);
    const site = await serve({ '/deep/': folder, '/models/clip-lung/': join(work, 'model') });
    assert.match(POLICY, /script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'/);
    const page = await browser.newPage();
    const said = [];
    page.on('console', (m) => m.type() === 'error' && said.push(m.text()));
    page.on('pageerror', (e) => said.push(`${e.name}: ${e.message}`));
    await page.goto(`${site.url}/deep/`);
    await page.waitForFunction(() => /^(benign|unsure|malignant) 0\.\d+, \d+ ms on wasm, 1024 cells$/.test(document.title), null, { timeout: 30000 })
      .catch(async () => assert.fail(`title ${await page.title()}; ${said.join('; ')}; ${site.log.join(' ')}`));
    assert.deepEqual(said.filter((line) => !/favicon|404/.test(line)), []);
    assert.ok(site.log.some((path) => /^\/deep\/.*\.wasm$/.test(path)), 'the module is the bundle\'s own');
    await page.close();
    site.close();
  };

  await test('webpack 5 builds it, with nothing said', async () => {
    const out = join(project, 'webpack');
    tool('webpack', '--mode', 'production', '--entry', './main.js', '--output-path', out, '--no-stats');
    await works(out, '<script src="./main.js" defer></script>');
  });

  await test('webpack 5 in development mode, with modules', async () => {
    const out = join(project, 'webpack-modules');
    writeFileSync(join(project, 'webpack.config.js'), `export default { mode: 'development', devtool: false, entry: './main.js', experiments: { outputModule: true }, output: { path: ${JSON.stringify(out)}, filename: 'main.js', module: true } };`);
    tool('webpack', '--no-stats');
    await works(out, '<script type="module" src="./main.js"></script>');
  });

  await test('esbuild, with the package copied beside the bundle as the README says', async () => {
    const out = join(project, 'esbuild');
    const [, command, copy] = /```sh\n(esbuild [^\n]+)\n(cp [^\n]+)\n```/.exec(readFileSync(join(web, 'README.md'), 'utf8'));
    tool('esbuild', ...command.split(' ').slice(1));
    call('sh', '-c', copy);
    cpSync(join(project, 'out'), out, { recursive: true });
    await works(out, '<script type="module" src="./main.js"></script>');
  });
}

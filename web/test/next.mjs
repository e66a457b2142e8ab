/** The package in a Next.js application that is exported as files, by both of Next.js's bundlers, as web/README.md says. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { target, web } from './fixture.mjs';
import { POLICY, serve } from './serve.mjs';

const NEXT = '16.4.6';
const REACT = '19.3.1';

/** The first code block under a heading of the README. */
const documented = (heading) => readFileSync(join(web, 'README.md'), 'utf8').split(`## ${heading}`)[1].split(/```\w+\n/)[1].split('```')[0];

/** An application's folder with Next.js in it: fetched once (a third of a gigabyte), and kept beside other tools: below `node_modules` its
 * pages would be none of the application's. */
function application() {
  const folder = join(target, 'tools', `next-${NEXT}`);
  mkdirSync(join(folder, 'pages'), { recursive: true });
  const npm = (...words) => execFileSync('npm', [...words, '--no-audit', '--no-fund', '--prefer-offline'], { cwd: folder, stdio: ['ignore', 'ignore', 'pipe'] });
  if (!existsSync(join(folder, 'node_modules/next/package.json'))) {
    writeFileSync(join(folder, 'package.json'), JSON.stringify({ name: 'application', private: true, type: 'module' }));
    npm('install', `next@${NEXT}`, `react@${REACT}`, `react-dom@${REACT}`);
  }
  const [{ filename }] = JSON.parse(execFileSync('npm', ['pack', '--json', '--pack-destination', folder], { cwd: web, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }));
  // the same version each time: npm would keep the old one
  rmSync(join(folder, 'node_modules/clip-lung'), { recursive: true, force: true });
  mkdirSync(join(folder, 'node_modules/clip-lung'));
  execFileSync('tar', ['-xzf', join(folder, filename), '--strip-components', '1', '-C', join(folder, 'node_modules/clip-lung')]);
  writeFileSync(join(folder, 'next.config.mjs'), "export default { output: 'export', turbopack: { root: import.meta.dirname } };\n");
  writeFileSync(join(folder, 'pages/index.js'), documented('In Next.js'));
  return folder;
}

export default async function ({ work, browser }, test) {
  const folder = application();

  for (const [bundler, ...words] of [['webpack', '--webpack'], ['Turbopack']]) {
    await test(`Next.js by ${bundler}: exported, under the policy`, async () => {
      rmSync(join(folder, 'out'), { recursive: true, force: true });
      const env = { ...process.env, NEXT_TELEMETRY_DISABLED: '1' };
      execFileSync(join(folder, 'node_modules/.bin/next'), ['build', ...words], { cwd: folder, env, stdio: ['ignore', 'pipe', 'pipe'] });
      const html = readFileSync(join(folder, 'out/index.html'), 'utf8');
      const own = [...html.matchAll(/<script>([^]*?)<\/script>/g)].map(([, code]) => ` 'sha256-${createHash('sha256').update(code).digest('base64')}'`);
      assert.equal(own.length > 0, bundler === 'Turbopack', 'only Turbopack has a script of its own in the page');
      const site = await serve({ '/': join(folder, 'out'), '/models/clip-lung/': join(work, 'model') }, POLICY.replace("'wasm-unsafe-eval'", `'wasm-unsafe-eval'${own.join('')}`));
      const page = await browser.newPage();
      const said = [];
      page.on('console', (m) => m.type() === 'error' && said.push(m.text()));
      page.on('pageerror', (e) => said.push(`${e.name}: ${e.message}`));
      await page.goto(`${site.url}/`);
      await page.waitForFunction(() => /^(benign|unsure|malignant) 0\.\d+ on wasm$/.test(document.querySelector('output')?.textContent), null, { timeout: 60000 })
        .catch(async () => assert.fail(`${await page.content()}; ${said.join('; ')}; ${site.log.join(' ')}`));
      assert.deepEqual(said.filter((line) => !/favicon|404/.test(line)), []);
      assert.ok(site.log.some((path) => /^\/_next\/.*\.wasm$/.test(path)), 'the module is the bundle\'s own');
      await page.close();
      site.close();
    });
  }
}

/** The report of a study as a browser shows it: it asks for nothing, fits every screen, and no label is cut off. */
import assert from 'node:assert/strict';
import { mkdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

const SCREENS = {
  light: { colorScheme: 'light', viewport: { width: 1280, height: 900 } },
  dark: { colorScheme: 'dark', viewport: { width: 1280, height: 900 } },
  phone: { colorScheme: 'light', viewport: { width: 360, height: 740 } },
  // A4 with Chromium's own margins, from a dark screen: paper is white all the same
  print: { colorScheme: 'dark', viewport: { width: 718, height: 1047 }, media: 'print' },
};

export default async function ({ work, run, browser }, test) {
  const study = join(work, 'study');
  const shots = process.env.SCREENSHOTS ?? join(work, 'shots');
  mkdirSync(shots, { recursive: true });
  await test('report: a study becomes one page of its own', async () => {
    run('sweep', 'plan', study, '--data', join(work, 'set'), '--methods', 'ce,nsb', '--fold-count', '2', '--epochs', '1');
    run('sweep', 'run', study);
    run('report', study, '--out', join(study, 'report'));
    assert.ok(statSync(join(study, 'report/report.html')).size < 5e6);
  });
  for (const [name, { media = 'screen', ...options }] of Object.entries(SCREENS)) {
    await test(`report: ${name}`, async () => {
      const context = await browser.newContext(options);
      const page = await context.newPage();
      await page.emulateMedia({ media });
      const file = pathToFileURL(join(study, 'report/report.html')).href;
      const asked = [];
      page.on('request', (r) => r.url() !== file && !r.url().startsWith('data:') && asked.push(r.url()));
      page.on('pageerror', (e) => asked.push(e.message));
      await page.goto(file);
      const seen = await page.evaluate(() => {
        const cut = [...document.querySelectorAll('svg.panel')].flatMap((svg) => {
          const { width, height } = svg.viewBox.baseVal;
          const outside = (b) => b.x < -1 || b.y < -1 || b.x + b.width > width + 1 || b.y + b.height > height + 1;
          return [...svg.querySelectorAll('text')].filter((t) => outside(t.getBBox())).map((t) => t.textContent);
        });
        const { backgroundColor } = getComputedStyle(document.body);
        // what scrolls on a screen is out of reach on paper
        const hidden = [...document.querySelectorAll('.scroll, .panels')]
          .filter((box) => box.scrollWidth > box.clientWidth + 1 || box.getBoundingClientRect().right > innerWidth + 1)
          .map((box) => box.textContent.slice(0, 60));
        const bright = (colour) => /\d+, \d+, \d+/.exec(colour)[0].split(', ').reduce((sum, v) => sum + Number(v), 0) / 3;
        const inks = [...document.querySelectorAll('p, th, td, svg.panel text')].map((e) => {
          const style = getComputedStyle(e);
          return bright(e instanceof SVGElement ? style.fill : style.color);
        });
        return {
          cut, hidden, panels: document.querySelectorAll('svg.panel').length, paper: bright(backgroundColor),
          inks: [Math.min(...inks), Math.max(...inks)], wide: document.documentElement.scrollWidth - innerWidth,
        };
      });
      await page.screenshot({ path: join(shots, `report-${name}.png`), fullPage: true });
      await context.close();
      assert.deepEqual([asked, seen.cut], [[], []]);
      assert.ok(seen.panels > 10 && seen.wide <= 0, JSON.stringify(seen));
      const [darkest, brightest] = seen.inks;
      assert.ok(name === 'dark' ? seen.paper < 64 && darkest > 160 : seen.paper > 240 && brightest < 96, JSON.stringify(seen));
      if (media === 'print') assert.deepEqual(seen.hidden, []);
    });
  }
}

/** What the tests of the page share: served pages, a browser that draws, visits that note every trouble, and what the page shows. */
import { spawn } from 'node:child_process';
import { launch, program } from './fixture.mjs';

export const DESKTOP = { viewport: { width: 1400, height: 900 }, colorScheme: 'dark' };
export const PHONE = { viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true, deviceScaleFactor: 2, colorScheme: 'dark' };

/** `clip-lung serve` on any free port, with a model, several, or none that is named. */
export async function serving(models, ...more) {
  const named = [models].flat().flatMap((model) => ['--model', model]);
  const server = spawn(program, ['serve', ...named, '--port', '0', ...(process.env.CLIP_LUNG_PAGE ? ['--page', process.env.CLIP_LUNG_PAGE] : []), ...more], { stdio: ['ignore', 'pipe', 'inherit'] });
  const url = await new Promise((resolve, reject) => {
    server.stdout.on('data', (text) => /http:\S+/.test(text) && resolve(/http:\S+/.exec(text)[0]));
    server.on('exit', () => reject(new Error('serve ended')));
  });
  return { url, stop: () => new Promise((resolve) => server.on('exit', resolve) && server.kill('SIGINT')) };
}

export const browser = () => launch(['--disable-gpu']);

/** A ready page of its own context. `troubles` collects errors, violations of the policy and requests to elsewhere. */
export async function visit(from, url, { troubles = [], ...options } = DESKTOP) {
  const context = await from.newContext(options);
  const page = await context.newPage();
  page.setDefaultTimeout(60000);
  page.on('console', (m) => (m.type() === 'error' || /Content Security Policy/.test(m.text())) && troubles.push(m.text()));
  page.on('pageerror', (e) => troubles.push(e.message));
  page.on('request', (r) => !r.url().startsWith(url) && !/^(data|blob):/.test(r.url()) && troubles.push(r.url()));
  await page.goto(url);
  await page.waitForFunction(() => document.documentElement.dataset.ready);
  return page;
}

export const text = (page, id) => page.locator(`#${id}`).textContent();
export const shares = (page) => page.locator('#probabilities output').allTextContents().then((all) => all.map((t) => parseFloat(t) / 100));
/** Probabilities of the native program in the page's order. */
export const ordered = ({ probabilities }) => ['benign', 'unsure', 'malignant'].map((name) => probabilities[name]);

/** Waits until the scan is on the screen. */
export async function opened(page, act) {
  await page.evaluate(() => (document.getElementById('message').textContent = 'opening'));
  await act();
  await page.waitForFunction(() => / voxels of |^(?!opening|looking|reading|unpacking).*error/.test(document.getElementById('message').textContent)
    || document.getElementById('message').classList.contains('error'));
}

/** Waits until everything is said of the chosen nodule: the band comes last. */
export async function answered(page, act) {
  await page.evaluate(() => (document.getElementById('steady').textContent = ''));
  await act();
  await page.waitForFunction(() => /mm/.test(document.getElementById('steady').textContent));
}

/** Marks a nodule by numbers in the frame shown. */
export async function place(page, centre, diameter) {
  await page.fill('#x', centre.join(', '));
  await page.locator('#x').blur();
  await answered(page, async () => {
    await page.fill('#diameter', String(diameter));
    await page.locator('#diameter').blur();
  });
  // on a busy machine the answer for the new place with the old diameter may come in between
  const span = [0.8, 0.8 * (1.25 / 0.8)].map((share) => (share * diameter).toFixed(1)).join(' to ');
  await page.waitForFunction((span) => document.getElementById('steady').textContent.includes(span), span);
}

/** Notes when files are chosen, and what tasks keep the page busy. */
export const watch = (page) => page.evaluate(() => {
  globalThis.tasks = [];
  new PerformanceObserver((list) => tasks.push(...list.getEntries())).observe({ type: 'longtask' });
  for (const id of ['files', 'folder']) {
    const input = document.getElementById(id);
    const open = input.onchange;
    input.onchange = (event) => {
      performance.mark('chosen');
      open(event);
    };
  }
});

/** Of a scan that was opened on a watched page, ms: until it was on the screen, a slice further, from `mark` to the band, and the longest
 * task from the choice on: the test itself keeps the page busy before. */
export async function times(page, mark) {
  const { opening, scroll } = await page.evaluate(async () => {
    const drawn = () => new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve)));
    await drawn();
    const last = (name) => performance.getEntriesByName(name).at(-1).startTime;
    const turns = [];
    for (let i = 0; i < 20; i++) {
      const begun = performance.now();
      viewer.scroll(1);
      await drawn();
      turns.push(performance.now() - begun);
    }
    return { opening: last('shown') - last('chosen'), scroll: turns.sort((a, b) => a - b)[10] };
  });
  const begun = performance.now();
  await answered(page, mark);
  const marked = performance.now() - begun;
  const longest = await page.evaluate(() => {
    const since = performance.getEntriesByName('chosen').at(-1).startTime;
    return Math.max(0, ...tasks.filter(({ startTime }) => startTime >= since).map(({ duration }) => duration));
  });
  const ms = (v) => `${v.toFixed(0)} ms`;
  return { opening, longest, text: `opened in ${ms(opening)}, a slice in ${ms(scroll)}, from mark to band ${ms(marked)}, longest task ${ms(longest)}` };
}

/** `npm test`: every suite, or those named. Build the package and the page before; `npm test dist` tries what `make dist` left. */
import { fixture } from './fixture.mjs';

const SUITES = [
  'package', 'readouts', 'gpu', 'page', 'marking', 'models', 'opening', 'readings', 'access', 'faults', 'places', 'budget',
  'real', 'study', 'reports', 'viewers', 'ohif', 'orthanc', 'bundles', 'next', 'pack',
];
/** Only where they are named. */
const NAMED = ['dist'];
const wanted = process.argv.slice(2);
const shared = await fixture();
let passed = 0;

async function test(name, body) {
  const start = performance.now();
  await body();
  passed += 1;
  console.log(`ok ${name} (${Math.round(performance.now() - start)} ms)`);
}

try {
  for (const suite of wanted.length ? [...SUITES, ...NAMED].filter((s) => wanted.includes(s)) : SUITES) {
    console.log(suite);
    await (await import(`./${suite}.mjs`)).default(shared, test);
  }
  console.log(`${passed} tests passed`);
} catch (error) {
  console.error(error);
  process.exitCode = 1;
} finally {
  await shared.close();
}
// a suite that failed may have left a server or a browser
process.exit();

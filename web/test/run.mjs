/** `npm test`: every suite, or those named. Build the package and the page before. */
import { fixture } from './fixture.mjs';

const SUITES = [
  'package', 'readouts', 'gpu', 'page', 'marking', 'opening', 'readings', 'access', 'faults', 'places', 'budget',
  'study', 'reports', 'viewers', 'ohif', 'bundles', 'next', 'pack',
];
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
  for (const suite of SUITES.filter((s) => !wanted.length || wanted.includes(s))) {
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

/** Loads a model and disposes of it, again and again: what the browser's processes and the page hold in the end, less what they held early. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';

/** Bytes a page of memory has, and how many the processes may vary by: collectors run when they like. */
const PAGE = 4096;
const SLACK = 150e6;

export async function doesNotGrow({ browser, page, device, times }) {
  const client = await browser.newBrowserCDPSession();
  const inspector = await page.context().newCDPSession(page);
  const before = page.workers().length;
  const memory = async () => {
    await inspector.send('HeapProfiler.collectGarbage');
    // the browser tells of a worker's end a moment later
    for (let i = 0; i < 50 && page.workers().length > before; i++) await new Promise((resolve) => setTimeout(resolve, 100));
    assert.equal(page.workers().length, before, 'workers are gone');
    await new Promise((resolve) => setTimeout(resolve, 500));
    const { processInfo } = await client.send('SystemInfo.getProcessInfo');
    const resident = processInfo.map(({ id }) => PAGE * Number(readFileSync(`/proc/${id}/statm`, 'utf8').split(' ')[1]));
    return [resident.reduce((a, b) => a + b), (await inspector.send('Runtime.getHeapUsage')).usedSize];
  };
  const once = () => page.evaluate(async (device) => {
    const other = await ClipLung.from('/work/model', { device });
    if (other.device !== device) throw new Error(other.fallback);
    const pending = other.predict(input(0)).catch((e) => e.code);
    other.dispose();
    if ((await pending) !== 'disposed') throw new Error('a request outlived its object');
  }, device);
  // the first ones fill what the browser keeps for good: compiled code, shaders, the disk cache
  for (let i = 0; i < 3; i++) await once();
  const [resident, heap] = await memory();
  for (let i = 3; i < times; i++) await once();
  const [later, after] = await memory();
  console.log(`   ${times} times: processes ${((later - resident) / 1e6).toFixed(0)} MB more, the page's heap ${((after - heap) / 1e6).toFixed(1)} MB`);
  // a model is 22 MB as files and over 150 MB in a worker
  assert.ok(later - resident < SLACK, `the browser grew from ${resident} to ${later} bytes`);
  assert.ok(after - heap < 4e6, `the page's heap grew from ${heap} to ${after} bytes`);
}

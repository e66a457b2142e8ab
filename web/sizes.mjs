/** What a page downloads, gzipped, against its limits: the CPU path (module and scripts), and the GPU module. */
import { readFileSync, readdirSync } from 'node:fs';
import { gzipSync } from 'node:zlib';

const dist = new URL('./dist/', import.meta.url);
const size = (names) => names.reduce((sum, name) => sum + gzipSync(readFileSync(new URL(name, dist)), { level: 9 }).length, 0);
const scripts = readdirSync(dist).filter((n) => n.endsWith('.js') && n !== 'worker-gpu.js');
const found = {
  'CPU path': [size([...scripts, 'cpu/clip_lung_web.js', 'cpu/clip_lung_web_bg.wasm']), 600_000],
  'GPU module': [size(['worker-gpu.js', 'gpu/clip_lung_web.js', 'gpu/clip_lung_web_bg.wasm']), 3_500_000],
};
for (const [name, [bytes, limit]] of Object.entries(found)) {
  console.log(`${name}: ${bytes} bytes gzipped (at most ${limit})`);
  if (bytes > limit) process.exitCode = 1;
}

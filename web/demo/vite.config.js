/** The demo page. Everything it needs lands in dist/: no library from elsewhere, relative addresses, a worker for offline use. */
import { cpSync, readFileSync } from 'node:fs';
import { createHash } from 'node:crypto';
import { resolve } from 'node:path';
import { defineConfig } from 'vite';

/** src/sw.js with the list of what to keep, and a version that changes with it; the package as it is, for other pages. */
const finish = {
  name: 'finish',
  apply: 'build',
  generateBundle(_, bundle) {
    // the GPU module is kept when it is first used
    const kept = Object.keys(bundle).filter((name) => !/worker-gpu|bench/.test(name) && !(name.endsWith('.wasm') && bundle[name].source.length > 4e6));
    const version = createHash('sha256').update(kept.join()).digest('hex').slice(0, 12);
    const source = readFileSync(resolve(import.meta.dirname, 'src/sw.js'), 'utf8');
    const list = JSON.stringify(['./', ...kept.filter((name) => name !== 'index.html'), 'icon.svg', 'models.json', 'samples/nodules.csv', 'samples/volume.csv', 'samples/volume.nii.gz', 'samples/crops.safetensors']);
    this.emitFile({ type: 'asset', fileName: 'sw.js', source: source.replace('__VERSION__', version).replace('["__KEPT__"]', list) });
  },
  closeBundle() {
    cpSync(resolve(import.meta.dirname, '../dist'), resolve(import.meta.dirname, 'dist/package'), { recursive: true });
  },
};

export default defineConfig({
  root: import.meta.dirname,
  base: './',
  resolve: { alias: { 'clip-lung/sr': resolve(import.meta.dirname, '../dist/sr/index.js'), 'clip-lung': resolve(import.meta.dirname, '../dist/index.js') } },
  worker: { format: 'es' },
  build: { target: 'es2022', outDir: 'dist', emptyOutDir: true, chunkSizeWarningLimit: 4000, modulePreload: { polyfill: false } },
  plugins: [finish],
});

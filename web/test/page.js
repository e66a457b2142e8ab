import { ClipLung, ClipLungError } from '/dist/index.js';
Object.assign(globalThis, { ClipLung, ClipLungError });
document.title = 'ready';

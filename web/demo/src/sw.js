/** Keeps the page for offline use. Weights are not its business: the package keeps them under their digests. Pages of several versions
 * may share an origin: each keeps and forgets its own. */
const VERSION = 'clip-lung-page-__VERSION__';
const PLACE = new URL(registration.scope).pathname;
const CACHE = `${VERSION} ${PLACE}`;
const KEPT = ["__KEPT__"];

self.addEventListener('install', (event) => {
  // a page that is open keeps the version that it came with: the next one waits until it is closed
  event.waitUntil(caches.open(CACHE).then((cache) => cache.addAll(KEPT).then(() => described(cache))));
});

/** What the models are: the page asked for it before this worker could keep it. A page without a model is kept too. */
async function described(cache) {
  const folders = await (await cache.match('models.json')).json();
  await Promise.all(folders.map((folder) => cache.add(`${folder}/config.json`).catch(() => undefined)));
}

self.addEventListener('activate', (event) => {
  const old = (names) => Promise.all(names.filter((n) => n.startsWith('clip-lung-page-') && n.endsWith(` ${PLACE}`) && n !== CACHE).map((n) => caches.delete(n)));
  event.waitUntil(caches.keys().then(old).then(() => self.clients.claim()));
});

self.addEventListener('fetch', (event) => {
  const { request } = event;
  const url = new URL(request.url);
  if (request.method !== 'GET' || url.origin !== location.origin || url.pathname.endsWith('.safetensors') && !url.pathname.includes('/samples/')) return;
  // files named by their digest never change; the rest is asked for again while there is a connection
  event.respondWith(/\/assets\//.test(url.pathname) ? kept(request) : fresh(request));
});

async function kept(request) {
  const cache = await caches.open(CACHE);
  return (await cache.match(request)) ?? fresh(request);
}

async function fresh(request) {
  const cache = await caches.open(CACHE);
  try {
    const response = await fetch(request);
    if (response.ok) await cache.put(request, response.clone());
    return response;
  } catch (error) {
    const found = await cache.match(request, { ignoreSearch: request.mode === 'navigate' });
    if (found) return found;
    throw error;
  }
}

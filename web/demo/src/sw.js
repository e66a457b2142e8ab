/** Keeps the page for offline use. Weights are not its business: the package keeps them under their digests. */
const CACHE = 'clip-lung-page-__VERSION__';
const KEPT = ["__KEPT__"];

self.addEventListener('install', (event) => {
  event.waitUntil(caches.open(CACHE).then((cache) => cache.addAll(KEPT)).then(() => self.skipWaiting()));
});

self.addEventListener('activate', (event) => {
  const old = (names) => Promise.all(names.filter((n) => n.startsWith('clip-lung-page-') && n !== CACHE).map((n) => caches.delete(n)));
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
  return (await caches.match(request)) ?? fresh(request);
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

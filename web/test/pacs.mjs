/**
 * Orthanc and nginx while a test needs them: examples/ohif/nginx.conf with the test's own folders and ports. Both are Debian's: orthanc,
 * orthanc-dicomweb, nginx-light.
 */
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { web } from './fixture.mjs';

const PLUGIN = '/usr/share/orthanc/plugins/libOrthancDicomWeb.so';
/** How long either takes to answer, ms. */
const START = 60000;

/** What of it is not installed. */
export const missing = () => [
  ...['Orthanc', 'nginx'].filter((name) => spawnSync(name, [name === 'nginx' ? '-v' : '--version'], { env: paths }).status !== 0),
  ...(existsSync(PLUGIN) ? [] : ["Orthanc's DICOMweb plugin"]),
];

const paths = { ...process.env, PATH: `${process.env.PATH}:/usr/sbin` };

const free = () => new Promise((resolve) => {
  const server = createServer().listen(0, '127.0.0.1', () => {
    const { port } = server.address();
    server.close(() => resolve(port));
  });
});

async function answers(url) {
  for (const start = Date.now(); ;) {
    if (await fetch(url).then((r) => r.ok, () => false)) return;
    assert.ok(Date.now() - start < START, `${url} does not answer`);
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}

/** Starts both below `dir`; `places` are the folders that nginx.conf names below /srv. */
export async function pacs(dir, places) {
  mkdirSync(join(dir, 'store'), { recursive: true });
  const [http, dicom, site] = [await free(), await free(), await free()];
  const store = join(dir, 'store');
  writeFileSync(join(dir, 'orthanc.json'), JSON.stringify({
    StorageDirectory: store, IndexDirectory: store, HttpPort: http, DicomPort: dicom, RemoteAccessAllowed: false, AuthenticationEnabled: false,
    Plugins: [PLUGIN], DicomWeb: { Enable: true, Root: '/dicom-web/' },
  }));
  let server = readFileSync(join(web, '../examples/ohif/nginx.conf'), 'utf8').replace('127.0.0.1:8080', `127.0.0.1:${site}`).replace('127.0.0.1:8042', `127.0.0.1:${http}`);
  for (const [named, place] of Object.entries(places)) {
    assert.ok(server.includes(named), `nginx.conf names ${named}`);
    server = server.replaceAll(named, place);
  }
  assert.ok(!server.includes('/srv/'), server);
  const kept = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((what) => `${what}_temp_path ${join(dir, what)};`).join(' ');
  writeFileSync(join(dir, 'nginx.conf'), `daemon off; master_process off; pid ${join(dir, 'pid')}; error_log ${join(dir, 'error.log')};
    events {} http { include /etc/nginx/mime.types; access_log off; ${kept} ${server} }`);
  const started = [
    spawn('Orthanc', [join(dir, 'orthanc.json')], { stdio: 'ignore', env: paths }),
    spawn('nginx', ['-e', join(dir, 'error.log'), '-c', join(dir, 'nginx.conf')], { stdio: 'ignore', env: paths }),
  ];
  const [orthanc, url] = [`http://127.0.0.1:${http}`, `http://127.0.0.1:${site}`];
  const close = () => Promise.all(started.map((child) => new Promise((resolve) => child.on('exit', resolve) && child.kill())));
  try {
    await answers(`${orthanc}/system`);
    await answers(`${url}/index.html`);
  } catch (error) {
    await close();
    throw error;
  }
  return { orthanc, url, close };
}

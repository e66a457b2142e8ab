/** A static server for the tests: folders mounted under paths, correct types, a strict policy, a log of requests, and files that a
 * test has `replaced` (by `null`: gone). */
import { createReadStream, existsSync, statSync } from 'node:fs';
import { createServer } from 'node:http';
import { extname, join, normalize } from 'node:path';

const TYPES = { '.html': 'text/html', '.css': 'text/css', '.js': 'text/javascript', '.mjs': 'text/javascript', '.wasm': 'application/wasm', '.json': 'application/json' };
export const POLICY = "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; connect-src 'self'";

export async function serve(mounts, policy = POLICY, { routes = false } = {}) {
  const log = [];
  const replaced = {};
  const server = createServer((request, response) => {
    const path = normalize(decodeURIComponent(new URL(request.url, 'http://x').pathname));
    log.push(path);
    const mount = Object.keys(mounts).filter((m) => path.startsWith(m)).sort((a, b) => b.length - a.length)[0];
    let file = mount && join(mounts[mount], path.slice(mount.length));
    if (file && existsSync(file) && statSync(file).isDirectory()) file = join(file, 'index.html');
    // an application's own addresses
    if (file && !existsSync(file) && !extname(file) && routes) file = join(mounts[mount], 'index.html');
    const other = replaced[path];
    if (other === null || (other === undefined && !(file && existsSync(file)))) {
      response.writeHead(404).end();
      return;
    }
    response.writeHead(200, {
      'content-type': TYPES[extname(file)] ?? 'application/octet-stream',
      'content-length': other === undefined ? statSync(file).size : Buffer.byteLength(other),
      ...(policy && { 'content-security-policy': policy }),
      'access-control-allow-origin': '*',
      'cache-control': 'no-store',
    });
    if (other === undefined) createReadStream(file).pipe(response);
    else response.end(other);
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { url: `http://127.0.0.1:${server.address().port}`, log, replaced, close: () => server.close() };
}

/** ZIP archives that the tests write. */
import { crc32, deflateRawSync } from 'node:zlib';

/** An archive of files `{ name, buffer }`; `encrypted` sets the flag of a password. */
export function zip(files, { encrypted = false, stored = false } = {}) {
  const parts = [];
  const directory = [];
  let at = 0;
  for (const { name, buffer } of files) {
    const packed = stored ? buffer : deflateRawSync(buffer);
    const path = Buffer.from(name);
    const entry = Buffer.alloc(26);
    [[20, 0], [encrypted ? 1 : 0, 2], [stored ? 0 : 8, 4], [path.length, 22]].forEach(([v, i]) => entry.writeUInt16LE(v, i));
    [[crc32(buffer), 10], [packed.length, 14], [buffer.length, 18]].forEach(([v, i]) => entry.writeUInt32LE(v, i));
    const local = Buffer.concat([Buffer.from('PK\u0003\u0004'), entry, path, packed]);
    const tail = Buffer.alloc(14);
    tail.writeUInt32LE(at, 10);
    directory.push(Buffer.concat([Buffer.from('PK\u0001\u0002'), Buffer.from([20, 0]), entry, tail, path]));
    parts.push(local);
    at += local.length;
  }
  const central = Buffer.concat(directory);
  const end = Buffer.alloc(18);
  [[files.length, 4], [files.length, 6]].forEach(([v, i]) => end.writeUInt16LE(v, i));
  [[central.length, 8], [at, 12]].forEach(([v, i]) => end.writeUInt32LE(v, i));
  return Buffer.concat([...parts, central, Buffer.from('PK\u0005\u0006'), end]);
}

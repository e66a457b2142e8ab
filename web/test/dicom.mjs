/** Synthetic CT for the tests of the page: DICOM slices (explicit little endian), NIfTI and NRRD volumes of one scene. */

/** Columns, rows, slices; mm; LPS of the first voxel; the nodule in it, LPS and mm. */
export const SCENE = { dims: [72, 64, 40], spacing: [0.8, 0.8, 2], first: [-30, -20, -100], centre: [-1.6, 4, -61.4], diameter: 12 };

/** HU at a place: lung, a ball of tissue, and two things beside it, so that no mirror image is alike. */
function tissue([x, y, z]) {
  const blobs = [[...SCENE.centre, SCENE.diameter / 2, 40], [-9.6, 9, -67.4, 3, 300], [4, 0, -57, 2, -50]];
  return blobs.reduce((hu, [cx, cy, cz, radius, value]) => {
    const inside = 1 / (1 + Math.exp((Math.hypot(x - cx, y - cy, z - cz) - radius) / 0.35));
    return hu * (1 - inside) + value * inside;
  }, -850 + 25 * Math.sin(0.5 * x + 0.3 * y) + 20 * Math.sin(0.4 * z - 0.2 * x));
}

/** The scene in whole HU, x running fastest; `add` is added to every voxel. */
export function voxels(add = 0, { dims: [nx, ny, nz], spacing, first } = SCENE) {
  const out = new Int16Array(nx * ny * nz);
  for (let i = 0; i < out.length; i++) {
    const at = [i % nx, Math.floor(i / nx) % ny, Math.floor(i / nx / ny)];
    out[i] = Math.round(tissue(at.map((v, a) => first[a] + v * spacing[a])) + add);
  }
  return out;
}

const LONG = new Set(['OB', 'OW', 'SQ', 'UN', 'UT']);

function element(tag, vr, value) {
  let body = typeof value === 'string' ? Buffer.from(value, 'latin1') : Buffer.from(value);
  if (body.length % 2) body = Buffer.concat([body, Buffer.from(vr === 'UI' || vr === 'OB' ? '\0' : ' ')]);
  const head = Buffer.alloc(LONG.has(vr) ? 12 : 8);
  head.writeUInt16LE(tag >>> 16, 0);
  head.writeUInt16LE(tag & 0xffff, 2);
  head.write(vr, 4);
  if (LONG.has(vr)) head.writeUInt32LE(body.length, 8);
  else head.writeUInt16LE(body.length, 6);
  return Buffer.concat([head, body]);
}

const short = (value) => {
  const out = Buffer.alloc(2);
  out.writeUInt16LE(value & 0xffff);
  return out;
};

/** One slice as a DICOM file; `more` replaces elements by tag ([vr, value]; undefined: absent). */
export function slice(pixels, z, { series = '1.2.826.0.1.3680043.9.7777.1', description = 'LUNG 2.0', number = 1, syntax = '1.2.840.10008.1.2.1', more = {} } = {}) {
  const { dims, spacing, first } = SCENE;
  const sop = `${series}.${number}`;
  const fields = {
    0x00080016: ['UI', '1.2.840.10008.5.1.4.1.1.2'], 0x00080018: ['UI', sop], 0x00080060: ['CS', 'CT'], 0x0008103e: ['LO', description],
    0x00100020: ['LO', 'SYNTHETIC'], 0x00180050: ['DS', String(spacing[2])], 0x0020000d: ['UI', '1.2.826.0.1.3680043.9.7777.9'], 0x0020000e: ['UI', series],
    0x00200013: ['IS', String(number)], 0x00200032: ['DS', `${first[0]}\\${first[1]}\\${z}`], 0x00200037: ['DS', '1\\0\\0\\0\\1\\0'],
    0x00280002: ['US', short(1)], 0x00280004: ['CS', 'MONOCHROME2'], 0x00280010: ['US', short(dims[1])], 0x00280011: ['US', short(dims[0])],
    0x00280030: ['DS', `${spacing[1]}\\${spacing[0]}`], 0x00280100: ['US', short(16)], 0x00280101: ['US', short(16)], 0x00280102: ['US', short(15)],
    0x00280103: ['US', short(1)], 0x00281052: ['DS', '0'], 0x00281053: ['DS', '1'],
    0x7fe00010: ['OW', Buffer.from(pixels.buffer, pixels.byteOffset, pixels.byteLength)], ...more,
  };
  const body = Object.entries(fields).filter(([, field]) => field).sort(([a], [b]) => a - b).map(([tag, [vr, value]]) => element(Number(tag), vr, value));
  let meta = Buffer.concat([element(0x00020001, 'OB', [0, 1]), element(0x00020002, 'UI', '1.2.840.10008.5.1.4.1.1.2'), element(0x00020003, 'UI', sop), element(0x00020010, 'UI', syntax)]);
  const length = Buffer.alloc(4);
  length.writeUInt32LE(meta.length);
  meta = Buffer.concat([element(0x00020000, 'UL', length), meta]);
  return Buffer.concat([Buffer.alloc(128), Buffer.from('DICM'), meta, ...body]);
}

/** A series as files for a page's input: the scene, or its first `count` slices. */
export function series(name, { count = SCENE.dims[2], add = 0, skip = [], ...more } = {}) {
  const [nx, ny] = SCENE.dims;
  const all = voxels(add);
  return Array.from({ length: count }, (_, k) => k).filter((k) => !skip.includes(k)).map((k) => file(`${name}${String(k).padStart(3, '0')}.dcm`,
    slice(all.subarray(k * nx * ny, (k + 1) * nx * ny), SCENE.first[2] + k * SCENE.spacing[2], { ...more, number: k + 1 })));
}

/** As a page's input takes it. */
export const file = (name, buffer) => ({ name, mimeType: 'application/octet-stream', buffer });

/** The scene as NIfTI (RAS, sform); `code` is its datatype, `body` what stands in it in place of the scene; `change` is given the header. */
export function nifti({ code = 4, bits = 16, body, sform = 1, change = () => undefined } = {}) {
  const { dims, spacing, first } = SCENE;
  const h = Buffer.alloc(352);
  h.writeInt32LE(348, 0);
  [3, ...dims, 1, 1, 1, 1].forEach((v, i) => h.writeInt16LE(v, 40 + 2 * i));
  h.writeInt16LE(code, 70);
  h.writeInt16LE(bits, 72);
  [1, ...spacing].forEach((v, i) => h.writeFloatLE(v, 76 + 4 * i));
  h.writeFloatLE(352, 108);
  h.writeUInt8(2, 123);
  h.writeInt16LE(sform, 254);
  [[-spacing[0], 0, 0, -first[0]], [0, -spacing[1], 0, -first[1]], [0, 0, spacing[2], first[2]]].forEach((row, r) => row.forEach((v, c) => h.writeFloatLE(v, 280 + 16 * r + 4 * c)));
  h.write('n+1\0', 344);
  change(h);
  return Buffer.concat([h, body ?? Buffer.from(voxels().buffer)]);
}

/** The scene as MetaImage with these lines before that of its data; `file` is where they lie. */
export function metaImage(lines, { body = Buffer.from(voxels().buffer), file = 'LOCAL', type = 'MET_SHORT', end = '\n' } = {}) {
  const head = ['ObjectType = Image', 'NDims = 3', `DimSize = ${SCENE.dims.join(' ')}`, `ElementType = ${type}`, ...lines, `ElementDataFile = ${file}`, ''];
  return Buffer.concat([Buffer.from(head.join(end)), file === 'LOCAL' ? body : Buffer.alloc(0)]);
}

/** The scene as NRRD with these lines for its place; `body` in place of its voxels. */
export function nrrd(lines, body = Buffer.from(voxels().buffer), end = '\n') {
  return Buffer.concat([Buffer.from(['NRRD0004', '# the scene of the tests', 'type: short', 'dimension: 3', `sizes: ${SCENE.dims.join(' ')}`, 'endian: little', ...lines, '', ''].join(end)), body]);
}

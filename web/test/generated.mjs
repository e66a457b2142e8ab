/** Scans in every way that the tests can write them: what two readers of one scan are compared on. Each is named, with its files. */
import { deflateSync, gzipSync } from 'node:zlib';
import { file, metaImage, nifti, nrrd, SCENE, series, slice, voxels } from './dicom.mjs';
import { zip } from './zip.mjs';

const { dims: [NX, NY, NZ], spacing, first } = SCENE;
const little = () => Buffer.from(voxels().buffer);
const short = (v) => Buffer.from([v & 255, (v >> 8) & 255]);

/** HU in another type of number. */
const as = (Type, scale = 1, add = 0) => Buffer.from(Type.from(voxels(), (v) => (v - add) / scale).buffer);

function big() {
  const out = little();
  return out.swap16();
}

/** Slices whose elements depend on their number. */
const each = (name, more, { count = NZ, ...rest } = {}) => {
  const all = voxels();
  return Array.from({ length: count }, (_, k) => file(`${name}${String(k).padStart(3, '0')}.dcm`,
    slice(all.subarray(k * NX * NY, (k + 1) * NX * NY), first[2] + k * spacing[2], { number: k + 1, ...rest, more: more(k) })));
};

const without = (files, bytes) => files.map(({ name, buffer }) => file(name, buffer.subarray(bytes)));

export const dicom = {
  'a series': series('s'),
  'without preamble': without(series('s'), 128 + 4),
  'without RescaleIntercept': series('s', { more: { 0x00281052: undefined, 0x00281053: undefined } }),
  'a slope of 2': series('s', { more: { 0x00281053: ['DS', '2'] } }),
  'prone': series('s', { more: { 0x00200037: ['DS', '-1\\0\\0\\0\\-1\\0'] } }),
  'oblong pixels': series('s', { more: { 0x00280030: ['DS', '0.9\\0.7'] } }),
  'turned by 15 degrees': series('s', { more: { 0x00200037: ['DS', '0.9659258\\0.2588190\\0\\-0.2588190\\0.9659258\\0'] } }),
  'leaning by 15 degrees': series('s', { more: { 0x00200037: ['DS', '1\\0\\0\\0\\0.9659258\\0.2588190'] } }),
  'missing slices': series('s', { skip: [20, 21, 22] }),
  'two acquisitions': [...each('a', () => ({ 0x00200012: ['IS', '1'] })), ...each('b', () => ({ 0x00200012: ['IS', '2'], 0x00281052: ['DS', '100'] }), { count: 30 })].map(({ buffer }, i) => file(`m${i}.dcm`, distinct(buffer, i))),
  'a scout among them': [...series('s'), file('scout.dcm', slice(new Int16Array(NX * NY), 0, { number: 99, more: { 0x00080008: ['CS', 'ORIGINAL\\PRIMARY\\LOCALIZER'] } }))],
  'one of another size': [...series('s'), file('other.dcm', slice(new Int16Array(30 * 20), 0, { number: 99, more: { 0x00280010: ['US', short(20)], 0x00280011: ['US', short(30)] } }))],
  'a copy of one': [...series('s'), file('copy.dcm', series('s')[7].buffer)],
  'padding': each('s', () => ({ 0x00280120: ['SS', short(-2000)] })),
  'no place': series('s', { more: { 0x00200032: undefined } }),
  'a decimal comma': series('s', { more: { 0x00280030: ['DS', '0,8\\0,8'] } }),
  'one slice': series('s', { count: 1 }),
  'one cut short in its pixels': series('s').map((f, k) => (k === 5 ? file(f.name, f.buffer.subarray(0, f.buffer.length - 900)) : f)),
  'one cut short in its header': series('s').map((f, k) => (k === 5 ? file(f.name, f.buffer.subarray(0, 300)) : f)),
  'foreign files': [...series('s'), file('notes.txt', Buffer.from('Comment of nobody')), file('._s000.dcm', Buffer.from('Mac')), file('.DS_Store', Buffer.from('Mac')), file('a.csv.gz', gzipSync('a,b\n'))],
  'a volume beside it': [...series('s'), file('mask.nii', nifti())],
  'colours': series('s', { more: { 0x00280002: ['US', short(3)] } }),
  'MR': series('s', { more: { 0x00080060: ['CS', 'MR'] } }),
};

/** The file with a SOPInstanceUID that no other has. */
function distinct(buffer, i) {
  const out = Buffer.from(buffer);
  const uid = Buffer.from('1.2.826.0.1.3680043.9.7777.9');
  const at = out.indexOf(uid);
  out.write(String.fromCharCode(49 + (i % 9)), at === -1 ? 0 : at + uid.length - 1);
  return at === -1 ? buffer : out;
}

const endian = (change) => nifti({ body: big(), change: (h) => {
  // every field that is read, the other way round
  for (const [at, size, count] of [[0, 4, 1], [40, 2, 8], [70, 2, 2], [76, 4, 8], [108, 4, 3], [252, 2, 2], [256, 4, 6], [280, 4, 12]]) {
    for (let i = 0; i < count; i++) h.subarray(at + size * i, at + size * (i + 1)).reverse();
  }
  change?.(h);
} });
const forms = (sform, qform, more = () => undefined) => nifti({ sform, change: (h) => {
  h.writeInt16LE(qform, 252);
  // half a turn around z, and the place of the sform
  h.writeFloatLE(1, 264);
  [-first[0], -first[1], first[2]].forEach((v, i) => h.writeFloatLE(v, 268 + 4 * i));
  h.writeFloatLE(1, 76);
  more(h);
} });
const scaled = (slope, inter) => nifti({ change: (h) => h.writeFloatLE(slope, 112) && h.writeFloatLE(inter, 116) });
const unit = (code, scale) => nifti({ change: (h) => {
  h.writeUInt8(code, 123);
  for (let i = 0; i < 12; i++) h.writeFloatLE(h.readFloatLE(280 + 4 * i) * scale, 280 + 4 * i);
} });

export const niftis = {
  'plain': ['scan.nii', nifti()],
  'gzip': ['scan.nii.gz', gzipSync(nifti())],
  'two members': ['scan.nii.gz', Buffer.concat([gzipSync(nifti().subarray(0, 5000)), gzipSync(nifti().subarray(5000))])],
  'zeros behind the gzip': ['scan.nii.gz', Buffer.concat([gzipSync(nifti()), Buffer.alloc(512)])],
  'gzip cut short': ['scan.nii.gz', gzipSync(nifti()).subarray(0, 20000)],
  'gzip that is none': ['scan.nii.gz', nifti()],
  'without an ending': ['scan', nifti()],
  'gzip without an ending': ['scan', gzipSync(nifti())],
  'downloaded twice': ['scan.nii (1).gz', gzipSync(nifti())],
  'big endian': ['scan.nii', endian()],
  'float32': ['scan.nii', nifti({ code: 16, bits: 32, body: as(Float32Array) })],
  'float64 with fractions': ['scan.nii', nifti({ code: 64, bits: 64, body: as(Float64Array, 1, 0.25) })],
  'int32': ['scan.nii', nifti({ code: 8, bits: 32, body: as(Int32Array) })],
  'uint16 with an intercept': ['scan.nii', nifti({ code: 512, body: as(Uint16Array, 1, -1024), change: (h) => h.writeFloatLE(1, 112) && h.writeFloatLE(-1024, 116) })],
  'uint8': ['scan.nii', nifti({ code: 2, bits: 8, body: as(Uint8Array, 8, -1024) })],
  'slope 0': ['scan.nii', scaled(0, 50)], 'slope NaN': ['scan.nii', scaled(NaN, 0)], 'intercept NaN': ['scan.nii', scaled(2, NaN)],
  'slope infinite': ['scan.nii', scaled(Infinity, 0)], 'slope -1': ['scan.nii', scaled(-1, 0)],
  'qform alone': ['scan.nii', forms(0, 1)],
  'qform alone, negative determinant': ['scan.nii', forms(0, 1, (h) => h.writeFloatLE(-1, 76))],
  'both agree': ['scan.nii', forms(1, 1)],
  'both disagree': ['scan.nii', forms(2, 1, (h) => h.writeFloatLE(40, 268))],
  'no form': ['scan.nii', forms(0, 0)],
  'metres': ['scan.nii', unit(1, 1e-3)], 'micrometres': ['scan.nii', unit(3, 1e3)], 'no unit': ['scan.nii', unit(0, 1)], 'metres that name none': ['scan.nii', unit(0, 1e-3)],
  'colours': ['scan.nii', nifti({ code: 128, bits: 24, body: Buffer.alloc(3 * NX * NY * NZ, 90) })],
  'a pair': ['scan.nii', nifti({ change: (h) => h.write('ni1\0', 344) })],
  'NIfTI-2': ['scan.nii', Buffer.concat([Buffer.from([0x1c, 2, 0, 0]), Buffer.from('n+2\0\r\n\x1a\n', 'latin1'), Buffer.alloc(600)])],
  'four dimensions': ['scan.nii', nifti({ change: (h) => h.writeInt16LE(4, 40) && h.writeInt16LE(2, 48) })],
  'a fourth dimension of one': ['scan.nii', nifti({ change: (h) => h.writeInt16LE(4, 40) })],
  'NaN': ['scan.nii', nifti({ code: 16, bits: 32, body: as(Float32Array, 1, NaN) })],
  'too short': ['scan.nii', nifti().subarray(0, 9000)],
  'nothing': ['scan.nii', Buffer.alloc(0)],
};

const ways = `space directions: (${spacing[0]},0,0) (0,${spacing[1]},0) (0,0,${spacing[2]})`;
const lps = ['space: left-posterior-superior', ways, `space origin: (${first})`];
const raw = [...lps, 'encoding: raw'];
const beside = () => file('scan.raw', little());
const detached = (field) => [file('scan.nhdr', nrrd([...raw, field], Buffer.alloc(0))), beside()];

export const nrrds = {
  'raw': ['scan.nrrd', nrrd(raw)],
  'gzip': ['scan.nrrd', nrrd([...lps, 'encoding: gzip'], gzipSync(little()))],
  'text': ['scan.nrrd', nrrd([...lps, 'encoding: ascii'], Buffer.from(voxels().join(' ')))],
  'bzip2': ['scan.nrrd', nrrd([...lps, 'encoding: bzip2'])],
  'lines of Windows': ['scan.nrrd', nrrd(raw, little(), '\r\n')],
  'big endian': ['scan.nrrd', nrrd([...raw, 'endian: big'], big())],
  'RAS': ['scan.nrrd', nrrd(['space: RAS', ways.replaceAll('0.8', '-0.8'), `space origin: (${-first[0]},${-first[1]},${first[2]})`, 'encoding: raw'])],
  'LAS': ['scan.nrrd', nrrd(['space: left-anterior-superior', ways.replace('(0,0.8', '(0,-0.8'), `space origin: (${first[0]},${-first[1]},${first[2]})`, 'encoding: raw'])],
  'spacings alone': ['scan.nrrd', nrrd([`spacings: ${spacing.join(' ')}`, 'encoding: raw'])],
  'micrometres': ['scan.nrrd', nrrd(['space: LPS', 'space units: "um" "um" "um"', ways.replaceAll(/([\d.]*[1-9][\d.]*)/g, (v) => String(1000 * v)), `space origin: (${first.map((v) => 1000 * v)})`, 'encoding: raw'])],
  'leaning': ['scan.nrrd', nrrd(['space: LPS', 'space directions: (0.866,0.5,0) (-0.5,0.866,0) (0,0,1)', 'encoding: raw'])],
  'too short': ['scan.nrrd', nrrd(raw, Buffer.alloc(100))],
  'without an ending': ['scan', nrrd(raw)],
};
export const nhdrs = {
  'beside': detached('data file: scan.raw'),
  'written in capitals': detached('Data File: scan.raw'),
  'by a path from the root': detached('data file: /home/somebody/scan.raw'),
  'by a path of Windows': detached('data file: C:\\scans\\scan.raw'),
  'alone': [file('scan.nhdr', nrrd([...raw, 'data file: other.raw'], Buffer.alloc(0))), beside()],
};

const place = [`Offset = ${first.join(' ')}`, `ElementSpacing = ${spacing.join(' ')}`];
export const metaImages = {
  'local': ['scan.mha', metaImage(place)],
  'compressed': ['scan.mha', metaImage([...place, 'CompressedData = True'], { body: deflateSync(little()) })],
  'big endian': ['scan.mha', metaImage([...place, 'BinaryDataByteOrderMSB = True'], { body: big() })],
  'lines of Windows': ['scan.mha', metaImage(place, { end: '\r\n' })],
  'turned': ['scan.mha', metaImage([...place, 'TransformMatrix = -1 0 0 0 -1 0 0 0 1'])],
  'float': ['scan.mha', metaImage(place, { type: 'MET_FLOAT', body: as(Float32Array, 1, 0.5) })],
  'as text': ['scan.mha', metaImage([...place, 'BinaryData = False'], { body: Buffer.from(voxels().join(' ')) })],
  'no spacing': ['scan.mha', metaImage(place.slice(0, 1))],
  'colours': ['scan.mha', metaImage([...place, 'ElementNumberOfChannels = 3'])],
  'no header': ['scan.mha', Buffer.from('ObjectType = Image\n')],
};
export const mhds = {
  'beside': [file('scan.mhd', metaImage(place, { file: 'scan.raw' })), beside()],
  'by another path': [file('scan.mhd', metaImage(place, { file: '../old/scan.raw' })), beside()],
  'alone': [file('scan.mhd', metaImage(place, { file: 'gone.zraw' })), beside()],
};

const inFolder = (files) => files.map(({ name, buffer }) => file(`CASE/${name}`, buffer));
export const zips = {
  'a series': zip(inFolder(series('s'))),
  'a series, without compression': zip(inFolder(series('s')), { stored: true }),
  'a Mac\'s': zip([...inFolder(series('s')), file('__MACOSX/CASE/._s000.dcm', Buffer.from('Mac'))]),
  'a NIfTI file': zip([file('scan.nii.gz', gzipSync(nifti())), file('LICENSE', Buffer.from('words'))]),
  'NRRD with its data': zip(inFolder(detached('data file: scan.raw'))),
  'MetaImage': zip([file('a/scan.mha', metaImage(place))], { stored: true }),
  'encrypted': zip(inFolder(series('s')), { encrypted: true }),
  'words': zip([file('notes.txt', Buffer.from('words'))]),
  'in a ZIP archive': zip([file('inner.zip', zip(series('s')))]),
  'nothing': zip([]),
  'damaged': zip(series('s')).subarray(0, 4000),
};

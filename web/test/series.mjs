/**
 * CT series that the tests write: the synthetic scan of `phantom --volume` as DICOM, its planes lying along any directions, with a rescale
 * intercept and a patient's name to look for.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { DataSet, joined } from '../dist/sr/elements.js';

export const CANARY = 'Canary^Bird';
const ROOT = '1.2.826.0.1.3680043.8.498.9';
const CT = '1.2.840.10008.5.1.4.1.1.2';
const MR = '1.2.840.10008.5.1.4.1.1.4';
const EXPLICIT = '1.2.840.10008.1.2.1';

/** The scan below `set` as it is stored: dims, spacing (mm), the first voxel's centre (LPS) and HU; x to the left, y to the back, z to
 * the head; and its nodules, with centre (LPS, mm) and diameter (mm). */
export function scanOf(set) {
  const bytes = gunzipSync(readFileSync(join(set, 'volume.nii.gz')));
  const dims = [0, 1, 2].map((i) => bytes.readInt16LE(42 + 2 * i));
  const spacing = [0, 1, 2].map((i) => bytes.readFloatLE(80 + 4 * i));
  const first = [-1, -1, 1].map((sign, i) => sign * bytes.readFloatLE(280 + 16 * i + 12));
  const raw = bytes.subarray(352);
  const hu = Int16Array.from({ length: dims[0] * dims[1] * dims[2] }, (_, i) => raw.readInt16LE(2 * i));
  const [head, ...rows] = readFileSync(join(set, 'volume.csv'), 'utf8').trim().split('\n').map((line) => line.split(','));
  const nodules = rows.map((row) => {
    const cell = (name) => row[head.indexOf(name)];
    const centre = ['x', 'y', 'z'].map((axis) => Number(cell(`centre_${axis}_mm`)));
    return { id: cell('nodule_id'), centre, diameter: Number(cell('diameter_mm')) };
  });
  return { dims, spacing, first, hu, nodules };
}

/** HU of a scan at a point (LPS, mm): trilinear, air outside. */
export function sample({ dims, spacing, first, hu }, mm) {
  const at = mm.map((v, i) => (v - first[i]) / spacing[i]);
  const low = at.map(Math.floor);
  let sum = 0;
  for (let corner = 0; corner < 8; corner++) {
    const [x, y, z] = low.map((l, i) => l + ((corner >> i) & 1));
    const inside = [x, y, z].every((v, i) => v >= 0 && v < dims[i]);
    const share = [0, 1, 2].reduce((w, i) => w * ((corner >> i) & 1 ? at[i] - low[i] : 1 - (at[i] - low[i])), 1);
    sum += share * (inside ? hu[(z * dims[1] + y) * dims[0] + x] : -1000);
  }
  return sum;
}

/** Directions (LPS) of the voxels of a volume, rows of its columns. */
export const DIRECTIONS = {
  identity: [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
  flipped: [[-1, 0, 0], [0, -1, 0], [0, 0, 1]],
  // 20 degrees around an axis that is none of the patient's
  oblique: rotation([2, 1, 0.5], 20),
};

function rotation(axis, degrees) {
  const length = Math.hypot(...axis);
  const [x, y, z] = axis.map((v) => v / length);
  const [c, s] = [Math.cos((degrees * Math.PI) / 180), Math.sin((degrees * Math.PI) / 180)];
  const t = 1 - c;
  return [
    [t * x * x + c, t * x * y + s * z, t * x * z - s * y],
    [t * x * y - s * z, t * y * y + c, t * y * z + s * x],
    [t * x * z + s * y, t * y * z - s * x, t * z * z + c],
  ];
}

/** The scan resampled on a grid of the same size whose axes run along `direction`, around the same middle. */
export function turned(scan, direction) {
  const { dims, spacing, first } = scan;
  const middle = first.map((f, i) => f + ((dims[i] - 1) / 2) * spacing[i]);
  const place = (ijk, from) => from.map((v, c) => v + [0, 1, 2].reduce((sum, a) => sum + ijk[a] * spacing[a] * direction[a][c], 0));
  const origin = place(dims.map((d) => -(d - 1) / 2), middle);
  const hu = new Int16Array(scan.hu.length);
  let at = 0;
  for (let z = 0; z < dims[2]; z++) {
    for (let y = 0; y < dims[1]; y++) {
      for (let x = 0; x < dims[0]; x++) hu[at++] = Math.round(sample(scan, place([x, y, z], origin)));
    }
  }
  return { dims, spacing, origin, direction, hu };
}

/** Writes a volume as series `number` of a study below `dir`; its slices, with their file's name and metadata as viewers name it. */
export function writeSeries(dir, { dims, spacing, origin, direction, hu }, { number = 1, modality = 'CT', description = 'synthetic scan' } = {}) {
  mkdirSync(dir, { recursive: true });
  const [study, series, frame] = [`${ROOT}.1`, `${ROOT}.1.1.${number}`, `${ROOT}.1.2.${number}`];
  const sopClass = modality === 'MR' ? MR : CT;
  const numbers = (values) => values.map((v) => Number(v.toPrecision(9))).map((v) => String(v).slice(0, 16)).join('\\');
  return Array.from({ length: dims[2] }, (_, k) => {
    const sop = `${series}.${k + 1}`;
    const position = origin.map((v, c) => v + k * spacing[2] * direction[2][c]);
    const short = (value) => Uint8Array.of(value & 255, value >> 8);
    const pixels = new DataView(new ArrayBuffer(2 * dims[0] * dims[1]));
    for (let i = 0; i < dims[0] * dims[1]; i++) pixels.setUint16(2 * i, hu[k * dims[0] * dims[1] + i] + 1024, true);
    const set = new DataSet().text(0x00080005, 'CS', 'ISO_IR 192').text(0x00080016, 'UI', sopClass).text(0x00080018, 'UI', sop)
      .text(0x00080020, 'DA', '20260102').text(0x00080030, 'TM', '030405').text(0x00080050, 'SH', 'A1')
      .text(0x00080060, 'CS', modality).text(0x00080090, 'PN', 'Doctor^Who').text(0x0008103e, 'LO', description)
      .text(0x00100010, 'PN', CANARY).text(0x00100020, 'LO', 'TEST-1').text(0x00100030, 'DA', '19500101')
      .text(0x00100040, 'CS', 'O').text(0x00180050, 'DS', numbers([spacing[2]]))
      .text(0x0020000d, 'UI', study).text(0x0020000e, 'UI', series).text(0x00200010, 'SH', '1').text(0x00200011, 'IS', String(number))
      .text(0x00200013, 'IS', String(k + 1)).text(0x00200032, 'DS', numbers(position))
      .text(0x00200037, 'DS', numbers([...direction[0], ...direction[1]])).text(0x00200052, 'UI', frame)
      .bytes(0x00280002, 'US', short(1)).text(0x00280004, 'CS', 'MONOCHROME2').bytes(0x00280010, 'US', short(dims[1]))
      .bytes(0x00280011, 'US', short(dims[0])).text(0x00280030, 'DS', numbers([spacing[1], spacing[0]]))
      .bytes(0x00280100, 'US', short(16)).bytes(0x00280101, 'US', short(16)).bytes(0x00280102, 'US', short(15))
      .bytes(0x00280103, 'US', short(0)).text(0x00281052, 'DS', '-1024').text(0x00281053, 'DS', '1')
      .bytes(0x7fe00010, 'OW', new Uint8Array(pixels.buffer));
    const meta = new DataSet().bytes(0x00020001, 'OB', Uint8Array.of(0, 1)).text(0x00020002, 'UI', sopClass).text(0x00020003, 'UI', sop)
      .text(0x00020010, 'UI', EXPLICIT).text(0x00020012, 'UI', ROOT).encode();
    const length = new Uint8Array(Uint32Array.of(meta.length).buffer);
    const group = new DataSet().bytes(0x00020000, 'UL', length).encode();
    const name = `${String(k).padStart(4, '0')}.dcm`;
    writeFileSync(join(dir, name), joined([new Uint8Array(128), new TextEncoder().encode('DICM'), group, meta, set.encode()]));
    const metadata = {
      Columns: dims[0], Rows: dims[1], InstanceNumber: k + 1, SOPClassUID: sopClass, SOPInstanceUID: sop, SeriesInstanceUID: series,
      StudyInstanceUID: study, FrameOfReferenceUID: frame, Modality: modality, PatientName: CANARY, PatientID: 'TEST-1',
      StudyDate: '20260102', StudyTime: '030405', SeriesDescription: description, SeriesNumber: number, PhotometricInterpretation: 'MONOCHROME2',
      SamplesPerPixel: 1, BitsAllocated: 16, BitsStored: 16, HighBit: 15, PixelRepresentation: 0, RescaleSlope: 1, RescaleIntercept: -1024,
      WindowCenter: -600, WindowWidth: 1500, PixelSpacing: [spacing[1], spacing[0]], ImagePositionPatient: position,
      ImageOrientationPatient: [...direction[0], ...direction[1]], SliceThickness: spacing[2],
    };
    return { name, sop, position, metadata };
  });
}

/** The crop's samples, 32 an axis, around a point: cell centres of a box of `sides` (mm; x, y, z) along the patient's axes. */
export function cropOf(volume, centre, sides) {
  const { dims, spacing, origin, direction, hu } = volume;
  // the directions are orthonormal: a point's index is its projection
  const grid = { dims, spacing, first: [0, 0, 0], hu };
  const out = new Float32Array(32 ** 3);
  let at = 0;
  for (let z = 0; z < 32; z++) {
    for (let y = 0; y < 32; y++) {
      for (let x = 0; x < 32; x++) {
        const mm = [x, y, z].map((i, c) => centre[c] + ((i + 0.5) / 32) * sides[c] - sides[c] / 2 - origin[c]);
        out[at++] = sample(grid, direction.map((d) => d.reduce((sum, v, c) => sum + v * mm[c], 0)));
      }
    }
  }
  return out;
}

/** Float32 values as an `.npy` file of [32, 32, 32]. */
export function npy(values) {
  const text = "{'descr': '<f4', 'fortran_order': False, 'shape': (32, 32, 32), }";
  const head = Buffer.from(text.padEnd(128 - 10 - 1) + '\n', 'latin1');
  return Buffer.concat([Buffer.from([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0, head.length, 0]), head, Buffer.from(values.buffer)]);
}

/** A volume as a NIfTI file, stored with an intercept. */
export function nifti({ dims, spacing, origin, direction, hu }) {
  const bytes = Buffer.alloc(352 + 2 * hu.length);
  bytes.writeInt32LE(348, 0);
  [3, ...dims, 1, 1, 1, 1].forEach((v, i) => bytes.writeInt16LE(v, 40 + 2 * i));
  bytes.writeInt16LE(4, 70);
  bytes.writeInt16LE(16, 72);
  [1, ...spacing].forEach((v, i) => bytes.writeFloatLE(v, 76 + 4 * i));
  bytes.writeFloatLE(352, 108);
  bytes.writeFloatLE(1, 112);
  bytes.writeFloatLE(-1024, 116);
  bytes.writeUInt8(2, 123);
  bytes.writeInt16LE(1, 254);
  // RAS+: x and y turn round
  [-1, -1, 1].forEach((sign, row) => {
    [...direction.map((d, axis) => sign * d[row] * spacing[axis]), sign * origin[row]].forEach((v, i) => bytes.writeFloatLE(v, 280 + 16 * row + 4 * i));
  });
  bytes.write('n+1', 344);
  hu.forEach((v, i) => bytes.writeInt16LE(v + 1024, 352 + 2 * i));
  return bytes;
}

/** NRRD volumes (teem.sourceforge.net/nrrd/format.html): three-dimensional, raw, gzip or text, with their data inside or in one file
 * beside the header. */
import type { Triple } from 'clip-lung';
import { oriented } from './orient';
import type { Grid, Voxels } from './volume';

export interface NrrdVolume {
  voxels: Voxels;
  grid: Grid;
  warnings: string[];
}

const TYPES: [RegExp, { new (buffer: ArrayBuffer): ArrayLike<number>; BYTES_PER_ELEMENT: number }, keyof DataView | undefined][] = [
  [/^(signed char|int8|int8_t)$/, Int8Array, undefined],
  [/^(uchar|unsigned char|uint8|uint8_t)$/, Uint8Array, undefined],
  [/^(short|short int|signed short|signed short int|int16|int16_t)$/, Int16Array, 'getInt16'],
  [/^(ushort|unsigned short|unsigned short int|uint16|uint16_t)$/, Uint16Array, 'getUint16'],
  [/^(int|signed int|int32|int32_t)$/, Int32Array, 'getInt32'],
  [/^(uint|unsigned int|uint32|uint32_t)$/, Uint32Array, 'getUint32'],
  [/^float$/, Float32Array, 'getFloat32'],
  [/^double$/, Float64Array, 'getFloat64'],
];

/** No header is longer. */
const MAX_HEADER = 1 << 20;

/** Which way a space's axes run, as signs against left and back. */
const SPACES: Record<string, [number, number]> = {
  'left-posterior-superior': [1, 1], lps: [1, 1], 'right-anterior-superior': [-1, -1], ras: [-1, -1], 'left-anterior-superior': [1, -1], las: [1, -1],
};

function header(bytes: Uint8Array): { fields: Map<string, string>; end: number } {
  const text = new TextDecoder('latin1').decode(bytes.subarray(0, MAX_HEADER));
  if (!text.startsWith('NRRD')) throw new Error('not NRRD');
  // an empty line ends it, in the lines of Unix or of Windows
  const found = /\r?\n\r?\n/.exec(text);
  const lines = text.slice(0, found?.index ?? text.length).split(/\r?\n/);
  const fields = new Map<string, string>();
  for (const line of lines.slice(1)) {
    const [, name, value] = /^([^#:][^:]*): ?(.*)$/.exec(line) ?? [];
    if (name && !value!.startsWith('=')) fields.set(name.trim().toLowerCase(), value!.trim());
  }
  return { fields, end: found ? found.index + found[0].length : bytes.length };
}

const vectors = (text: string): number[][] =>
  (text.match(/none|\([^)]*\)/g) ?? []).map((v) => (v === 'none' ? [] : v.slice(1, -1).split(',').map(Number)));

async function unpacked(bytes: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>> {
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream('gzip'));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

function values(bytes: Uint8Array<ArrayBuffer>, fields: Map<string, string>, count: number): Voxels {
  const type = fields.get('type') ?? 'none';
  const [, Kind, get] = TYPES.find(([name]) => name.test(type)) ?? [];
  if (!Kind) throw new Error(`voxels of type '${type}' are not read`);
  if (/^(ascii|text|txt)$/.test(fields.get('encoding') ?? '')) {
    const found = Float32Array.from(new TextDecoder().decode(bytes).trim().split(/\s+/), Number);
    if (found.length !== count) throw new Error(`${found.length} voxels where its sizes need ${count}`);
    return found;
  }
  const needed = count * Kind.BYTES_PER_ELEMENT;
  if (bytes.length < needed) throw new Error(`${bytes.length} bytes of voxels where its sizes need ${needed}: the file is cut off`);
  const into = Kind === Int16Array || Kind === Int8Array || Kind === Uint8Array ? new Int16Array(count) : new Float32Array(count);
  if (get && fields.get('endian') === 'big') {
    const view = new DataView(bytes.buffer, bytes.byteOffset);
    for (let i = 0; i < count; i++) into[i] = (view[get] as (at: number) => number)(i * Kind.BYTES_PER_ELEMENT);
  } else {
    into.set(new Kind(bytes.slice(0, needed).buffer));
  }
  return into;
}

/** Reads a volume; `beside` gives the bytes of a file that the header names, or nothing. */
export async function nrrd(bytes: Uint8Array<ArrayBuffer>, beside: (name: string) => Promise<Uint8Array<ArrayBuffer> | undefined>): Promise<NrrdVolume> {
  const { fields, end } = header(bytes);
  const sizes = (fields.get('sizes') ?? '').split(/\s+/).map(Number);
  const kinds = (fields.get('kinds') ?? '').toLowerCase();
  if (/rgb|color|vector|list/.test(kinds)) throw new Error('colour images and vectors have no HU; open a CT');
  if (sizes.length !== 3 || !sizes.every((n) => Number.isInteger(n) && n > 0)) throw new Error(`sizes '${fields.get('sizes') ?? ''}' are not those of one volume`);
  const name = fields.get('data file') ?? fields.get('datafile');
  if (name?.startsWith('LIST') || name?.includes('%')) throw new Error('its voxels lie in several files; save it as one .nrrd file');
  const body = name ? await beside(name) : bytes.subarray(end);
  if (!body) throw new Error(`its voxels lie in ${name}: open both files together`);
  const encoding = fields.get('encoding') ?? 'raw';
  if (!/^(raw|gzip|gz|ascii|text|txt)$/.test(encoding)) throw new Error(`encoding '${encoding}' is not read; save it as gzip`);
  const skip = Number(fields.get('byte skip') ?? fields.get('byteskip') ?? 0);
  const plain = /^g/.test(encoding) ? await unpacked(body as Uint8Array<ArrayBuffer>) : skip > 0 ? body.subarray(skip) : body;
  const size = sizes as Triple;
  const voxels = values(plain as Uint8Array<ArrayBuffer>, fields, size[0] * size[1] * size[2]);

  const warnings: string[] = [];
  const signs = SPACES[(fields.get('space') ?? '').toLowerCase()];
  let ways = vectors(fields.get('space directions') ?? '').filter((v) => v.length === 3) as Triple[];
  const origin = (vectors(fields.get('space origin') ?? '')[0] ?? [0, 0, 0]) as Triple;
  if (ways.length !== 3 || !signs) {
    const spacings = ways.length === 3 ? ways.map((v) => Math.hypot(...v)) : (fields.get('spacings') ?? '').split(/\s+/).map(Number);
    if (spacings.length !== 3 || !spacings.every((s) => s > 0)) throw new Error("it does not say how large its voxels are ('space directions' or 'spacings')");
    ways = spacings.map((s, i) => [0, 1, 2].map((k) => (k === i ? s : 0))) as Triple[];
    warnings.push('The file does not say how the patient lies: orientation unknown, drawn as if its axes ran towards left, back and head. A mirrored scan may be answered otherwise.');
  }
  const turn = (v: Triple): Triple => [v[0] * (signs?.[0] ?? 1), v[1] * (signs?.[1] ?? 1), v[2]];
  if (![...ways.flat(), ...origin].every(Number.isFinite)) throw new Error('its directions or its origin are no numbers');
  return { ...oriented(voxels, size, ways.map(turn) as [Triple, Triple, Triple], turn(origin)), warnings };
}

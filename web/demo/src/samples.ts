/** The synthetic samples beside the page: crops of the embedded data set, and one scan with several nodules. */
import { NVImage } from '@niivue/niivue';
import type { Triple } from 'clip-lung';
import { image } from './nifti';

/** A nodule of a sample. */
export interface Nodule {
  id: string;
  diameter: number;
  /** What the readers' ratings make of it. */
  class: string;
  /** mm, RAS+. */
  centre: Triple;
}

export interface Sample {
  name: string;
  open: () => Promise<{ image: NVImage; nodules: Nodule[] }>;
}

const get = async (name: string) => {
  const response = await fetch(new URL(`./samples/${name}`, document.baseURI));
  if (!response.ok) throw new Error(`samples/${name}: the server answers ${response.status}; build the page with make page`);
  return response;
};

/** A table's rows by column; no cell of it is quoted. */
async function table(name: string): Promise<Record<string, string>[]> {
  const [head, ...lines] = (await (await get(name)).text()).trim().split('\n').map((line) => line.split(','));
  return lines.map((cells) => Object.fromEntries(head!.map((column, i) => [column, cells[i] ?? ''])));
}

const nodule = (row: Record<string, string>, centre: Triple): Nodule => ({
  id: row.nodule_id!, diameter: Number(row.diameter_mm), class: row.class!, centre,
});

/** Nodules of one kind, the largest first. */
const PER_CLASS = 2;

export async function samples(): Promise<Sample[]> {
  const [rows, scan] = [await table('nodules.csv'), await table('volume.csv')];
  // the table is in LPS, the viewer in RAS+
  const places = scan.map((row) => nodule(row, [-Number(row.centre_x_mm), -Number(row.centre_y_mm), Number(row.centre_z_mm)]));
  const whole: Sample = {
    name: `scan with ${places.length} nodules`,
    open: async () => {
      const buffer = await (await get('volume.nii.gz')).arrayBuffer();
      return { image: await NVImage.loadFromUrl({ url: buffer, name: 'volume.nii.gz', buffer }), nodules: places };
    },
  };
  const chosen = ['benign', 'unsure', 'malignant'].flatMap((c) =>
    rows.filter((r) => r.class === c).sort((a, b) => Number(b.diameter_mm) - Number(a.diameter_mm)).slice(0, PER_CLASS));
  return [whole, ...chosen.map((row): Sample => ({
    name: `nodule ${row.nodule_id}, ${Number(row.diameter_mm).toFixed(0)} mm`,
    open: async () => {
      const found = nodule(row, [0, 0, 0]);
      const cell = (2 * found.diameter) / 32;
      const first = [-15.5 * cell, -15.5 * cell, -15.5 * cell] as Triple;
      return { image: await image(`nodule ${found.id}`, await crop(Number(row.crop_index)), [32, 32, 32], [cell, cell, cell], first), nodules: [found] };
    },
  }))];
}

/** A crop of the data set's safetensors file, in HU. */
async function crop(index: number): Promise<Int16Array> {
  const bytes = await (await get('crops.safetensors')).arrayBuffer();
  const head = Number(new DataView(bytes).getBigUint64(0, true));
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(bytes, 8, head)));
  const { hu_slope, hu_intercept } = header.__metadata__;
  const stored = new Uint8Array(bytes, 8 + head + header.crops.data_offsets[0] + index * 32768, 32768);
  return Int16Array.from(stored, (v) => Math.round(v * Number(hu_slope) + Number(hu_intercept)));
}

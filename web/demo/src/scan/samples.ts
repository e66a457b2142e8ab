/** The synthetic samples beside the page: crops of the embedded data set, and one scan with several nodules. */
import type { Triple } from 'clip-lung';
import type { Scan } from './protocol';

/** A nodule of a sample. */
export interface Known {
  id: string;
  diameter: number;
  /** What the readers' ratings make of it. */
  class: string;
  /** LPS, mm. */
  centre: Triple;
}

/** A sample: a file to open as any other, or voxels. */
export interface Sample {
  name: string;
  nodules: Known[];
  open: () => Promise<File | Scan>;
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

const known = (row: Record<string, string>, centre: Triple): Known => ({
  id: row.nodule_id!, diameter: Number(row.diameter_mm), class: row.class!, centre,
});

/** Nodules of one kind, the largest first. */
const PER_CLASS = 2;

export async function samples(): Promise<Sample[]> {
  const [rows, scan] = [await table('nodules.csv'), await table('volume.csv')];
  const places = scan.map((row) => known(row, [Number(row.centre_x_mm), Number(row.centre_y_mm), Number(row.centre_z_mm)]));
  const whole: Sample = {
    name: `scan with ${places.length} nodules`, nodules: places,
    open: async () => new File([await (await get('volume.nii.gz')).arrayBuffer()], 'volume.nii.gz'),
  };
  const chosen = ['benign', 'unsure', 'malignant'].flatMap((c) =>
    rows.filter((r) => r.class === c).sort((a, b) => Number(b.diameter_mm) - Number(a.diameter_mm)).slice(0, PER_CLASS));
  return [whole, ...chosen.map((row): Sample => {
    const nodule = known(row, [0, 0, 0]);
    return { name: `nodule ${row.nodule_id}, ${Number(row.diameter_mm).toFixed(0)} mm`, nodules: [nodule], open: () => crop(Number(row.crop_index), nodule.diameter) };
  })];
}

/** A crop of the data set's safetensors file, in HU, around the origin. */
async function crop(index: number, diameter: number): Promise<Scan> {
  const bytes = await (await get('crops.safetensors')).arrayBuffer();
  const head = Number(new DataView(bytes).getBigUint64(0, true));
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(bytes, 8, head)));
  const { hu_slope, hu_intercept } = header.__metadata__;
  const stored = new Uint8Array(bytes, 8 + head + header.crops.data_offsets[0] + index * 32768, 32768);
  const cell = (2 * diameter) / 32;
  const grid = { dims: [32, 32, 32], spacing: [cell, cell, cell], first: [-15.5 * cell, -15.5 * cell, -15.5 * cell], steps: [[cell, 0, 0], [0, cell, 0], [0, 0, cell]] };
  return { voxels: Float32Array.from(stored, (v) => v * Number(hu_slope) + Number(hu_intercept)), grid: grid as Scan['grid'], warnings: [] };
}

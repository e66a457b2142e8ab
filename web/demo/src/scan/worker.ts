/** Reads scans off the page's thread, with the readers that the command line has. */
import init, { DicomFiles, read_image, read_nifti, type Scan as Read } from '../scans/clip_lung_scans.js';
import wasm from '../scans/clip_lung_scans_bg.wasm?url';
import { kindOf, READS, refusal, unpacked, type Kind } from './kinds';
import type { Answer, Aside, Gap, Offer, Request, Scan } from './protocol';
import type { Grid } from './volume';

/** A CT slice's header is rarely longer; where it is, the whole file is read. */
const HEAD = 64 << 10;
/** How often the page hears of progress, ms. */
const TELL_EVERY = 50;

const say = (answer: Answer, moved: Transferable[] = []) => self.postMessage(answer, { transfer: moved });
const inWords = (error: unknown) => (error instanceof Error ? error.message : String(error));

let told = 0;
function tell(what: string, done: number, all: number): void {
  if (done < all && performance.now() - told < TELL_EVERY) return;
  told = performance.now();
  say({ kind: 'progress', what, share: done / all });
}

const bytesOf = async (file: File) => new Uint8Array(await file.arrayBuffer());

/** `file`: one of the series. */
function scanOf(read: Read, file?: File): Scan {
  const three = (values: ArrayLike<number>, from = 0) => [values[from]!, values[from + 1]!, values[from + 2]!] as Grid['dims'];
  const whole = read.whole();
  const steps = read.steps();
  const grid: Grid = {
    dims: three(read.dims()), spacing: three(read.spacing()), first: three(read.first()),
    steps: [three(steps), three(steps, 3), three(steps, 6)],
  };
  const warnings = (JSON.parse(read.warnings()) as { message: string }[]).map(({ message }) => message);
  const slices = JSON.parse(read.slices()) as [number, string][];
  const gaps = JSON.parse(read.gaps()) as Gap[];
  const scan: Scan = { voxels: whole.length ? whole : read.fractions(), grid, warnings, gaps, ...(file && { origin: { slices, file } }) };
  read.free();
  return scan;
}

/** The series found last, whose files stay on disk until one is asked for. */
let found: { series: DicomFiles; slices: File[] } | undefined;

/** Where the reader fetches a slice. */
const fetcher = (slices: File[], onread: () => void) => {
  const reader = new FileReaderSync();
  return {
    bytes(index: number): Uint8Array {
      onread();
      return new Uint8Array(reader.readAsArrayBuffer(slices[index]!));
    },
  };
};

/** One of the files as a volume; the others are left aside, but for the file of its voxels. */
async function volume(file: File, kind: 'nifti' | 'image', files: File[], aside: Aside[]): Promise<void> {
  tell(`reading ${file.name}`, 0, 1);
  const used = new Set([file]);
  const reader = new FileReaderSync();
  const beside = {
    bytes(name: string): Uint8Array | undefined {
      const path = file.name.slice(0, file.name.lastIndexOf('/') + 1) + name;
      const other = files.find((f) => f !== file && f.name === path);
      if (!other) return undefined;
      used.add(other);
      return new Uint8Array(reader.readAsArrayBuffer(other));
    },
  };
  const bytes = await bytesOf(file);
  tell(`unpacking ${file.name}`, 0.3, 1);
  const scan = scanOf(kind === 'nifti' ? read_nifti(file.name, bytes) : read_image(file.name, bytes, beside as never));
  const others = files.filter((other) => !used.has(other));
  aside.splice(0, aside.length, ...others.map(({ name }) => ({ name, why: `${file.name} was opened instead` })));
  say({ kind: 'volume', name: file.name, frame: kind === 'nifti' ? 'RAS' : 'LPS', scan, aside }, [scan.voxels.buffer]);
}

/** What a file can be that is no archive. */
type Held = Exclude<Kind, 'zip' | 'sidecar'>;

/** The files, those of archives in their archive's place. */
async function allOf(files: File[], aside: Aside[]): Promise<[File, Held][]> {
  const all: [File, Held][] = [];
  for (const file of files) {
    const kind = await kindOf(file);
    if (kind === 'sidecar') continue;
    if (kind !== 'zip') {
      all.push([file, kind]);
      continue;
    }
    tell(`unpacking ${file.name}`, 0, 1);
    const failed = (name: string, error: unknown) => void aside.push({ name, why: inWords(error) });
    for (const inside of unpacked(file.name, await bytesOf(file), failed)) {
      const what = await kindOf(inside);
      // an archive in an archive stays one
      if (what !== 'sidecar') all.push([inside, what === 'zip' ? 'other' : what]);
    }
  }
  return all;
}

async function open(files: File[], aside: Aside[]): Promise<void> {
  await init({ module_or_path: wasm });
  const wanted = await allOf(files, aside);
  if (!wanted.length && !aside.length) throw new Error(`there is no file in it; the page reads ${READS}`);
  const slices: File[] = [];
  const volumes: [File, 'nifti' | 'image'][] = [];
  const series = new DicomFiles();
  for (const [i, [file, kind]] of wanted.entries()) {
    tell('looking through the files', i, wanted.length);
    if (kind === 'nifti' || kind === 'image') {
      volumes.push([file, kind]);
      continue;
    }
    const why = await add(series, file);
    if (why) aside.push({ name: file.name, why: refusal(file.name) ?? why });
    else slices.push(file);
  }
  tell('looking through the files', 1, 1);
  const [first] = volumes;
  const known = series.offers();
  // a folder is read as the command line reads it: its series, where there is one
  if (first && !known.some(({ problem }) => !problem)) return volume(...first, wanted.map(([file]) => file), aside);
  aside.push(...volumes.map(([{ name }]) => ({ name, why: 'it lies beside a series: open it alone' })));
  if (!slices.length) {
    const [one] = aside;
    throw new Error(`no CT slice and no volume in ${files.length === 1 ? files[0]!.name : `${files.length} files`} (${one!.why}); the page reads ${READS}`);
  }
  found = { series, slices };
  const onDisk = fetcher(slices, () => undefined);
  const offers = known.map(({ uid, description, slices: count, thickness, columns, rows, problem }): Offer => {
    let middle: Float32Array | undefined;
    try {
      middle = series.middle(uid, onDisk as never);
    } catch {
      // no picture of it then
    }
    return { uid, description, slices: count, thickness, columns, rows, problem, middle };
  });
  say({ kind: 'offers', offers, aside }, offers.flatMap(({ middle }) => (middle ? [middle.buffer] : [])));
}

/** Takes a slice in, or says why not. */
async function add(series: DicomFiles, file: File): Promise<string | undefined> {
  try {
    return series.add(file.name, new Uint8Array(await file.slice(0, HEAD).arrayBuffer()));
  } catch (error) {
    if (file.size <= HEAD) return inWords(error);
  }
  try {
    return series.add(file.name, await bytesOf(file));
  } catch (error) {
    return inWords(error);
  }
}

function read(uid: string): void {
  if (!found) throw new Error('no series was offered');
  const { series, slices } = found;
  const all = series.offers().find((offer) => offer.uid === uid)?.slices ?? 1;
  let done = 0;
  const scan = scanOf(series.read(uid, fetcher(slices, () => tell('reading slices', ++done, all)) as never), slices[0]);
  say({ kind: 'series', uid, scan }, [scan.voxels.buffer]);
}

self.onmessage = async ({ data }: MessageEvent<Request>) => {
  const aside: Aside[] = [];
  try {
    if (data.kind === 'open') await open(data.files, aside);
    else read(data.uid);
  } catch (error) {
    say({ kind: 'error', message: inWords(error), aside });
  }
};

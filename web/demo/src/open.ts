/** Files that a reader drops or chooses, as an image of the viewer. */
import { NVImage } from '@niivue/niivue';
import type { Triple } from 'clip-lung';
import type { Answer } from './dicom-worker';
import { image } from './nifti';

/** What the viewer reads itself. */
const VOLUME = /\.(nii|nii\.gz|nrrd)$/i;

export interface Opened {
  image: NVImage;
  /** What was left aside, in words. */
  note: string;
}

/** One NIfTI or NRRD file, or the files of a DICOM series. */
export async function open(files: File[]): Promise<Opened> {
  const volume = files.find((file) => VOLUME.test(file.name));
  if (volume) {
    try {
      return { image: await NVImage.loadFromFile({ file: volume, name: volume.name }), note: '' };
    } catch (error) {
      throw new Error(`${volume.name}: not a readable NIfTI or NRRD volume (${error instanceof Error ? error.message : error})`);
    }
  }
  if (!files.length) throw new Error('there is no file in it');
  return dicom(files);
}

async function dicom(files: File[]): Promise<Opened> {
  const worker = new Worker(new URL('./dicom-worker.ts', import.meta.url), { type: 'module' });
  try {
    const answer = await new Promise<Answer>((resolve, reject) => {
      worker.onmessage = ({ data }) => resolve(data);
      worker.onerror = (event) => reject(new Error(`the DICOM reader failed: ${event.message}`));
      worker.postMessage(files);
    });
    if ('error' in answer) throw new Error(answer.error);
    const [dims, spacing, first] = [Array.from(answer.dims), Array.from(answer.spacing), Array.from(answer.first)] as [Triple, Triple, Triple];
    const steps = [0, 3, 6].map((i) => Array.from(answer.steps.subarray(i, i + 3))) as [Triple, Triple, Triple];
    const note = answer.ignored.length ? `${answer.ignored.length} files left aside (${answer.ignored[0]})` : '';
    return { image: await image('series', answer.hu, dims, spacing, first, steps), note };
  } finally {
    worker.terminate();
  }
}

/** All files of what was dropped, folders included. */
export async function dropped(transfer: DataTransfer): Promise<File[]> {
  const entries = Array.from(transfer.items, (item) => item.webkitGetAsEntry()).filter((e) => e !== null);
  if (!entries.length) return Array.from(transfer.files);
  const files: File[] = [];
  for (let entry = entries.pop(); entry; entry = entries.pop()) {
    if (entry.isFile) {
      files.push(await new Promise<File>((resolve, reject) => (entry as FileSystemFileEntry).file(resolve, reject)));
      continue;
    }
    // a reader gives a hundred entries at a time
    const reader = (entry as FileSystemDirectoryEntry).createReader();
    for (let more = await read(reader); more.length; more = await read(reader)) entries.push(...more);
  }
  return files;
}

const read = (reader: FileSystemDirectoryReader) =>
  new Promise<FileSystemEntry[]>((resolve, reject) => reader.readEntries(resolve, reject));

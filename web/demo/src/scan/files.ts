/** The files that a reader gives: what was dropped, and what each is, by its first bytes and its name. */

export type Kind = 'nifti' | 'image' | 'other';

/** What the page reads, in words. */
export const READS = 'a DICOM series (its folder or its files), NIfTI-1 (.nii, .nii.gz), NRRD (.nrrd, .nhdr) and MetaImage (.mha, .mhd), with their data beside them';

/** Kinds that people try, and what to do with them. */
const REFUSED: [RegExp, string][] = [
  [/\.(zip|rar|7z|tar|tgz|tar\.gz|xz)$/i, 'an archive: unpack it first'],
  [/\.(hdr|img)$/i, 'a NIfTI or Analyze pair: save it as one .nii file'],
  [/\.(png|jpe?g|bmp|tiff?|gif|webp)$/i, 'a picture has no HU'],
  [/\.(npy|npz|h5|mat|raw)$/i, 'an array without a place: save it as .nii.gz'],
  [/\.(mgz|mgh|minc|mnc)$/i, 'save it as .nii.gz'],
];

/** Browsers number what is downloaded twice: `scan.nii (1).gz`. */
const NIFTI_NAME = /\.nii( \(\d+\))?(\.gz( \(\d+\))?)?$/i;

/** What a Mac lays beside files. */
export const isLitter = (name: string) => name.startsWith('._') || name === '.DS_Store' || name === 'Thumbs.db';

export async function kindOf(file: File): Promise<Kind> {
  const head = new Uint8Array(await file.slice(0, 352).arrayBuffer());
  const at = (offset: number, word: string) => [...word].every((letter, i) => head[offset + i] === letter.charCodeAt(0));
  if (at(0, 'NRRD000') || ['ObjectType', 'NDims', 'Comment'].some((word) => at(0, word))) return 'image';
  if (at(344, 'n+1\0') || at(344, 'ni1\0') || NIFTI_NAME.test(file.name)) return 'nifti';
  return 'other';
}

/** Why a file that holds no scan is left aside, where its name tells. */
export const refusal = (name: string): string | undefined => REFUSED.find(([pattern]) => pattern.test(name))?.[1];

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

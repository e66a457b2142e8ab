/** What the files are that a reader gives, by the command line's own rules, and what lies in archives. */
import { kind_of, ZipFiles } from '../scans/clip_lung_scans.js';

export type Kind = 'nifti' | 'image' | 'zip' | 'npy' | 'other' | 'sidecar';

/** What the page reads, in words. */
export const READS = 'a DICOM series (its folder or its files), NIfTI-1 (.nii, .nii.gz), NRRD (.nrrd, .nhdr) and MetaImage (.mha, .mhd), with their data beside them, or a ZIP archive of one';

/** How much of a file tells its kind. */
const HEAD = 4096;

/** Kinds that people try, and what to do with them. */
const REFUSED: [RegExp, string][] = [
  [/\.(rar|7z|tar|tgz|gz|xz|bz2|zst)$/i, 'an archive: unpack it first, or pack it as .zip'],
  [/\.(hdr|img)$/i, 'a NIfTI or Analyze pair: save it as one .nii file'],
  [/\.(png|jpe?g|bmp|tiff?|gif|webp)$/i, 'a picture has no HU'],
  [/\.(npy|npz|h5|mat|raw)$/i, 'an array without a place: save it as .nii.gz'],
  [/\.(mgz|mgh|minc|mnc)$/i, 'save it as .nii.gz'],
];

/** What a file is. */
export const kindOf = async (file: File): Promise<Kind> => kind_of(file.name, new Uint8Array(await file.slice(0, HEAD).arrayBuffer())) as Kind;

/** Why a file that holds no scan is left aside, where its name tells. */
export const refusal = (name: string): string | undefined => REFUSED.find(([pattern]) => pattern.test(name))?.[1];

/** The files of an archive; one that can't be unpacked is handed to `failed`. */
export function unpacked(name: string, bytes: Uint8Array, failed: (name: string, error: unknown) => void): File[] {
  const archive = new ZipFiles(name, bytes);
  const files: File[] = [];
  for (const path of archive.names()) {
    try {
      files.push(new File([archive.read(path) as Uint8Array<ArrayBuffer>], path));
    } catch (error) {
      failed(path, error);
    }
  }
  archive.free();
  return files;
}

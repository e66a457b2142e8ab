/** What a report takes over from a series: the patient and study modules, and where its points lie. */
import { ClipLungError } from '../errors.js';
import { LONG } from './elements.js';

/** Tags that are repeated, with their value representation and keyword; sequences and comments stay behind. */
export const PATIENT_AND_STUDY = [
  [0x00080005, 'CS', 'SpecificCharacterSet'],
  [0x00080020, 'DA', 'StudyDate'],
  [0x00080030, 'TM', 'StudyTime'],
  [0x00080050, 'SH', 'AccessionNumber'],
  [0x00080090, 'PN', 'ReferringPhysicianName'],
  [0x00081030, 'LO', 'StudyDescription'],
  [0x00100010, 'PN', 'PatientName'],
  [0x00100020, 'LO', 'PatientID'],
  [0x00100021, 'LO', 'IssuerOfPatientID'],
  [0x00100030, 'DA', 'PatientBirthDate'],
  [0x00100040, 'CS', 'PatientSex'],
  [0x00120062, 'CS', 'PatientIdentityRemoved'],
  [0x00120063, 'LO', 'DeidentificationMethod'],
  [0x0020000d, 'UI', 'StudyInstanceUID'],
  [0x00200010, 'SH', 'StudyID'],
] as const;

const [STUDY, SERIES, SOP_CLASS, FRAME] = [0x0020000d, 0x0020000e, 0x00080016, 0x00200052];
const REMOVED = [0x00120062, 0x00120063] as const;

export interface Source {
  /** Bytes of the attributes of {@link PATIENT_AND_STUDY} by tag. */
  modules: Map<number, Uint8Array>;
  studyUid: string;
  seriesUid: string;
  sopClassUid: string;
  frameOfReferenceUid: string;
}

function source(found: Map<number, Uint8Array>): Source {
  const uid = (tag: number, name: string) => {
    const text = new TextDecoder().decode(found.get(tag)).replace(/[\0 ]+$/, '');
    if (!text) throw new ClipLungError('input', `${name} is missing; a report can't refer to the series without it`);
    return text;
  };
  const modules = new Map([...found].filter(([tag]) => PATIENT_AND_STUDY.some(([known]) => known === tag)));
  // one without the other is not a whole statement
  if (!modules.has(REMOVED[1])) modules.delete(REMOVED[0]);
  return {
    modules,
    studyUid: uid(STUDY, 'StudyInstanceUID'),
    seriesUid: uid(SERIES, 'SeriesInstanceUID'),
    sopClassUid: uid(SOP_CLASS, 'SOPClassUID'),
    frameOfReferenceUid: uid(FRAME, 'FrameOfReferenceUID'),
  };
}

/** Of the metadata of any slice as viewers hold it: values by keyword (dcmjs calls it naturalized). Texts are written in UTF-8. */
export function sourceOfMetadata(slice: Record<string, unknown>): Source {
  const text = (value: unknown): string => {
    if (Array.isArray(value)) return value.map(text).join('\\');
    const name = (value as { Alphabetic?: string } | null)?.Alphabetic;
    return name ?? (value === undefined || value === null ? '' : String(value));
  };
  const own = [[SERIES, 'UI', 'SeriesInstanceUID'], [SOP_CLASS, 'UI', 'SOPClassUID'], [FRAME, 'UI', 'FrameOfReferenceUID']] as const;
  const found = new Map<number, Uint8Array>();
  for (const [tag, , keyword] of [...PATIENT_AND_STUDY, ...own]) {
    const value = keyword === 'SpecificCharacterSet' ? 'ISO_IR 192' : text(slice[keyword]);
    if (value) found.set(tag, new TextEncoder().encode(value));
  }
  return source(found);
}

/** Of the file of any slice, in its own bytes. */
export function sourceOf(file: ArrayBuffer | Uint8Array): Source {
  return source(headerOf(file, FRAME));
}

/** The values of a DICOM file up to tag `last`, by tag, as they are stored. */
export function headerOf(file: ArrayBuffer | Uint8Array, last: number): Map<number, Uint8Array> {
  const bytes = file instanceof Uint8Array ? file : new Uint8Array(file);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  try {
    if (new TextDecoder().decode(bytes.subarray(128, 132)) !== 'DICM') throw new ClipLungError('input', 'not a DICOM file');
    const start = 144 + view.getUint32(140, true);
    const syntax = new TextDecoder().decode(elements(view, 132, start, false, last).get(0x00020010)).replace(/\0+$/, '');
    if (syntax === '1.2.840.10008.1.2.2' || syntax === '1.2.840.10008.1.2.1.99') {
      throw new ClipLungError('input', `transfer syntax ${syntax} is not read here; use the metadata, or the command line`);
    }
    return elements(view, start, view.byteLength, syntax === '1.2.840.10008.1.2', last);
  } catch (error) {
    if (error instanceof RangeError) throw new ClipLungError('input', 'the DICOM file ends within its header');
    throw error;
  }
}

function elements(view: DataView, from: number, to: number, implicit: boolean, last: number): Map<number, Uint8Array> {
  const found = new Map<number, Uint8Array>();
  const open = (at: number): { tag: number; length: number; value: number } => {
    const tag = view.getUint16(at, true) * 0x10000 + view.getUint16(at + 2, true);
    const delimiting = tag >= 0xfffee000;
    const vr = String.fromCharCode(view.getUint8(at + 4), view.getUint8(at + 5));
    if (implicit || delimiting) return { tag, length: view.getUint32(at + 4, true), value: at + 8 };
    if (LONG.includes(vr)) return { tag, length: view.getUint32(at + 8, true), value: at + 12 };
    return { tag, length: view.getUint16(at + 6, true), value: at + 8 };
  };
  /** The place after an element of undefined length: its delimiter closes it. */
  const beyond = (at: number): number => {
    for (;;) {
      const { tag, length, value } = open(at);
      if (tag === 0xfffee00d || tag === 0xfffee0dd) return value;
      at = length === 0xffffffff ? beyond(value) : value + length;
    }
  };
  for (let at = from; at < to;) {
    const { tag, length, value } = open(at);
    if (tag > last) break;
    if (length === 0xffffffff) {
      at = beyond(value);
      continue;
    }
    if (value + length > view.byteLength) throw new RangeError('short');
    found.set(tag, new Uint8Array(view.buffer, view.byteOffset + value, length));
    at = value + length;
  }
  return found;
}

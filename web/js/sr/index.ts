/**
 * DICOM structured reports of predictions: Comprehensive 3D SR, TID 1500 (docs/dicom-sr.md says what stands where). The same bytes as
 * the command line's `predict --sr` from the same findings.
 */
import { ClipLungError } from '../errors.js';
import type { Info } from '../index.js';
import { content, NAME, weights, words, type Finding } from './content.js';
import { DataSet, joined } from './elements.js';
import { referenced } from './items.js';
import { PATIENT_AND_STUDY, type Source } from './source.js';
import { uid } from './uid.js';

export { CODES } from './codes.js';
export type { Finding } from './content.js';
export { sourceOf, sourceOfMetadata, type Source } from './source.js';

/** As DICOM writes it: `20261127` and `020304`. */
export interface Moment {
  date: string;
  time: string;
}

const SOP_CLASS = '1.2.840.10008.5.1.4.1.1.88.34';
/** Attributes of the copied modules that may be left out. */
const OPTIONAL = ['SpecificCharacterSet', 'StudyDescription', 'IssuerOfPatientID', 'PatientIdentityRemoved', 'DeidentificationMethod'];

/** Now, in UTC. */
function now(): Moment {
  const digits = new Date().toISOString().replace(/\D/g, '');
  return { date: digits.slice(0, 8), time: digits.slice(8, 14) };
}

/** The report of findings in one series, made by the model of `info` (`clip.info`), as a DICOM file. Patient and study are copied from
 * the source, and nothing else of it. */
export async function report(
  source: Source, info: Info, findings: Finding[], { date, time }: Moment = now(),
): Promise<{ sopInstanceUid: string; bytes: Uint8Array }> {
  if (!findings.length) throw new ClipLungError('input', 'a report needs a finding');
  const set = new DataSet();
  for (const [tag, vr, keyword] of PATIENT_AND_STUDY) {
    const bytes = source.modules.get(tag);
    if (bytes || !OPTIONAL.includes(keyword)) set.bytes(tag, vr, bytes ?? new Uint8Array());
  }
  const named = (what: string) => uid(what, source.seriesUid, weights(info), date, time, ...findings.flatMap(words));
  const sopInstanceUid = await named('report');
  const slices = [...new Set(findings.flatMap((f) => f.slices))];
  set.text(0x00080016, 'UI', SOP_CLASS)
    .text(0x00080018, 'UI', sopInstanceUid)
    .text(0x00080023, 'DA', date)
    .text(0x00080033, 'TM', time)
    .text(0x00080060, 'CS', 'SR')
    .text(0x00080070, 'LO', NAME)
    .text(0x0008103e, 'LO', 'clip-lung, research use only')
    .text(0x00081090, 'LO', info.method)
    .text(0x00181000, 'LO', weights(info))
    .text(0x00181020, 'LO', info.metadata.version)
    .text(0x0020000e, 'UI', await named('series'))
    .text(0x00200011, 'IS', '1')
    .text(0x00200013, 'IS', '1')
    .text(0x0040a491, 'CS', 'COMPLETE')
    .text(0x0040a493, 'CS', 'UNVERIFIED')
    .sequence(0x00080110, [new DataSet()
      .text(0x00080102, 'SH', '99CLIPLUNG')
      .text(0x00080115, 'ST', 'Codes of clip-lung (docs/dicom-sr.md)')
      .text(0x00080116, 'ST', NAME)])
    .sequence(0x00081111, [])
    .sequence(0x0040a372, [])
    .sequence(0x0040a375, [new DataSet()
      .sequence(0x00081115, [new DataSet()
        .sequence(0x00081199, slices.map((slice) => referenced(source.sopClassUid, slice)))
        .text(0x0020000e, 'UI', source.seriesUid)])
      .text(0x0020000d, 'UI', source.studyUid)]);
  await content(set, source, info, findings, slices);

  const meta = new DataSet()
    .bytes(0x00020001, 'OB', Uint8Array.of(0, 1))
    .text(0x00020002, 'UI', SOP_CLASS)
    .text(0x00020003, 'UI', sopInstanceUid)
    .text(0x00020010, 'UI', '1.2.840.10008.1.2.1')
    .text(0x00020012, 'UI', await uid('implementation', NAME))
    .text(0x00020013, 'SH', NAME)
    .encode();
  const length = new DataView(new ArrayBuffer(4));
  length.setUint32(0, meta.length, true);
  const group = new DataSet().bytes(0x00020000, 'UL', new Uint8Array(length.buffer)).encode();
  const magic = new TextEncoder().encode('DICM');
  return { sopInstanceUid, bytes: joined([new Uint8Array(128), magic, group, meta, set.encode()]) };
}

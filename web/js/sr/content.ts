/** The content tree, after TID 1500 (Measurement Report): an image library, and a measurement group (TID 1410) for each nodule. */
import type { ClassName, Info, Prediction } from '../index.js';
import type { Triple } from '../geometry.js';
import { CODES } from './codes.js';
import { DataSet } from './elements.js';
import { code, contain, container, image, number, point, reference, text } from './items.js';
import type { Source } from './source.js';
import { uid } from './uid.js';

/** A nodule with its prediction. */
export interface Finding {
  id: string;
  /** Patient coordinates (LPS), mm. */
  centre: Triple;
  /** mm. */
  diameter: number;
  /** SOPInstanceUIDs of the slices that it reaches. */
  slices: string[];
  prediction: Pick<Prediction, 'probabilities' | 'label' | 'attributes' | 'set' | 'reason'>;
}

/** The program's name in a report. */
export const NAME = 'clip-lung';
const NOTICE = 'Research use only, not a medical device. Not for diagnosis.';
const WEIGHTS = 'model.safetensors';

/** SHA-256 of a model's weights. */
export const weights = (info: Info) => info.sha256[WEIGHTS] ?? '';

/** Name, centre and diameter as a report writes them; its UIDs are made of them. */
export const words = ({ id, centre, diameter }: Finding) => [id, centre.map((v) => v.toFixed(3)).join(' '), diameter.toFixed(4)];

/** Writes the root container into a document. */
export async function content(to: DataSet, source: Source, info: Info, findings: Finding[], slices: string[]): Promise<void> {
  contain(to, CODES.report, '1500', [
    code('HAS CONCEPT MOD', CODES.language, CODES.english),
    code('HAS OBS CONTEXT', CODES.observer_type, CODES.device),
    reference('HAS OBS CONTEXT', CODES.device_uid, await uid('device', weights(info))),
    text('HAS OBS CONTEXT', CODES.device_name, NAME),
    code('HAS CONCEPT MOD', CODES.procedure, CODES.ct_chest),
    container(CODES.library, undefined, [container(CODES.library_group, undefined, [
      code('HAS ACQ CONTEXT', CODES.modality, CODES.ct),
      reference('HAS ACQ CONTEXT', CODES.frame_of_reference, source.frameOfReferenceUid),
      ...slices.map((slice) => image(source.sopClassUid, slice)),
    ])]),
    container(CODES.measurements, undefined, await Promise.all(findings.map((finding) => group(source, info, finding)))),
  ]);
}

/** One nodule. */
async function group(source: Source, info: Info, finding: Finding): Promise<DataSet> {
  const [id, place, diameter] = words(finding) as [string, string, string];
  const { probabilities, label, attributes, set = [], reason } = finding.prediction;
  const { version, training_data, text_encoder } = info.metadata;
  const share = (value: number) => value.toFixed(6);
  return container(CODES.group, '1410', [
    text('HAS OBS CONTEXT', CODES.tracking_identifier, id),
    reference('HAS OBS CONTEXT', CODES.tracking_uid, await uid('tracking', source.seriesUid, id, place, diameter)),
    code('CONTAINS', CODES.finding, CODES.nodule),
    code('HAS CONCEPT MOD', CODES.finding_site, CODES.lung),
    text('HAS CONCEPT MOD', CODES.algorithm_name, `${NAME}, ${info.method}, ${info.task}`),
    text('HAS CONCEPT MOD', CODES.algorithm_version, version),
    ...[`SHA-256 of ${WEIGHTS}: ${weights(info)}`, `training data: ${training_data}`, `text encoder: ${text_encoder}`]
      .map((parameter) => text('HAS CONCEPT MOD', CODES.algorithm_parameters, parameter)),
    point(CODES.region, finding.centre, source.frameOfReferenceUid),
    number(CODES.diameter, diameter, CODES.mm),
    ...info.classes.map((name: ClassName) => number(CODES.probabilities[name], share(probabilities[name] ?? NaN), CODES.no_unit)),
    ...Object.values(attributes ?? {}).map((score, i) => number(CODES.attributes[i]!, share(score), CODES.no_unit)),
    code('CONTAINS', CODES.class, CODES.classes[label]),
    ...set.map((open) => code('CONTAINS', CODES.open, CODES.classes[open])),
    ...(reason === undefined ? [] : [text('CONTAINS', CODES.comment, reason)]),
    code('CONTAINS', CODES.intended_use, CODES.research),
    text('CONTAINS', CODES.comment, NOTICE),
  ]);
}

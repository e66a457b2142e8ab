/** Content items of a structured report (PS3.3 C.17.3). */
import { DataSet } from './elements.js';
import type { Triple } from '../geometry.js';

/** Value, scheme and meaning. */
export type Code = readonly [string, string, string];
export type Relationship = 'CONTAINS' | 'HAS OBS CONTEXT' | 'HAS ACQ CONTEXT' | 'HAS CONCEPT MOD';

const coded = ([value, scheme, meaning]: Code) => new DataSet()
  .text(0x00080100, 'SH', value)
  .text(0x00080102, 'SH', scheme)
  .text(0x00080104, 'LO', meaning);

/** An item that refers to an instance. */
export const referenced = (sopClass: string, instance: string) => new DataSet()
  .text(0x00081150, 'UI', sopClass)
  .text(0x00081155, 'UI', instance);

function item(relationship: Relationship, kind: string, name?: Code): DataSet {
  const made = new DataSet().text(0x0040a010, 'CS', relationship).text(0x0040a040, 'CS', kind);
  return name ? made.sequence(0x0040a043, [coded(name)]) : made;
}

/** A container's elements, written into `to`: the document itself, or an item. */
export function contain(to: DataSet, name: Code, template: string | undefined, children: DataSet[]): DataSet {
  to.text(0x0040a040, 'CS', 'CONTAINER').sequence(0x0040a043, [coded(name)]).text(0x0040a050, 'CS', 'SEPARATE');
  if (template) to.sequence(0x0040a504, [new DataSet().text(0x00080105, 'CS', 'DCMR').text(0x0040db00, 'CS', template)]);
  return to.sequence(0x0040a730, children);
}

export const container = (name: Code, template: string | undefined, children: DataSet[]) =>
  contain(new DataSet().text(0x0040a010, 'CS', 'CONTAINS'), name, template, children);
export const code = (relationship: Relationship, name: Code, value: Code) =>
  item(relationship, 'CODE', name).sequence(0x0040a168, [coded(value)]);
export const text = (relationship: Relationship, name: Code, value: string) =>
  item(relationship, 'TEXT', name).text(0x0040a160, 'UT', value);
export const reference = (relationship: Relationship, name: Code, uid: string) =>
  item(relationship, 'UIDREF', name).text(0x0040a124, 'UI', uid);
export const image = (sopClass: string, instance: string) =>
  item('CONTAINS', 'IMAGE').sequence(0x00081199, [referenced(sopClass, instance)]);
export const number = (name: Code, value: string, unit: Code) =>
  item('CONTAINS', 'NUM', name).sequence(0x0040a300, [new DataSet().text(0x0040a30a, 'DS', value).sequence(0x004008ea, [coded(unit)])]);
/** A point in patient coordinates (LPS, mm). */
export const point = (name: Code, mm: Triple, frameOfReference: string) =>
  item('CONTAINS', 'SCOORD3D', name).text(0x00700023, 'CS', 'POINT').floats(0x00700022, mm).text(0x30060024, 'UI', frameOfReference);

/** A DICOM structured report of the nodules that were measured in a series of OHIF's. */
import type { Info } from '../index.js';
import { report, sourceOfMetadata, type Finding } from '../sr/index.js';
import type { DisplaySet, Nodule } from './ohif-nodules.js';

/** Of all predicted nodules of a series. */
export function reportOf(displaySet: DisplaySet, list: Nodule[], info: Info): ReturnType<typeof report> {
  const findings = list.flatMap(({ name, centre, diameter, prediction, displaySet: own }): Finding[] => {
    if (own !== displaySet || !prediction) return [];
    // along the head's axis, as near as matters for which slices are named
    const height = (slice: Record<string, unknown>) => Math.abs(Number((slice.ImagePositionPatient as number[])[2]) - centre[2]);
    const near = displaySet.instances.filter((slice) => height(slice) <= diameter / 2);
    const slices = near.length ? near : [...displaySet.instances].sort((a, b) => height(a) - height(b)).slice(0, 1);
    return [{ id: name, centre, diameter, slices: slices.map((slice) => String(slice.SOPInstanceUID)), prediction }];
  });
  return report(sourceOfMetadata(displaySet.instances[0]!), info, findings);
}

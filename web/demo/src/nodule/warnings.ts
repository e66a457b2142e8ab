/** What is to know of one nodule: that its place is none, that its size is none, that slices are missing in its crop. */
import type { Triple } from 'clip-lung';
import type { Gap } from '../scan/protocol';
import type { Volume } from '../scan/volume';
import type { Marked } from './marks';

/** `sides`: the box that the model is given, mm. */
export function warningsOf({ voxel, found }: Marked, volume: Volume, gaps: readonly Gap[], sides: Triple): string[] {
  const [z, half] = [volume.mm(voxel)[2], sides[2] / 2];
  const missing = gaps.filter(({ below, above }) => below < z + half && above > z - half).map(({ message }) => message);
  const { reason, warning } = found?.prediction ?? {};
  return [reason, warning, ...missing].filter((said) => said !== undefined);
}

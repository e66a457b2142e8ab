/** The list of marked nodules as files: CSV that `clip-lung predict --nodules` reads, with the columns that `predict --csv` writes, and JSON
 *  with everything that was said. */
import { about, type Info, type Prediction } from 'clip-lung';
import { report, sourceOf, type Finding } from 'clip-lung/sr';
import { inFrame, type Frame } from '../scan/frame';
import type { Origin } from '../scan/protocol';
import type { Volume } from '../scan/volume';
import type { Marked } from './marks';

export interface Context {
  volume: Volume;
  frame: Frame;
  series: string | undefined;
  name: string;
  info: Info | undefined;
  /** What is to know of a nodule. */
  warnings: (nodule: Marked) => string[];
}

const MM = 4;
const round = (value: number, digits: number) => Number(value.toFixed(digits));

export function csv(list: readonly Marked[], { volume, frame, series, info }: Context): string {
  const classes = info?.classes ?? [];
  const judged = ['set', 'in_distribution', 'reason', 'model', 'model_sha256'];
  const head = ['nodule_id', 'frame', 'centre_x_mm', 'centre_y_mm', 'centre_z_mm', 'diameter_mm', 'series_uid', 'class', ...classes.map((c) => `p_${c}`), ...judged];
  const rows = list.map(({ voxel, diameter, found }, i) => [
    i + 1, frame.toLowerCase(), ...inFrame(volume.mm(voxel), frame).map((v) => round(v, MM)), round(diameter, 3), series ?? '',
    found?.prediction.label ?? '', ...classes.map((c) => found?.prediction.probabilities[c]?.toFixed(7) ?? ''),
    found?.prediction.set?.join(' ') ?? '', found?.prediction.inDistribution ?? '', found?.prediction.reason ?? '', ...(found && info ? [about(info), found.prediction.modelId] : ['', '']),
  ]);
  return [head, ...rows].map((cells) => cells.map(quoted).join(',')).join('\n').concat('\n');
}

/** A cell of CSV (RFC 4180). */
const quoted = (cell: string | number | boolean) => (/[",\n]/.test(String(cell)) ? `"${String(cell).replaceAll('"', '""')}"` : String(cell));

const answer = ({ label, set, inDistribution, reason, probabilities, logits }: Prediction) => ({
  label, ...(set && { set }), ...(inDistribution !== undefined && { in_distribution: inDistribution }), ...(reason && { reason }), probabilities, logits,
});

export function json(list: readonly Marked[], { volume, frame, series, name, info, warnings }: Context): string {
  const nodules = list.map((nodule, i) => {
    const { voxel, diameter, origin, found } = nodule;
    const said = warnings(nodule);
    return {
      id: String(i + 1), frame: frame.toLowerCase(), centre: inFrame(volume.mm(voxel), frame).map((v) => round(v, MM)),
      diameter_mm: round(diameter, 3), diameter_is: origin,
      ...(said.length && { warnings: said }),
      ...(found && answer(found.prediction)),
      ...(found?.band && { probabilities_for_0_8_to_1_25_of_the_diameter: found.band.ranges }),
    };
  });
  const model = info && {
    about: about(info), method: info.method, sha256: info.sha256['model.safetensors'], training_data: info.metadata.training_data, synthetic: info.metadata.synthetic,
  };
  const whole = { intended_use: 'research', scan: name, ...(series && { series_uid: series }), ...(model && { model }), nodules };
  return `${JSON.stringify(whole, null, 2)}\n`;
}

/** A DICOM structured report of what was answered about a DICOM series, as `clip-lung predict --sr` writes it. */
export async function sr(list: readonly Marked[], volume: Volume, { slices, file }: Origin, info: Info): Promise<Uint8Array> {
  const source = sourceOf(await file.arrayBuffer());
  const findings = list.flatMap(({ voxel, diameter, found }, i): Finding[] => {
    if (!found) return [];
    const centre = volume.mm(voxel);
    return [{ id: String(i + 1), centre, diameter, slices: reached(slices, centre[2], diameter, volume.spacing[2]), prediction: found.prediction }];
  });
  return (await report(source, info, findings)).bytes;
}

/** The slices within half a diameter of a nodule's centre, at least the one nearest to it. */
const reached = (slices: Origin['slices'], z: number, diameter: number, spacing: number) =>
  slices.filter(([at]) => Math.abs(at - z) <= Math.max(diameter, spacing) / 2).map(([, uid]) => uid);

/** Hands a text, or bytes, to the reader as a file. */
export function download(text: string | Uint8Array, name: string, type: string): void {
  const url = URL.createObjectURL(new Blob([text as BlobPart], { type }));
  Object.assign(document.createElement('a'), { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

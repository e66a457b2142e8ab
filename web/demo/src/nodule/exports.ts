/** The list of marked nodules as files: CSV that `clip-lung predict --nodules` reads, and JSON with everything that was said. */
import type { Info } from 'clip-lung';
import { inFrame, type Frame } from '../scan/frame';
import type { Volume } from '../scan/volume';
import type { Marked } from './marks';

export interface Context {
  volume: Volume;
  frame: Frame;
  series: string | undefined;
  name: string;
  info: Info | undefined;
}

const MM = 4;
const round = (value: number, digits: number) => Number(value.toFixed(digits));

export function csv(list: readonly Marked[], { volume, frame, series, info }: Context): string {
  const classes = info?.classes ?? [];
  const head = ['nodule_id', 'frame', 'centre_x_mm', 'centre_y_mm', 'centre_z_mm', 'diameter_mm', 'series_uid', 'label', ...classes.map((c) => `probability_${c}`)];
  const rows = list.map(({ voxel, diameter, found }, i) => [
    i + 1, frame.toLowerCase(), ...inFrame(volume.mm(voxel), frame).map((v) => round(v, MM)), round(diameter, 3), series ?? '',
    found?.prediction.label ?? '', ...classes.map((c) => found?.prediction.probabilities[c]?.toFixed(6) ?? ''),
  ]);
  return [head, ...rows].map((cells) => cells.join(',')).join('\n').concat('\n');
}

export function json(list: readonly Marked[], { volume, frame, series, name, info }: Context): string {
  const nodules = list.map(({ voxel, diameter, origin, found }, i) => ({
    id: String(i + 1), frame: frame.toLowerCase(), centre: inFrame(volume.mm(voxel), frame).map((v) => round(v, MM)),
    diameter_mm: round(diameter, 3), diameter_is: origin,
    ...(found && { label: found.prediction.label, probabilities: found.prediction.probabilities, logits: found.prediction.logits }),
    ...(found?.band && { probabilities_for_0_8_to_1_25_of_the_diameter: found.band.ranges }),
  }));
  const model = info && {
    method: info.method, sha256: info.sha256['model.safetensors'], training_data: info.metadata.training_data, synthetic: info.metadata.synthetic,
  };
  const whole = { intended_use: 'research', scan: name, ...(series && { series_uid: series }), ...(model && { model }), nodules };
  return `${JSON.stringify(whole, null, 2)}\n`;
}

/** Hands a text to the reader as a file. */
export function download(text: string, name: string, type: string): void {
  const url = URL.createObjectURL(new Blob([text], { type }));
  Object.assign(document.createElement('a'), { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

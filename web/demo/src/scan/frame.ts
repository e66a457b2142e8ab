/** The two frames that places are written in, and places as people paste them. Inside, every place is LPS. */
import type { Triple } from 'clip-lung';

/** LPS (DICOM): mm towards the patient's left, back and head. RAS (NIfTI): towards right, front and head. */
export type Frame = 'LPS' | 'RAS';

/** The same point in the other frame, or in its own: x and y turn round. */
export const inFrame = ([x, y, z]: Triple, frame: Frame): Triple => (frame === 'LPS' ? [x, y, z] : [-x, -y, z]);

/** What a paste holds: a place, perhaps a frame and a diameter (mm). */
export interface Pasted {
  place: Triple;
  frame?: Frame;
  diameter?: number;
}

/** Three numbers of one text, as a table, a viewer or a list has them: `59.8, 71.7, -103.2`, tabs, brackets, decimal commas, a frame's
 * name before or after; a fourth number is the diameter. Nothing where the text is anything else. */
export function parsePlace(text: string): Pasted | undefined {
  const frame = /\b(LPS|RAS)\b/i.exec(text)?.[1]?.toUpperCase() as Frame | undefined;
  const bare = text.replace(/\b(LPS|RAS)\b/i, ' ').replace(/\bmm\b/g, ' ').replace(/[()[\]{}:"']/g, ' ').trim();
  const numbers = [/[\s;]+/, /[\s;,]+/]
    .map((separator) => bare.split(separator).filter(Boolean))
    // commas between digits are decimal where something else separates the numbers
    .map((parts) => parts.map((part) => Number(part.replace(/,$/, '').replace(',', '.'))))
    .find((found) => (found.length === 3 || found.length === 4) && found.every(Number.isFinite));
  if (!numbers) return undefined;
  const [x, y, z, diameter] = numbers as [number, number, number, number?];
  return { place: [x, y, z], ...(frame && { frame }), ...(diameter !== undefined && { diameter }) };
}

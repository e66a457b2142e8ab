/** Data elements, written in Explicit VR Little Endian: sequences and items of undefined length, tags ascending. */

/** A data set: elements by tag, as one number. */
export class DataSet {
  readonly #elements = new Map<number, { vr: string; value: Uint8Array | DataSet[] }>();

  /** Bytes as they are. */
  bytes(tag: number, vr: string, value: Uint8Array): this {
    this.#elements.set(tag, { vr, value });
    return this;
  }

  /** A text, in ASCII: characters beyond it become question marks, since the character set is the patient's. */
  text(tag: number, vr: string, value: string): this {
    const ascii = [...value].map((c) => (c >= ' ' && c <= '~' ? c : '?')).join('');
    return this.bytes(tag, vr, new TextEncoder().encode(ascii));
  }

  /** Numbers of single precision. */
  floats(tag: number, values: readonly number[]): this {
    const view = new DataView(new ArrayBuffer(4 * values.length));
    values.forEach((v, i) => view.setFloat32(4 * i, v, true));
    return this.bytes(tag, 'FL', new Uint8Array(view.buffer));
  }

  sequence(tag: number, items: DataSet[]): this {
    this.#elements.set(tag, { vr: 'SQ', value: items });
    return this;
  }

  /** The encoded data set. */
  encode(): Uint8Array {
    const parts: Uint8Array[] = [];
    for (const [tag, { vr, value }] of [...this.#elements].sort(([a], [b]) => a - b)) {
      if (Array.isArray(value)) {
        parts.push(header(tag, vr, UNDEFINED));
        for (const item of value) parts.push(delimiter(0xe000, UNDEFINED), item.encode(), delimiter(0xe00d, 0));
        parts.push(delimiter(0xe0dd, 0));
      } else {
        const odd = value.length % 2;
        parts.push(header(tag, vr, value.length + odd), value);
        if (odd) parts.push(Uint8Array.of(vr === 'UI' || vr === 'OB' ? 0 : 0x20));
      }
    }
    return joined(parts);
  }
}

const UNDEFINED = 0xffffffff;
/** Value representations with a length of four bytes. */
export const LONG = ['OB', 'OD', 'OF', 'OL', 'OV', 'OW', 'SQ', 'SV', 'UC', 'UN', 'UR', 'UT', 'UV'];

function header(tag: number, vr: string, length: number): Uint8Array {
  const long = LONG.includes(vr);
  const view = new DataView(new ArrayBuffer(long ? 12 : 8));
  view.setUint16(0, tag >>> 16, true);
  view.setUint16(2, tag & 0xffff, true);
  view.setUint8(4, vr.charCodeAt(0));
  view.setUint8(5, vr.charCodeAt(1));
  if (long) view.setUint32(8, length, true);
  else view.setUint16(6, length, true);
  return new Uint8Array(view.buffer);
}

function delimiter(element: number, length: number): Uint8Array {
  const view = new DataView(new ArrayBuffer(8));
  view.setUint16(0, 0xfffe, true);
  view.setUint16(2, element, true);
  view.setUint32(4, length, true);
  return new Uint8Array(view.buffer);
}

/** One array of several. */
export function joined(parts: Uint8Array[]): Uint8Array {
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

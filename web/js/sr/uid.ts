/** UIDs made of what they name, so that the same finding always has the same one. */

/** The UID of these words: `2.25.` and, in decimal, a UUID of version 8 (RFC 9562) from their SHA-256. */
export async function uid(...words: string[]): Promise<string> {
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', new TextEncoder().encode(words.join('\n'))));
  const number = digest.subarray(0, 16).reduce((all, byte) => (all << 8n) | BigInt(byte), 0n);
  const version = (number & ~(0xfn << 76n)) | (8n << 76n);
  return `2.25.${(version & ~(3n << 62n)) | (2n << 62n)}`;
}

/**
 * Base64 as RFC 4648 section 4 writes it, and nothing that merely resembles it. Node's decoder skips what it does not know and
 * accepts the URL alphabet, absent padding and stray bits, so that one value would have many spellings; a signed format must not.
 */

export function encodeBase64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64');
}

/** The bytes, or undefined where `text` is not the one canonical spelling of any. */
export function decodeBase64(text: string): Uint8Array | undefined {
  const bytes = Buffer.from(text, 'base64');
  return bytes.toString('base64') === text ? new Uint8Array(bytes) : undefined;
}

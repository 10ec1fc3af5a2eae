/**
 * The two hashes of an RFC 6962 tree (section 2.1). The prefix byte keeps a leaf from ever passing for a node, which is what
 * makes a second preimage across levels impossible.
 */
import { hash } from 'node:crypto';
import { decodeBase64, encodeBase64 } from './base64.ts';

/** SHA-256. */
export const HASH_BYTES = 32;

/** The head of a tree: how many leaves, and the hash over all of them. */
export interface TreeHead {
  readonly size: number;
  readonly root: Uint8Array;
}

/** SHA-256(0x00 || entry), over the exact bytes that are stored. */
export function leafHash(entry: Uint8Array): Uint8Array {
  const message = Buffer.allocUnsafe(1 + entry.length);
  message[0] = 0x00;
  message.set(entry, 1);
  return hash('sha256', message, 'buffer');
}

/** SHA-256(0x01 || left || right). */
export function nodeHash(left: Uint8Array, right: Uint8Array): Uint8Array {
  const message = Buffer.allocUnsafe(1 + left.length + right.length);
  message[0] = 0x01;
  message.set(left, 1);
  message.set(right, 1 + left.length);
  return hash('sha256', message, 'buffer');
}

/** The root of the tree without leaves: SHA-256 of nothing. A fresh copy each time, because bytes cannot be frozen. */
export function emptyRoot(): Uint8Array {
  return hash('sha256', '', 'buffer');
}

export function sameHash(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}

/** A hash as notes, proofs and frames write it. */
export function encodeHash(bytes: Uint8Array): string {
  return encodeBase64(bytes);
}

/** A hash as it was written, or undefined where the text is not canonical base64 of exactly 32 bytes. */
export function decodeHash(text: string): Uint8Array | undefined {
  const bytes = decodeBase64(text);
  return bytes?.length === HASH_BYTES ? bytes : undefined;
}

/** The root of the perfect subtree over `hashes`, whose number is a power of two. */
export function foldPerfect(hashes: readonly Uint8Array[]): Uint8Array {
  let row = hashes;
  while (row.length > 1) {
    const above: Uint8Array[] = [];
    for (let i = 0; i + 1 < row.length; i += 2) above.push(nodeHash(at(row, i), at(row, i + 1)));
    row = above;
  }
  return at(row, 0);
}

/** The element that must be there; its absence is a bug of the caller. */
export function at<T>(list: readonly T[], index: number): T {
  const value = list[index];
  if (value === undefined) throw new RangeError(`no element ${index} among ${list.length}`);
  return value;
}

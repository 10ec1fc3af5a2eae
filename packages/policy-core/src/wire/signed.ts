/**
 * Ed25519 over exact bytes. What is signed is `portcullis/1/<kind>`, a line feed, and the header's text exactly as it travels, so that
 * nobody ever has to agree on how to spell JSON, and a signature made for one kind of statement is worthless for any other.
 */
import { createPrivateKey, createPublicKey, sign, verify } from 'node:crypto';
import type { KeyObject } from 'node:crypto';

/** Every kind of statement that a key of ours ever signs on the wire. */
export const SIGNED_KINDS = ['welcome', 'snapshot', 'restrict', 'advance', 'lease', 'connect', 'join', 'joined', 'rotated', 'restored', 'identity'] as const;
export type SignedKind = (typeof SIGNED_KINDS)[number];

/** True where `signature` (base64) is the key's over `header` as a statement of `kind`. */
export type Verify = (kind: SignedKind, header: string, signature: string) => boolean;

/** Signs `bytes` with a key that the caller never sees. */
export type SignBytes = (bytes: Uint8Array) => Uint8Array;

/** The bytes that are signed. */
export function signedBytes(kind: SignedKind, header: string): Buffer {
  return Buffer.from(`portcullis/1/${kind}\n${header}`, 'utf8');
}

/** The base64 signature of a statement. */
export function signHeader(sign: SignBytes, kind: SignedKind, header: string): string {
  return Buffer.from(sign(signedBytes(kind, header))).toString('base64');
}

/** DER prefix of an Ed25519 SubjectPublicKeyInfo and of a PKCS #8 private key (RFC 8410): the 32 raw bytes follow. */
const SPKI_PREFIX = Buffer.from('302a300506032b6570032100', 'hex');
const PKCS8_PREFIX = Buffer.from('302e020100300506032b657004220420', 'hex');
const RAW_KEY_BYTES = 32;
const SIGNATURE_BYTES = 64;

/** A verifier for a public key (base64 of the 32 raw bytes); null where the text is no such key. Never throws. */
export function verifierOf(publicKey: string): Verify | null {
  const raw = exactBase64(publicKey, RAW_KEY_BYTES);
  if (raw === null) return null;
  let key: KeyObject;
  try {
    key = createPublicKey({ key: Buffer.concat([SPKI_PREFIX, raw]), format: 'der', type: 'spki' });
  } catch {
    return null;
  }
  return (kind, header, signature) => {
    const bytes = exactBase64(signature, SIGNATURE_BYTES);
    return bytes !== null && verify(null, signedBytes(kind, header), key, bytes);
  };
}

/** A signer and its public key (base64 of the 32 raw bytes) from a 32-byte Ed25519 seed. */
export function signerOf(seed: Uint8Array): { readonly sign: SignBytes; readonly publicKey: string } {
  const key = createPrivateKey({ key: Buffer.concat([PKCS8_PREFIX, seed]), format: 'der', type: 'pkcs8' });
  const spki = createPublicKey(key).export({ format: 'der', type: 'spki' });
  return { sign: (bytes) => sign(null, bytes, key), publicKey: spki.subarray(SPKI_PREFIX.length).toString('base64') };
}

/** Decodes base64 that has exactly one spelling: a second spelling of the same bytes is refused. */
function exactBase64(encoded: string, bytes: number): Buffer | null {
  const raw = Buffer.from(encoded, 'base64');
  return raw.length === bytes && raw.toString('base64') === encoded ? raw : null;
}

/**
 * The Ed25519 keys of signed notes (C2SP signed-note, "Verifier keys"; the private form is that of golang.org/x/mod/sumdb/note,
 * so that other tools can use the same file). A key is bound to a name, and both are found by a four-byte id.
 */
import { createPrivateKey, createPublicKey, hash, sign, verify } from 'node:crypto';
import { decodeBase64, encodeBase64 } from './base64.ts';
import { refused } from './problem.ts';
import type { Refused } from './problem.ts';

export interface VerifierKey {
  readonly name: string;
  /** Eight lower-case hexadecimal digits. */
  readonly id: string;
  /** 32 bytes (RFC 8032). */
  readonly publicKey: Uint8Array;
}

/** Signs notes. The seed stays inside, so that a signer can be logged or compared without giving it away. */
export interface Signer {
  readonly verifierKey: VerifierKey;
  /** The 64 bytes of an Ed25519 signature over `message`. */
  readonly sign: (message: Uint8Array) => Uint8Array;
}

export const SEED_BYTES = 32;
export const PUBLIC_KEY_BYTES = 32;

/** Signature type of Ed25519 in signed-note. */
const ED25519 = 0x01;

/** A key name is a scheme-less URL; no URL in use is longer, and a longer one only makes notes unreadable. */
const MAX_NAME_LENGTH = 255;

const PRIVATE_PREFIX = 'PRIVATE+KEY+';

/** DER around raw keys: PKCS #8 and SubjectPublicKeyInfo for Ed25519 (RFC 8410), which is what node:crypto imports. */
const PKCS8_HEAD = Buffer.from('302e020100300506032b657004220420', 'hex');
const SPKI_HEAD = Buffer.from('302a300506032b6570032100', 'hex');

/** The verifier key of a public key under a name. A bad name or length is the caller's bug; see `isKeyName`. */
export function verifierKey(name: string, publicKey: Uint8Array): VerifierKey {
  if (!isKeyName(name)) throw new RangeError(`\`${name}\` cannot name a key: no spaces, no plus sign, 1 to ${MAX_NAME_LENGTH} characters`);
  if (publicKey.length !== PUBLIC_KEY_BYTES) throw new RangeError(`a public key has ${PUBLIC_KEY_BYTES} bytes, not ${publicKey.length}`);
  return { name, id: keyId(name, publicKey), publicKey };
}

/** `<name>+<id>+<base64(0x01 || public key)>`. */
export function encodeVerifierKey(key: VerifierKey): string {
  return `${key.name}+${key.id}+${encodeBase64(withType(key.publicKey))}`;
}

/** Reads a verifier key. Refuses another signature type, an id that does not belong to the key, and every second spelling. */
export function parseVerifierKey(text: string): { readonly ok: true; readonly key: VerifierKey } | Refused {
  const parts = splitKey(text, 'verifier key');
  if (!parts.ok) return parts;
  const key = verifierKey(parts.name, parts.material);
  return key.id === parts.id ? { ok: true, key } : malformed('verifier key', 'its id does not belong to its name and public key');
}

/** The signer of a 32-byte seed (an RFC 8032 private key) under a name. */
export function signerFromSeed(name: string, seed: Uint8Array): Signer {
  if (seed.length !== SEED_BYTES) throw new RangeError(`a seed has ${SEED_BYTES} bytes, not ${seed.length}`);
  const key = createPrivateKey({ key: Buffer.concat([PKCS8_HEAD, seed]), format: 'der', type: 'pkcs8' });
  const spki = createPublicKey(key).export({ format: 'der', type: 'spki' });
  const publicKey = new Uint8Array(spki.subarray(SPKI_HEAD.length));
  return { verifierKey: verifierKey(name, publicKey), sign: (message) => new Uint8Array(sign(null, message, key)) };
}

/** `PRIVATE+KEY+<name>+<id>+<base64(0x01 || seed)>`: a secret, for a file that only its owner reads. */
export function encodeSignerKey(name: string, seed: Uint8Array): string {
  const { id } = signerFromSeed(name, seed).verifierKey;
  return `${PRIVATE_PREFIX}${name}+${id}+${encodeBase64(withType(seed))}`;
}

/** Reads a signer's key. No refusal repeats any of the text. */
export function parseSignerKey(text: string): { readonly ok: true; readonly signer: Signer } | Refused {
  if (!text.startsWith(PRIVATE_PREFIX)) return malformed('signer key', `it does not begin with ${PRIVATE_PREFIX}`);
  const parts = splitKey(text.slice(PRIVATE_PREFIX.length), 'signer key');
  if (!parts.ok) return parts;
  const signer = signerFromSeed(parts.name, parts.material);
  return signer.verifierKey.id === parts.id ? { ok: true, signer } : malformed('signer key', 'its id does not belong to its name and key');
}

/** Whether `signature` is this key's over `message` (node:crypto refuses any that has not 64 bytes). */
export function verifySignature(key: VerifierKey, message: Uint8Array, signature: Uint8Array): boolean {
  const publicKey = createPublicKey({ key: Buffer.concat([SPKI_HEAD, key.publicKey]), format: 'der', type: 'spki' });
  return verify(null, message, publicKey, signature);
}

/** Whether a text may name a key: what signed-note forbids would make two readings of one line possible. */
export function isKeyName(name: string): boolean {
  return name.length > 0 && name.length <= MAX_NAME_LENGTH && !/[\p{White_Space}+\p{Surrogate}\u0000-\u001f]/u.test(name);
}

/** The id is compared with the right one by the caller. */
type KeyParts = { readonly ok: true; readonly name: string; readonly id: string; readonly material: Uint8Array } | Refused;

/** Splits at the first two plus signs only: base64 has plus signs of its own. */
function splitKey(text: string, where: string): KeyParts {
  const first = text.indexOf('+');
  const second = text.indexOf('+', first + 1);
  if (first < 0 || second < 0) return malformed(where, 'it is not a name, an id and a key with plus signs between');
  const name = text.slice(0, first);
  const id = text.slice(first + 1, second);
  if (!isKeyName(name)) return malformed(where, `its name is not 1 to ${MAX_NAME_LENGTH} characters without spaces`);
  const bytes = decodeBase64(text.slice(second + 1));
  if (bytes === undefined) return malformed(where, 'its key is not base64');
  if (bytes[0] !== ED25519) return malformed(where, 'it is not an Ed25519 note key (type 1), the only one that is supported');
  if (bytes.length !== 1 + PUBLIC_KEY_BYTES) return malformed(where, `an Ed25519 key has ${PUBLIC_KEY_BYTES} bytes, and this one ${bytes.length - 1}`);
  return { ok: true, name, id, material: bytes.subarray(1) };
}

/** signed-note: the first four bytes of SHA-256(name || newline || type || public key). */
function keyId(name: string, publicKey: Uint8Array): string {
  return hash('sha256', Buffer.concat([Buffer.from(`${name}\n`), withType(publicKey)]), 'hex').slice(0, 8);
}

function withType(material: Uint8Array): Uint8Array {
  return Uint8Array.of(ED25519, ...material);
}

function malformed(where: string, what: string): Refused {
  return refused('KEY_MALFORMED', where, `${what}; copy the whole key again`);
}

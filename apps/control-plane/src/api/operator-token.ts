/**
 * Operators' bearer tokens: `pcop_<id>_<secret>_<checksum>`. The id may be logged; the secret is 256 random bits, of which
 * only the SHA-256 is kept (so much randomness needs no slow hash); the checksum lets scanners and people tell a token from a typo.
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import { crc32 } from 'node:zlib';
import type { OperatorToken } from '../domain/state.ts';

const ID_BYTES = 8;
const SECRET_BYTES = 32;
/** Longer than any token; more is refused before anything is computed. */
const MAX_TOKEN_LENGTH = 128;
const SHAPE = /^pcop_([0-9a-f]{16})_([0-9a-f]{64})_([0-9a-f]{8})$/;

export interface NewToken {
  readonly id: string;
  /** What the operator keeps; shown once. */
  readonly text: string;
  /** SHA-256 of the secret part, hex. */
  readonly secretSha256: string;
}

/** Makes a token out of 40 random bytes. */
export function makeToken(random: (bytes: number) => Buffer): NewToken {
  const id = random(ID_BYTES).toString('hex');
  const secret = random(SECRET_BYTES).toString('hex');
  const body = `pcop_${id}_${secret}`;
  return { id, text: `${body}_${checksum(body)}`, secretSha256: sha256(secret) };
}

/** The id of a well-formed token text; undefined where it is none. */
export function tokenId(text: string): string | undefined {
  return split(text)?.id;
}

/**
 * The operator token that `text` proves, among `known`; undefined for a malformed, unknown, wrong or revoked one alike.
 * An unknown id costs the same comparison as a known one.
 */
export function recognise(text: string, known: ReadonlyMap<string, OperatorToken>): OperatorToken | undefined {
  const presented = split(text);
  if (presented === undefined) return undefined;
  const token = known.get(presented.id);
  const expected = Buffer.from(token?.secretSha256 ?? sha256(''), 'hex');
  const got = Buffer.from(sha256(presented.secret), 'hex');
  const same = expected.length === got.length && timingSafeEqual(expected, got);
  return same && token !== undefined && !token.revoked ? token : undefined;
}

function split(text: string): { readonly id: string; readonly secret: string } | undefined {
  if (text.length > MAX_TOKEN_LENGTH) return undefined;
  const [, id, secret, sum] = SHAPE.exec(text) ?? [];
  if (id === undefined || secret === undefined || checksum(`pcop_${id}_${secret}`) !== sum) return undefined;
  return { id, secret };
}

function checksum(body: string): string {
  return crc32(body).toString(16).padStart(8, '0');
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

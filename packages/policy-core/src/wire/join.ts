/**
 * Enrolment as it crosses the wire. A join token is single-use and pins what the host is going to trust; the host proves that it holds the
 * key it registers, and the plane signs its answer with the pinned key, so that neither end takes the other's word.
 */
import { createHash } from 'node:crypto';
import { canonicalJson } from '../canonical.ts';
import type { Labels } from '../selector.ts';
import { MAX_LABELS, MAX_NAME_CHARS } from './limits.ts';
import type { Read, Shape } from './shape.ts';
import { formed, invalid, mapping, object, readJson, text } from './shape.ts';
import { rotationList } from './succession.ts';
import type { Rotation } from './succession.ts';

const PREFIX = 'portcullis-join.v1.';
/** A join token is about 400 characters. */
const MAX_TOKEN_CHARS = 4096;

/** What an operator hands to a host. */
export interface JoinToken {
  /** `pcjt_<id>_<secret>_<check>`. */
  readonly token: string;
  readonly log: string;
  /** The plane's public key, base64 of the 32 raw bytes. */
  readonly publicKey: string;
  /** SHA-256 (hex) of the recovery public key. */
  readonly recoveryKeySha256: string;
}

/** The secret part of a join token, taken apart. */
export interface JoinSecret {
  readonly id: string;
  readonly secretSha256: string;
}

export interface JoinRequest {
  readonly token: string;
  /** What the host calls itself; shown, never trusted. */
  readonly name: string;
  readonly publicKey: string;
  /** By the host's key over `joinStatement`, kind `join`. */
  readonly signature: string;
}

/** `header` is a JoinedHeader, signed by the plane, kind `joined`. */
export interface JoinAnswer {
  readonly header: string;
  readonly signature: string;
  /** How the plane's key came to be another than the token pins; left out where it was never replaced. */
  readonly rotations?: readonly Rotation[];
}

export interface JoinedHeader {
  readonly log: string;
  readonly host: string;
  readonly publicKey: string;
  readonly labels: Labels;
}

const name = text(MAX_NAME_CHARS);
const key = formed(/^[A-Za-z0-9+/]{43}=$/, 'an Ed25519 public key in base64');
const signature = formed(/^[A-Za-z0-9+/]{86}==$/, 'an Ed25519 signature in base64');
const secretToken = formed(/^pcjt_[a-z0-9]{12}_[A-Za-z0-9_-]{43}_[0-9a-f]{8}$/, 'a join token');

const tokenShape = object<JoinToken>({ token: secretToken, log: name, publicKey: key, recoveryKeySha256: formed(/^[0-9a-f]{64}$/, 'a SHA-256 in hex') });
/** The body of POST /v1/join. */
export const joinRequest = object<JoinRequest>({ token: secretToken, name: formed(/^[^\u0000-\u001f\u007f]{1,128}$/u, 'a name of 1 to 128 characters'), publicKey: key, signature });
const plainAnswer = { header: text(16 * 1024), signature };
const rotatedAnswer = object<JoinAnswer>({ ...plainAnswer, rotations: rotationList });
const joinAnswer: Shape<JoinAnswer> = (value, at) => (typeof value === 'object' && value !== null && Object.hasOwn(value, 'rotations') ? rotatedAnswer : object<JoinAnswer>(plainAnswer))(value, at);
const joinedHeader = object<JoinedHeader>({ log: name, host: name, publicKey: key, labels: mapping(name, MAX_LABELS) });

/** Builds `pcjt_<id>_<secret>_<check>` from 12 characters of [a-z0-9] and 32 random bytes; the check finds a copy that lost a character. */
export function makeSecretToken(id: string, secret: Uint8Array): string {
  const start = `pcjt_${id}_${Buffer.from(secret).toString('base64url')}`;
  return `${start}_${checkOf(start)}`;
}

/** Id and hash of the secret; null where the text is no token of ours or a damaged copy. */
export function openSecretToken(token: string): JoinSecret | null {
  const read = secretToken(token, 'token');
  if (!read.ok) return null;
  const start = token.slice(0, -9);
  if (checkOf(start) !== token.slice(-8)) return null;
  const secret = start.slice('pcjt_'.length + 12 + 1);
  return { id: start.slice('pcjt_'.length, 'pcjt_'.length + 12), secretSha256: createHash('sha256').update(secret).digest('hex') };
}

/** Not a secret and no protection against anybody: a damaged copy is told from a wrong one. */
function checkOf(start: string): string {
  return createHash('sha256').update(start).digest('hex').slice(0, 8);
}

/** The one text that an operator copies. */
export function encodeJoinToken(token: JoinToken): string {
  return PREFIX + Buffer.from(canonicalJson(token), 'utf8').toString('base64url');
}

/** Reads what `encodeJoinToken` wrote; surrounding white space is allowed, because it comes from a file or a paste. */
export function readJoinToken(source: string): Read<JoinToken> {
  const trimmed = source.trim();
  if (!trimmed.startsWith(PREFIX) || trimmed.length > MAX_TOKEN_CHARS) return invalid('join token', `expected a text that starts with ${PREFIX}`);
  const read = readJson(tokenShape, Buffer.from(trimmed.slice(PREFIX.length), 'base64url').toString('utf8'), 'join token');
  if (read.ok && openSecretToken(read.value.token) === null) return invalid('join token', 'damaged: its check does not fit; copy it again');
  return read;
}

/** What the host signs to prove that it holds the key: this key, for this use of this token, under this log. */
export function joinStatement(request: { readonly token: string; readonly name: string; readonly publicKey: string }, log: string): string {
  return canonicalJson({ log, token: openSecretToken(request.token)?.id ?? '', name: request.name, publicKey: request.publicKey });
}

/** Reads the plane's answer; the caller verifies the signature over `header`. */
export function readJoinAnswer(source: string): Read<JoinAnswer & { readonly signed: JoinedHeader }> {
  const read = readJson(joinAnswer, source, 'answer');
  if (!read.ok) return read;
  const header = readJson(joinedHeader, read.value.header, 'answer.header');
  return header.ok ? { ok: true, value: { ...read.value, signed: header.value } } : header;
}

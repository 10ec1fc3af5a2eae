/**
 * How a host comes to trust another key or another log than those it joined with (DESIGN section 6). A plane key is replaced by a
 * statement that the old and the new key sign; a log that was begun anew, after its plane came back from a backup, is named by a
 * statement of the recovery key, whose digest every join token pins. Nothing else moves a host's trust.
 */
import { createHash } from 'node:crypto';
import { canonicalJson } from '../canonical.ts';
import { MAX_NAME_CHARS } from './limits.ts';
import type { Read, Shape } from './shape.ts';
import { formed, invalid, list, object, text, whole } from './shape.ts';
import { signHeader, verifierOf } from './signed.ts';
import type { SignBytes, Verify } from './signed.ts';

/** Rotations of one log: a key a year for longer than anybody plans; each is some 400 bytes of every welcome. */
export const MAX_ROTATIONS = 64;
/** Times that one plane is restored from a backup. */
export const MAX_RESTORATIONS = 64;

/** One plane key replaced by another. */
export interface Rotation {
  /** Ed25519, base64 of the 32 raw bytes, as all keys here. */
  readonly previousKey: string;
  readonly publicKey: string;
  /** By each of the two keys over `rotationStatement`, kind `rotated`. */
  readonly signatures: { readonly previous: string; readonly next: string };
}

/** One log that goes on under another name. */
export interface Restoration {
  readonly previousLog: string;
  /** The events of the previous log that the new one begins with. */
  readonly previousSize: number;
  readonly log: string;
  /** The new log's plane key. */
  readonly publicKey: string;
  readonly recoveryKey: string;
  /** By the recovery key over `restorationStatement`, kind `restored`. */
  readonly signature: string;
}

const name = text(MAX_NAME_CHARS);
const key = formed(/^[A-Za-z0-9+/]{43}=$/, 'an Ed25519 public key in base64');
const signature = formed(/^[A-Za-z0-9+/]{86}==$/, 'an Ed25519 signature in base64');
const rotation = object<Rotation>({ previousKey: key, publicKey: key, signatures: object({ previous: signature, next: signature }) });

export const rotationList: Shape<readonly Rotation[]> = list(rotation, MAX_ROTATIONS);
export const restorationList: Shape<readonly Restoration[]> = list(
  object<Restoration>({ previousLog: name, previousSize: whole(1), log: name, publicKey: key, recoveryKey: key, signature }),
  MAX_RESTORATIONS,
);

/** What both keys sign. */
export function rotationStatement(log: string, { previousKey, publicKey }: Omit<Rotation, 'signatures'>): string {
  return canonicalJson({ log, previousKey, publicKey });
}

/** What the recovery key signs. */
export function restorationStatement({ previousLog, previousSize, log, publicKey }: Omit<Restoration, 'recoveryKey' | 'signature'>): string {
  return canonicalJson({ log, previousLog, previousSize, publicKey });
}

/** Signs a rotation with both keys. */
export function signRotation(log: string, keys: Omit<Rotation, 'signatures'>, signers: { readonly previous: SignBytes; readonly next: SignBytes }): Rotation {
  const statement = rotationStatement(log, keys);
  return { ...keys, signatures: { previous: signHeader(signers.previous, 'rotated', statement), next: signHeader(signers.next, 'rotated', statement) } };
}

/** Whether both keys signed it, for this log. */
export function isRotation(log: string, one: Rotation): boolean {
  const statement = rotationStatement(log, one);
  return signs(one.previousKey, 'rotated', statement, one.signatures.previous) && signs(one.publicKey, 'rotated', statement, one.signatures.next);
}

/** Whether the recovery key with this SHA-256 (hex) signed it. */
export function isRestoration(one: Restoration, recoveryKeySha256: string): boolean {
  return keySha256(one.recoveryKey) === recoveryKeySha256 && signs(one.recoveryKey, 'restored', restorationStatement(one), one.signature);
}

/**
 * The keys that follow on `pinned` by these rotations, oldest first; none where `pinned` is the newest, or is not among them. Refuses a
 * chain that is broken or not signed from there on: what comes before is nothing to a host that never trusted it.
 */
export function followRotations(log: string, pinned: string, rotations: readonly Rotation[]): Read<readonly string[]> {
  const from = rotations.findIndex(({ previousKey }) => previousKey === pinned);
  if (from === -1) return { ok: true, value: [] };
  let current = pinned;
  const passed: string[] = [];
  for (const one of rotations.slice(from)) {
    if (one.previousKey !== current || !isRotation(log, one)) return invalid('rotations', `the change of the plane's key to ${one.publicKey} is not signed by the key before it and by itself`);
    current = one.publicKey;
    passed.push(current);
  }
  return { ok: true, value: passed };
}

/**
 * The restorations that lead from the pinned log to `log`, oldest first. Refuses where there is no such way, or a step of it is not signed by the
 * recovery key.
 */
export function followRestorations(
  pinned: { readonly log: string; readonly recoveryKeySha256: string },
  log: string,
  restorations: readonly Restoration[],
): Read<readonly [Restoration, ...Restoration[]]> {
  const from = restorations.findIndex(({ previousLog }) => previousLog === pinned.log);
  const [first, ...rest] = from === -1 ? [] : restorations.slice(from);
  if (first === undefined) return invalid('restorations', `nothing says that ${log} goes on from ${pinned.log}`);
  const way = [first, ...rest] as const;
  let current = pinned.log;
  for (const one of way) {
    if (one.previousLog !== current || !isRestoration(one, pinned.recoveryKeySha256)) return invalid('restorations', `that ${one.log} goes on from ${one.previousLog} is not signed with the recovery key that this host knows`);
    current = one.log;
  }
  return current === log ? { ok: true, value: way } : invalid('restorations', `nothing says that ${log} goes on from ${pinned.log}`);
}

/** True where any of the keys verifies: for what was stored under a key that has been replaced since. Null where one is no key. */
export function verifierOfAny(publicKeys: readonly string[]): Verify | null {
  const verifiers = publicKeys.map(verifierOf);
  const usable = verifiers.filter((one) => one !== null);
  if (usable.length !== verifiers.length || usable.length === 0) return null;
  return (kind, header, sig) => usable.some((verify) => verify(kind, header, sig));
}

/** SHA-256 (hex) of a key's 32 raw bytes, given in base64: how a recovery key is pinned without being shown. */
export function keySha256(publicKey: string): string {
  return createHash('sha256').update(Buffer.from(publicKey, 'base64')).digest('hex');
}

function signs(publicKey: string, kind: 'rotated' | 'restored', statement: string, sig: string): boolean {
  return verifierOf(publicKey)?.(kind, statement, sig) === true;
}

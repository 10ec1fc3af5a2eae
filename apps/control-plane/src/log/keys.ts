/**
 * The plane's keys. `keys/plane.key` signs checkpoints, snapshots and leases. The recovery key is made once, at the first start,
 * and belongs off this machine: with it hosts follow a plane that had to begin a new log. The log holds only its public hash.
 */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { encodeSignerKey, parseSignerKey, SEED_BYTES } from '@portcullis/tlog';
import type { Signer } from '@portcullis/tlog';
import { writeDurably } from './durable-file.ts';

/** Only the plane's own user. */
export const SECRET_MODE = 0o600;
const SECRET_FOLDER_MODE = 0o700;
const ORIGIN_BYTES = 4;

export interface PlaneKeys {
  readonly signer: Signer;
  /** SHA-256 (hex) of the recovery key's 32 public bytes; null where the recovery key is no longer on this machine, as advised. */
  readonly recoverySha256: string | null;
}

export type KeysRead = { readonly ok: true; readonly keys: PlaneKeys } | { readonly ok: false; readonly problem: string };

export function planeKeyPath(dataDir: string): string {
  return join(dataDir, 'keys', 'plane.key');
}

/** Where the next key lies until the log has recorded it. */
export function nextKeyPath(dataDir: string): string {
  return join(dataDir, 'keys', 'plane.next.key');
}

export function recoveryKeyPath(dataDir: string): string {
  return join(dataDir, 'recovery.key');
}

/**
 * Makes what is missing of the keys of a log that has not begun. A start that was cut short goes on with what it made. The key
 * names the log: `portcullis.local/<8 hex>`.
 */
export function makeKeys(dataDir: string, random: (bytes: number) => Uint8Array): KeysRead {
  makeKeyFolder(dataDir);
  if (!existsSync(planeKeyPath(dataDir))) writeDurably(planeKeyPath(dataDir), `${encodeSignerKey(makeOrigin(random), random(SEED_BYTES))}\n`, SECRET_MODE);
  if (!existsSync(recoveryKeyPath(dataDir))) {
    const plane = readSigner(planeKeyPath(dataDir));
    if (!plane.ok) return plane;
    makeRecoveryKey(dataDir, plane.signer.verifierKey.name, random);
  }
  return readKeys(dataDir);
}

/** Where the keys lie; only the plane's own user may look. A backup may have come without it. */
export function makeKeyFolder(dataDir: string): void {
  mkdirSync(join(dataDir, 'keys'), { recursive: true, mode: SECRET_FOLDER_MODE });
}

/** The name of a new log. */
export function makeOrigin(random: (bytes: number) => Uint8Array): string {
  return `portcullis.local/${Buffer.from(random(ORIGIN_BYTES)).toString('hex')}`;
}

/** Makes a recovery key for a log and leaves it in the data directory, from where it is to be moved. */
export function makeRecoveryKey(dataDir: string, log: string, random: (bytes: number) => Uint8Array): void {
  writeDurably(recoveryKeyPath(dataDir), `${encodeSignerKey(`${log}/recovery`, random(SEED_BYTES))}\n`, SECRET_MODE);
}

/** Reads the keys of a log that has begun. */
export function readKeys(dataDir: string): KeysRead {
  // A restoration that was cut short after the log had recorded it has only the next key where the present one was lost.
  const only = !existsSync(planeKeyPath(dataDir)) && existsSync(nextKeyPath(dataDir));
  const plane = readSigner(only ? nextKeyPath(dataDir) : planeKeyPath(dataDir));
  if (!plane.ok) return plane;
  if (!existsSync(recoveryKeyPath(dataDir))) return { ok: true, keys: { signer: plane.signer, recoverySha256: null } };
  const recovery = readSigner(recoveryKeyPath(dataDir));
  if (!recovery.ok) return recovery;
  const recoverySha256 = createHash('sha256').update(recovery.signer.verifierKey.publicKey).digest('hex');
  return { ok: true, keys: { signer: plane.signer, recoverySha256 } };
}

/** A key file's signer, or what is wrong with it. */
export function readSigner(path: string): { readonly ok: true; readonly signer: Signer } | { readonly ok: false; readonly problem: string } {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    return { ok: false, problem: `the key ${path} cannot be read (${error instanceof Error ? error.message : 'unknown error'}): bring it back from where it is kept; without it this log cannot go on` };
  }
  const parsed = parseSignerKey(text.trimEnd());
  if (parsed.ok) return parsed;
  return { ok: false, problem: `${path} holds no usable key: ${parsed.problems.map(({ what }) => what).join('; ')}` };
}

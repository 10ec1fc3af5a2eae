/** Who this host is: `host.json` says to which plane it belongs and whom it trusts, `host.key` holds the key that never leaves it. */
import { randomBytes } from 'node:crypto';
import { closeSync, fsyncSync, mkdirSync, openSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { MAX_RESTORATIONS, MAX_ROTATIONS, shape } from '@portcullis/policy-core';
import type { Shape } from '@portcullis/policy-core';

export interface Enrolment {
  /** The plane's address, `http:` (loopback only) or `https:`. */
  readonly url: string;
  readonly log: string;
  /** The plane's key: pinned by the join token, or one that has replaced it. */
  readonly planeKey: string;
  /** Keys of this log that were trusted before, newest first: what was stored under them stays readable. */
  readonly formerKeys: readonly string[];
  readonly recoveryKeySha256: string;
  readonly host: string;
  readonly name: string;
  /** Logs that this one goes on from, newest first: what was in force under them is until something of this one is. */
  readonly formerLogs: readonly FormerLog[];
}

export interface FormerLog {
  readonly log: string;
  readonly keys: readonly string[];
}

export type FoundEnrolment =
  | { readonly kind: 'enrolled'; readonly enrolment: Enrolment; readonly seed: Uint8Array }
  | { readonly kind: 'none' }
  | { readonly kind: 'broken'; readonly problem: string };

const SEED_BYTES = 32;
const OWNER_ONLY = 0o600;
const OWNER_ONLY_DIRECTORY = 0o700;
/** Connect counters whose files stay, so that the next one is found; processes draw them at the same time. */
const COUNTERS_KEPT = 16;

const short = shape.text(4096);
const keys = shape.list(short, MAX_ROTATIONS + 1);
const wholeEnrolment = shape.object<Enrolment>({
  url: short, log: short, planeKey: short, formerKeys: keys, recoveryKeySha256: short, host: short, name: short,
  formerLogs: shape.list(shape.object<FormerLog>({ log: short, keys }), MAX_RESTORATIONS),
});
/** A host that has trusted one key and one log only may leave both lists out. */
const enrolmentShape: Shape<Enrolment> = (value, at) =>
  wholeEnrolment(typeof value === 'object' && value !== null && !Array.isArray(value) ? { formerKeys: [], formerLogs: [], ...value } : value, at);

/** Reads the enrolment under `$PORTCULLIS_HOME`. A damaged one is never taken for none. */
export function readEnrolment(home: string): FoundEnrolment {
  const file = join(home, 'host.json');
  const text = readIfThere(file);
  if (text === null) return { kind: 'none' };
  if (text === undefined) return { kind: 'broken', problem: `${file} cannot be read` };
  const enrolment = shape.readJson(enrolmentShape, text, file);
  if (!enrolment.ok) return { kind: 'broken', problem: `${enrolment.message}. Restore the file, or remove it and join again` };
  const seed = readSeed(home);
  if (seed === null) return { kind: 'broken', problem: `${join(home, 'host.key')} is missing or damaged. Restore it, or remove ${file} and join again` };
  return { kind: 'enrolled', enrolment: enrolment.value, seed };
}

/** The host's key; null where there is none or the file is not a key. */
export function readSeed(home: string): Uint8Array | null {
  const text = readIfThere(join(home, 'host.key'));
  if (typeof text !== 'string') return null;
  const seed = Buffer.from(text.trim(), 'base64');
  return seed.length === SEED_BYTES ? seed : null;
}

/** The host's key, made now if there is none: it is on disk before anybody is told of it. */
export function makeSeed(home: string): Uint8Array {
  const known = readSeed(home);
  if (known !== null) return known;
  const seed = randomBytes(SEED_BYTES);
  writeOwnFile(join(home, 'host.key'), `${seed.toString('base64')}\n`);
  return seed;
}

export function writeEnrolment(home: string, enrolment: Enrolment): void {
  writeOwnFile(join(home, 'host.json'), `${JSON.stringify(enrolment, null, 2)}\n`);
}

/**
 * Draws the next connect counter of this host. Processes draw at once: a number is taken by creating its file, which succeeds for one of
 * them. A copy of this folder on another machine draws the same numbers, and the plane sees that.
 */
export function drawCounter(home: string): number {
  const directory = join(home, 'connections');
  mkdirSync(directory, { recursive: true, mode: OWNER_ONLY_DIRECTORY });
  const taken = readdirSync(directory).map(Number).filter(Number.isSafeInteger);
  let next = Math.max(0, ...taken) + 1;
  while (!takes(join(directory, String(next)))) next += 1;
  for (const old of taken) if (old <= next - COUNTERS_KEPT) rmSync(join(directory, String(old)), { force: true });
  return next;
}

function takes(file: string): boolean {
  try {
    closeSync(openSync(file, 'wx', OWNER_ONLY));
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

/** Replaces a file in one durable step; nobody else may read it at any moment. */
function writeOwnFile(file: string, text: string): void {
  mkdirSync(dirname(file), { recursive: true, mode: OWNER_ONLY_DIRECTORY });
  const unfinished = `${file}.${randomBytes(6).toString('hex')}.tmp`;
  try {
    const descriptor = openSync(unfinished, 'wx', OWNER_ONLY);
    try {
      writeFileSync(descriptor, text);
      fsyncSync(descriptor);
    } finally {
      closeSync(descriptor);
    }
    renameSync(unfinished, file);
  } catch (error) {
    rmSync(unfinished, { force: true });
    throw error;
  }
  const directory = openSync(dirname(file), 'r');
  try {
    fsyncSync(directory);
  } finally {
    closeSync(directory);
  }
}

/** Null: not there. Undefined: there, and not readable. */
function readIfThere(file: string): string | null | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ENOENT' ? null : undefined;
  }
}

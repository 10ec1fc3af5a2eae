/**
 * Whose keys a published log claims, from its own events: the first one names a key, each KeyRotated the next, and LogRestored another log. Each step
 * is checked by its signatures. The first key proves nothing by itself: it is compared with a copy from elsewhere.
 */
import { isRestoration, isRotation } from '@portcullis/policy-core';
import { bundlePath, CHECKPOINT_PATH, decodeBundle, TILE_WIDTH, verifierKey } from '@portcullis/tlog';
import type { FileReader, VerifierKey } from '@portcullis/tlog';
import type { KeyRotated, LogRestored, PlaneInitialised } from '../domain/events.ts';

export interface LogKeys {
  /** Oldest first; the last one signs the newest head. */
  readonly keys: readonly [VerifierKey, ...VerifierKey[]];
  /** Where the log took another name: the earlier one, how many of its events were kept, whether anybody signed it, and the place of the new key in `keys`. */
  readonly restorations: readonly { readonly previousLog: string; readonly previousSize: number; readonly seq: number; readonly signed: boolean; readonly key: number }[];
  readonly problems: readonly { readonly code: 'KEY_UNSIGNED'; readonly where: string; readonly what: string }[];
}

/** What the events say; undefined where the first one cannot be read. Reads every entry and keeps none. */
export function logKeys(read: FileReader): LogKeys | undefined {
  const found = { problems: [] as LogKeys['problems'][number][], keys: [] as VerifierKey[], restorations: [] as LogKeys['restorations'][number][] };
  let now: Identity | undefined;
  for (const { seq, entry } of entries(read)) {
    if (seq > 0 && !TYPES.some((type) => entry.includes(type))) continue;
    const event = eventOf(read, entry);
    if (event === undefined) {
      if (seq === 0) return undefined;
      continue;
    }
    const step = stepTo(now, event, seq);
    if (step === undefined) continue;
    now = step.identity;
    found.keys.push(verifierKey(now.log, Buffer.from(now.publicKey, 'base64')));
    if (event.type === 'LogRestored') found.restorations.push({ previousLog: event.previousLog, previousSize: event.previousSize, seq, signed: event.statement !== null, key: found.keys.length - 1 });
    if (!step.sound) found.problems.push({ code: 'KEY_UNSIGNED', where: `event ${seq}`, what: 'it names another key, and is not signed by those who may, or not of this log; compare the log with another copy' });
  }
  const [first, ...rest] = found.keys;
  return first === undefined ? undefined : { ...found, keys: [first, ...rest] };
}

type Identity = Pick<PlaneInitialised, 'log' | 'publicKey' | 'recoveryKeySha256'>;
type KeyEvent = PlaneInitialised | KeyRotated | LogRestored;

const TYPES = ['"type":"KeyRotated"', '"type":"LogRestored"'].map((text) => Buffer.from(text));

/**
 * The identity after the event, and whether it goes on from the one before with the signatures that it has to have; undefined where the event says nothing
 * of the kind.
 */
function stepTo(now: Identity | undefined, event: KeyEvent, seq: number): { readonly identity: Identity; readonly sound: boolean } | undefined {
  if (event.type === 'PlaneInitialised') {
    const { log, publicKey, recoveryKeySha256 } = event;
    return now === undefined ? { identity: { log, publicKey, recoveryKeySha256 }, sound: true } : undefined;
  }
  if (now === undefined) return undefined;
  if (event.type === 'KeyRotated') return { identity: { ...now, publicKey: event.publicKey }, sound: event.previousKey === now.publicKey && isRotation(now.log, event) };
  const { log, publicKey, recoveryKeySha256, previousLog, previousSize, statement } = event;
  const goesOn = previousLog === now.log && previousSize === seq;
  // Without the recovery key nobody could sign: whether that is believed is for the reader to say.
  const sound = goesOn && (statement === null || isRestoration({ log, publicKey, previousLog, previousSize, ...statement }, now.recoveryKeySha256));
  return { identity: { log, publicKey, recoveryKeySha256 }, sound };
}

function eventOf(read: FileReader, entry: Buffer): KeyEvent | undefined {
  try {
    const { type, payload_sha256: body } = JSON.parse(entry.toString('utf8')) as { readonly type: string; readonly payload_sha256: string };
    const bytes = /^[0-9a-f]{64}$/.test(body) ? read(`payload/${body}`) : undefined;
    if (bytes === undefined || !['PlaneInitialised', 'KeyRotated', 'LogRestored'].includes(type)) return undefined;
    const event = { type, ...(JSON.parse(Buffer.from(bytes).toString('utf8')) as object) } as KeyEvent;
    return typeof event.publicKey === 'string' && Buffer.from(event.publicKey, 'base64').length === KEY_BYTES ? event : undefined;
  } catch {
    return undefined;
  }
}

const KEY_BYTES = 32;

/**
 * Bundle by bundle, the very files that `verifyDirectory` reads: beside the bundle of the log's size another one may lie, which nobody signed.
 * Without a head there is nothing that could be verified.
 */
function* entries(read: FileReader): Generator<{ readonly seq: number; readonly entry: Buffer }> {
  const size = claimedSize(read(CHECKPOINT_PATH));
  for (let from = 0; from < size; from += TILE_WIDTH) {
    const width = Math.min(TILE_WIDTH, size - from);
    const bundle = read(bundlePath(from / TILE_WIDTH, width)) ?? read(bundlePath(from / TILE_WIDTH));
    const decoded = bundle === undefined ? undefined : decodeBundle(bundle);
    if (decoded?.ok !== true) return;
    for (const [index, entry] of decoded.entries.slice(0, width).entries()) yield { seq: from + index, entry: Buffer.from(entry.buffer, entry.byteOffset, entry.byteLength) };
    if (decoded.entries.length < width) return;
  }
}

/** The second line of a head. One that cannot be read still lets the first bundle say which log this is. */
function claimedSize(checkpoint: Uint8Array | undefined): number {
  const [, line = ''] = checkpoint === undefined ? [] : Buffer.from(checkpoint).toString('utf8').split('\n');
  return /^(0|[1-9][0-9]*)$/.test(line) ? Number(line) : TILE_WIDTH;
}

/**
 * Whose signatures a log is held against (L4). Trust begins with the keys that the reader brought, or for want of one with the first that the log
 * claims, and goes on through steps that are signed: a KeyRotated by both keys, a LogRestored by the recovery key. Of that one only an event of the log
 * speaks, so the log up to there must stand under a head that the key before has signed. A restoration that nobody signed ends the trust.
 */
import { encodeVerifierKey, openCheckpoint } from '@portcullis/tlog';
import type { Checkpoint, FileReader, VerifierKey } from '@portcullis/tlog';
import type { LogKeys } from '../log/log-keys.ts';
import { GUIDE_PATH } from './export-directory.ts';

export interface KeyProblem {
  readonly code: 'KEY_UNSIGNED' | 'KEY_ABSENT' | 'HEAD_MISSING' | 'GUIDE_WRONG';
  readonly where: string;
  readonly what: string;
}

export interface KeyTrust {
  /** Whose signatures count, the one of the newest head last. */
  readonly claimed: LogKeys;
  readonly problems: readonly KeyProblem[];
  /** What the log had when it took another name, as its earlier key signed it: what is published must begin with each. */
  readonly heads: readonly Checkpoint[];
}

export interface TrustOptions {
  /** The keys from elsewhere; none means that the log is taken at its word for the first one. */
  readonly given: readonly VerifierKey[];
  /** Whether the reader takes the log's word for a restoration that nobody signed. */
  readonly acceptUnsigned: boolean;
}

/** What is to be held against which key, and what stands against trusting the log's own account of its keys. */
export function trustIn(read: FileReader, claimed: LogKeys, { given, acceptUnsigned }: TrustOptions): KeyTrust {
  const places = given.map((key) => claimed.keys.findLastIndex((one) => sameKey(one, key)));
  const [first, ...rest] = given;
  // None of them is a key of this log: then the head has to stand under one of them, and does not.
  if (first !== undefined && places.every((place) => place === -1)) return { claimed: { keys: [first, ...rest], restorations: [], problems: [] }, problems: [], heads: [] };
  const absent = given.filter((_key, n) => places[n] === -1).map(absentKey);
  // Whatever lies before a key that was brought is under heads that this key signed.
  const trusted = Math.max(0, ...places);
  const unsigned = acceptUnsigned ? [] : claimed.restorations.filter(({ signed, key }) => !signed && key > trusted).map(unsignedRestoration);
  const heads = claimed.restorations.map((one) => headBefore(read, claimed, one));
  return { claimed, problems: [...claimed.problems, ...absent, ...unsigned, ...heads.filter((one) => 'code' in one)], heads: heads.filter((one) => 'root' in one) };
}

type Restoration = LogKeys['restorations'][number];

/** The newest head of the log that was restored, under the present name; or why there is none that its key signed. */
function headBefore(read: FileReader, { keys }: LogKeys, { seq, key }: Restoration): Checkpoint | KeyProblem {
  const where = `checkpoints/${seq}`;
  const before = keys[key - 1];
  const newest = keys.at(-1);
  const note = read(where);
  const opened = note === undefined || before === undefined ? undefined : openCheckpoint(note, before);
  if (newest !== undefined && opened?.ok === true && opened.checkpoint.size === seq) return { ...opened.checkpoint, origin: newest.name };
  return { code: 'HEAD_MISSING', where, what: `event ${seq} gives the log another name, and there is no head of the ${seq} events before it that the key before has signed; compare the log with another copy` };
}

function unsignedRestoration({ seq }: Restoration): KeyProblem {
  const what =
    'it gives the log another name and key, and nobody signed that: the recovery key was lost, or somebody made this up. Ask who ran `portcullis log restore`, and give the verifier key ' +
    "that it printed with --key, too; or take the log's word for it with --accept-unsigned-restoration";
  return { code: 'KEY_UNSIGNED', where: `event ${seq}`, what };
}

function absentKey(key: VerifierKey): KeyProblem {
  return { code: 'KEY_ABSENT', where: encodeVerifierKey(key), what: 'the log never had this key: it is that of another one, or of a later time of this one, which was cut off then' };
}

/** The page beside an export, which nobody signs, names the keys that a reader is to compare: they have to be the log's. */
export function guideProblems(read: FileReader, { keys }: LogKeys): readonly KeyProblem[] {
  const guide = read(GUIDE_PATH);
  if (guide === undefined) return [];
  const named = [...Buffer.from(guide).toString('utf8').matchAll(KEY_LINE)].map(([, key = '']) => key);
  const own = keys.map(encodeVerifierKey);
  if (named.length === own.length && own.every((key, n) => key === named[n])) return [];
  return [{ code: 'GUIDE_WRONG', where: GUIDE_PATH, what: 'it does not name the keys that the log does: it was altered, or an export was cut short; export again, or compare it with another copy' }];
}

/** A verifier key on a line of its own, as the page sets it. */
const KEY_LINE = /^ {4}(\S+\+[0-9a-f]{8}\+\S+)$/gm;

function sameKey(one: VerifierKey, other: VerifierKey): boolean {
  return encodeVerifierKey(one) === encodeVerifierKey(other);
}

/**
 * The memory of the watcher, as a value: what the last offer said (`settled`), what has changed since (`pending`), and when. Hints, looks, reads and
 * probes of git's lock go in, with their times; `next.ts` says what to do now. Nothing here touches a clock or a file (F1, F3, F4).
 * Times are milliseconds of one monotonic clock. A directory that cannot be listed is an id with a final `/`, whose sighting is its problem.
 */
import type { Problem } from '@portcullis/policy-core';
import { fileProblem, sameFile } from './offer.ts';
import type { OfferedFile, WatchProblem } from './offer.ts';
import { quietOf, quietOfText, RECOVERY_MS, RENAMED_MS } from './quiet.ts';
import type { Change, Evidence } from './quiet.ts';
import { sameSighting } from './sighting.ts';
import type { Sighting } from './sighting.ts';

export interface SettleState {
  /** The first offer has been made. */
  readonly started: boolean;
  readonly settled: ReadonlyMap<string, Settled>;
  readonly pending: ReadonlyMap<string, Pending>;
  /** When the present change-set began; null while nothing is pending. */
  readonly pendingSince: number | null;
  /** When the last and the first look at the whole directory began, and when the last read ended; -Infinity before. */
  readonly lookedAt: number;
  readonly firstLookAt: number;
  readonly takenAt: number;
  /** The next look at the whole directory is due then. */
  readonly lookBy: number;
  readonly lock: { readonly key: string | null; readonly stale: string | null; readonly probedAt: number };
  readonly failure: { readonly problem: WatchProblem; readonly since: number; readonly reported: boolean } | null;
  readonly recoveredAt: number;
}

export interface Settled {
  /** `unsettled` where the content was never seen at rest: only the problem that it is still being written was offered. */
  readonly sighting: Sighting | 'unsettled';
  readonly file: OfferedFile;
  /** The reading failed for a reason that no stamp shows the end of: try again at every regular look. */
  readonly retry: boolean;
}

export interface Pending {
  /** `hinted` = an event named it and nobody has looked yet; undefined = absent. */
  readonly sighting: Sighting | 'hinted' | undefined;
  /** What the last look at it found, whatever events came since. */
  readonly last: Sighting | undefined;
  readonly evidence: Evidence;
  readonly changedAt: number;
  /** When an event last named it; -Infinity where none did. */
  readonly hintedAt: number;
  /** It must stay as it is for this long after `changedAt`. */
  readonly quiet: number;
  /** What reading it in this state gave. */
  readonly taken: { readonly file: OfferedFile; readonly retry: boolean } | undefined;
}

export const EMPTY: SettleState = {
  started: false,
  settled: new Map(),
  pending: new Map(),
  pendingSince: null,
  lookedAt: -Infinity,
  firstLookAt: -Infinity,
  takenAt: -Infinity,
  lookBy: -Infinity,
  lock: { key: null, stale: null, probedAt: -Infinity },
  failure: null,
  recoveredAt: -Infinity,
};

export interface Hint {
  readonly at: number;
  /** Only the name changed hands; nothing was written under it. */
  readonly moved: boolean;
}

/** File events named these ids. Each counts as a change, even where no stamp will show it (coarse clocks, a second write in one tick). */
export function hinted(state: SettleState, hints: ReadonlyMap<string, Hint>): SettleState {
  if (hints.size === 0) return state;
  const pending = new Map(state.pending);
  let since = state.pendingSince;
  for (const [id, hint] of hints) {
    const waiting = pending.get(id);
    const evidence = waiting?.evidence === 'written' || !hint.moved ? 'written' : 'moved';
    const last = waiting === undefined ? atRest(state.settled.get(id)) : waiting.last;
    // The first of a run of hints says when to look; the last, since when the file has been as that look finds it.
    const changedAt = waiting?.sighting === 'hinted' ? waiting.changedAt : hint.at;
    pending.set(id, { sighting: 'hinted', last, evidence, changedAt, hintedAt: hint.at, quiet: RENAMED_MS, taken: undefined });
    since = Math.min(since ?? hint.at, hint.at);
  }
  return { ...state, pending, pendingSince: since };
}

export interface Look {
  readonly began: number;
  readonly ended: number;
  readonly sightings: ReadonlyMap<string, Sighting>;
}

export type InForce = (id: string) => { readonly bytes: number } | undefined;

/**
 * The whole directory was seen; the next regular look is at `lookBy`. `regular`: this look was due by the clock or a hint, so that readings which
 * failed are tried again.
 */
export function looked(state: SettleState, look: Look & { readonly lookBy: number; readonly regular: boolean }, inForce: InForce): SettleState {
  const recovered = state.failure === null ? state : { ...state, failure: null, recoveredAt: look.ended };
  const ids = new Set([...state.settled.keys(), ...state.pending.keys(), ...look.sightings.keys()]);
  const see = (id: string) => look.sightings.get(id) ?? hiddenBy(id, look.sightings);
  const next = sawEach(recovered, ids, see, { at: look.ended, inForce, retry: look.regular, isBack: state.failure !== null });
  const firstLookAt = Number.isFinite(state.firstLookAt) ? state.firstLookAt : look.began;
  return { ...next, lookedAt: look.began, firstLookAt, lookBy: nextLookBy(state, look) };
}

/** Some ids were looked at, until `at`, because hints named them. */
export function glimpsed(state: SettleState, sightings: ReadonlyMap<string, Sighting | undefined>, at: number, inForce: InForce): SettleState {
  return sawEach(state, sightings.keys(), (id) => sightings.get(id), { at, inForce, retry: false, isBack: false });
}

/** The directory as a whole could not be seen. What is settled and pending stays. */
export function failed(state: SettleState, problem: WatchProblem, look: { readonly began: number; readonly ended: number; readonly lookBy: number }): SettleState {
  const before = state.failure;
  const failure = before?.problem.code === problem.code ? before : { problem, since: before?.since ?? look.ended, reported: false };
  return { ...state, lookedAt: look.ended, lookBy: nextLookBy(state, look), failure };
}

/** That the directory is lost has been said. */
export function reported(state: SettleState): SettleState {
  return state.failure === null ? state : { ...state, failure: { ...state.failure, reported: true } };
}

/** Something happened that only a look at the whole directory can tell: a directory, a link, an unknown name. */
export function lookSoon(state: SettleState, by: number): SettleState {
  return by < state.lookBy ? { ...state, lookBy: by } : state;
}

/** A look asked for after this one began is still owed. */
function nextLookBy(state: SettleState, look: { readonly began: number; readonly lookBy: number }): number {
  return state.lookBy > look.began ? Math.min(state.lookBy, look.lookBy) : look.lookBy;
}

/** What reading a file gave: its content or problem, or `undefined` = it changed under the reader. */
export type Taken = { readonly file: OfferedFile; readonly retry: boolean } | undefined;

/** Files were read, each in the state that the sighting of the same moment names. Equal content is no change: the earlier object stays. */
export function took(state: SettleState, results: ReadonlyMap<string, { readonly sighting: Sighting; readonly taken: Taken }>, at: number): SettleState {
  const pending = new Map(state.pending);
  const settled = new Map(state.settled);
  for (const [id, { sighting, taken }] of results) {
    const waiting = pending.get(id);
    if (waiting === undefined || waiting.sighting !== sighting) continue;
    const offered = settled.get(id)?.file;
    if (taken === undefined) {
      pending.set(id, { ...waiting, changedAt: at });
    } else if (offered !== undefined && sameFile(offered, taken.file)) {
      settled.set(id, { sighting, file: offered, retry: taken.retry });
      pending.delete(id);
    } else {
      const quiet = taken.file.kind === 'content' ? quietOfText(waiting.quiet, taken.file.bytes) : waiting.quiet;
      pending.set(id, { ...waiting, quiet, taken });
    }
  }
  return { ...state, settled, pending, pendingSince: pending.size === 0 ? null : state.pendingSince, takenAt: at };
}

/** Git's lock was looked for: `key` names the lock that is there now. */
export function probed(state: SettleState, key: string | null, at: number): SettleState {
  return { ...state, lock: { ...state.lock, key, probedAt: at } };
}

interface Circumstances {
  /** When the look ended: what is seen for the first time has been so since then, for all that is known. */
  readonly at: number;
  readonly inForce: InForce;
  readonly retry: boolean;
  /** The directory was lost before this look: what is absent may only not be there yet. */
  readonly isBack: boolean;
}

/** Compares each id with what was known of it. */
function sawEach(state: SettleState, ids: Iterable<string>, see: (id: string) => Sighting | undefined, look: Circumstances): SettleState {
  const pending = new Map(state.pending);
  for (const id of ids) {
    const now = see(id);
    const settled = state.settled.get(id);
    const waiting = pending.get(id);
    const known = waiting === undefined ? settled?.sighting : waiting.sighting;
    const retry = look.retry && waiting === undefined && settled?.retry === true;
    const again = retry || (look.isBack && now === undefined);
    if (!again && typeof known !== 'string' && sameSighting(known, now)) continue;
    const isOffered = settled !== undefined && now !== undefined && sameSighting(atRest(settled), now) && (known !== 'hinted' || now.kind === 'problem');
    if ((now === undefined && settled === undefined) || (isOffered && !retry)) {
      pending.delete(id); // nobody was told of anything else
      continue;
    }
    // What is in force may be less than what the file held last: the file was refused, or something else was put in force.
    const sizes = [look.inForce(id)?.bytes, settled?.file.kind === 'content' ? settled.file.bytes.length : undefined].filter((size) => size !== undefined);
    const knownBytes = sizes.length === 0 ? undefined : Math.max(...sizes);
    const before = waiting?.last ?? atRest(settled);
    const change = { before, now, evidence: waiting?.evidence, knownBytes, afterFailure: look.at - state.recoveredAt <= RECOVERY_MS };
    // A change that an event told is as old as the event; one that only a look finds may have happened just before it.
    const told = known === 'hinted' && now?.kind === 'file' && !look.isBack;
    const changedAt = told && waiting !== undefined ? waiting.hintedAt : look.at;
    pending.set(id, pend(change, changedAt));
  }
  return { ...state, pending, pendingSince: pending.size === 0 ? null : (state.pendingSince ?? look.at) };
}

function pend(change: Change, at: number): Pending {
  const { now } = change;
  const taken = now?.kind === 'problem' ? { file: { kind: 'unreadable' as const, problem: now.problem }, retry: false } : undefined;
  return { sighting: now, last: now, evidence: change.evidence, changedAt: at, hintedAt: -Infinity, quiet: quietOf(change), taken };
}

function atRest(settled: Settled | undefined): Sighting | undefined {
  return settled === undefined || settled.sighting === 'unsettled' ? undefined : settled.sighting;
}

/** An id below a directory that cannot be listed is not absent: nobody knows (F3). */
function hiddenBy(id: string, sightings: ReadonlyMap<string, Sighting>): Sighting | undefined {
  for (let slash = id.lastIndexOf('/', id.length - 2); slash > 0; slash = id.lastIndexOf('/', slash - 1)) {
    const above = sightings.get(id.slice(0, slash + 1));
    if (above?.kind === 'problem') return { kind: 'problem', problem: belowUnlisted(id, above.problem) };
  }
  return undefined;
}

function belowUnlisted(id: string, above: Problem): Problem {
  return fileProblem(id, 'FILE_UNREADABLE', `its directory cannot be listed, so what it holds now is unknown; what was in force stays in force (${above.message})`);
}

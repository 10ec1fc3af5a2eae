/**
 * What the watcher must do now, from its memory and the time alone: wait, look, read, ask for git's lock, offer, or say that the directory is lost.
 * The order before every offer is: quiet for long enough, git not at work, changed files read, and then one look at the whole directory that finds
 * nothing else than what was read. So an offer is the directory as one look saw it (F1), and no file in it was touched while it settled (F4).
 */
import { fileProblem, sameFile } from './offer.ts';
import type { OfferedFile, WatchProblem } from './offer.ts';
import { REMOVED_MS } from './quiet.ts';
import type { FileSighting } from './sighting.ts';
import type { Pending, Settled, SettleState } from './settle.ts';

/** A change-set that is still changing after this long is offered without what is unsettled, so that one busy file cannot hold up the others for ever. */
export const CEILING_MS = 2_000;
/** Git holds `index.lock` from before a checkout's first file until after its last. A longer wait than this is a lock that a killed git left behind. */
export const LOCK_CEILING_MS = 2_000;
/** Events come in bursts; after so long the files that they named are looked at together. */
export const GATHER_MS = 2;
/** How often the lock is looked for while it is held. */
export const LOCK_POLL_MS = 25;
/** How long a vanished directory may take to be put back before it is a problem that is recorded. At the start there is nothing to wait for. */
export const LOST_MS = 500;
/** How often a lost directory is looked for. */
export const LOST_POLL_MS = 250;

export type Step =
  | { readonly do: 'wait'; readonly until: number }
  /** See the whole directory; `regular` when it is due by the clock or a hint, and not to confirm an offer. */
  | { readonly do: 'look'; readonly regular: boolean }
  | { readonly do: 'glimpse'; readonly ids: readonly string[] }
  | { readonly do: 'probe' }
  | { readonly do: 'read'; readonly files: ReadonlyMap<string, FileSighting> }
  | OfferStep
  | { readonly do: 'report'; readonly problem: WatchProblem };

export interface OfferStep {
  readonly do: 'offer';
  /** Pending ids that are offered as they now are. */
  readonly ids: readonly string[];
  /** New ids that would not settle: offered as a problem, so that nobody takes them for absent. */
  readonly unsettled: readonly string[];
  readonly settledFor: number;
}

/** What to do at `now`. Doing it and reporting back to `settle.ts` makes progress; a wait ends early when a hint arrives. */
export function nextStep(state: SettleState, now: number): Step {
  if (state.failure !== null) return whileLost(state, state.failure, now);
  if (state.lookBy <= now) return { do: 'look', regular: true };
  if (state.pending.size === 0) return whileNothingPends(state, now);
  const ripe = ripen(state, now);
  if (ripe !== null) return towardsOffer(state, ripe, now);
  const unseen = [...state.pending].filter(([, one]) => one.sighting === 'hinted');
  const seeAt = unseen.reduce((least, [, one]) => Math.min(least, one.changedAt + GATHER_MS), Infinity);
  if (seeAt <= now) return { do: 'glimpse', ids: unseen.map(([id]) => id) };
  return { do: 'wait', until: Math.min(state.lookBy, seeAt, ripeAt(state)) };
}

/** The state after an offer: what it said is settled, and a lock that it did not wait for is not waited for again. */
export function offered(state: SettleState, step: OfferStep, now: number): SettleState {
  const settled = new Map(state.settled);
  const pending = new Map(state.pending);
  for (const id of step.ids) {
    const entry = settle(pending.get(id), settled.get(id));
    pending.delete(id);
    if (entry === undefined) settled.delete(id);
    else settled.set(id, entry);
  }
  for (const id of step.unsettled) {
    const known = pending.get(id)?.taken?.file;
    const file: OfferedFile = known?.kind === 'unreadable' ? known : { kind: 'unreadable', problem: stillWritten(id) };
    settled.set(id, { sighting: 'unsettled', file, retry: false });
  }
  return { ...state, started: true, settled, pending, pendingSince: pending.size === 0 ? null : now, lock: { ...state.lock, stale: state.lock.key } };
}

function settle(one: Pending | undefined, before: Settled | undefined): Settled | undefined {
  if (one?.sighting === undefined || one.sighting === 'hinted' || one.taken === undefined) return undefined;
  const file = before !== undefined && sameFile(before.file, one.taken.file) ? before.file : one.taken.file;
  return { sighting: one.sighting, file, retry: one.taken.retry };
}

function whileLost(state: SettleState, failure: NonNullable<SettleState['failure']>, now: number): Step {
  const reportAt = state.started ? failure.since + LOST_MS : failure.since;
  if (!failure.reported && now >= reportAt) return { do: 'report', problem: failure.problem };
  const lookAt = state.lookedAt + LOST_POLL_MS;
  if (now >= Math.min(lookAt, state.lookBy)) return { do: 'look', regular: true };
  return { do: 'wait', until: failure.reported ? lookAt : Math.min(lookAt, reportAt) };
}

/** An empty directory at the start may be one that is not filled yet: it must stay empty for as long as a removal. */
function whileNothingPends(state: SettleState, now: number): Step {
  if (state.started) return { do: 'wait', until: state.lookBy };
  const sure = state.firstLookAt + REMOVED_MS;
  if (now < sure) return { do: 'wait', until: Math.min(state.lookBy, sure) };
  if (state.lookedAt < sure) return { do: 'look', regular: false };
  return { do: 'offer', ids: [], unsettled: [], settledFor: now - state.firstLookAt };
}

interface Ripe {
  readonly at: number;
  readonly ids: readonly string[];
  readonly unsettled: readonly string[];
}

/** When the change-set is offered at the latest: all of it after the longest quiet since its last change, or at the ceiling what is settled by then. */
function ripeAt(state: SettleState): number {
  return Math.min(quietAt(state), (state.pendingSince ?? Infinity) + CEILING_MS);
}

function quietAt(state: SettleState): number {
  let [last, quiet] = [-Infinity, 0];
  for (const one of state.pending.values()) {
    if (one.sighting === 'hinted') return Infinity;
    last = Math.max(last, one.changedAt);
    quiet = Math.max(quiet, one.quiet);
  }
  return last + quiet;
}

function ripen(state: SettleState, now: number): Ripe | null {
  const whole = quietAt(state);
  if (now >= whole) return { at: whole, ids: [...state.pending.keys()], unsettled: [] };
  const ceiling = ripeAt(state);
  if (now < ceiling) return null;
  // Judged as of the ceiling, not as of now: a set that only shrinks is reached however many files keep changing.
  const all = [...state.pending];
  const quiet = all.filter(([, one]) => one.sighting !== 'hinted' && one.changedAt + one.quiet <= ceiling);
  const rest = new Set(all.map(([id]) => id));
  for (const [id] of quiet) rest.delete(id);
  const fresh = [...rest].filter((id) => (state.settled.get(id)?.sighting ?? 'unsettled') === 'unsettled' && state.pending.get(id)?.last !== undefined);
  // A new file that will not settle may be what a removed one was renamed to: without it the removal would loosen.
  const ids = quiet.filter(([, one]) => fresh.length === 0 || one.sighting !== undefined).map(([id]) => id);
  return { at: ceiling, ids, unsettled: fresh.filter((id) => !state.settled.has(id)) };
}

function towardsOffer(state: SettleState, ripe: Ripe, now: number): Step {
  const { lock } = state;
  if (lock.probedAt < ripe.at) return { do: 'probe' };
  const giveUpAt = (state.pendingSince ?? now) + LOCK_CEILING_MS;
  if (lock.key !== null && lock.key !== lock.stale && now < giveUpAt) {
    const probeAt = Math.min(lock.probedAt + LOCK_POLL_MS, giveUpAt);
    return now >= probeAt ? { do: 'probe' } : { do: 'wait', until: Math.min(state.lookBy, probeAt) };
  }
  const files = new Map<string, FileSighting>();
  for (const id of ripe.ids) {
    const one = state.pending.get(id);
    if (one !== undefined && one.taken === undefined && one.sighting !== 'hinted' && one.sighting?.kind === 'file') files.set(id, one.sighting);
  }
  if (files.size > 0) return { do: 'read', files };
  if (state.lookedAt < Math.max(ripe.at, state.takenAt, lock.probedAt)) return { do: 'look', regular: false };
  const last = ripe.ids.reduce((latest, id) => Math.max(latest, state.pending.get(id)?.changedAt ?? latest), -Infinity);
  return { do: 'offer', ids: ripe.ids, unsettled: ripe.unsettled, settledFor: Number.isFinite(last) ? now - last : 0 };
}

function stillWritten(id: string) {
  return fileProblem(id, 'FILE_UNREADABLE', `is being written without a pause, so no whole content could be read for ${CEILING_MS} ms; save it once, best by renaming a finished file over it`);
}

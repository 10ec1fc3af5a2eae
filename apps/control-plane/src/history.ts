/** Questions about the past, answered from the log; states are folded again from the nearest one that is at hand. */
import type { Policy } from '@portcullis/policy-core';
import type { Recorded } from './domain/events.ts';
import { fold, NOTHING } from './domain/fold.ts';
import type { OlderOutcome } from './domain/idempotency.ts';
import type { PlaneState } from './domain/state.ts';
import type { FoldKeeper } from './fold-keeper.ts';
import { DamagedLog, payloadHash } from './log/codec.ts';
import type { Log } from './log/log.ts';
import type { LogIndex } from './log-index.ts';
import type { History, HistoryQuery } from './plane.ts';

/** A state is kept after each so many events: folding from the nearest one takes a few milliseconds. */
const MARK_EVERY = 2_000;
/** States that were asked for lately; states share what did not change between them. */
const RECENT_STATES = 16;
/** Normalised policies that were asked for lately: as many as one set may hold, twice, so that comparing two versions reads each once. */
const RECENT_MODELS = 10_000;
/** The most events that one query returns. */
export const MAX_READ = 1_000;

export interface Recollection extends History {
  /** Takes note of what was recorded; gives the state after it. */
  note(recorded: readonly Recorded[]): PlaneState;
  /** The outcome that an actor's idempotency key stands for, from the log (L6). */
  readonly outcome: OlderOutcome;
  /** Drops every state of the past that is at hand: a text of it was erased. */
  forget(): void;
  /** Keeps what makes the next opening quick. To be called before the store is closed. */
  settle(): void;
}

/** @param events those that the keeper does not know yet, to the end of the log; read as the state is folded */
export function recollect(log: Log, events: IterableIterator<Recorded>, keeper: FoldKeeper): { readonly history: Recollection; readonly state: PlaneState } {
  const marks: PlaneState[] = [];
  const recent = new Map<number, PlaneState>();
  let head = keeper.state();

  for (const chunk of chunks(events, MARK_EVERY)) {
    head = keeper.take(chunk);
    marks.push(head);
  }
  // Only now is the log known to be what was signed.
  keeper.keep();

  const stateAt = (seq: number): PlaneState => {
    if (!Number.isSafeInteger(seq) || seq < 0 || seq >= head.size) throw new RangeError(`the log has no event ${seq}; the newest is ${head.size - 1}`);
    if (seq === head.size - 1) return head;
    const known = recent.get(seq);
    if (known !== undefined) return known;
    let nearest = keeper.before(seq + 1) ?? NOTHING;
    for (const state of [...marks, ...recent.values()]) if (state.size <= seq + 1 && state.size > nearest.size) nearest = state;
    const state = fold(nearest, log.read(nearest.size, seq + 1));
    keepRecent(recent, seq, state, RECENT_STATES);
    return state;
  };

  const history: Recollection = {
    note(recorded) {
      const before = head.size;
      head = keeper.take(recorded);
      if (Math.floor(head.size / MARK_EVERY) > Math.floor(before / MARK_EVERY)) marks.push(head);
      keeper.keep();
      return head;
    },
    outcome: (actorId, idem) => outcomeOf(log, actorId, idem),
    forget() {
      marks.splice(0);
      recent.clear();
      keeper.forget();
    },
    settle: () => keeper.settle(),
    read: (query) => readEvents(log, keeper.index, head.size, query),
    at: (seq) => (Number.isSafeInteger(seq) && seq >= 0 ? firstOf(log.read(seq, seq + 1)) : undefined),
    stateAt,
    versionAt: (seq) => (seq < head.size ? lastAtMost(keeper.index.versions, seq) : undefined),
    text: (sha256) => content(log, sha256),
    model: modelReader(log),
    checkpoint: () => log.checkpoint(),
    consistency: (older) => log.consistency(older),
    rootAt: (size) => (Number.isSafeInteger(size) && size > 0 && size <= head.size ? log.rootAt(size) : undefined),
  };
  return { history, state: head };
}

function outcomeOf(log: Log, actorId: string, idem: string): ReturnType<OlderOutcome> {
  const seqs = log.store.keyed(actorId, idem);
  const first = seqs[0] === undefined ? undefined : firstOf(log.read(seqs[0], seqs[0] + 1));
  return first?.commandSha256 === undefined || first.commandSha256 === null ? undefined : { commandSha256: first.commandSha256, seqs };
}

function readEvents(log: Log, { mentions }: LogIndex, size: number, query: HistoryQuery): readonly Recorded[] {
  const limit = Math.min(query.limit, MAX_READ);
  const before = Math.min(query.before ?? size, size);
  const from = Math.max(query.from ?? 0, 0);
  const only = query.policy === undefined ? undefined : new Set(mentions.get(query.policy) ?? []);
  const events: Recorded[] = [];
  let end = before;
  while (events.length < limit && end > from) {
    // With a policy asked for, what else matches is passed over page by page.
    const seqs = log.find({ limit: MAX_READ, before: end, from, types: query.types ?? null, actor: query.actor ?? null });
    for (const seq of seqs) {
      if (events.length === limit) break;
      if (only !== undefined && !only.has(seq)) continue;
      const recorded = firstOf(log.read(seq, seq + 1));
      if (recorded !== undefined) events.push(recorded);
    }
    if (seqs.length < MAX_READ) break;
    end = seqs.at(-1) ?? from;
  }
  return events;
}

/** Reads a payload that is never erased, and only if it is what its name says. */
function content(log: Log, sha256: string): Buffer | undefined {
  const body = log.store.payload(sha256)?.body;
  if (body === undefined || body === null) return undefined;
  if (payloadHash(null, body) !== sha256) throw new DamagedLog(`the payload ${sha256} is not what was recorded`);
  return Buffer.from(body.buffer, body.byteOffset, body.byteLength);
}

function modelReader(log: Log): (sha256: string) => Policy | undefined {
  const recent = new Map<string, Policy>();
  return (sha256) => {
    const known = recent.get(sha256);
    if (known !== undefined) return known;
    const bytes = content(log, sha256);
    if (bytes === undefined) return undefined;
    // The name is the hash of what this program wrote, so its form is not checked again.
    const model = JSON.parse(bytes.toString('utf8')) as Policy;
    keepRecent(recent, sha256, model, RECENT_MODELS);
    return model;
  };
}

function keepRecent<K, V>(recent: Map<K, V>, key: K, value: V, most: number): void {
  recent.set(key, value);
  for (const oldest of recent.keys()) {
    if (recent.size <= most) break;
    recent.delete(oldest);
  }
}

function firstOf<T>(items: Iterable<T>): T | undefined {
  for (const item of items) return item;
  return undefined;
}

/** The last of ascending numbers that is not above `limit`. */
function lastAtMost(ascending: readonly number[], limit: number): number | undefined {
  let low = 0;
  let high = ascending.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((ascending[middle] ?? 0) <= limit) low = middle + 1;
    else high = middle;
  }
  return ascending[low - 1];
}

function* chunks<T>(items: Iterable<T>, size: number): Generator<readonly T[]> {
  let chunk: T[] = [];
  for (const item of items) {
    chunk.push(item);
    if (chunk.length < size) continue;
    yield chunk;
    chunk = [];
  }
  if (chunk.length > 0) yield chunk;
}

/** Questions about the past, answered from the log; states are folded again from the nearest one that is at hand. */
import type { Policy } from '@portcullis/policy-core';
import type { PlaneEvent, Recorded } from './domain/events.ts';
import { VERSION_EVENTS } from './domain/events.ts';
import { fold, NOTHING } from './domain/fold.ts';
import type { PlaneState } from './domain/state.ts';
import { DamagedLog, payloadHash } from './log/codec.ts';
import type { Log } from './log/log.ts';
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
}

/** @param events every event of the log, in order, read as the state is folded */
export function recollect(log: Log, events: IterableIterator<Recorded>): { readonly history: Recollection; readonly state: PlaneState } {
  const versions: number[] = [];
  const mentions = new Map<string, number[]>();
  const marks: PlaneState[] = [];
  const recent = new Map<number, PlaneState>();
  let head = NOTHING;

  const index = (recorded: Recorded): void => {
    if (VERSION_EVENTS.has(recorded.event.type)) versions.push(recorded.seq);
    for (const policy of new Set(policiesOf(recorded.event))) {
      const seqs = mentions.get(policy);
      if (seqs === undefined) mentions.set(policy, [recorded.seq]);
      else seqs.push(recorded.seq);
    }
  };
  for (const chunk of chunks(events, MARK_EVERY)) {
    chunk.forEach(index);
    head = fold(head, chunk);
    marks.push(head);
  }

  const stateAt = (seq: number): PlaneState => {
    if (!Number.isSafeInteger(seq) || seq < 0 || seq >= head.size) throw new RangeError(`the log has no event ${seq}; the newest is ${head.size - 1}`);
    if (seq === head.size - 1) return head;
    const known = recent.get(seq);
    if (known !== undefined) return known;
    let nearest = NOTHING;
    for (const state of [...marks, ...recent.values()]) if (state.size <= seq + 1 && state.size > nearest.size) nearest = state;
    const state = fold(nearest, log.read(nearest.size, seq + 1));
    keepRecent(recent, seq, state, RECENT_STATES);
    return state;
  };

  const history: Recollection = {
    note(recorded) {
      recorded.forEach(index);
      const before = head.size;
      head = fold(head, recorded);
      if (Math.floor(head.size / MARK_EVERY) > Math.floor(before / MARK_EVERY)) marks.push(head);
      return head;
    },
    read: (query) => readEvents(log, mentions, head.size, query),
    at: (seq) => (Number.isSafeInteger(seq) && seq >= 0 ? firstOf(log.read(seq, seq + 1)) : undefined),
    stateAt,
    versionAt: (seq) => (seq < head.size ? lastAtMost(versions, seq) : undefined),
    text: (sha256) => content(log, sha256),
    model: modelReader(log),
    checkpoint: () => log.checkpoint(),
    consistency: (older) => log.consistency(older),
  };
  return { history, state: head };
}

function readEvents(log: Log, mentions: ReadonlyMap<string, readonly number[]>, size: number, query: HistoryQuery): readonly Recorded[] {
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

/** The policies that an event is about. */
function policiesOf(event: PlaneEvent): readonly string[] {
  switch (event.type) {
    case 'PolicySetPublished':
      return event.changes.map(({ policy }) => policy);
    case 'RolledBack':
      return [...event.changes.map(({ policy }) => policy), ...event.released.map(({ policy }) => policy)];
    case 'HoldReleased':
      return event.holds.map(({ policy }) => policy);
    case 'ChangeRefused':
      return event.policy === null ? event.removes : [event.policy];
    case 'RemovalConfirmed':
      return event.removes;
    default:
      return [];
  }
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

/** What an erasure takes: the events whose reasons or names are still there, by their seqs or by whom they are about. */
import { ERASED } from './domain/events.ts';
import type { Recorded } from './domain/events.ts';
import type { History } from './plane.ts';

/** Events before and after one that may have come of the same command: a change-set of removals, at most. */
const COMMAND_REACH = 50;
const PAGE = 1_000;

export type ErasureTarget = { readonly kind: 'event'; readonly seq: number } | { readonly kind: 'actor'; readonly id: string };

export interface Erasure {
  readonly seqs: readonly number[];
  readonly hosts: readonly string[];
  readonly operators: readonly string[];
}

/** Finds them, ascending. One command gives each of its events its reason, so an event takes its siblings along. */
export function erasureOf(history: History, target: ErasureTarget): Erasure {
  const found = (target.kind === 'event' ? siblings(history, target.seq) : aboutActor(history, target.id)).filter(hasText);
  const seqs = [...new Set(found.map(({ seq }) => seq))].sort((a, b) => a - b);
  const named = found.map(({ event }) => event);
  return {
    seqs,
    hosts: named.flatMap((event) => (event.type === 'HostEnrolled' ? [event.host] : [])),
    operators: named.flatMap((event) => (event.type === 'OperatorTokenCreated' ? [event.token] : [])),
  };
}

function siblings(history: History, seq: number): readonly Recorded[] {
  const one = history.at(seq);
  if (one === undefined) return [];
  const near = history.read({ limit: 2 * COMMAND_REACH + 1, from: Math.max(0, seq - COMMAND_REACH), before: seq + COMMAND_REACH + 1 });
  return near.filter((other) => other.seq === seq || (one.reason !== null && other.reason === one.reason && other.atMs === one.atMs && other.actor.id === one.actor.id));
}

/** What somebody gave as reasons, and what they are called: an operator's token, or a host. */
function aboutActor(history: History, id: string): readonly Recorded[] {
  const naming = [...all(history, { types: ['OperatorTokenCreated', 'HostEnrolled'] })].filter(({ event }) => (event.type === 'OperatorTokenCreated' ? event.token : event.type === 'HostEnrolled' ? event.host : null) === id);
  return [...all(history, { actor: id }), ...naming];
}

function* all(history: History, query: { readonly actor?: string; readonly types?: readonly string[] }): Generator<Recorded> {
  let before: number | undefined;
  for (;;) {
    const page = history.read({ limit: PAGE, ...query, ...(before === undefined ? {} : { before }) });
    yield* page;
    const last = page.at(-1);
    if (last === undefined || page.length < PAGE) return;
    before = last.seq;
  }
}

/** Whether a reason or a name of it is still there. */
function hasText({ reason, event }: Recorded): boolean {
  if (reason !== null) return true;
  switch (event.type) {
    case 'HostEnrolled':
    case 'OperatorTokenCreated':
      return event.name !== ERASED;
    case 'PolicySetPublished':
      return event.git !== null && event.git.claimedAuthor !== ERASED;
    default:
      return false;
  }
}

/** Which events are versions, and which speak of a policy: found by reading events once, so that questions need not read them all. */
import type { PlaneEvent, Recorded } from './domain/events.ts';
import { VERSION_EVENTS } from './domain/events.ts';

/** Seqs, ascending. */
export interface LogIndex {
  readonly versions: number[];
  readonly mentions: Map<string, number[]>;
}

export function emptyIndex(): LogIndex {
  return { versions: [], mentions: new Map() };
}

/** Takes one more event, which is later than all before. */
export function indexEvent({ versions, mentions }: LogIndex, recorded: Recorded): void {
  if (VERSION_EVENTS.has(recorded.event.type)) versions.push(recorded.seq);
  for (const policy of new Set(policiesOf(recorded.event))) mention(mentions, policy, [recorded.seq]);
}

/** Takes a whole index of later events. */
export function indexAll({ versions, mentions }: LogIndex, later: LogIndex): void {
  // Not spread into one call: an index may hold more numbers than a call takes arguments.
  for (const version of later.versions) versions.push(version);
  for (const [policy, seqs] of later.mentions) mention(mentions, policy, seqs);
}

/** One line of JSON. */
export function indexText({ versions, mentions }: LogIndex): string {
  return JSON.stringify({ versions, mentions: [...mentions] });
}

/** The index of a text that `indexText` made and that a signature vouches for. */
export function indexOf(text: string): LogIndex {
  const { versions, mentions } = JSON.parse(text) as { readonly versions: number[]; readonly mentions: readonly (readonly [string, number[]])[] };
  return { versions, mentions: new Map(mentions) };
}

function mention(mentions: Map<string, number[]>, policy: string, more: readonly number[]): void {
  const seqs = mentions.get(policy);
  if (seqs === undefined) mentions.set(policy, [...more]);
  else for (const seq of more) seqs.push(seq);
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

/**
 * What still stands of what was refused. The log keeps every refusal; whether it still matters depends on what the directory
 * says now: a file that was mended by taking the mistake back publishes nothing, and yet is no longer wrong.
 */
import type { OfferCommand } from './commands/answer.ts';
import { holdOf } from './commands/offer.ts';
import type { Hold } from './events.ts';
import type { PendingRemoval, PlaneState, Refused } from './state.ts';

export interface Outstanding {
  /** Documents whose newest content is not in force, and why. */
  readonly refused: readonly Refused[];
  /** Removals that `confirm` would take. */
  readonly removals: readonly PendingRemoval[];
  /** What holds keep out now: documents whose newest content, or whose absence, is held. Null before the directory has been read. */
  readonly withheld: readonly Hold[] | null;
}

/** @param offered the newest settled offer; before the first, everything recorded is taken to stand. */
export function outstanding(state: PlaneState, offered: OfferCommand | null): Outstanding {
  return {
    refused: [...state.refused.values()].filter((refused) => stillRefused(state, refused, offered)),
    removals: [...state.pendingRemovals.values()].filter(
      ({ confirmed, removes }) => !confirmed && removes.every((policy) => state.policies.has(policy) && offered?.documents.has(policy) !== true),
    ),
    withheld: offered === null ? null : withheld(state, offered),
  };
}

function withheld(state: PlaneState, { documents }: OfferCommand): readonly Hold[] {
  const contents = [...documents].flatMap(([policy, document]) => (document.kind === 'unreadable' ? [] : [{ policy, content: document.textSha256 }]));
  const absences = [...state.policies.keys()].filter((policy) => !documents.has(policy)).map((policy) => ({ policy, content: 'absent' }));
  return [...contents, ...absences].filter(({ policy, content }) => state.policies.get(policy)?.content.textSha256 !== content && holdOf(state, policy, content) !== undefined);
}

function stillRefused(state: PlaneState, { policy, textSha256, why }: Refused, offered: OfferCommand | null): boolean {
  const content = textSha256 ?? 'absent';
  if (why === 'held' && holdOf(state, policy, content) === undefined) return false;
  if (textSha256 !== null && state.policies.get(policy)?.content.textSha256 === textSha256) return false;
  if (offered === null) return true;
  const document = offered.documents.get(policy);
  if (why === 'unreadable') return document?.kind === 'unreadable';
  if (document === undefined) return why === 'held' && textSha256 === null;
  return document.kind !== 'unreadable' && document.textSha256 === textSha256;
}

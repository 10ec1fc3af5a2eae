/** Letting a waiting removal through (F3): what was asked is what happens, or it is refused. */
import type { Command } from '../command.ts';
import type { PlaneState } from '../state.ts';
import type { Decided, Known } from './answer.ts';
import { recordedWith, refused, unexpectedVersion } from './answer.ts';
import { offer } from './offer.ts';

/** Refuses a change that is unknown, confirmed already, or no longer what the directory asks for. */
export function confirm(state: PlaneState, { change, expected }: Extract<Command, { kind: 'confirm' }>, known: Known): Decided {
  const unexpected = unexpectedVersion(expected, state.version);
  if (unexpected !== undefined) return unexpected;
  const pending = state.pendingRemovals.get(change);
  if (pending === undefined) return refused('not-found', `no removal ${change} is waiting; the waiting ones are listed by: portcullis status`);
  if (pending.confirmed) return refused('already-done', `the removal ${change} has been confirmed already`);
  const { offered } = known;
  if (offered === null) return refused('unavailable', 'the policy directory has not been read yet, so it is not known whether the files are still gone: try again in a moment');
  const back = pending.removes.find((policy) => offered.documents.has(policy));
  if (back !== undefined) return refused('not-found', `the removal ${change} no longer waits: ${back} is in the directory again`);
  const decided = offer(state, offered, known.policies, new Set(pending.removes));
  if (!decided.ok) return decided;
  const consequences = decided.events.map(({ event }) => event);
  const published = consequences.some((event) => event.type === 'PolicySetPublished');
  if (!published) return refused('unavailable', `the removal ${change} cannot be published, because the directory's other changes cross a limit of the set: see portcullis status`);
  return recordedWith({ type: 'RemovalConfirmed', change, removes: pending.removes }, consequences);
}

/** Erasing what people wrote or are called, where the law asks for it. That it was done, by whom and why, stays in the log. */
import type { Command, Meta } from '../command.ts';
import type { PlaneState } from '../state.ts';
import type { Decided } from './answer.ts';
import { badReason, recorded, refused } from './answer.ts';

/** Events of one erasure; the seqs stand in its entry's body. */
export const MAX_ERASED_AT_ONCE = 10_000;

/** Records an erasure. The texts go after this is durable. */
export function erase(state: PlaneState, { seqs, hosts, operators }: Extract<Command, { kind: 'erase' }>, meta: Meta): Decided {
  const noReason = badReason(meta.reason, 'erasing');
  if (noReason !== undefined) return noReason;
  if (seqs.length === 0) return refused('already-done', 'nothing of the kind is left to erase');
  if (seqs.length > MAX_ERASED_AT_ONCE) return refused('limit', `${seqs.length} events are more than the ${MAX_ERASED_AT_ONCE} of one erasure: erase in parts, with --before`);
  if (seqs.some((seq, n) => !Number.isSafeInteger(seq) || seq < 0 || seq >= state.size || seq <= (seqs[n - 1] ?? -1))) return refused('invalid', 'the events to erase are named by their seqs, ascending');
  // Proxies hold the restrictions in force word for word: another reason at the same version would look like a lie of the plane.
  const inForce = [...state.restrictions.values()].find(({ since }) => seqs.includes(since));
  if (inForce !== undefined) return refused('invalid', `the reason of ${inForce.restriction.id} is part of what proxies enforce now: lift it first`);
  return recorded({ type: 'TextErased', seqs, hosts, operators });
}

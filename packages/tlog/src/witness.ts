/**
 * A witness remembers the last checkpoint that it accepted and takes the next only with a proof that nothing before it changed.
 * Every proxy is one: a history that was cut, rewritten or shown differently to some has to get past each of them (rule L4).
 */
import { openCheckpoint } from './checkpoint.ts';
import type { Checkpoint } from './checkpoint.ts';
import { sameHash } from './hash.ts';
import type { VerifierKeys } from './note.ts';
import { refused } from './problem.ts';
import type { Refused } from './problem.ts';
import { verifyConsistency } from './verify.ts';

const WHERE = 'checkpoint';

/**
 * The checkpoint in `note`, if it continues `known` (null: none accepted yet). `proof` leads from the size of `known` to that of
 * `note`, empty for equal sizes or without `known`. Refuses FORKED and ROLLED_BACK, whose two notes are evidence to keep; the
 * known checkpoint then stays the known one. A checkpoint of the empty tree is not accepted: it would bind the log to nothing.
 */
export function witness(
  known: Checkpoint | null,
  note: string | Uint8Array,
  proof: readonly Uint8Array[],
  keys: VerifierKeys,
): { readonly ok: true; readonly checkpoint: Checkpoint } | Refused {
  const opened = openCheckpoint(note, keys);
  if (!opened.ok) return opened;
  const { checkpoint } = opened;
  if (checkpoint.size === 0) return refused('SIZE_ZERO', WHERE, 'it is of the empty tree and binds the log to nothing; wait for the first event');
  if (known === null) return { ok: true, checkpoint };
  if (checkpoint.origin !== known.origin) {
    return refused('ORIGIN_WRONG', WHERE, `it is of the log \`${checkpoint.origin}\`, and \`${known.origin}\` is known here; a new log must be trusted expressly`);
  }
  const continued = verifyContinuation(known, checkpoint, proof);
  return continued.ok ? { ok: true, checkpoint } : continued;
}

function verifyContinuation(known: Checkpoint, next: Checkpoint, proof: readonly Uint8Array[]): { readonly ok: true } | Refused {
  if (next.size < known.size) {
    return refused('ROLLED_BACK', WHERE, `the log had ${known.size} events and now signs for ${next.size}; keep both notes and find out what was removed`);
  }
  if (next.size === known.size && !sameHash(next.root, known.root)) {
    return refused('FORKED', WHERE, `the log signed two different histories of ${known.size} events; keep both notes, they prove it`);
  }
  return verifyConsistency(known, next, proof);
}

/**
 * Shows each proxy the head of the log's tree as the continuation of the one that it has seen (L7): every proxy is a witness, so that nobody
 * can cut the log short, or rewrite it, without being found by those who were there. A proof is made once for all that know the same head.
 */
import type { ShownHead, TreeMark } from '@portcullis/policy-core';
import type { History } from '../plane.ts';

export interface Notary {
  /** What a proxy that knows `known` is to be shown now. Refused where this log does not go on from there. */
  show(known: TreeMark | null): Shown;
}

export type Shown =
  | { readonly ok: true; readonly shown: ShownHead; readonly head: TreeMark }
  /** The proxy has seen more events than there are, or other ones. */
  | { readonly ok: false };

/** Heads that proxies come back with; whoever was away knows an older one than most. Each is a few hundred bytes. */
const MAX_KEPT = 1_000;

/** @param size how many events the log has now */
export function makeNotary(history: Pick<History, 'checkpoint' | 'consistency' | 'rootAt'>, size: () => number): Notary {
  let current = { size: -1, root: '', note: '' };
  const kept = new Map<string, Shown>();

  const moveTo = (now: number): void => {
    if (now === current.size) return;
    current = { size: now, root: history.rootAt(now) ?? '', note: history.checkpoint() };
    kept.clear();
  };
  const make = (known: TreeMark | null): Shown => {
    const { size: now, root, note } = current;
    const head = { size: now, root };
    if (known === null) return { ok: true, shown: { from: 0, note, proof: [] }, head };
    const proof = known.size <= now && history.rootAt(known.size) === known.root ? history.consistency(known.size) : undefined;
    return proof === undefined ? { ok: false } : { ok: true, shown: { from: known.size, note, proof }, head };
  };
  return {
    show: (known) => {
      moveTo(size());
      const key = known === null ? '' : `${known.size} ${known.root}`;
      const made = kept.get(key) ?? make(known);
      // What proxies claim is theirs to choose: only what is true is kept.
      if (made.ok && kept.size < MAX_KEPT) kept.set(key, made);
      return made;
    },
  };
}

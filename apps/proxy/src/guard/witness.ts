/**
 * What a proxy remembers of the log's tree, and what it asks of the next head (L7). Pure. A head is taken only with a proof that the tree which it
 * stands for begins with the one that is known; a log that was cut short or rewritten cannot give one, whoever holds its keys.
 */
import type { ShownHead, TreeMark } from '@portcullis/policy-core';
import { decodeHash, encodeHash, isKeyName, openCheckpoint, verifierKey, witness } from '@portcullis/tlog';
import type { Checkpoint, VerifierKey } from '@portcullis/tlog';

/** The newest head that was taken. */
export interface Witnessed extends TreeMark {
  /** As the plane signed it. */
  readonly note: string;
}

/** A history that contradicts the one that is known, as the plane signed both. */
export interface HistoryEvidence {
  readonly what: 'history';
  readonly held: { readonly note: string };
  readonly refused: ShownHead;
}

export type Continued =
  | { readonly ok: true; readonly witnessed: Witnessed }
  | { readonly ok: false; readonly problem: string; readonly evidence: HistoryEvidence | null };

/** Takes a head that goes on from `known` (null: none was ever seen, then the first is believed); `publicKeys` in base64, any of which may have signed. */
export function continued(known: Witnessed | null, shown: ShownHead, log: string, publicKeys: readonly string[]): Continued {
  const proof = shown.proof.map(decodeHash);
  if (proof.some((hash) => hash === undefined)) return { ok: false, problem: 'the proof that its log goes on from what this host has seen cannot be read', evidence: null };
  const taken = witness(
    known === null ? null : checkpointOf(known, log),
    shown.note,
    proof.flatMap((hash) => hash ?? []),
    keysOf(log, publicKeys),
  );
  if (taken.ok) return { ok: true, witnessed: { size: taken.checkpoint.size, root: encodeHash(taken.checkpoint.root), note: shown.note } };
  const contradicts = known !== null && taken.problems.some(({ code }) => CONTRADICTIONS.has(code));
  const said = taken.problems.map(({ what }) => what).join('; ');
  return { ok: false, problem: `the plane does not show that its log goes on from the ${known?.size ?? 0} events that this host has seen: ${said}`, evidence: contradicts ? { what: 'history', held: { note: known.note }, refused: shown } : null };
}

/** The newest stored head that can still be read; `texts` newest first. */
export function restoreWitnessed(texts: readonly string[], log: string, publicKeys: readonly string[]): Witnessed | null {
  const keys = keysOf(log, publicKeys);
  for (const note of texts) {
    const opened = openCheckpoint(note, keys);
    if (opened.ok && opened.checkpoint.size > 0) return { size: opened.checkpoint.size, root: encodeHash(opened.checkpoint.root), note };
  }
  return null;
}

/** What only a log that was changed has to say. */
const CONTRADICTIONS: ReadonlySet<string> = new Set(['FORKED', 'ROLLED_BACK', 'PROOF_WRONG']);

function checkpointOf({ size, root }: TreeMark, log: string): Checkpoint {
  const hash = decodeHash(root);
  if (hash === undefined) throw new Error('a head that was taken has a root that is none');
  return { origin: log, size, root: hash };
}

function keysOf(log: string, publicKeys: readonly string[]): readonly VerifierKey[] {
  return isKeyName(log) ? publicKeys.map((key) => verifierKey(log, Buffer.from(key, 'base64'))) : [];
}

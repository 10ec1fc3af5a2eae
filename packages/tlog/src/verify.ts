/**
 * Checks RFC 6962 proofs by the algorithms of RFC 9162 sections 2.1.3.2 and 2.1.4.2. Knows nothing of tiles: what makes a proof
 * and what checks it share only the two hash functions, so that a mistake in one is not repeated in the other.
 */
import { HASH_BYTES, nodeHash, sameHash } from './hash.ts';
import type { TreeHead } from './hash.ts';
import { refused } from './problem.ts';
import type { Refused } from './problem.ts';

export type Verified = { readonly ok: true } | Refused;

const INCLUSION = 'inclusion proof';
const CONSISTENCY = 'consistency proof';

/** Whether `proof` shows that `leaf` is the leaf hash at `index` of the tree with this head. */
export function verifyInclusion(leaf: Uint8Array, index: number, head: TreeHead, proof: readonly Uint8Array[]): Verified {
  if (!isSize(head.size) || !isSize(index) || index >= head.size) {
    return refused('PROOF_RANGE', INCLUSION, `there is no leaf ${index} in a tree of ${head.size}; ask for an index below the size`);
  }
  if (leaf.length !== HASH_BYTES || !areHashes(proof)) return malformed(INCLUSION);
  let fn = index;
  let sn = head.size - 1;
  let root = leaf;
  for (const sibling of proof) {
    if (sn === 0) return wrongLength(INCLUSION, 'long');
    if (isOdd(fn) || fn === sn) {
      root = nodeHash(sibling, root);
      // A node that is alone at the right end rises until it has a left neighbour.
      while (!isOdd(fn) && fn !== 0) {
        fn = half(fn);
        sn = half(sn);
      }
    } else {
      root = nodeHash(root, sibling);
    }
    fn = half(fn);
    sn = half(sn);
  }
  if (sn !== 0) return wrongLength(INCLUSION, 'short');
  if (sameHash(root, head.root)) return { ok: true };
  return refused('PROOF_WRONG', INCLUSION, `the proof does not lead from leaf ${index} to the root at size ${head.size}; the entry is not what was logged there, or the proof is for another`);
}

/**
 * Whether `proof` shows that the tree with head `newer` begins with the tree with head `older`. Refuses an `older` of size 0, whatever
 * the rest: it would hold for every tree. Equal sizes need equal roots and an empty proof.
 */
export function verifyConsistency(older: TreeHead, newer: TreeHead, proof: readonly Uint8Array[]): Verified {
  if (!isSize(older.size) || !isSize(newer.size) || older.size > newer.size) {
    return refused('PROOF_RANGE', CONSISTENCY, `a tree of ${newer.size} leaves does not begin with one of ${older.size}; give the smaller one first`);
  }
  if (older.size === 0) return refused('SIZE_ZERO', CONSISTENCY, 'the empty tree is a beginning of every tree; begin from a size of at least 1');
  if (older.size === newer.size) {
    if (proof.length > 0) return wrongLength(CONSISTENCY, 'long');
    return sameHash(older.root, newer.root) ? { ok: true } : differs(older, newer);
  }
  if (!areHashes(proof)) return malformed(CONSISTENCY);
  return climb(older, newer, proof);
}

/** Computes both roots from the one proof, beginning at the subtree where the older tree ends. */
function climb(older: TreeHead, newer: TreeHead, proof: readonly Uint8Array[]): Verified {
  const [start, ...path] = isPowerOfTwo(older.size) ? [older.root, ...proof] : proof;
  if (start === undefined) return wrongLength(CONSISTENCY, 'short');
  let fn = older.size - 1;
  let sn = newer.size - 1;
  while (isOdd(fn)) {
    fn = half(fn);
    sn = half(sn);
  }
  let olderRoot = start;
  let newerRoot = start;
  for (const sibling of path) {
    if (sn === 0) return wrongLength(CONSISTENCY, 'long');
    if (isOdd(fn) || fn === sn) {
      olderRoot = nodeHash(sibling, olderRoot);
      newerRoot = nodeHash(sibling, newerRoot);
      while (!isOdd(fn) && fn !== 0) {
        fn = half(fn);
        sn = half(sn);
      }
    } else {
      newerRoot = nodeHash(newerRoot, sibling);
    }
    fn = half(fn);
    sn = half(sn);
  }
  if (sn !== 0) return wrongLength(CONSISTENCY, 'short');
  return sameHash(olderRoot, older.root) && sameHash(newerRoot, newer.root) ? { ok: true } : differs(older, newer);
}

function differs(older: TreeHead, newer: TreeHead): Refused {
  return refused('PROOF_WRONG', CONSISTENCY, `nothing shows that the tree at size ${newer.size} begins with the tree at size ${older.size}; keep both signed checkpoints, they are the evidence`);
}

function malformed(where: string): Refused {
  return refused('PROOF_MALFORMED', where, `a hash does not have ${HASH_BYTES} bytes; fetch the proof again`);
}

function wrongLength(where: string, how: 'long' | 'short'): Refused {
  return refused('PROOF_MALFORMED', where, `the proof is too ${how} for these sizes; fetch the proof again`);
}

function areHashes(proof: readonly Uint8Array[]): boolean {
  return proof.every((one) => one.length === HASH_BYTES);
}

function isSize(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0;
}

// Division, not shifts: a shift would cut a size to 32 bits.
function half(value: number): number {
  return Math.floor(value / 2);
}

function isOdd(value: number): boolean {
  return value % 2 === 1;
}

function isPowerOfTwo(value: number): boolean {
  let rest = value;
  while (rest > 1 && !isOdd(rest)) rest = half(rest);
  return rest === 1;
}

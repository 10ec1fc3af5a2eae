/**
 * Makes RFC 6962 proofs (sections 2.1.1 and 2.1.2) from tiles. A proof is first planned as the list of subtrees whose roots it
 * holds, which is arithmetic only; then each root is read, mostly with one hash of one tile.
 */
import { foldPerfect, nodeHash } from './hash.ts';
import { refused } from './problem.ts';
import type { Refused } from './problem.ts';
import { splitTile, TILE_HEIGHT, TILE_WIDTH, tilePath, widthOf } from './tile.ts';
import type { TileReader } from './tile.ts';

export type MadeProof = { readonly ok: true; readonly proof: readonly Uint8Array[] } | Refused;

/** Leaves `from` up to, not including, `to`. */
interface Range {
  readonly from: number;
  readonly to: number;
}

/** The audit path of leaf `index` in the tree of `size` leaves, leaf's sibling first. Refuses an index outside, or a missing tile. */
export function inclusionProof(index: number, size: number, readTile: TileReader): MadeProof {
  if (!Number.isSafeInteger(size) || !Number.isSafeInteger(index) || index < 0 || index >= size) {
    return refused('PROOF_RANGE', 'inclusion proof', `there is no leaf ${index} in a tree of ${size}; ask for an index below the size`);
  }
  const path: Range[] = [];
  let range: Range = { from: 0, to: size };
  while (range.to - range.from > 1) {
    const { left, right } = split(range);
    const inLeft = index < left.to;
    path.push(inLeft ? right : left);
    range = inLeft ? left : right;
  }
  return readRoots(path.reverse(), size, readTile);
}

/**
 * The proof that the tree of `n` leaves begins with the tree of `m` leaves. Equal sizes need an empty one. Refuses `m` = 0:
 * anything begins with nothing, so such a proof would prove nothing.
 */
export function consistencyProof(m: number, n: number, readTile: TileReader): MadeProof {
  if (!Number.isSafeInteger(m) || !Number.isSafeInteger(n) || m < 0 || m > n) {
    return refused('PROOF_RANGE', 'consistency proof', `a tree of ${n} leaves does not begin with one of ${m}; ask from the smaller size to the larger`);
  }
  if (m === 0) return refused('SIZE_ZERO', 'consistency proof', 'the empty tree is a beginning of every tree; ask from a size of at least 1');
  if (m === n) return { ok: true, proof: [] };
  const path: Range[] = [];
  let range: Range = { from: 0, to: n };
  while (range.to !== m) {
    const { left, right } = split(range);
    const inLeft = m <= left.to;
    path.push(inLeft ? right : left);
    range = inLeft ? left : right;
  }
  // The verifier knows this subtree only where it is the whole older tree.
  if (range.from !== 0) path.push(range);
  return readRoots(path.reverse(), n, readTile);
}

/** RFC 6962: the left part is the largest power of two below the number of leaves. */
function split(range: Range): { readonly left: Range; readonly right: Range } {
  let span = 1;
  while (span * 2 < range.to - range.from) span *= 2;
  const middle = range.from + span;
  return { left: { from: range.from, to: middle }, right: { from: middle, to: range.to } };
}

function readRoots(ranges: readonly Range[], size: number, readTile: TileReader): MadeProof {
  const read = remembering(readTile, size);
  const proof: Uint8Array[] = [];
  for (const range of ranges) {
    const root = readRoot(range, read);
    if (!(root instanceof Uint8Array)) return root;
    proof.push(root);
  }
  return { ok: true, proof };
}

type HashReader = (level: number, n: number) => readonly Uint8Array[] | Refused;

function readRoot(range: Range, read: HashReader): Uint8Array | Refused {
  const height = perfectHeight(range.to - range.from);
  if (height !== undefined) return readPerfect(range.from, height, read);
  const { left, right } = split(range);
  const leftRoot = readRoot(left, read);
  if (!(leftRoot instanceof Uint8Array)) return leftRoot;
  const rightRoot = readRoot(right, read);
  return rightRoot instanceof Uint8Array ? nodeHash(leftRoot, rightRoot) : rightRoot;
}

/** h where there are exactly 2^h leaves. Counted, because `Math.log2` rounds 2^52 + 1 to 52. */
function perfectHeight(leaves: number): number | undefined {
  let height = 0;
  while (2 ** height < leaves) height += 1;
  return 2 ** height === leaves ? height : undefined;
}

/** The root of the perfect subtree of 2^height leaves: 1 to 128 neighbouring hashes of one tile. */
function readPerfect(from: number, height: number, read: HashReader): Uint8Array | Refused {
  const level = Math.floor(height / TILE_HEIGHT);
  const first = from / TILE_WIDTH ** level;
  const hashes = read(level, Math.floor(first / TILE_WIDTH));
  if (!isHashes(hashes)) return hashes;
  const offset = first % TILE_WIDTH;
  return foldPerfect(hashes.slice(offset, offset + 2 ** (height % TILE_HEIGHT)));
}

function isHashes(value: readonly Uint8Array[] | Refused): value is readonly Uint8Array[] {
  return Array.isArray(value);
}

/** Each tile is read once a proof, at the width that it has in the tree of `size` leaves. */
function remembering(readTile: TileReader, size: number): HashReader {
  const known = new Map<string, readonly Uint8Array[]>();
  return (level, n) => {
    const width = widthOf(level, n, size);
    const path = tilePath(level, n, width);
    const before = known.get(path);
    if (before !== undefined) return before;
    const bytes = readTile(level, n, width);
    if (bytes === undefined) return refused('TILE_MISSING', path, 'the proof needs this tile; restore it from a copy, or rebuild the tree from the entries');
    const hashes = splitTile(bytes, width);
    if (hashes === undefined) return refused('TILE_MALFORMED', path, `${bytes.length} bytes are not ${width} to ${TILE_WIDTH} whole hashes; rebuild the tree from the entries`);
    known.set(path, hashes);
    return hashes;
  };
}

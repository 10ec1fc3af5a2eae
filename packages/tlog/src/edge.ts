/**
 * The right edge of a growing tree: all that is needed to add a leaf, to know the root and to write the partial tiles, in a few
 * kilobytes whatever the size. An edge is a value: a transaction that fails simply keeps the one it started from (rule L2).
 */
import { at, emptyRoot, foldPerfect, HASH_BYTES, nodeHash, sameHash } from './hash.ts';
import type { TreeHead } from './hash.ts';
import { refused } from './problem.ts';
import type { Refused } from './problem.ts';
import { hashesAt, joinTile, splitTile, TILE_HEIGHT, TILE_WIDTH, tilePath } from './tile.ts';
import type { TileReader } from './tile.ts';

export interface Edge {
  /** Leaves so far; the index of the next one. */
  readonly size: number;
  /** Roots of the perfect subtrees that make up the tree, largest first: one for each 1 in the binary size. */
  readonly peaks: readonly Uint8Array[];
  /** By level, the hashes of the tile that is not full yet (0 to 255 of them). */
  readonly partial: readonly (readonly Uint8Array[])[];
}

export interface CompletedTile {
  readonly level: number;
  readonly n: number;
  /** 8,192 bytes. */
  readonly bytes: Uint8Array;
}

export function emptyEdge(): Edge {
  return { size: 0, peaks: [], partial: [] };
}

/** The edge with one more leaf hash, and the tiles that it filled, lowest level first. Keeps `leaf` itself: do not write to it afterwards. */
export function extend(edge: Edge, leaf: Uint8Array): { readonly edge: Edge; readonly completed: readonly CompletedTile[] } {
  if (leaf.length !== HASH_BYTES) throw new RangeError(`a leaf hash has ${HASH_BYTES} bytes, not ${leaf.length}`);
  if (edge.size >= Number.MAX_SAFE_INTEGER) throw new RangeError('the tree is full');
  const size = edge.size + 1;
  const peaks = [...edge.peaks];
  const partial = [...edge.partial];
  const completed: CompletedTile[] = [];
  partial[0] = [...(partial[0] ?? []), leaf];
  let node = leaf;
  // Each 1 at the low end of the size is a perfect subtree that the new one completes.
  for (let height = 1, rest = edge.size; rest % 2 === 1; height += 1, rest = (rest - 1) / 2) {
    node = nodeHash(at(peaks, peaks.length - 1), node);
    peaks.pop();
    if (height % TILE_HEIGHT !== 0) continue;
    const level = height / TILE_HEIGHT;
    completed.push({ level: level - 1, n: hashesAt(level, size) - 1, bytes: joinTile(at(partial, level - 1)) });
    partial[level - 1] = [];
    partial[level] = [...(partial[level] ?? []), node];
  }
  peaks.push(node);
  return { edge: { size, peaks, partial }, completed };
}

/** The root hash of the tree (RFC 6962 section 2.1). */
export function rootOf(edge: Edge): Uint8Array {
  if (edge.peaks.length === 0) return emptyRoot();
  return edge.peaks.reduceRight((right, left) => nodeHash(left, right));
}

export function headOf(edge: Edge): TreeHead {
  return { size: edge.size, root: rootOf(edge) };
}

/** The bytes of the partial tile of a level; undefined where that level has none (an empty tile must not be published). */
export function partialTile(edge: Edge, level: number): Uint8Array | undefined {
  const hashes = edge.partial[level];
  return hashes === undefined || hashes.length === 0 ? undefined : joinTile(hashes);
}

/** Reads the tiles of the tree that `edge` ends: full ones through `readFull`, partial ones from the edge. */
export function edgeTiles(edge: Edge, readFull: (level: number, n: number) => Uint8Array | undefined): TileReader {
  return (level, n) => {
    const full = hashesAt(level + 1, edge.size);
    if (n < full) return readFull(level, n);
    return n === full ? partialTile(edge, level) : undefined;
  };
}

export type Restored = { readonly ok: true; readonly edge: Edge } | Refused;

/**
 * The edge of a stored tree, from its full tiles and the leaf hashes after the last full tile of level 0 (`size` mod 256 of them).
 * Reads at most 255 tiles a level. Refuses what is missing or malformed, and an edge whose root is not that of `head`, the last
 * signed one: so nothing is ever appended to a damaged tree.
 */
export function restoreEdge(head: TreeHead, readFull: (level: number, n: number) => Uint8Array | undefined, looseLeaves: readonly Uint8Array[]): Restored {
  const { size } = head;
  if (!Number.isSafeInteger(size) || size < 0) return refused('CHECKPOINT_MALFORMED', 'tree head', `the size ${size} is not a whole number from 0`);
  if (looseLeaves.length !== size % TILE_WIDTH || looseLeaves.some((leaf) => leaf.length !== HASH_BYTES)) {
    return refused('TILE_MALFORMED', 'loose leaves', `${size % TILE_WIDTH} hashes of ${HASH_BYTES} bytes are wanted after the last full tile, and there are ${looseLeaves.length}; rebuild the tree from the entries`);
  }
  const partial: (readonly Uint8Array[])[] = size === 0 ? [] : [[...looseLeaves]];
  for (let level = 1; hashesAt(level, size) > 0; level += 1) {
    const first = hashesAt(level + 1, size) * TILE_WIDTH;
    const roots: Uint8Array[] = [];
    for (let n = first; n < hashesAt(level, size); n += 1) {
      const bytes = readFull(level - 1, n);
      if (bytes === undefined) return refused('TILE_MISSING', tilePath(level - 1, n), 'the full tile is not stored; rebuild the tree from the entries');
      const hashes = splitTile(bytes, TILE_WIDTH);
      if (hashes === undefined) return refused('TILE_MALFORMED', tilePath(level - 1, n), `the full tile has ${bytes.length} bytes; rebuild the tree from the entries`);
      roots.push(foldPerfect(hashes));
    }
    partial.push(roots);
  }
  const edge = { size, peaks: peaksOf(partial), partial };
  if (sameHash(rootOf(edge), head.root)) return { ok: true, edge };
  return refused('ROOT_WRONG', 'stored tiles', `the stored tiles do not give the root that was signed at size ${size}; verify the log against a copy before anything is appended`);
}

/** A partial tile of w hashes is one perfect subtree for each 1 in w, largest first; higher levels lie to the left. */
function peaksOf(partial: readonly (readonly Uint8Array[])[]): readonly Uint8Array[] {
  const peaks: Uint8Array[] = [];
  for (const hashes of [...partial].reverse()) {
    let from = 0;
    for (let span = TILE_WIDTH / 2; span >= 1; span /= 2) {
      if (hashes.length - from < span) continue;
      peaks.push(foldPerfect(hashes.slice(from, from + span)));
      from += span;
    }
  }
  return peaks;
}

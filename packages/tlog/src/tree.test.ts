/** Laws of the tree: what makes proofs against what checks them, the edge against the definition, and nothing altered ever accepted. */
import { describe, expect, test } from 'vitest';
import { consistencyProof, edgeTiles, emptyEdge, extend, headOf, inclusionProof, leafHash, nodeHash, partialTile, restoreEdge, rootOf, TILE_BYTES, TILE_WIDTH, tilePath, tilesOf, verifyConsistency, verifyInclusion } from './index.ts';
import type { Edge, TileReader, TreeHead } from './index.ts';
import { seeded } from './testing/seeded.ts';

const SEED = Number(process.env['PORTCULLIS_SEED'] ?? 20261122);

const entry = (index: number): Uint8Array => Buffer.from(`entry ${index}`);

/** The tree of `size` entries with every tile that it completed and, by size, each edge on the way. */
function grow(size: number): { readonly edge: Edge; readonly edges: readonly Edge[]; readonly full: Map<string, Uint8Array>; readonly leaves: readonly Uint8Array[]; readonly read: TileReader } {
  const leaves = Array.from({ length: size }, (_, i) => leafHash(entry(i)));
  const full = new Map<string, Uint8Array>();
  const edges = [emptyEdge()];
  for (const leaf of leaves) {
    const grown = extend(edges.at(-1)!, leaf);
    for (const tile of grown.completed) full.set(tilePath(tile.level, tile.n), tile.bytes);
    edges.push(grown.edge);
  }
  const edge = edges.at(-1)!;
  return { edge, edges, full, leaves, read: edgeTiles(edge, (level, n) => full.get(tilePath(level, n))) };
}

/** RFC 6962 section 2.1, word for word. */
function definedRoot(leaves: readonly Uint8Array[]): Uint8Array {
  if (leaves.length === 1) return leaves[0]!;
  let k = 1;
  while (k * 2 < leaves.length) k *= 2;
  return nodeHash(definedRoot(leaves.slice(0, k)), definedRoot(leaves.slice(k)));
}

describe('the edge', () => {
  const tree = grow(700);

  test('has the root of the definition at each size', () => {
    for (let size = 1; size <= 700; size += 1) expect(rootOf(tree.edges[size]!), `size ${size}`).toEqual(definedRoot(tree.leaves.slice(0, size)));
  });

  test('[L2] is a value: two trees grown from one edge do not touch each other', () => {
    const from = tree.edges[255]!;
    const before = headOf(from);
    const a = extend(from, leafHash(entry(1000)));
    const b = extend(from, leafHash(entry(255)));
    expect(headOf(from)).toEqual(before);
    expect(rootOf(b.edge)).toEqual(rootOf(tree.edges[256]!));
    expect(rootOf(a.edge)).not.toEqual(rootOf(b.edge));
    expect(a.completed.length).toBe(1);
  });

  test('completes each full tile once, with 8,192 bytes, at the leaf that fills it', () => {
    expect([...tree.full.keys()]).toEqual(['tile/0/000', 'tile/0/001']);
    expect([...tree.full.values()].every((bytes) => bytes.length === TILE_BYTES)).toBe(true);
    expect(extend(tree.edges[511]!, tree.leaves[511]!).completed).toMatchObject([{ level: 0, n: 1 }]);
    expect(extend(tree.edges[510]!, tree.leaves[510]!).completed).toEqual([]);
  });

  test('has for each size just the partial tiles that tlog-tiles names', () => {
    for (const size of [0, 1, 255, 256, 257, 512, 699]) {
      const named = [...tilesOf(size)].filter((tile) => tile.width < TILE_WIDTH).map(({ level, width }) => [level, width * 32]);
      const kept = [0, 1, 2].flatMap((level) => (partialTile(tree.edges[size]!, level) === undefined ? [] : [[level, partialTile(tree.edges[size]!, level)!.length]]));
      expect(kept, `size ${size}`).toEqual(named);
    }
  });

  test('refuses what is no leaf hash', () => {
    expect(() => extend(emptyEdge(), new Uint8Array(31))).toThrow(RangeError);
  });
});

describe('[L5] an edge restored from stored tiles', () => {
  const tree = grow(66_000);
  const readFull = (level: number, n: number): Uint8Array | undefined => tree.full.get(tilePath(level, n));
  const restore = (size: number, head: TreeHead = headOf(tree.edges[size]!)): ReturnType<typeof restoreEdge> =>
    restoreEdge(head, readFull, tree.leaves.slice(size - (size % TILE_WIDTH), size));

  test.each([0, 1, 255, 256, 257, 511, 512, 65_535, 65_536, 65_537, 65_792, 66_000])('is the one that was grown, at size %i', (size) => {
    const restored = restore(size);
    expect(restored.ok && restored.edge).toEqual(tree.edges[size]!);
  });

  test('is refused where a tile is missing, cut or altered, a leaf is missing, or the signed root is another', () => {
    const lost = new Map(tree.full);
    const from = (tiles: Map<string, Uint8Array>): ReturnType<typeof restoreEdge> =>
      restoreEdge(headOf(tree.edge), (level, n) => tiles.get(tilePath(level, n)), tree.leaves.slice(65_792));
    expect(from(lost).ok).toBe(true);
    lost.delete('tile/0/256');
    expect(from(lost)).toMatchObject({ ok: false, problems: [{ code: 'TILE_MISSING', where: 'tile/0/256' }] });
    lost.set('tile/0/256', new Uint8Array(TILE_BYTES - 1));
    expect(from(lost)).toMatchObject({ ok: false, problems: [{ code: 'TILE_MALFORMED', where: 'tile/0/256' }] });
    lost.set('tile/0/256', new Uint8Array(TILE_BYTES));
    expect(from(lost)).toMatchObject({ ok: false, problems: [{ code: 'ROOT_WRONG' }] });
    expect(restoreEdge(headOf(tree.edge), readFull, tree.leaves.slice(65_793))).toMatchObject({ ok: false, problems: [{ where: 'loose leaves' }] });
    expect(restore(300, { size: 300, root: rootOf(tree.edges[301]!) })).toMatchObject({ ok: false, problems: [{ code: 'ROOT_WRONG' }] });
    expect(restore(300, { size: -1, root: new Uint8Array(32) }).ok).toBe(false);
  });

  test('proves consistency and inclusion across levels, also for sizes before the last', () => {
    const random = seeded(SEED);
    for (let i = 0; i < 200; i += 1) {
      const n = 1 + random.below(66_000);
      const m = 1 + random.below(n);
      const proof = consistencyProof(m, n, tree.read);
      expect(proof.ok && verifyConsistency(headOf(tree.edges[m]!), headOf(tree.edges[n]!), proof.proof), `seed ${SEED}, ${m} to ${n}`).toEqual({ ok: true });
      const path = inclusionProof(m - 1, n, tree.read);
      expect(path.ok && verifyInclusion(tree.leaves[m - 1]!, m - 1, headOf(tree.edges[n]!), path.proof), `seed ${SEED}, leaf ${m - 1} of ${n}`).toEqual({ ok: true });
    }
  });
});

describe('[L4] proofs', () => {
  const tree = grow(300);

  test('of all pairs up to 130 are made and accepted, and for no other size', () => {
    for (let n = 1; n <= 130; n += 1) {
      const newer = headOf(tree.edges[n]!);
      for (let m = 1; m <= n; m += 1) {
        const proof = consistencyProof(m, n, tree.read);
        const path = inclusionProof(m - 1, n, tree.read);
        if (!proof.ok || !path.ok) throw new Error(`no proof for ${m}, ${n}`);
        expect(verifyConsistency(headOf(tree.edges[m]!), newer, proof.proof), `${m} to ${n}`).toEqual({ ok: true });
        expect(verifyInclusion(tree.leaves[m - 1]!, m - 1, newer, path.proof), `leaf ${m - 1} of ${n}`).toEqual({ ok: true });
        expect(verifyConsistency(headOf(tree.edges[m - 1]!), newer, proof.proof).ok, `${m - 1} by the proof of ${m}, to ${n}`).toBe(false);
        expect(verifyInclusion(tree.leaves[m - 1]!, m, newer, path.proof).ok, `leaf ${m - 1} as ${m} of ${n}`).toBe(false);
      }
    }
  });

  test('that were altered in any one way are never accepted', () => {
    const random = seeded(SEED);
    for (let round = 0; round < 5000; round += 1) {
      const n = 2 + random.below(298);
      const m = 1 + random.below(n - 1);
      const label = `seed ${SEED}, round ${round}, ${m} to ${n}`;
      const older = headOf(tree.edges[m]!);
      const newer = headOf(tree.edges[n]!);
      const made = consistencyProof(m, n, tree.read);
      const path = inclusionProof(m, n, tree.read);
      if (!made.ok || !path.ok) throw new Error(label);
      expect(verifyConsistency(older, newer, random.altered(made.proof)).ok, label).toBe(false);
      expect(verifyInclusion(tree.leaves[m]!, m, newer, random.altered(path.proof)).ok, label).toBe(false);
      expect(verifyConsistency({ ...older, root: random.flipped(older.root) }, newer, made.proof).ok, label).toBe(false);
      expect(verifyConsistency(older, { ...newer, root: random.flipped(newer.root) }, made.proof).ok, label).toBe(false);
      expect(verifyInclusion(random.flipped(tree.leaves[m]!), m, newer, path.proof).ok, label).toBe(false);
      expect(verifyInclusion(tree.leaves[m]!, m, { ...newer, root: random.flipped(newer.root) }, path.proof).ok, label).toBe(false);
    }
  });

  test('of a tree with other leaves do not connect to the one that is known', () => {
    const other = extend(tree.edges[100]!, leafHash(entry(7))).edge;
    const proof = consistencyProof(101, 300, tree.read);
    expect(proof.ok && verifyConsistency(headOf(other), headOf(tree.edge), proof.proof)).toMatchObject({ ok: false, problems: [{ code: 'PROOF_WRONG' }] });
  });

  test('are refused, with a code, for what is outside the tree, from size 0, and for hashes that are none', () => {
    const head = headOf(tree.edge);
    const zero = headOf(emptyEdge());
    const noHashes = [new Uint8Array(31)];
    expect(inclusionProof(300, 300, tree.read)).toMatchObject({ problems: [{ code: 'PROOF_RANGE' }] });
    expect(inclusionProof(0.5, 300, tree.read)).toMatchObject({ problems: [{ code: 'PROOF_RANGE' }] });
    expect(consistencyProof(301, 300, tree.read)).toMatchObject({ problems: [{ code: 'PROOF_RANGE' }] });
    expect(consistencyProof(0, 300, tree.read)).toMatchObject({ problems: [{ code: 'SIZE_ZERO' }] });
    expect(verifyConsistency(zero, head, [])).toMatchObject({ problems: [{ code: 'SIZE_ZERO' }] });
    expect(verifyConsistency(head, headOf(tree.edges[299]!), [])).toMatchObject({ problems: [{ code: 'PROOF_RANGE' }] });
    expect(verifyConsistency(headOf(tree.edges[1]!), head, noHashes)).toMatchObject({ problems: [{ code: 'PROOF_MALFORMED' }] });
    expect(verifyInclusion(tree.leaves[0]!, 0, head, noHashes)).toMatchObject({ problems: [{ code: 'PROOF_MALFORMED' }] });
    // Each of these would be the root, if the length of the path or of a hash were not bound.
    const leaf = tree.leaves[0]!;
    expect(verifyInclusion(leaf, 0, { size: 1, root: nodeHash(leaf, leaf) }, [leaf])).toMatchObject({ problems: [{ code: 'PROOF_MALFORMED' }] });
    expect(verifyInclusion(leaf, 0, { size: 2, root: nodeHash(leaf, noHashes[0]!) }, noHashes)).toMatchObject({ problems: [{ code: 'PROOF_MALFORMED' }] });
    expect(verifyConsistency({ size: 1, root: leaf }, { size: 2, root: nodeHash(leaf, noHashes[0]!) }, noHashes)).toMatchObject({ problems: [{ code: 'PROOF_MALFORMED' }] });
    expect(verifyInclusion(tree.leaves[0]!, -1, head, [])).toMatchObject({ problems: [{ code: 'PROOF_RANGE' }] });
    expect(verifyInclusion(tree.leaves[0]!, 2 ** 53, { size: 2 ** 54, root: head.root }, [])).toMatchObject({ problems: [{ code: 'PROOF_RANGE' }] });
  });

  test('name the tile that is missing or malformed', () => {
    expect(inclusionProof(3, 300, () => undefined)).toMatchObject({ problems: [{ code: 'TILE_MISSING', where: 'tile/0/000' }] });
    expect(tree.read(0, 2, 1)).toBeUndefined();
    expect(inclusionProof(0, 600, tree.read).ok).toBe(false);
    expect(consistencyProof(257, 300, () => new Uint8Array(32))).toMatchObject({ problems: [{ code: 'TILE_MALFORMED', where: 'tile/0/001.p/44' }] });
  });

  test('hold for sizes that no shift of 32 bits could count', () => {
    // Every leaf is the same, so every full tile of a level is the same and a tree of 2^52 + 1 leaves needs only seven of them.
    const perfect = [leafHash(entry(0))];
    for (let height = 1; height <= 53; height += 1) perfect.push(nodeHash(perfect[height - 1]!, perfect[height - 1]!));
    const read: TileReader = (level, _n, width) => Buffer.concat(Array.from({ length: width }, () => perfect[level * 8]!));
    const size = 2 ** 52 + 1;
    const head = { size, root: nodeHash(perfect[52]!, perfect[0]!) };
    const path = inclusionProof(2 ** 52 - 1, size, read);
    expect(path.ok && path.proof.length).toBe(53);
    expect(path.ok && verifyInclusion(perfect[0]!, 2 ** 52 - 1, head, path.proof)).toEqual({ ok: true });
    const last = inclusionProof(2 ** 52, size, read);
    expect(last.ok && verifyInclusion(perfect[0]!, 2 ** 52, head, last.proof)).toEqual({ ok: true });
    // The sibling of the left half has 2^51 + 1 leaves, whose logarithm rounds to 51.
    const uneven = 2 ** 52 + 2 ** 51 + 1;
    const first = inclusionProof(0, uneven, read);
    const unevenRoot = nodeHash(perfect[52]!, nodeHash(perfect[51]!, perfect[0]!));
    expect(first.ok && verifyInclusion(perfect[0]!, 0, { size: uneven, root: unevenRoot }, first.proof)).toEqual({ ok: true });
    const proof = consistencyProof(2 ** 51, size, read);
    expect(proof.ok && verifyConsistency({ size: 2 ** 51, root: perfect[51]! }, head, proof.proof)).toEqual({ ok: true });
  });
});

describe('many leaves', () => {
  test('are appended in linear time, and no more is kept than the right edge', () => {
    const COUNT = 200_000;
    const started = process.cpuUsage();
    let edge = emptyEdge();
    let tiles = 0;
    let most = 0;
    for (let i = 0; i < COUNT; i += 1) {
      const grown = extend(edge, leafHash(entry(i)));
      edge = grown.edge;
      tiles += grown.completed.length;
      if (i % 251 === 0) most = Math.max(most, edge.peaks.length + edge.partial.reduce((sum, hashes) => sum + hashes.length, 0));
    }
    const spent = process.cpuUsage(started);
    const seconds = (spent.user + spent.system) / 1e6;
    expect(tiles).toBe(Math.floor(COUNT / 256) + Math.floor(COUNT / 65_536));
    expect(most).toBeLessThan(3 * 256 + 18);
    // A million take about 4 s of processor time: the bound is for a quadratic mistake, and no benchmark.
    expect(seconds).toBeLessThan(10);
  });
});

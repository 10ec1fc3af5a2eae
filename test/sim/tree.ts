/** The log's tree in a simulated world: the real hashes, checkpoints and proofs, over leaves that are kept in memory. */
import { edgeTiles, emptyEdge, encodeHash, extend, consistencyProof, leafHash, rootOf, signCheckpoint, signerFromSeed } from '@portcullis/tlog';
import type { Edge } from '@portcullis/tlog';
import type { Plane } from '../../apps/control-plane/src/plane.ts';

export interface Tree extends Pick<Plane['history'], 'checkpoint' | 'consistency' | 'rootAt'> {
  append(entry: string): void;
  size(): number;
}

/** @param seed of the plane's Ed25519 key, which signs checkpoints in every world */
export function makeTree(log: string, seed: number): Tree {
  const signer = signerFromSeed(log, new Uint8Array(32).fill(seed));
  const tiles = new Map<string, Uint8Array>();
  const roots: string[] = [''];
  const notes = new Map<number, string>();
  let edge: Edge = emptyEdge();
  return {
    append: (entry) => {
      const grown = extend(edge, leafHash(Buffer.from(entry)));
      for (const { level, n, bytes } of grown.completed) tiles.set(`${level} ${n}`, bytes);
      edge = grown.edge;
      roots.push(encodeHash(rootOf(edge)));
    },
    size: () => edge.size,
    checkpoint: () => {
      const known = notes.get(edge.size);
      const note = known ?? signCheckpoint({ origin: log, size: edge.size, root: rootOf(edge) }, signer);
      notes.set(edge.size, note);
      return note;
    },
    consistency: (older) => {
      const made = consistencyProof(older, edge.size, edgeTiles(edge, (level, n) => tiles.get(`${level} ${n}`)));
      return made.ok ? made.proof.map(encodeHash) : undefined;
    },
    rootAt: (size) => roots[size],
  };
}

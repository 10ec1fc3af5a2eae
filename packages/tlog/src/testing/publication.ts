/** A small log as it is published: the files that a plane exports, made from nothing but the entries. */
import { bundlePath, CHECKPOINT_PATH, emptyEdge, encodeBundle, extend, headOf, leafHash, partialTile, signCheckpoint, tilePath, tilesOf, TILE_WIDTH } from '../index.ts';
import type { FileReader, Signer } from '../index.ts';

export type Files = Map<string, Uint8Array>;

export function publish(entries: readonly Uint8Array[], signer: Signer): Files {
  const files: Files = new Map();
  let edge = emptyEdge();
  for (const entry of entries) {
    const grown = extend(edge, leafHash(entry));
    edge = grown.edge;
    for (const tile of grown.completed) files.set(tilePath(tile.level, tile.n), tile.bytes);
  }
  for (const { level, n, width } of tilesOf(entries.length)) {
    const partial = partialTile(edge, level);
    if (width < TILE_WIDTH && partial !== undefined) files.set(tilePath(level, n, width), partial);
    if (level === 0) files.set(bundlePath(n, width), encodeBundle(entries.slice(n * TILE_WIDTH, n * TILE_WIDTH + width)));
  }
  files.set(CHECKPOINT_PATH, Buffer.from(signCheckpoint({ origin: signer.verifierKey.name, ...headOf(edge) }, signer)));
  return files;
}

export function reader(files: Files): FileReader {
  return (path) => files.get(path);
}

export function entriesOf(count: number, word = 'event'): readonly Uint8Array[] {
  return Array.from({ length: count }, (_, i) => Buffer.from(`{"seq":${i},"type":"${word}"}`));
}

/**
 * log.db read as if it were exported already: each file is made when it is asked for, so that a log of any length is checked in a few
 * megabytes. What is appended meanwhile is not in it.
 */
import { CHECKPOINT_PATH, decodeHash, encodeBundle, partialTile, TILE_WIDTH } from '@portcullis/tlog';
import type { Edge, FileReader } from '@portcullis/tlog';
import { edgeAt } from './log.ts';
import type { LogStore, StoredCheckpoint } from './store.ts';

/** A file of the store's log at this signed head, or undefined where there is none. */
export function storeFiles(store: LogStore, head: StoredCheckpoint): FileReader {
  // Of a log that was altered there may be none; then the stored hashes are shown, and do not fit.
  const edge = edgeOf(store, head);
  return (path) => {
    if (path === CHECKPOINT_PATH) return Buffer.from(head.note);
    const payload = /^payload\/([0-9a-f]{64})$/.exec(path)?.[1];
    if (payload !== undefined) return payloadFile(store, payload);
    const kept = /^checkpoints\/(\d{1,15})$/.exec(path)?.[1];
    if (kept !== undefined) return checkpointFile(store, Number(kept), head.size);
    const name = tileName(path);
    if (name === undefined) return undefined;
    return name.level === null ? bundleFile(store, name.n, name.width, head.size) : tileFile(store, edge, { ...name, level: name.level }, head.size);
  };
}

/** The bytes that are hashed: a salted payload has its salt in front. Undefined where it is not there, or was erased. */
export function payloadFile(store: LogStore, sha256: string): Uint8Array | undefined {
  const payload = store.payload(sha256);
  if (payload?.body === undefined || payload.body === null) return undefined;
  return payload.salt === null ? payload.body : Buffer.concat([payload.salt, payload.body]);
}

function checkpointFile(store: LogStore, size: number, headSize: number): Uint8Array | undefined {
  const kept = size <= headSize ? store.checkpoint(size) : undefined;
  return kept === undefined ? undefined : Buffer.from(kept.note);
}

function bundleFile(store: LogStore, n: number, width: number, size: number): Uint8Array | undefined {
  const from = n * TILE_WIDTH;
  if (Math.min(TILE_WIDTH, size - from) !== width) return undefined;
  return encodeBundle([...store.read(from, from + width)].map(({ entry }) => entry));
}

function tileFile(store: LogStore, edge: Edge | undefined, { level, n, width }: { readonly level: number; readonly n: number; readonly width: number }, size: number): Uint8Array | undefined {
  if (width === TILE_WIDTH) return store.tile(level, n);
  if (Math.floor(size / TILE_WIDTH ** level) - n * TILE_WIDTH !== width) return undefined;
  const known = edge === undefined ? undefined : partialTile(edge, level);
  if (known !== undefined || level > 0) return known;
  return Buffer.concat([...store.read(n * TILE_WIDTH, n * TILE_WIDTH + width)].map(({ leaf }) => leaf));
}

function edgeOf(store: LogStore, { size, note }: StoredCheckpoint): Edge | undefined {
  const root = note.split('\n')[2] ?? '';
  return decodeHash(root) === undefined ? undefined : edgeAt(store, size, root);
}

/** `tile/<level or entries>/<N>[.p/<W>]`; a null level names a bundle. */
function tileName(path: string): { readonly level: number | null; readonly n: number; readonly width: number } | undefined {
  const [, kind, digits, partial] = /^tile\/(entries|\d{1,2})\/((?:x\d{3}\/)*\d{3})(?:\.p\/(\d{1,3}))?$/.exec(path) ?? [];
  if (kind === undefined || digits === undefined) return undefined;
  const width = partial === undefined ? TILE_WIDTH : Number(partial);
  return { level: kind === 'entries' ? null : Number(kind), n: Number(digits.replace(/[x/]/g, '')), width };
}

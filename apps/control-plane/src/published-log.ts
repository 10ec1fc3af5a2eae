/**
 * The log as others may read and verify it: a C2SP tlog-tiles directory, with the payloads that its entries name beside it. The
 * files are made when they are asked for, from log.db as it was when it was opened; the plane may go on writing meanwhile.
 */
import { createHash } from 'node:crypto';
import { bundlePath, CHECKPOINT_PATH, encodeBundle, encodeVerifierKey, openCheckpoint, partialTile, restoreEdge, TILE_WIDTH, tilePath, tilesOf, verifierKey } from '@portcullis/tlog';
import type { Edge, FileReader, VerifierKey } from '@portcullis/tlog';
import { decodeEvent } from './log/codec.ts';
import type { LogStore } from './log/store.ts';

export const KEY_PATH = 'plane.vkey';
/** Salt in front of the body of an erasable payload; the file's hash is over both. */
export const SALT_BYTES = 32;

export interface PublishedLog {
  readonly size: number;
  readonly key: VerifierKey;
  readonly read: FileReader;
  /** Every path but the checkpoint's, which a writer puts last. Payloads that were erased are left out. */
  readonly paths: () => Generator<string>;
}

export type Published = { readonly ok: true; readonly log: PublishedLog } | { readonly ok: false; readonly problem: string };

/** The published form of a store; a problem where what is stored does not fit together. */
export function publishLog(store: LogStore): Published {
  const newest = store.checkpoint();
  const [first] = store.read(0, 1);
  if (newest === undefined || first === undefined) return { ok: false, problem: 'The log is empty.' };
  const begun = decodeEvent(first.entry, (sha256) => store.payload(sha256)).event;
  if (begun.type !== 'PlaneInitialised') return { ok: false, problem: 'The first event does not say which log this is.' };
  const key = verifierKey(begun.log, Buffer.from(begun.publicKey, 'base64'));
  const opened = openCheckpoint(newest.note, key);
  if (!opened.ok) return { ok: false, problem: `The newest signed head cannot be used: ${opened.problems.map(({ what }) => what).join('; ')}` };
  const { size, root } = opened.checkpoint;
  const loose = [...store.read(size - (size % TILE_WIDTH), size)].map(({ leaf }) => leaf);
  const restored = restoreEdge({ size, root }, (level, n) => store.tile(level, n), loose);
  if (!restored.ok) return { ok: false, problem: `The stored tree is damaged: ${restored.problems.map(({ where, what }) => `${where}: ${what}`).join('; ')}` };
  const files = treeFiles(store, size, restored.edge);
  files.set(CHECKPOINT_PATH, () => Buffer.from(newest.note));
  files.set(KEY_PATH, () => Buffer.from(`${encodeVerifierKey(key)}\n`));
  return {
    ok: true,
    log: {
      size,
      key,
      read: (path) => (path.startsWith('payload/') ? payloadFile(store, path.slice('payload/'.length)) : files.get(path)?.()),
      paths: function* () {
        for (const sha256 of payloadNames(store, size)) if (payloadFile(store, sha256) !== undefined) yield payloadPath(sha256);
        for (const path of files.keys()) if (path !== CHECKPOINT_PATH) yield path;
      },
    },
  };
}

export function payloadPath(sha256: string): string {
  return `payload/${sha256}`;
}

/** What an entry or a payload names by hash, and whether that may have been erased. */
export interface NamedPayloads {
  readonly kept: readonly string[];
  readonly erasable: readonly string[];
}

/** The payloads that an entry names itself. */
export function namedByEntry(entry: Uint8Array): NamedPayloads {
  const { payload_sha256: body, reason_sha256: reason } = JSON.parse(Buffer.from(entry).toString('utf8')) as { readonly payload_sha256: string; readonly reason_sha256: string | null };
  return { kept: [body], erasable: reason === null ? [] : [reason] };
}

/** The payloads that an event's body names in turn: hidden parts, policy texts and models. */
export function namedByBody(body: Uint8Array): NamedPayloads {
  const { hidden_sha256: hidden, changes } = JSON.parse(Buffer.from(body).toString('utf8')) as {
    readonly hidden_sha256?: string;
    readonly changes?: readonly { readonly content?: { readonly textSha256: string; readonly modelSha256: string } }[];
  };
  const contents = (changes ?? []).flatMap(({ content }) => (content === undefined ? [] : [content.textSha256, content.modelSha256]));
  return { kept: contents, erasable: hidden === undefined ? [] : [hidden] };
}

export function sha256Of(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

function treeFiles(store: LogStore, size: number, edge: Edge): Map<string, () => Uint8Array | undefined> {
  const files = new Map<string, () => Uint8Array | undefined>();
  for (const { level, n, width } of tilesOf(size)) {
    files.set(tilePath(level, n, width), () => (width === TILE_WIDTH ? store.tile(level, n) : partialTile(edge, level)));
    if (level > 0) continue;
    files.set(bundlePath(n, width), () => encodeBundle([...store.read(n * TILE_WIDTH, n * TILE_WIDTH + width)].map(({ entry }) => entry)));
  }
  return files;
}

function payloadFile(store: LogStore, sha256: string): Uint8Array | undefined {
  const stored = store.payload(sha256);
  if (stored === undefined || stored.body === null) return undefined;
  return stored.salt === null ? stored.body : Buffer.concat([stored.salt, stored.body]);
}

function* payloadNames(store: LogStore, size: number): Generator<string> {
  const seen = new Set<string>();
  for (const { entry, body } of store.read(0, size)) {
    const own = namedByEntry(entry);
    const inner = namedByBody(body?.body ?? Buffer.from('{}'));
    for (const sha256 of [...own.kept, ...own.erasable, ...inner.kept, ...inner.erasable]) {
      if (seen.has(sha256)) continue;
      seen.add(sha256);
      yield sha256;
    }
  }
}

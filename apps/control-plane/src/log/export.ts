/**
 * The log as plain files (C2SP tlog-tiles), for an auditor who has neither this program nor its database: entries, tiles, every
 * signed head, the payloads that were not erased, and a page that says how to check them.
 */
import { bundlePath, CHECKPOINT_PATH, edgeTiles, emptyEdge, encodeBundle, encodeVerifierKey, extend, leafHash, openCheckpoint, TILE_WIDTH, tilePath, tilesOf, verifierKey } from '@portcullis/tlog';
import { DamagedLog } from './codec.ts';
import { openSqliteReader } from './sqlite-store.ts';
import type { LogStore, StoredEntry } from './store.ts';

export interface ExportedFile {
  /** Relative, `/` between segments. */
  readonly path: string;
  readonly bytes: Uint8Array;
}

/** Reads log.db beside a running plane; what is appended meanwhile is not in the export. Throws DamagedLog where it cannot be exported. */
export function* exportLog(logPath: string): Generator<ExportedFile> {
  const store = openSqliteReader(logPath);
  try {
    const head = store.checkpoint();
    if (head === undefined) throw new DamagedLog('there is no signed head yet, so there is nothing to export');
    yield* exportStore(store, head.size, head.note);
  } finally {
    store.close();
  }
}

function* exportStore(store: LogStore, size: number, note: string): Generator<ExportedFile> {
  let edge = emptyEdge();
  let bundle: Uint8Array[] = [];
  const seen = new Set<string>();
  let first: Buffer | undefined;
  for (const stored of store.read(0, size)) {
    first ??= stored.body?.body === undefined || stored.body.body === null ? undefined : Buffer.from(stored.body.body);
    edge = extend(edge, leafHash(stored.entry)).edge;
    yield* payloadsOf(store, stored, seen);
    bundle.push(stored.entry);
    if (bundle.length < TILE_WIDTH && stored.seq + 1 < size) continue;
    yield { path: bundlePath(Math.floor(stored.seq / TILE_WIDTH), bundle.length), bytes: encodeBundle(bundle) };
    bundle = [];
  }
  const read = edgeTiles(edge, (level, n) => store.tile(level, n));
  for (const { level, n, width } of tilesOf(size)) {
    const bytes = read(level, n, width);
    if (bytes === undefined) throw new DamagedLog(`the tile ${tilePath(level, n, width)} is missing`);
    yield { path: tilePath(level, n, width), bytes };
  }
  for (const at of store.checkpointSizes()) {
    const checkpoint = at <= size ? store.checkpoint(at) : undefined;
    if (checkpoint !== undefined) yield { path: `checkpoints/${at}`, bytes: Buffer.from(checkpoint.note) };
  }
  yield { path: CHECKPOINT_PATH, bytes: Buffer.from(note) };
  yield { path: 'AUDIT.md', bytes: Buffer.from(auditPage(size, note, first)) };
}

/** The payloads that an entry names, and those that its body names in turn. */
function* payloadsOf(store: LogStore, { entry, body }: StoredEntry, seen: Set<string>): Generator<ExportedFile> {
  const names = `${entry.toString('utf8')}\n${body?.body === undefined || body.body === null ? '' : Buffer.from(body.body).toString('utf8')}`;
  for (const [sha256] of names.matchAll(/\b[0-9a-f]{64}\b/g)) {
    if (seen.has(sha256)) continue;
    seen.add(sha256);
    const payload = store.payload(sha256);
    if (payload?.body === undefined || payload.body === null) continue;
    // A salted payload is hashed with its salt in front, so that is how it is exported.
    yield { path: `payload/${sha256}`, bytes: payload.salt === null ? payload.body : Buffer.concat([payload.salt, payload.body]) };
  }
}

/** The verifier key is in the log's first event: an auditor compares it with the one that was written down elsewhere. */
function auditPage(size: number, note: string, firstBody: Buffer | undefined): string {
  const initialised = JSON.parse(firstBody?.toString('utf8') ?? '{}') as { readonly log?: string; readonly publicKey?: string };
  const { log, publicKey } = initialised;
  if (log === undefined || publicKey === undefined) throw new DamagedLog('the first event does not say which log this is');
  const key = verifierKey(log, Buffer.from(publicKey, 'base64'));
  const signed = openCheckpoint(note, key).ok ? 'It is the key that signed the newest head.' : 'The newest head was signed by a later key: see the KeyRotated events.';
  return `# How to check this log

A C2SP tlog-tiles log of ${size} events (https://c2sp.org/tlog-tiles). Verifier key, as the log's first event states it:

    ${encodeVerifierKey(key)}

${signed} Compare it with the one that was written down when the plane was set up: a key that comes with the log proves nothing by itself.

- \`checkpoint\` is the newest signed head; \`checkpoints/<size>\` are all of them. Keep one elsewhere: only with an earlier head that was kept
  outside can a log that was cut short or rewritten with a stolen key be told from an honest one.
- \`tile/entries/…\` are the events, \`tile/<level>/…\` the hashes above them.
- \`payload/<sha256>\` are the bytes that events name: bodies, policy texts, normalised policies. Reasons and names begin with a salt of 32 bytes.
  A reason or name that is not here was erased; its hash stays in the log.

    portcullis log verify . --checkpoint EARLIER      everything: leaves, tiles, root, signature, consistency with EARLIER
    sha256sum payload/*                               each is named by its hash

Any other C2SP tlog-tiles verifier (golang.org/x/mod/sumdb/tlog and note, for one) checks the same files.
`;
}

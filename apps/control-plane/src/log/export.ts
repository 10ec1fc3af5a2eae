/**
 * The log as plain files (C2SP tlog-tiles), for an auditor who has neither this program nor its database: entries, tiles, every
 * signed head, the payloads that were not erased, and a page that says how to check them.
 */
import { bundlePath, CHECKPOINT_PATH, edgeTiles, emptyEdge, encodeBundle, encodeVerifierKey, extend, leafHash, TILE_WIDTH, tilePath, tilesOf } from '@portcullis/tlog';
import type { FileReader } from '@portcullis/tlog';
import type { KeptFold } from '../fold-shelf.ts';
import { refold } from '../recheck.ts';
import type { Finding } from '../recheck.ts';
import { DamagedLog } from './codec.ts';
import { logKeys } from './log-keys.ts';
import { openSqliteReader } from './sqlite-store.ts';
import { payloadFile, storeFiles } from './store-files.ts';
import type { LogStore, StoredEntry } from './store.ts';

export interface ExportedFile {
  /** Relative, `/` between segments. */
  readonly path: string;
  readonly bytes: Uint8Array;
}

/** The log of log.db as it is now, beside a running plane: what is appended meanwhile is not in it. */
export interface PublishedLog {
  readonly size: number;
  /** Any file of it. */
  readonly read: FileReader;
  /** All files, the checkpoint and the page about checking last. Throws DamagedLog where they cannot be made. */
  readonly files: () => Generator<ExportedFile>;
  /** Folds all events, and holds these kept folds against what they give. */
  readonly refold: (folds: readonly KeptFold[]) => readonly Finding[];
  /** What lies beside it in log.db and was never signed, in words. */
  readonly beyondHead: () => readonly string[];
  readonly close: () => void;
}

/** Opens it. Throws where there is no log, or no signed head. */
export function openPublished(logPath: string): PublishedLog {
  const store = openSqliteReader(logPath);
  store.holdStill();
  const head = store.checkpoint();
  if (head === undefined) {
    store.close();
    throw new DamagedLog('there is no signed head yet, so there is nothing to export');
  }
  return {
    size: head.size,
    read: storeFiles(store, head),
    files: () => exportStore(store, head.size, head.note),
    refold: (folds) => refold(store, folds, head.size),
    beyondHead: () => store.beyondHead(),
    close: () => store.close(),
  };
}

/** All files of a log.db. */
export function* exportLog(logPath: string): Generator<ExportedFile> {
  const published = openPublished(logPath);
  try {
    yield* published.files();
  } finally {
    published.close();
  }
}

/** Contents that changes name again and again: remembered so that each is written about once. The same file twice does no harm. */
const SEEN_CONTENTS = 10_000;

function* exportStore(store: LogStore, size: number, note: string): Generator<ExportedFile> {
  let edge = emptyEdge();
  let bundle: Uint8Array[] = [];
  const seen = new Set<string>();
  for (const stored of store.read(0, size)) {
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
  yield { path: 'AUDIT.md', bytes: Buffer.from(auditPage(storeFiles(store, { size, note }), size)) };
}

/** The payloads that an entry names, and those that its body names in turn. An altered log is exported as it is: it is the evidence. */
function* payloadsOf(store: LogStore, { entry }: StoredEntry, seen: Set<string>): Generator<ExportedFile> {
  const text = entry.toString('utf8');
  const body = /"payload_sha256":"([0-9a-f]{64})"/.exec(text)?.[1];
  for (const names = namesIn(text); ; ) {
    const sha256 = names.shift();
    if (sha256 === undefined) return;
    if (seen.has(sha256)) continue;
    if (seen.size >= SEEN_CONTENTS) seen.clear();
    seen.add(sha256);
    const bytes = payloadFile(store, sha256);
    if (bytes === undefined) continue;
    if (sha256 === body) names.push(...namesIn(Buffer.from(bytes).toString('utf8')));
    yield { path: `payload/${sha256}`, bytes };
  }
}

function namesIn(text: string): string[] {
  return text.match(/\b[0-9a-f]{64}\b/g) ?? [];
}

/** Whose keys: an auditor compares them with those that were written down elsewhere. */
function auditPage(read: FileReader, size: number): string {
  const claimed = logKeys(read);
  if (claimed === undefined) throw new DamagedLog('the first event does not say which log this is');
  const [first, ...later] = claimed.keys;
  const signed = later.length === 0
    ? 'It is the key that signed the newest head.'
    : `It was replaced since, as KeyRotated and LogRestored events say; the last of these signed the newest head:\n\n${later.map((key) => `    ${encodeVerifierKey(key)}`).join('\n')}\n`;
  const unsigned = claimed.restorations.filter((one) => !one.signed).map(({ seq }) => seq);
  const unvouched = unsigned.length === 0
    ? ''
    : `\n**Nobody signed the restoration of event ${unsigned.join(', ')}**: the recovery key was lost, or somebody made it up. Get the key that \`portcullis log restore\` printed then from whoever\nran it, and give it with \`--key\`, too.\n`;
  return `# How to check this log

A C2SP tlog-tiles log of ${size} events (https://c2sp.org/tlog-tiles). Verifier key, as the log's first event states it:

    ${encodeVerifierKey(first)}

${signed} Compare it with the one that was written down when the plane was set up: a key that comes with the log proves nothing by itself.
${unvouched}
- \`checkpoint\` is the newest signed head; \`checkpoints/<size>\` are all of them. Keep one elsewhere: only with an earlier head that was kept
  outside can a log that was cut short or rewritten with a stolen key be told from an honest one.
- \`tile/entries/…\` are the events, \`tile/<level>/…\` the hashes above them.
- \`payload/<sha256>\` are the bytes that events name: bodies, policy texts, normalised policies. Reasons and names begin with a salt of 32 bytes.
  A reason or name that is not here was erased; its hash stays in the log.

    portcullis log verify . --key KEY --checkpoint EARLIER    everything: leaves, tiles, root, KEY's signature, consistency with EARLIER
    sha256sum payload/*                                       each is named by its hash

Any other C2SP tlog-tiles verifier (golang.org/x/mod/sumdb/tlog and note, for one) checks the same files.
`;
}

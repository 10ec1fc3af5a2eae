/**
 * The log: events in, durable and signed, events out. Each append extends the tree, signs the new head and commits in one
 * transaction; only then does it return (L2).
 */
import { consistencyProof, decodeHash, edgeTiles, emptyEdge, encodeHash, extend, leafHash, openCheckpoint, restoreEdge, rootOf, signCheckpoint, TILE_WIDTH, tilePath } from '@portcullis/tlog';
import type { Edge, Signer, VerifierKey } from '@portcullis/tlog';
import type { Recorded } from '../domain/events.ts';
import type { Payload, Unsealed } from './codec.ts';
import { DamagedLog, decodeEvent, encodeEvent, erasableIn } from './codec.ts';
import type { EntryQuery, LogStore, StoredEntry } from './store.ts';

/** Whose signatures stand under the log's heads. */
export interface HeadKeys {
  /** Who signs the next head; all of one name, which is the log's. */
  readonly signers: () => readonly Signer[];
  /** Of whom one must have signed the newest head. */
  readonly verifiers: () => readonly VerifierKey[];
}

export interface Log {
  size(): number;
  /** Durable when it returns, and then the payloads of `erase` are gone. Throws when nothing was recorded and nothing erased. */
  append(events: readonly Unsealed[], contents: readonly Payload[], erase?: readonly string[]): readonly Recorded[];
  /** The salted payloads of an event that are still there, by their hashes. */
  erasable(seq: number): readonly string[];
  /** Throws DamagedLog where an event does not read back. */
  read(from: number, to: number): IterableIterator<Recorded>;
  find(query: EntryQuery): readonly number[];
  /** Root of the tree of the first `size` entries, base64. */
  rootAt(size: number): string;
  /** The newest signed head. */
  checkpoint(): string;
  /** Base64 hashes that show that the tree of `older` entries is the beginning of the present one; undefined for an impossible size. */
  consistency(older: number): readonly string[] | undefined;
  readonly store: LogStore;
}

export interface OpenedLog {
  readonly log: Log;
  /** Every event in order; decoded as it is asked for. Must be read to its end before the first append. */
  readonly events: IterableIterator<Recorded>;
}

/**
 * Opens the log and, while its events are read, checks it: every leaf is recomputed, and the root must be the one that was
 * signed last. Throws DamagedLog. With `begin`, the edge of what is known already, only later events are read and checked, and the
 * root must still be the signed one.
 */
export function openLog(store: LogStore, keys: HeadKeys, random: (bytes: number) => Uint8Array, begin: Edge = emptyEdge()): OpenedLog {
  let edge: Edge = begin;

  function* readAll(): IterableIterator<Recorded> {
    const reading = readEvents(store, begin, Number.MAX_SAFE_INTEGER);
    for (let next = reading.next(); ; next = reading.next()) {
      if (next.done === true) {
        checkHead(store, next.value, keys.verifiers());
        edge = next.value;
        return;
      }
      yield next.value;
    }
  }

  const seal = (events: readonly Unsealed[], contents: readonly Payload[], erase: readonly string[]): { readonly edge: Edge; readonly recorded: readonly Recorded[] } => {
    let next = edge;
    const recorded: Recorded[] = [];
    store.append(edge.size, (writer) => {
      for (const payload of contents) writer.payload(payload);
      for (const unsealed of events) {
        const seq = next.size;
        const { entry, payloads } = encodeEvent(seq, encodeHash(rootOf(next)), unsealed, random);
        const leaf = leafHash(entry);
        const grown = extend(next, leaf);
        for (const payload of payloads) writer.payload(payload);
        writer.entry(seq, entry, leaf);
        for (const { level, n, bytes } of grown.completed) writer.tile(level, n, bytes);
        next = grown.edge;
        // Read back from the very bytes, so that nobody sees an event that a restart would read differently (L5).
        recorded.push(decodeEvent(entry, (sha256) => payloads.find((payload) => payload.sha256 === sha256)));
      }
      for (const sha256 of erase) writer.erase(sha256);
      writer.checkpoint(next.size, signedHead(next, keys.signers()));
    });
    return { edge: next, recorded };
  };

  const log: Log = {
    store,
    size: () => edge.size,
    append(events, contents, erase = []) {
      // The edge is a value: where the transaction fails, the old one is still the right one.
      const sealed = seal(events, contents, erase);
      edge = sealed.edge;
      return sealed.recorded;
    },
    *read(from, to) {
      for (const stored of store.read(from, Math.min(to, edge.size))) yield decode(store, stored);
    },
    erasable: (seq) => [...store.read(seq, seq + 1)].flatMap(({ entry }) => erasableIn(entry, (sha256) => store.payload(sha256))),
    find: (query) => store.find(query),
    rootAt: (size) => (size === edge.size ? encodeHash(rootOf(edge)) : rootBefore(store, size)),
    checkpoint: () => store.checkpoint()?.note ?? '',
    consistency(older) {
      const made = consistencyProof(older, edge.size, edgeTiles(edge, (level, n) => store.tile(level, n)));
      return made.ok ? made.proof.map(encodeHash) : undefined;
    },
  };
  return { log, events: readAll() };
}

/** Reads and checks the events after `begin` up to `to` (exclusive); returns the edge of the tree with them. Throws DamagedLog. */
export function* readEvents(store: LogStore, begin: Edge, to: number): Generator<Recorded, Edge> {
  let edge = begin;
  for (const stored of store.read(begin.size, to)) {
    const leaf = leafHash(stored.entry);
    if (!stored.leaf.equals(leaf)) throw new DamagedLog(`event ${stored.seq} is not what was recorded: its bytes do not have the stored hash`);
    if (stored.seq !== edge.size) throw new DamagedLog(`event ${edge.size} is missing: after it comes ${stored.seq}`);
    const grown = extend(edge, leaf);
    for (const { level, n, bytes } of grown.completed) {
      if (Buffer.compare(store.tile(level, n) ?? Buffer.alloc(0), bytes) !== 0) throw new DamagedLog(`the stored hashes of ${tilePath(level, n)} are not those of the events before event ${grown.edge.size}`);
    }
    edge = grown.edge;
    yield decode(store, stored);
  }
  return edge;
}

/** The edge of the first `size` entries from stored tiles; undefined where they do not give `root` (base64). */
export function edgeAt(store: LogStore, size: number, root: string): Edge | undefined {
  const loose = [...store.read(size - (size % TILE_WIDTH), size)].map(({ entry }) => leafHash(entry));
  const hash = decodeHash(root);
  const restored = hash === undefined ? undefined : restoreEdge({ size, root: hash }, (level, n) => store.tile(level, n), loose);
  return restored?.ok === true ? restored.edge : undefined;
}

/** Each entry names the root before it. Empty where there is no such entry. */
export function rootBefore(store: LogStore, seq: number): string {
  for (const { entry } of store.read(seq, seq + 1)) return (JSON.parse(entry.toString('utf8')) as { readonly prev: string }).prev;
  return '';
}

function signedHead(edge: Edge, signers: readonly Signer[]): string {
  const [first] = signers;
  if (first === undefined) throw new Error('a log without a key cannot be written');
  return signCheckpoint({ origin: first.verifierKey.name, size: edge.size, root: rootOf(edge) }, signers);
}

/** Throws DamagedLog unless the newest signed head is that of these entries. */
export function checkHead(store: LogStore, edge: Edge, verifiers: readonly VerifierKey[]): void {
  const newest = store.checkpoint();
  if (newest === undefined) {
    if (edge.size > 0) throw new DamagedLog(`the log has ${edge.size} events and no signed head`);
    return;
  }
  const opened = openCheckpoint(newest.note, verifiers);
  if (!opened.ok) throw new DamagedLog(`the newest signed head cannot be used: ${opened.problems.map(({ what }) => what).join('; ')}`);
  const { size, root } = opened.checkpoint;
  if (size !== edge.size) throw new DamagedLog(`the log has ${edge.size} events, but ${size} were signed`);
  if (Buffer.compare(root, rootOf(edge)) !== 0) throw new DamagedLog(`the ${size} events of the log do not give the root that was signed: something was altered`);
}

function decode(store: LogStore, { entry }: StoredEntry): Recorded {
  return decodeEvent(entry, store.payload);
}

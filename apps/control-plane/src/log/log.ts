/**
 * The log: events in, durable and signed, events out. Each append extends the tree, signs the new head and commits in one
 * transaction; only then does it return (L2).
 */
import { consistencyProof, edgeTiles, emptyEdge, encodeHash, extend, leafHash, openCheckpoint, rootOf, signCheckpoint } from '@portcullis/tlog';
import type { Edge, Signer } from '@portcullis/tlog';
import type { Recorded } from '../domain/events.ts';
import type { Payload, Unsealed } from './codec.ts';
import { DamagedLog, decodeEvent, encodeEvent } from './codec.ts';
import type { EntryQuery, LogStore, StoredEntry } from './store.ts';

export interface Log {
  size(): number;
  /** Durable when it returns. Throws when nothing was recorded. */
  append(events: readonly Unsealed[], contents: readonly Payload[]): readonly Recorded[];
  /** Throws DamagedLog where an event does not read back. */
  read(from: number, to: number): IterableIterator<Recorded>;
  find(query: EntryQuery): readonly number[];
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
 * signed last. Throws DamagedLog.
 */
export function openLog(store: LogStore, signer: Signer, random: (bytes: number) => Uint8Array): OpenedLog {
  let edge: Edge = emptyEdge();
  const origin = signer.verifierKey.name;

  function* readAll(): IterableIterator<Recorded> {
    let next = emptyEdge();
    for (const stored of store.read(0, Number.MAX_SAFE_INTEGER)) {
      const leaf = leafHash(stored.entry);
      if (!stored.leaf.equals(leaf)) throw new DamagedLog(`event ${stored.seq} is not what was recorded: its bytes do not have the stored hash`);
      if (stored.seq !== next.size) throw new DamagedLog(`event ${next.size} is missing: after it comes ${stored.seq}`);
      next = extend(next, leaf).edge;
      yield decode(store, stored);
    }
    checkHead(store, next, signer);
    edge = next;
  }

  const seal = (events: readonly Unsealed[], contents: readonly Payload[]): { readonly edge: Edge; readonly recorded: readonly Recorded[] } => {
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
      writer.checkpoint(next.size, signCheckpoint({ origin, size: next.size, root: rootOf(next) }, signer));
    });
    return { edge: next, recorded };
  };

  const log: Log = {
    store,
    size: () => edge.size,
    append(events, contents) {
      // The edge is a value: where the transaction fails, the old one is still the right one.
      const sealed = seal(events, contents);
      edge = sealed.edge;
      return sealed.recorded;
    },
    *read(from, to) {
      for (const stored of store.read(from, Math.min(to, edge.size))) yield decode(store, stored);
    },
    find: (query) => store.find(query),
    checkpoint: () => store.checkpoint()?.note ?? '',
    consistency(older) {
      const made = consistencyProof(older, edge.size, edgeTiles(edge, (level, n) => store.tile(level, n)));
      return made.ok ? made.proof.map(encodeHash) : undefined;
    },
  };
  return { log, events: readAll() };
}

function checkHead(store: LogStore, edge: Edge, signer: Signer): void {
  const newest = store.checkpoint();
  if (newest === undefined) {
    if (edge.size > 0) throw new DamagedLog(`the log has ${edge.size} events and no signed head`);
    return;
  }
  const opened = openCheckpoint(newest.note, signer.verifierKey);
  if (!opened.ok) throw new DamagedLog(`the newest signed head cannot be used: ${opened.problems.map(({ what }) => what).join('; ')}`);
  const { size, root } = opened.checkpoint;
  if (size !== edge.size) throw new DamagedLog(`the log has ${edge.size} events, but ${size} were signed`);
  if (Buffer.compare(root, rootOf(edge)) !== 0) throw new DamagedLog(`the ${size} events of the log do not give the root that was signed: something was altered`);
}

function decode(store: LogStore, { entry, body, reason }: StoredEntry): Recorded {
  return decodeEvent(entry, (sha256) => [body, reason].find((one) => one?.sha256 === sha256) ?? store.payload(sha256));
}

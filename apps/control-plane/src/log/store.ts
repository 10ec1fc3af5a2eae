/**
 * Where the log is kept: a small face, so that another database can stand behind it. Whatever does must pass the contract suite
 * (`test/log/store-contract.ts`): entries are contiguous (L1) and never changed (L3), and an append is whole, durable, or did not happen (L2).
 */
import type { StoredPayload, Payload } from './codec.ts';

export interface LogStore {
  /** Number of entries. */
  size(): number;
  /** Entries from `from` (inclusive) to `to` (exclusive), in order. */
  read(from: number, to: number): IterableIterator<StoredEntry>;
  /** The newest seqs that match, newest first. */
  find(query: EntryQuery): readonly number[];
  /** The seqs that an actor's idempotency key stands for, in order. */
  keyed(actorId: string, idem: string): readonly number[];
  payload(sha256: string): StoredPayload | undefined;
  hasPayload(sha256: string): boolean;
  /** A full tile of the tree. */
  tile(level: number, n: number): Uint8Array | undefined;
  /** The signed note at `size` entries, or the newest. */
  checkpoint(size?: number): StoredCheckpoint | undefined;
  /** Sizes of all signed heads, ascending. */
  checkpointSizes(): readonly number[];
  /**
   * One transaction: refuses (throws LogMoved) unless there are `expectedSize` entries, then runs `write`, then commits durably.
   * When it returns, what was written survives a crash, and what was erased is overwritten (in a journal that somebody reads just now, a little later); when it throws, nothing was written.
   */
  append(expectedSize: number, write: (writer: LogWriter) => void): void;
  /** Erases salted payloads, and only those. False where there is none to erase. */
  erase(sha256: string): boolean;
  close(): void;
}

/** Alive only inside `append`. */
export interface LogWriter {
  entry(seq: number, entry: Uint8Array, leaf: Uint8Array): void;
  /** A payload that is there already is kept as it is. */
  payload(payload: Payload): void;
  tile(level: number, n: number, bytes: Uint8Array): void;
  checkpoint(size: number, note: string): void;
  /** Erases a salted payload, and only such a one; what is gone already stays gone. */
  erase(sha256: string): void;
}

export interface StoredEntry {
  readonly seq: number;
  readonly entry: Buffer;
  readonly leaf: Buffer;
}

export interface StoredCheckpoint {
  readonly size: number;
  readonly note: string;
}

export interface EntryQuery {
  readonly limit: number;
  /** Exclusive. */
  readonly before: number;
  /** Inclusive. */
  readonly from: number;
  readonly types: readonly string[] | null;
  readonly actor: string | null;
}

/** Another writer has appended. */
export class LogMoved extends Error {
  override readonly name = 'LogMoved';
}

/** Whether nothing more fits: what was asked did not happen, and may be asked again when there is room. */
export function isFull(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === 'SQLITE_FULL' || error.code === 'ENOSPC');
}

/** Whether somebody else holds the file for longer than is waited: nothing was written, and it may be asked again. */
export function isBusy(error: unknown): boolean {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' && /^SQLITE_(BUSY|LOCKED|PROTOCOL)/.test(error.code);
}

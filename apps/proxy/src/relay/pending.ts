/**
 * Requests without an answer, by typed id: 1 and "1" are different requests. A cancelled one may still be answered, or never;
 * its id is free again, and the oldest cancelled are forgotten first.
 */
import type { Id } from './message.ts';

export interface PendingTable<Entry> {
  readonly size: number;
  has(id: Id): boolean;
  get(id: Id): Entry | undefined;
  /** Replaces a cancelled request of the same id. */
  add(id: Id, entry: Entry): void;
  /** Takes the request out; undefined where none waits for this answer. */
  take(id: Id): Entry | undefined;
  /** The request is no longer waited for, but a late answer is still known as its answer. */
  cancel(id: Id): void;
  /** Empties the table. Cancelled requests come too; they wait for no answer. */
  drain(): { readonly id: Id; readonly entry: Entry; readonly cancelled: boolean }[];
}

/** Late answers to more than that are not worth remembering. */
const MAX_CANCELLED = 256;

/** `forget` is called with each cancelled request that will not be answered any more. */
export function createPendingTable<Entry>(forget: (entry: Entry) => void): PendingTable<Entry> {
  const waiting = new Map<Id, Entry>();
  const cancelled = new Map<Id, Entry>();

  function forgetOne(id: Id): void {
    const entry = cancelled.get(id);
    cancelled.delete(id);
    if (entry !== undefined) forget(entry);
  }

  return {
    get size() {
      return waiting.size;
    },
    has: (id) => waiting.has(id),
    get: (id) => waiting.get(id),
    add(id, entry) {
      forgetOne(id);
      waiting.set(id, entry);
    },
    take(id) {
      const entry = waiting.get(id) ?? cancelled.get(id);
      if (!waiting.delete(id)) cancelled.delete(id);
      return entry;
    },
    cancel(id) {
      const entry = waiting.get(id);
      if (entry === undefined) return;
      waiting.delete(id);
      cancelled.set(id, entry);
      const oldest = cancelled.keys().next();
      if (cancelled.size > MAX_CANCELLED && oldest.done !== true) forgetOne(oldest.value);
    },
    drain() {
      const all = [
        ...[...waiting].map(([id, entry]) => ({ id, entry, cancelled: false })),
        ...[...cancelled].map(([id, entry]) => ({ id, entry, cancelled: true })),
      ];
      waiting.clear();
      cancelled.clear();
      return all;
    },
  };
}

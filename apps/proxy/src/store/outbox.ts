/**
 * Decisions on their way to the plane, at least once. A decision costs its call a push onto a list and nothing else. Ten times a second what
 * has gathered is sent, or, without a plane, appended to files that the next process sends if this one cannot. When even that is
 * too much, the oldest go first: the numbering of a boot is gapless, so that the plane sees what is missing.
 */
import { linkLimits } from '@portcullis/policy-core';
import type { DecisionRow } from '@portcullis/policy-core';
import { openSpool } from './spool.ts';

export interface Outbox {
  /** Never blocks, never throws, never writes. */
  add(row: DecisionRow): void;
  /** The plane listens; rows are handed to `send`, at most one batch unanswered at a time. */
  connected(send: (rows: readonly DecisionRow[]) => void): void;
  disconnected(): void;
  /** The plane has stored the batch that ends with this row. */
  acknowledged(boot: string, n: number): void;
  /** Sends or writes what is left, waiting no longer than `withinMs`. */
  close(withinMs: number): Promise<void>;
  /** Rows given up since the start. */
  readonly dropped: number;
}

/** What a crash may lose, and what a decision waits before it is seen. */
const TICK_MS = 100;
/** About 10 MB of rows between two ticks; more than a relay can judge in that time. */
const MAX_IN_MEMORY = 20_000;
/** How often closing looks whether the last batch was answered. */
const POLL_MS = 5;
/** Rows written in one go. */
const ROWS_PER_WRITE = 2_000;

/** Opens the outbox over a directory that all processes of one server share. Throws where the directory cannot be made. */
export function openOutbox(directory: string, now: () => number): Outbox {
  const spool = openSpool(directory, now);
  const memory: DecisionRow[] = [];
  let fromFile: DecisionRow[] = [];
  let sending: { readonly rows: readonly DecisionRow[]; readonly from: DecisionRow[] } | null = null;
  let send: ((rows: readonly DecisionRow[]) => void) | null = null;
  let busy: Promise<void> = Promise.resolve();
  let dropped = 0;

  function add(row: DecisionRow): void {
    memory.push(row);
    if (memory.length > MAX_IN_MEMORY) dropped += memory.splice(0, memory.length - MAX_IN_MEMORY).length;
  }

  /** One thing at a time touches the files. */
  function enqueue(work: () => Promise<void>): Promise<void> {
    busy = busy.then(work, work);
    return busy;
  }

  async function tick(): Promise<void> {
    if (send === null) return spill();
    if (sending !== null) return;
    if (fromFile.length === 0) fromFile = (await spool.next()) ?? [];
    if (!isSendable()) return;
    const source = fromFile.length > 0 ? fromFile : memory;
    const rows = source.splice(0, batchLength(source));
    if (rows.length === 0) return;
    sending = { rows, from: source };
    send(rows);
  }

  /** Asked again after every wait: the link may have gone meanwhile. */
  function isSendable(): boolean {
    return send !== null && sending === null;
  }

  async function spill(): Promise<void> {
    while (memory.length > 0) dropped += await spool.append(memory.splice(0, ROWS_PER_WRITE));
  }

  /** What was not answered is sent again. */
  function takeBack(): void {
    if (sending !== null) sending.from.unshift(...sending.rows);
    sending = null;
  }

  const timer = setInterval(() => void enqueue(tick), TICK_MS);

  return {
    add,
    connected: (to) => {
      send = to;
      void enqueue(tick);
    },
    disconnected: () => {
      send = null;
      takeBack();
    },
    acknowledged: (boot, n) => {
      const last = sending?.rows.at(-1);
      if (last?.boot !== boot || last.n !== n) return;
      sending = null;
      void enqueue(tick);
    },
    close: async (withinMs) => {
      clearInterval(timer);
      const deadline = performance.now() + withinMs;
      while (send !== null && (memory.length > 0 || sending !== null) && performance.now() < deadline) {
        await enqueue(tick);
        await new Promise((resolve) => setTimeout(resolve, POLL_MS));
      }
      send = null;
      takeBack();
      await enqueue(spill);
    },
    get dropped() {
      return dropped;
    },
  };
}

/** A frame carries rows of one boot, and not too many. */
function batchLength(rows: readonly DecisionRow[]): number {
  const boot = rows[0]?.boot;
  const end = rows.findIndex((row, index) => index >= linkLimits.MAX_BATCH_ROWS || row.boot !== boot);
  return end === -1 ? rows.length : end;
}

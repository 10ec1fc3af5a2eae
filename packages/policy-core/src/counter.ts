/** Counting, seen from the evaluator: what an allow depends on, and the small face of whatever keeps the counts. */
import type { Window } from './policy.ts';

/** Counters are kept apart by server, policy, entry as written, counter name and window (DESIGN: Counters). */
export interface CounterKey {
  readonly server: string;
  readonly policy: string;
  readonly entry: string;
  readonly counter: string;
  readonly window: Window;
}

/** One count that an allow depends on. Amount and limit are decimal texts: counting is exact. */
export interface Reservation {
  readonly key: CounterKey;
  readonly amount: string;
  /** Inclusive; null = counted, never enforced (an observed rule). */
  readonly limit: string | null;
}

/** What was taken, to be given back to the same windows and no others. */
export interface Receipt {
  readonly taken: readonly { readonly key: CounterKey; readonly windowStartMs: number; readonly amount: string }[];
}

export type ReserveOutcome =
  | { readonly ok: true; readonly receipt: Receipt }
  /** Nothing was taken; `failed` is the index of the first reservation that did not fit. */
  | { readonly ok: false; readonly failed: number };

/** Keeps counts. Synchronous, because a decision may not wait. Throws when the store cannot be used: the caller denies. */
export interface CounterStore {
  /** The count of the current window as a decimal text; `0` where nothing was counted. */
  read(key: CounterKey, nowMs: number): string;
  /** All or nothing. */
  reserve(reservations: readonly Reservation[], nowMs: number): ReserveOutcome;
  release(receipt: Receipt): void;
}

/**
 * How counting works, whatever keeps the rows: calendar-aligned UTC windows, exact decimals, all or nothing.
 *
 * A row holds one window. When the clock steps back, the row's window is later than the clock's: it is kept and counted
 * in until the clock has caught up, so that no step back ever frees budget. A clock that was wrong by a day counts that
 * day's window until the day is over.
 */
import type { CounterKey, Receipt, Reservation, ReserveOutcome } from './counter.ts';
import type { Decimal } from './decimal.ts';
import { add, compareDecimals, formatDecimal, parseDecimal, subtract, ZERO } from './decimal.ts';
import type { Window } from './policy.ts';
import { WINDOWS } from './policy.ts';

/** One counter at rest. */
export interface CounterRow {
  readonly windowStartMs: number;
  /** A decimal text. */
  readonly value: string;
}

/** Where rows are kept. The caller makes one reservation or release atomic. */
export interface CounterRows {
  get(key: CounterKey): CounterRow | null;
  put(key: CounterKey, row: CounterRow): void;
}

const LENGTH_MS: Readonly<Record<Window, number>> = { minute: 60_000, hour: 3_600_000, day: 86_400_000 };

/** The count of the current window as a decimal text. */
export function readCount(rows: CounterRows, key: CounterKey, nowMs: number): string {
  return currentRow(rows, key, nowMs).value;
}

/** Reserves all or nothing. Later reservations see the earlier ones, should two share a counter. */
export function reserveCounts(rows: CounterRows, reservations: readonly Reservation[], nowMs: number): ReserveOutcome {
  const pending = pendingRows(rows);
  const taken: Receipt['taken'][number][] = [];
  for (const [index, { key, amount, limit }] of reservations.entries()) {
    const current = currentRow(pending, key, nowMs);
    const sum = add(decimal(current.value), decimal(amount));
    if (limit !== null && compareDecimals(sum, decimal(limit)) > 0) return { ok: false, failed: index };
    pending.put(key, { windowStartMs: current.windowStartMs, value: formatDecimal(sum) });
    taken.push({ key, windowStartMs: current.windowStartMs, amount });
  }
  pending.keep();
  return { ok: true, receipt: { taken } };
}

/** Gives back what was taken, each to the window that it was taken from; where that is over, there is nothing to give back to. */
export function releaseCounts(rows: CounterRows, receipt: Receipt): void {
  for (const { key, windowStartMs, amount } of receipt.taken) {
    const row = rows.get(key);
    if (row?.windowStartMs !== windowStartMs) continue;
    const rest = subtract(decimal(row.value), decimal(amount));
    rows.put(key, { windowStartMs, value: formatDecimal(compareDecimals(rest, ZERO) < 0 ? ZERO : rest) });
  }
}

/** A text that names the key, without two keys sharing one. */
export function counterKeyText({ server, policy, entry, counter, window }: CounterKey): string {
  return JSON.stringify([server, policy, entry, counter, window]);
}

/** The row that counts now: the stored one if it is of this window or a later one, else one of nothing counted yet. */
function currentRow(rows: CounterRows, key: CounterKey, nowMs: number): CounterRow {
  const windowStartMs = windowStart(key.window, nowMs);
  const row = rows.get(key);
  if (row !== null) return row.windowStartMs >= windowStartMs ? row : { windowStartMs, value: '0' };
  return { windowStartMs, value: inherited(rows, key, windowStartMs) };
}

/**
 * A rule whose window was changed starts a new counter. Where the old window began at the same moment (an hour and a
 * day at midnight), what it counted is exactly what the new one would have, so it goes on from there, as in Intercept.
 */
function inherited(rows: CounterRows, key: CounterKey, windowStartMs: number): string {
  let most = ZERO;
  for (const window of WINDOWS) {
    if (window === key.window) continue;
    const row = rows.get({ ...key, window });
    if (row?.windowStartMs !== windowStartMs) continue;
    const value = decimal(row.value);
    if (compareDecimals(value, most) > 0) most = value;
  }
  return formatDecimal(most);
}

function windowStart(window: Window, nowMs: number): number {
  if (!Number.isFinite(nowMs)) throw new Error(`the time ${nowMs} is none`);
  const length = LENGTH_MS[window];
  return Math.floor(nowMs / length) * length;
}

/** Rows written here are seen here, and reach the store with `keep`. */
function pendingRows(rows: CounterRows): CounterRows & { keep(): void } {
  const written = new Map<string, readonly [CounterKey, CounterRow]>();
  return {
    get: (key) => written.get(counterKeyText(key))?.[1] ?? rows.get(key),
    put: (key, row) => void written.set(counterKeyText(key), [key, row]),
    keep() {
      for (const [key, row] of written.values()) rows.put(key, row);
    },
  };
}

function decimal(text: string): Decimal {
  const value = parseDecimal(text);
  if (value === null) throw new Error(`${JSON.stringify(text.slice(0, 40))} is no decimal number`);
  return value;
}

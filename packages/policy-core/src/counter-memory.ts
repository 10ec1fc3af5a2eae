/** Counts kept in memory: for tests of policies, for `eval`, and for a proxy whose counts need not survive it. */
import type { CounterStore } from './counter.ts';
import type { CounterRow, CounterRows } from './counter-windows.ts';
import { counterKeyText, readCount, releaseCounts, reserveCounts } from './counter-windows.ts';

/** Counters are as many as rules that count; this many are only reached where policies are replaced for years. */
const MAX_COUNTERS = 100_000;

/** A store that begins empty and forgets everything when it is dropped. */
export function memoryCounters(): CounterStore {
  const kept = new Map<string, CounterRow>();
  const rows: CounterRows = {
    get: (key) => kept.get(counterKeyText(key)) ?? null,
    put(key, row) {
      const text = counterKeyText(key);
      if (!kept.has(text) && kept.size >= MAX_COUNTERS) forgetOldest(kept);
      kept.set(text, row);
    },
  };
  return {
    read: (key, nowMs) => readCount(rows, key, nowMs),
    reserve: (reservations, nowMs) => reserveCounts(rows, reservations, nowMs),
    release: (receipt) => releaseCounts(rows, receipt),
  };
}

/** Drops a tenth, those whose windows began first, so that it is rarely done. */
function forgetOldest(kept: Map<string, CounterRow>): void {
  const oldest = [...kept].sort(([, a], [, b]) => a.windowStartMs - b.windowStartMs).slice(0, MAX_COUNTERS / 10);
  for (const [text] of oldest) kept.delete(text);
}

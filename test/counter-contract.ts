/** What every counter store must do, run on each of them. */
import { describe, expect, it } from 'vitest';
import type { CounterKey, CounterStore, Reservation, ReserveOutcome, Window } from '@portcullis/policy-core';

const HOUR = 3_600_000;
const NOON = Date.UTC(2026, 0, 5, 12);

/** Declares the suite; `open` gives a new, empty store for every test. */
export function describeCounterStore(name: string, open: () => CounterStore): void {
  describe(`counter store: ${name}`, () => {
    it('starts at 0, counts what is reserved, and reads it back as a decimal text', () => {
      const store = open();
      expect(store.read(key('calls'), NOON)).toBe('0');
      take(store, [claim('calls', '1', '3')]);
      take(store, [claim('calls', '2', '3')]);
      expect(store.read(key('calls'), NOON)).toBe('3');
    });

    it('refuses what would exceed an inclusive limit, and then changes nothing', () => {
      const store = open();
      take(store, [claim('calls', '3', '3')]);
      expect(store.reserve([claim('calls', '1', '3')], NOON)).toEqual({ ok: false, failed: 0 });
      expect(store.reserve([claim('calls', '0', '3')], NOON).ok).toBe(true);
      expect(store.read(key('calls'), NOON)).toBe('3');
    });

    it('takes all reservations or none, and says which was the first that did not fit', () => {
      const store = open();
      take(store, [claim('b', '10', '10')]);
      expect(store.reserve([claim('a', '1', '5'), claim('b', '1', '10'), claim('c', '9', '1')], NOON)).toEqual({ ok: false, failed: 1 });
      expect(['a', 'b', 'c'].map((counter) => store.read(key(counter), NOON))).toEqual(['0', '10', '0']);
    });

    it('lets later reservations of one call see the earlier ones', () => {
      const store = open();
      expect(store.reserve([claim('a', '2', '3'), claim('a', '2', '3')], NOON)).toEqual({ ok: false, failed: 1 });
      expect(store.read(key('a'), NOON)).toBe('0');
    });

    it('counts without a limit where there is none', () => {
      const store = open();
      take(store, [claim('a', '1000000', null)]);
      take(store, [claim('a', '1000000', null)]);
      expect(store.read(key('a'), NOON)).toBe('2000000');
    });

    it('adds decimals exactly and compares beyond 2^53', () => {
      const store = open();
      for (let i = 0; i < 10; i++) take(store, [claim('cents', '0.1', '1')]);
      expect(store.read(key('cents'), NOON)).toBe('1');
      expect(store.reserve([claim('cents', '0.01', '1')], NOON).ok).toBe(false);
      take(store, [claim('big', '9007199254740993', '9007199254740993')]);
      expect(store.read(key('big'), NOON)).toBe('9007199254740993');
      expect(store.reserve([claim('big', '0.0000000001', '9007199254740993')], NOON).ok).toBe(false);
      take(store, [claim('huge', '1e+300', '1e+301')]);
      expect(store.reserve([claim('huge', '9e300', '1e301')], NOON).ok).toBe(true);
      expect(store.reserve([claim('huge', '1', '1e301')], NOON).ok).toBe(false);
    });

    it.each([
      ['minute', 59_999, 60_000],
      ['hour', HOUR - 1, HOUR],
      ['day', 12 * HOUR - 1, 12 * HOUR],
    ] as const)('begins a new %s at its boundary, aligned to the UTC calendar', (window, lastMs, nextMs) => {
      const store = open();
      take(store, [claim('a', '1', '1', window)]);
      expect(store.reserve([claim('a', '1', '1', window)], NOON + lastMs).ok).toBe(false);
      expect(store.read(key('a', window), NOON + nextMs)).toBe('0');
      expect(store.reserve([claim('a', '1', '1', window)], NOON + nextMs).ok).toBe(true);
    });

    it('frees nothing when the clock steps back: the later window goes on until the clock is past it', () => {
      const store = open();
      take(store, [claim('a', '1', '2')], NOON + HOUR);
      expect(store.read(key('a'), NOON)).toBe('1');
      take(store, [claim('a', '1', '2')], NOON);
      expect(store.reserve([claim('a', '1', '2')], NOON - 5 * HOUR).ok).toBe(false);
      expect(store.reserve([claim('a', '1', '2')], NOON + HOUR).ok).toBe(false);
      expect(store.reserve([claim('a', '1', '2')], NOON + 2 * HOUR).ok).toBe(true);
    });

    it('gives back to the window that was taken from, and to no other', () => {
      const store = open();
      const receipt = take(store, [claim('a', '2', '5'), claim('d', '2', '5', 'day')]);
      take(store, [claim('a', '1', '5')]);
      store.release(receipt);
      expect(store.read(key('a'), NOON)).toBe('1');
      expect(store.read(key('d', 'day'), NOON)).toBe('0');

      const late = take(store, [claim('a', '1', '5')]);
      take(store, [claim('a', '1', '5')], NOON + HOUR);
      store.release(late);
      expect(store.read(key('a'), NOON + HOUR)).toBe('1');
    });

    it('never falls below 0, also when something is given back twice', () => {
      const store = open();
      const receipt = take(store, [claim('a', '2', '5')]);
      store.release(receipt);
      store.release(receipt);
      expect(store.read(key('a'), NOON)).toBe('0');
    });

    it('keeps keys apart in every part, whatever characters they hold', () => {
      const store = open();
      const base = key('a');
      const others: CounterKey[] = [
        { ...base, server: 'other' }, { ...base, policy: 'b.yaml' }, { ...base, entry: '*' }, { ...base, entry: 't,"x"' }, { ...base, counter: 'b' },
        { ...base, counter: '__proto__' }, { ...base, entry: 'constructor' }, { ...base, entry: "'; DROP TABLE counters; --" }, { ...base, entry: '', counter: 'ta' },
      ];
      take(store, [{ key: base, amount: '1', limit: null }]);
      for (const other of others) expect(store.read(other, NOON)).toBe('0');
      for (const other of others) take(store, [{ key: other, amount: '5', limit: null }]);
      expect(store.read(base, NOON)).toBe('1');
    });

    it('goes on from the old count where a changed window begins at the same moment, and from 0 elsewhere', () => {
      const midnight = Date.UTC(2026, 0, 5);
      const store = open();
      take(store, [claim('a', '2', '2', 'hour')], midnight + 60_000);
      expect(store.reserve([claim('a', '1', '2', 'day')], midnight + 120_000).ok).toBe(false);
      const later = open();
      take(later, [claim('a', '2', '2', 'hour')], NOON);
      expect(later.reserve([claim('a', '1', '2', 'day')], NOON).ok).toBe(true);
    });

    it('throws rather than counting what is no number', () => {
      const store = open();
      for (const amount of ['NaN', '+Inf', '', 'one', '1e9999', '0x10']) expect(() => store.reserve([claim('a', amount, '5')], NOON)).toThrow();
      expect(() => store.reserve([claim('a', '1', 'many')], NOON)).toThrow();
      expect(() => store.reserve([claim('a', '1', '5')], NaN)).toThrow();
      expect(store.read(key('a'), NOON)).toBe('0');
    });
  });
}

function key(counter: string, window: Window = 'hour'): CounterKey {
  return { server: 'github', policy: 'a.yaml', entry: 't', counter, window };
}

function claim(counter: string, amount: string, limit: string | null, window: Window = 'hour'): Reservation {
  return { key: key(counter, window), amount, limit };
}

function take(store: CounterStore, reservations: readonly Reservation[], nowMs = NOON): Extract<ReserveOutcome, { ok: true }>['receipt'] {
  const outcome = store.reserve(reservations, nowMs);
  if (!outcome.ok) throw new Error(`reservation ${outcome.failed} did not fit`);
  return outcome.receipt;
}

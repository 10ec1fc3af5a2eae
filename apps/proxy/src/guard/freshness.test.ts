import { describe, expect, it } from 'vitest';
import { anchored, holding, leaseAgeMs, leased, staleMs, startStale, ticked } from './freshness.ts';
import type { Clocks, Freshness } from './freshness.ts';

const at = (monoMs: number, wallMs = monoMs): Clocks => ({ monoMs, wallMs });
const PLANE = 1_000_000;

function fresh(): Freshness {
  return holding(anchored(startStale(0, at(0)), { version: 5, time: PLANE }, at(0)), 5);
}

describe('freshness', () => {
  it('[P3] a restarted proxy is stale until it is welcomed, for as long as before and since', () => {
    const started = startStale(60_000, at(0));
    expect(staleMs(started, at(1_000))).toBe(61_000);
    expect(staleMs(startStale(0, at(0)), at(0))).toBeGreaterThan(0);
    expect(staleMs(anchored(started, { version: 5, time: PLANE }, at(2_000)), at(3_000))).toBe(63_000);
  });

  it('stays fresh while leases come for what is held, and for nothing else', () => {
    let state = fresh();
    expect(staleMs(state, at(14_000))).toBe(0);
    expect(staleMs(state, at(16_000))).toBe(16_000);
    state = holding(leased(state, { version: 5, time: PLANE + 15_000 }), 5);
    expect(staleMs(state, at(16_000))).toBe(0);
    state = holding(leased(state, { version: 6, time: PLANE + 30_000 }), 5);
    expect(staleMs(state, at(31_000))).toBe(16_000);
    expect(staleMs(holding(state, null), at(31_000))).toBe(16_000);
    expect(staleMs(holding(state, 6), at(31_000))).toBe(0);
  });

  it('an echo of an old lease makes nothing younger', () => {
    const later = holding(leased(fresh(), { version: 5, time: PLANE + 5_000 }), 5);
    expect(leased(later, { version: 5, time: PLANE + 4_000 })).toBe(later);
    expect(leased(later, { version: 5, time: PLANE + 5_000 })).toBe(later);
  });

  it('counts sleep by the wall clock, and is not fooled by one that is set back', () => {
    const state = fresh();
    expect(staleMs(state, at(1_000, 3_600_000))).toBe(3_600_000);
    expect(staleMs(state, at(20_000, -3_600_000))).toBe(20_000);
    const noticed = ticked(state, at(1_000, 3_600_000));
    expect(staleMs(noticed, at(2_000, 2_000))).toBe(3_600_000);
    expect(leaseAgeMs(noticed, at(2_000, 2_000))).toBe(3_600_000);
  });
});

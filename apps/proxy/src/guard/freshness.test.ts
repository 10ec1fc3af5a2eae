import { describe, expect, it } from 'vitest';
import { anchored, holding, isAhead, leaseAgeMs, leased, staleMs, startStale, ticked } from './freshness.ts';
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
    state = holding(leased(state, { version: 5, time: PLANE + 15_000 }, at(16_000)), 5);
    expect(staleMs(state, at(16_000))).toBe(0);
    state = holding(leased(state, { version: 6, time: PLANE + 30_000 }, at(31_000)), 5);
    expect(staleMs(state, at(31_000))).toBe(16_000);
    expect(staleMs(holding(state, null), at(31_000))).toBe(16_000);
    expect(staleMs(holding(state, 6), at(31_000))).toBe(0);
  });

  it('an echo of an old lease makes nothing younger', () => {
    const later = holding(leased(fresh(), { version: 5, time: PLANE + 5_000 }, at(5_000)), 5);
    expect(leased(later, { version: 5, time: PLANE + 4_000 }, at(6_000))).toBe(later);
    expect(leased(later, { version: 5, time: PLANE + 5_000 }, at(6_000))).toBe(later);
  });

  it('counts sleep by the wall clock, and is not fooled by one that is set back', () => {
    const state = fresh();
    expect(staleMs(state, at(1_000, 3_600_000))).toBe(3_600_000);
    expect(staleMs(state, at(20_000, -3_600_000))).toBe(20_000);
    const noticed = ticked(state, at(1_000, 3_600_000));
    expect(staleMs(noticed, at(2_000, 2_000))).toBe(3_601_000);
    expect(leaseAgeMs(noticed, at(2_000, 2_000))).toBe(3_601_000);
  });

  it('[P3] a plane whose clock is set back or forward makes nothing younger', () => {
    // Set back by an hour while the proxy was connected: what it knew is 10 s old, not an hour in the future.
    const back = anchored(fresh(), { version: 6, time: PLANE - 3_600_000 }, at(10_000));
    expect(staleMs(back, at(15_000))).toBe(0);
    expect(staleMs(back, at(16_000))).toBe(16_000);
    // Set forward by an hour: its leases say nothing before the time has been asked for again.
    const ahead = { version: 5, time: PLANE + 3_605_000 };
    expect(isAhead(fresh(), ahead, at(5_000))).toBe(true);
    expect(staleMs(holding(leased(fresh(), ahead, at(5_000)), 5), at(16_000))).toBe(16_000);
    expect(staleMs(holding(anchored(fresh(), ahead, at(5_000)), 5), at(21_000))).toBe(16_000);
  });

  it('[P3] a plane whose clock runs a little faster counts by ours, and the echo of its lease for nothing', () => {
    const lease = { version: 5, time: PLANE + 9_000 };
    const state = holding(leased(fresh(), lease, at(5_000)), 5);
    expect(staleMs(state, at(20_000))).toBe(0);
    expect(staleMs(state, at(21_000))).toBe(16_000);
    expect(leased(state, lease, at(8_000))).toBe(state);
  });

  it('[P3] a sleep counts though the wall clock was set back before', () => {
    const back = ticked(fresh(), at(5_000, 5_000 - 3_600_000));
    const slept = at(6_000, 6_000 - 3_600_000 + 60_000);
    expect(staleMs(back, slept)).toBe(66_000);
    const waiting = ticked(startStale(0, at(0)), at(5_000, 5_000 - 3_600_000));
    expect(staleMs(waiting, slept)).toBeGreaterThanOrEqual(66_000);
  });

  it('[P3] a clock that is set back after a sleep does not stand still', () => {
    const woken = ticked(fresh(), at(5_000, 65_000));
    const back = ticked(woken, at(10_000, 60_000));
    expect(staleMs(back, at(20_000, 70_000))).toBe(80_000);
  });
});

import { describe, expect, it } from 'vitest';
import { createThrottle } from './throttle.ts';

describe('throttle', () => {
  it('admits a burst, then one each refill, for each caller apart', () => {
    const throttle = createThrottle(3, 1_000);
    expect([0, 0, 0, 0, 999, 1_000, 1_001].map((nowMs) => throttle.admit('a', nowMs))).toEqual([true, true, true, false, false, true, false]);
    expect(throttle.admit('b', 1_001)).toBe(true);
  });

  it('is not refilled by a clock that goes back, and forgets no more than it must', () => {
    const throttle = createThrottle(1, 1_000);
    expect([5_000, 0, 0, 900].map((nowMs) => throttle.admit('a', nowMs))).toEqual([true, false, false, false]);
    for (let n = 0; n < 9_998; n += 1) throttle.admit(`caller ${n}`, 900);
    expect(throttle.admit('a', 900)).toBe(false);
  });
});

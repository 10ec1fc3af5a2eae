/** Worlds in which something was wrong once, each by the name of what it was. A world changes when its rules do; what it found stays mended. */
import { describe, expect, it } from 'vitest';
import { run } from './run.ts';

const SEEDS: readonly (readonly [number, string])[] = [
  [5, 'a plane whose clock was set back made what proxies knew look younger than it was'],
  [9, 'content that was refused because it was shown to the wrong audience was never offered again to the right one'],
  [12, 'a sleep did not count after the clock had been set back'],
  [39, 'a frame taken on a lost connection undid what had been taken on the next one'],
  [43, 'an acknowledged restriction was forgotten in the same way'],
  [45, 'a proxy killed within its first half minute did not know how long it had been stale'],
  [36, 'what a proxy refused was forgotten when its connection was replaced'],
  [50, 'two processes of one server: what one had found unchanged was not on the disk that the other had written'],
];

describe('worlds that were broken once', () => {
  it.each(SEEDS)('%i: %s', async (seed) => {
    expect((await run(seed)).broken).toBeNull();
  });
});

/**
 * Worlds in which a law did not hold once, each by the name of what it was. What was wrong in the code is also a mutant (mutants.ts), so that it
 * is missed in whatever world comes next: a seed is another world as soon as the rules of worlds change.
 */
import { describe, expect, it } from 'vitest';
import { run } from './run.ts';

const SEEDS: readonly (readonly [number, string])[] = [
  [17, 'who was in the middle of connecting when frames were lost waited for longer than anybody who was connected'],
  [99, 'nothing was held, and for how long that was stale had gone with the power'],
  [392, 'a clock was set back while the disk was full, so that nobody could know any more how stale the next process began'],
];

describe('worlds that were broken once', () => {
  it.each(SEEDS)('%i: %s', async (seed) => {
    expect((await run(seed)).broken).toBeNull();
  });
});

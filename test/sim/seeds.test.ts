/**
 * Worlds in which a law did not hold once, each by the name of what it was. What was wrong in the code is also a mutant (mutants.ts), so that it
 * is missed in whatever world comes next: a seed is another world as soon as the rules of worlds change.
 */
import { describe, expect, it } from 'vitest';
import { run } from './run.ts';

const SEEDS: readonly (readonly [number, string])[] = [
  [68, 'what a head spoke of was removed by another process of the server while the head was being stored, on a slow disk'],
  [412, 'one of two processes had never seen a restriction that the other one obeyed until its lift, and left the record with which both began anew'],
];

describe('worlds that were broken once', () => {
  it.each(SEEDS)('%i: %s', async (seed) => {
    expect((await run(seed)).broken).toBeNull();
  });
});

import { compileGlob } from '@portcullis/policy-core';
import { describe, expect, it } from 'vitest';
import { globsMeet, overlaps } from './overlap.ts';

const match = (server: string[], labels: Record<string, string[]> = {}) => ({ server, labels, upstream: [] });

describe('overlap', () => {
  it('[F3] finds that two globs meet exactly where some short text matches both', () => {
    const alphabet = ['a', 'b', '*', '?'];
    const texts = words(['a', 'b'], 5);
    for (const left of words(alphabet, 3)) {
      for (const right of words(alphabet, 3)) {
        const witness = texts.some((text) => compileGlob(left)(text) && compileGlob(right)(text));
        expect([left, right, globsMeet(left, right)]).toEqual([left, right, witness]);
      }
    }
  });

  it('[F3] compares servers and the labels that both name', () => {
    expect(overlaps(match(['github']), match(['git*']))).toBe(true);
    expect(overlaps(match(['github']), match(['gitlab', 'jira']))).toBe(false);
    expect(overlaps(match(['*'], { env: ['prod'] }), match(['*'], { env: ['dev'] }))).toBe(false);
    expect(overlaps(match(['*'], { env: ['prod'] }), match(['*'], { team: ['a'] }))).toBe(true);
    expect(overlaps(match(['*'], { env: ['prod'] }), match(['x'], { env: ['dev', 'p*'] }))).toBe(true);
    expect(overlaps(match(['*'], { constructor: ['a'] }), match(['*']))).toBe(true);
  });
});

function words(alphabet: readonly string[], longest: number): readonly string[] {
  let last = [''];
  const all = [''];
  for (let length = 1; length <= longest; length++) {
    last = last.flatMap((word) => alphabet.map((letter) => word + letter));
    all.push(...last);
  }
  return all;
}

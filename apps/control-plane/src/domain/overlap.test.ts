import { compileGlob } from '@portcullis/policy-core';
import type { Match } from '@portcullis/policy-core';
import { describe, expect, it } from 'vitest';
import { firstSeed, random } from '../../../../test/domain/random.ts';
import { globsMeet, overlapAmong, overlaps } from './overlap.ts';

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

  it('[F3] finds one among many exactly where asking each of them does', () => {
    const seed = firstSeed();
    const dice = random(seed);
    const name = (): string => `${dice.pick(['a', 'b', 'constructor', '__proto__'])}${dice.pick(['', '1', '2', '*', '?'])}`;
    const any = () => match(dice.chance(0.5) ? [name()] : [name(), name()], dice.chance(0.5) ? { env: [dice.pick(['prod', 'p*', 'dev'])] } : {});
    for (let n = 0; n < 2_000; n++) {
      const others = Array.from({ length: dice.int(5) }, (_, at): [string, Match] => [`o${at}`, any()]);
      const asked = any();
      const all = others.filter(([, other]) => overlaps(asked, other)).map(([id]) => id);
      const found = overlapAmong(others)(asked);
      expect(found === undefined ? all.length === 0 : all.includes(found), `SEED=${seed}: ${JSON.stringify([asked, others])}`).toBe(true);
    }
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

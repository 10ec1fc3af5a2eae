import { describe, expect, it } from 'vitest';
import { compileGlob, namesNothing } from './glob.ts';

describe('globs', () => {
  it.each([
    ['*', '', true],
    ['*', 'a/b.c', true],
    ['a*', 'a', true],
    ['a*', 'ba', false],
    ['*.example.com', 'x.example.com', true],
    ['*.example.com', 'example.com', false],
    ['a*a', 'a', false],
    ['a*a', 'aa', true],
    ['get_?', 'get_x', true],
    ['get_?', 'get_', false],
    ['?', '😀', true],
    ['??', '😀', false],
    ['?*', '', false],
    ['a**b', 'ab', true],
    ['*ab*ab*', 'abab', true],
    ['*ab*ab*', 'aab', false],
    ['Read', 'read', false],
    ['[a]', 'a', false],
    ['a.c', 'abc', false],
    ['constructor', 'constructor', true],
    ['*\ud83d', '😀', false],
  ])('%s on %s: %s', (pattern, text, expected) => {
    expect(compileGlob(pattern)(text)).toBe(expected);
  });

  it('agrees with the definition, read out loud', () => {
    const seed = Number(process.env['PORTCULLIS_SEED'] ?? 7);
    const random = generator(seed);
    const pick = (alphabet: readonly string[], length: number): string => Array.from({ length }, () => alphabet[random(alphabet.length)] ?? '').join('');
    for (let round = 0; round < 20_000; round++) {
      const pattern = pick(['a', 'b', '*', '?', '😀'], random(7));
      const text = pick(['a', 'b', '😀'], random(9));
      expect(compileGlob(pattern)(text), `seed ${seed}: ${pattern} on ${text}`).toBe(defined(Array.from(pattern), Array.from(text)));
    }
  });

  it('agrees with a regular expression where the parts between stars are long', () => {
    const seed = Number(process.env['PORTCULLIS_SEED'] ?? 7);
    const random = generator(seed);
    const repeat = (alphabet: readonly string[], runs: number): string => Array.from({ length: runs }, () => (alphabet[random(alphabet.length)] ?? '').repeat(1 + random(20))).join('');
    let matched = 0;
    for (let round = 0; round < 2_000; round++) {
      const middle = repeat(['a', 'b', 'ab', '😀'], 4 + random(8));
      // A part of the text with some points made wild, and now and then one that is not there.
      const segment = Array.from(middle, (point) => (random(9) === 0 ? '?' : random(200) === 0 ? 'c' : point)).join('');
      const pattern = `${'a*'.repeat(random(2))}*${segment}*${'?'.repeat(random(2))}`;
      const text = `${repeat(['a', 'b'], random(4))}${middle}${repeat(['a', '😀'], random(4))}`;
      const expression = new RegExp(`^${pattern.replace(/[*?]/g, (sign) => (sign === '*' ? '[^]*' : '[^]'))}$`, 'u');
      const expected = expression.test(text);
      if (expected) matched++;
      expect(compileGlob(pattern)(text), `seed ${seed}: ${pattern} on ${text}`).toBe(expected);
    }
    expect(matched).toBeGreaterThan(200);
  });

  it('[E5] takes time linear in the text, also where it nearly holds everywhere', () => {
    const text = 'a'.repeat(1_000_000);
    for (const pattern of [`*${'a'.repeat(900)}?b*`, `*${'a'.repeat(500)}b${'a'.repeat(500)}*`, `*?${'a'.repeat(450)}b${'a?'.repeat(200)}*`]) expect(compileGlob(pattern)(text)).toBe(false);
  });

  it('[E5] takes time linear in the text, also for patterns that make backtracking explode', () => {
    const glob = compileGlob(`${'a*'.repeat(500)}b`);
    const withQuestions = compileGlob(`${'?a*'.repeat(300)}b`);
    const text = 'a'.repeat(200_000);
    expect(glob(text)).toBe(false);
    expect(withQuestions(text)).toBe(false);
  });
});

/** What a glob means, without any cleverness. */
function defined(pattern: readonly string[], text: readonly string[]): boolean {
  const [head, ...rest] = pattern;
  if (head === undefined) return text.length === 0;
  if (head === '*') return defined(rest, text) || (text.length > 0 && defined(pattern, text.slice(1)));
  return text.length > 0 && (head === '?' || head === text[0]) && defined(rest, text.slice(1));
}

/** Numbers below a bound, the same for the same seed. */
function generator(seed: number): (bound: number) => number {
  let state = seed >>> 0;
  return (bound) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * bound);
  };
}

it.each<[pattern: string, nothing: boolean]>([
  ['*', true], ['**', true], ['?*', true], ['*?', true], ['*?*', true], ['??*', true], ['', false], ['?', false], ['???', false], ['a*', false], ['* ', false], ['x', false],
])('%j names nothing: %s', (pattern, nothing) => {
  expect(namesNothing(pattern)).toBe(nothing);
});

import { describe, expect, it } from 'vitest';
import { compileFind, SHORT_NEEDLE } from './find-text.ts';

describe('finding a text', () => {
  it('finds what indexOf finds', () => {
    const seed = Number(process.env['PORTCULLIS_SEED'] ?? 11);
    let state = seed >>> 0;
    const below = (bound: number): number => {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      return Math.floor((state / 2 ** 32) * bound);
    };
    let found = 0;
    for (let round = 0; round < 5_000; round++) {
      // Few letters and long runs, so that beginnings of the needle are everywhere.
      const text = Array.from({ length: 40 }, () => 'ab😀'[below(3)]?.repeat(1 + below(12)) ?? '').join('');
      const start = below(text.length);
      const needle = below(2) === 0 ? text.slice(start, start + SHORT_NEEDLE + 1 + below(40)) : 'a'.repeat(below(30)) + 'b' + 'a'.repeat(below(30));
      const from = below(text.length + 2);
      const at = text.indexOf(needle, from);
      if (at !== -1) found++;
      expect(compileFind(needle)(text, from), `seed ${seed}: ${needle} in ${text} from ${from}`).toBe(at);
    }
    expect(found).toBeGreaterThan(500);
  });

  it('[E5] takes no longer for a long needle than for a short one', () => {
    const text = 'a'.repeat(1_000_000);
    const needles = [`${'a'.repeat(25_000)}b${'a'.repeat(25_000)}`, `b${'a'.repeat(50_000)}`, `${'a'.repeat(50_000)}b`, 'ab'.repeat(25_000), `${'a'.repeat(16)}b${'a'.repeat(15)}`];
    for (const needle of needles) expect(compileFind(needle)(text, 0)).toBe(-1);
  });
});

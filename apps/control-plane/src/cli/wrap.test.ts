import { describe, expect, it } from 'vitest';
import { random } from '../../../../test/random.ts';
import { WIDTH, wrapped } from './wrap.ts';

const SEED = 20260105;

describe('a long line', () => {
  it(`fits, loses nothing but blanks, and begins no line as if it were ours (seed ${SEED})`, () => {
    const at = random(SEED);
    for (let round = 0; round < 2_000; round += 1) {
      const line = ' '.repeat(at.below(12)) + at.some(60, () => at.pick(['a', 'word', 'FORGED:', '😀'.repeat(at.below(40)), 'x'.repeat(at.below(300)), ' '])).join(at.pick([' ', '  ', '']));
      const width = at.pick([60, WIDTH]);
      const lines = wrapped(line, width);
      for (const one of lines) expect(Array.from(one).length).toBeLessThanOrEqual(width);
      for (const one of lines.slice(1)) expect(one).toMatch(/^ +│ /);
      const rejoined = lines.map((one, n) => (n === 0 ? one : one.replace(/^ +│ /, ''))).join('');
      expect(rejoined.replaceAll(' ', '')).toBe(line.replaceAll(' ', ''));
    }
  });

  it('leaves commands in one piece, which people copy', () => {
    const command = 'portcullis-proxy trust portcullis.local/abcd1234';
    for (let n = 20; n < 110; n += 1) {
      const lines = wrapped(`  ${'x '.repeat(n)}run on the host: ${command}, then portcullis hold release a b.yaml --as admin. And so on`);
      expect(lines.filter((line) => line.includes(command)), lines.join('\n')).toHaveLength(1);
      expect(lines.filter((line) => line.includes('portcullis hold release a b.yaml --as admin'))).toHaveLength(1);
      for (const line of lines) expect(line.length).toBeLessThanOrEqual(WIDTH);
    }
  });

  it('breaks between words, and keeps what fits as it is', () => {
    expect(wrapped('  a short one')).toEqual(['  a short one']);
    expect(wrapped(`  ${'word '.repeat(30)}end`)).toEqual([`  ${'word '.repeat(19)}word`.slice(0, 96), expect.stringMatching(/^ {6}│ (word )+end$/)]);
  });
});

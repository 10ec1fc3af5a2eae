import { describe, expect, it } from 'vitest';
import { linesOf, printable, shorten } from './printable.ts';
import { ago, moment, table } from './table.ts';

describe('tables', () => {
  const columns = [
    { title: 'id', cell: (row: readonly string[]) => row[0] ?? '' },
    { title: 'what', cell: (row: readonly string[]) => row[1] ?? '', least: 10 },
    { title: 'why', cell: (row: readonly string[]) => row[2] ?? '', least: 5 },
  ];

  it('fit 100 columns whatever the cells hold, and keep what may not shrink', () => {
    for (const [what, why] of [['x'.repeat(500), 'y'.repeat(500)], ['x', 'y'.repeat(500)], ['😀'.repeat(300), 'y']] as const) {
      const lines = table(columns, [['identifier-1', what, why], ['2', 'short', '']]);
      for (const line of lines) expect(Array.from(line).length).toBeLessThanOrEqual(100);
      expect(lines[1]).toContain('identifier-1');
    }
  });

  it('are empty without rows, and have no blanks at line ends', () => {
    expect(table(columns, [])).toEqual([]);
    for (const line of table(columns, [['1', 'a', ''], ['2', '', '']])) expect(line).toBe(line.trimEnd());
  });
});

describe('text from elsewhere', () => {
  it('cannot move the cursor, colour, hide or reverse anything', () => {
    for (const evil of ['\u001b[2J', '\r', '\b', '\u0000', '\u009b31m', '\u202e', '\u2066', '\u200b', '\ufeff', '\u061c', '\ud800', '\n']) {
      const shown = printable(`a${evil}b`);
      expect(shown, JSON.stringify(evil)).toMatch(/^[\u0020-\u007e]+$/);
      expect(shown).toContain('\\u{');
    }
    expect(printable('Zoë 😀 名')).toBe('Zoë 😀 名');
    expect(linesOf('a\tb\n\u001bc').map(printable)).toEqual(['a  b', '\\u{1b}c']);
  });

  it('is shortened by characters, not by halves of them', () => {
    expect(shorten('😀😀😀', 2)).toBe('😀…');
    expect(shorten('abc', 3)).toBe('abc');
  });
});

describe('times', () => {
  it('are said in the unit that fits', () => {
    expect([0, 99_000, 100_000, 5_940_000, 7_200_000, 300_000_000].map((ms) => ago(0, ms))).toEqual(['0 s', '99 s', '2 min', '99 min', '2 h', '3 d']);
    expect(ago(10, 0)).toBe('0 s');
    expect(moment(Date.UTC(2026, 0, 5, 12))).toBe('2026-01-05 12:00:00Z');
  });
});

import { describe, expect, it } from 'vitest';
import { content, createFraming } from './framing.ts';

function frame(maxLineBytes: number, chunks: readonly string[], end = true): { lines: string[]; tooLong: string[] } {
  const lines: string[] = [];
  const tooLong: string[] = [];
  const framing = createFraming(maxLineBytes, {
    line: (line) => lines.push(line.toString()),
    tooLong: ({ head, tail }) => tooLong.push(`${head.toString().slice(0, 3)}…${tail.toString().slice(-3)}`),
  });
  for (const chunk of chunks) framing.push(Buffer.from(chunk));
  if (end) framing.end();
  return { lines, tooLong };
}

describe('framing', () => {
  it('hands on lines with their ends, the last one without, and no blank ones', () => {
    expect(frame(100, ['a\nb', 'c\r\n', '\n \t\r\n', 'd']).lines).toEqual(['a\n', 'bc\r\n', 'd']);
    expect(frame(100, ['a\nb'], false).lines).toEqual(['a\n']);
  });

  it('splits the same wherever chunks end', () => {
    const text = 'one\ntwo\r\n\nüñ😀\nlast';
    const bytes = Buffer.from(text);
    for (let at = 0; at <= bytes.length; at++) {
      const lines: string[] = [];
      const framing = createFraming(100, { line: (line) => lines.push(line.toString()), tooLong: () => undefined });
      framing.push(bytes.subarray(0, at));
      framing.push(bytes.subarray(at));
      framing.end();
      expect(lines).toEqual(['one\n', 'two\r\n', 'üñ😀\n', 'last']);
    }
  });

  it('throws away what is above the cap, keeps both ends of it, and goes on with the next line', () => {
    for (const chunks of [['abcdefghijkl\nx\n'], ['abc', 'def', 'ghi', 'jkl', '\nx\n'], ['abcdefghijkl', '\n', 'x\n']]) {
      expect(frame(10, chunks)).toEqual({ lines: ['x\n'], tooLong: ['abc…kl\n'] });
    }
    expect(frame(13, ['abcdefghijkl\n']).lines).toEqual(['abcdefghijkl\n']);
    expect(frame(12, ['abcdefghijkl\n']).tooLong).toHaveLength(1);
    expect(frame(10, ['abcdefghijkl']).tooLong).toEqual(['abc…jkl']);
  });

  it('takes time and memory in proportion to the bytes: 64 MB in small chunks, kept or thrown away', () => {
    const chunk = Buffer.alloc(4096, 120);
    for (const cap of [1024 * 1024 * 1024, 1024 * 1024]) {
      let seen = 0;
      const framing = createFraming(cap, { line: (line) => (seen = line.length), tooLong: () => (seen = -1) });
      const started = performance.now();
      for (let n = 0; n < 16_384; n++) framing.push(chunk);
      framing.push(Buffer.from('\n'));
      expect(seen).toBe(cap > 1e8 ? 16_384 * 4096 + 1 : -1);
      expect(performance.now() - started).toBeLessThan(3000);
    }
  });

  it('takes line ends off', () => {
    expect(['a\n', 'a\r\n', 'a\r', 'a', '\n', '', 'a\r\r\n'].map((line) => content(Buffer.from(line)).toString())).toEqual(['a', 'a', 'a', 'a', '', '', 'a\r']);
  });
});

import { describe, expect, it } from 'vitest';
import { InexactNumber } from './json.ts';
import type { JsonProblemCode } from './strict-json.ts';
import { parseStrict } from './strict-json.ts';

const LIMITS = { maxDepth: 64, maxValues: 10_000 };

function code(text: string, limits = LIMITS): JsonProblemCode | 'OK' {
  const read = parseStrict(text, limits);
  return read.ok ? 'OK' : read.problem.code;
}

describe('[P2] what parsers disagree about is refused', () => {
  const cases: readonly [JsonProblemCode, string][] = [
    ['DUPLICATE_KEY', '{"a":1,"a":1}'],
    ['DUPLICATE_KEY', '{"a":1,"\\u0061":2}'],
    ['DUPLICATE_KEY', '{"x":[{"b":{},"c":[],"b":0}]}'],
    ['DUPLICATE_KEY', '{"__proto__":1,"__proto__":2}'],
    ['DUPLICATE_KEY', '{"":1,"":2}'],
    ['DUPLICATE_KEY', `{${Array.from({ length: 20 }, (_, i) => `"k${i}":0`).join()},"k0":1}`],
    ['DUPLICATE_KEY', `{${Array.from({ length: 20 }, (_, i) => `"k${i}":{"z":{"y":0}}`).join()},"k19":1}`],
    ['NUMBER_RANGE', '[1e400]'],
    ['NUMBER_RANGE', '{"a":[{"y":-1e999}]}'],
    ['NUMBER_RANGE', `[${'9'.repeat(400)}]`],
    ['NUMBER_RANGE', `[0.${'1'.repeat(1000)}]`],
    ['LONE_SURROGATE', '"\\ud800"'],
    ['LONE_SURROGATE', '"\\uDC00\\ud800"'],
    ['LONE_SURROGATE', '{"\\udfff":1}'],
    ['LONE_SURROGATE', '"\ud800"'],
    ['TOO_DEEP', '['.repeat(65) + ']'.repeat(65)],
    ['TOO_DEEP', '{"a":'.repeat(65) + '1' + '}'.repeat(65)],
    ['TOO_MANY_VALUES', `[${Array(10_001).fill('1').join()}]`],
    ['TOO_MANY_VALUES', `[${Array(5001).fill('[]').join()}]`],
    ...['', ' ', '{', '"', '{"a"}', '{"a":1,}', '[1,]', 'NaN', '[NaN]', 'Infinity', '-', '01', '1.', '.5', '+1', '0x1', "{'a':1}", '{a:1}', '[1 2]', '{} {}', '[]]',
      '\ufeff{}', '\u00a0{}', '\v{}', '// c\n{}', '{"a":1}\u0000', '"\t"', '"\\x41"', '"\\u12"', '{"\\q":1}', 'tru', '[1e]', '--1', '1-1'].map((text) => ['SYNTAX', text] as [JsonProblemCode, string]),
  ];
  it.each(cases)('%s %s', (expected, text) => expect(code(text)).toBe(expected));
});

describe('what is unambiguous is read', () => {
  it('reads the same value as JSON.parse', () => {
    for (const text of ['{"a":{"a":{"a":1}},"b":[{"a":1},{"a":1}]}', '["a","a"]', '"\\ud83d\\ude00 \\" \\\\"', '{"a\\\\":1,"a":2}', 'null', ' [ true , false , -0 ] ', '1', '"x"', '{"":0}']) {
      expect(parseStrict(text, LIMITS)).toEqual({ ok: true, value: JSON.parse(text) as unknown, inexact: false });
    }
  });

  it('treats __proto__ and constructor as keys, with exact and with inexact numbers', () => {
    for (const number of ['1', '9007199254740993']) {
      const read = parseStrict(`{"__proto__":{"admin":true},"constructor":${number}}`, LIMITS);
      if (!read.ok) throw new Error(read.problem.message);
      expect(Object.keys(read.value as object)).toEqual(['__proto__', 'constructor']);
      expect(Object.getPrototypeOf(read.value)).toBe(Object.prototype);
    }
  });

  it.each(['0.1', '1.0', '-0', '0.0', '1e2', '1E+2', '9007199254740992', '1e308', '5e-324', '0e999999999999', '100000000000000000000', '123456789012345', '0.30000000000000004', '-1.50'])(
    '%s is exact', (number) => expect(parseStrict(`[${number}]`, LIMITS)).toEqual({ ok: true, value: [Number(number)], inexact: false }),
  );

  it.each(['9007199254740993', '-9007199254740993', '12345678901234567890123', '0.1000000000000000055', '1e-400', '9007199254740992.5', '1.00000000000000000001', '4.9e-324'])(
    '%s keeps its text', (number) => {
      const read = parseStrict(` { "a\\n" : [ ${number} , {"b":true,"c":null,"d":false}, "x" , 2 ] } `, LIMITS);
      expect(read).toEqual({ ok: true, value: { 'a\n': [new InexactNumber(number), { b: true, c: null, d: false }, 'x', 2] }, inexact: true });
    },
  );

  it('finds a duplicate after a nested object that switched to many keys', () => {
    const many = `{${Array.from({ length: 30 }, (_, i) => `"k${i}":0`).join()}}`;
    expect(code(`{"a":${many},"b":${many}}`)).toBe('OK');
    expect(code(`{"a":${many},"b":${many},"a":0}`)).toBe('DUPLICATE_KEY');
  });
});

describe('laws, with seeded values', () => {
  const seed = Number(process.env['SEED'] ?? 20261122);
  const random = mulberry32(seed);
  const pick = <T>(items: readonly T[]): T => items[Math.floor(random() * items.length)] as T;

  function anyValue(depth: number): unknown {
    const kind = Math.floor(random() * (depth > 0 ? 7 : 5));
    if (kind === 0) return null;
    if (kind === 1) return random() < 0.5;
    if (kind === 2) return pick([0, -1, 1.5, 1e21, 2 ** 53, -1e-7, random(), Math.floor(random() * 1e6)]);
    if (kind <= 4) return anyString();
    if (kind === 5) return Array.from({ length: Math.floor(random() * 5) }, () => anyValue(depth - 1));
    return Object.fromEntries(Array.from({ length: Math.floor(random() * 14) }, () => [anyString(), anyValue(depth - 1)]));
  }
  function anyString(): string {
    return Array.from({ length: Math.floor(random() * 6) }, () => pick(['a', 'b', '"', '\\', '\n', '😀', 'é', '{', '}', ',', ':', '\u2028', '__proto__', '0'])).join('');
  }

  it(`reads every value that JSON.stringify writes (seed ${seed})`, () => {
    for (let i = 0; i < 2000; i++) {
      const text = JSON.stringify(anyValue(5), null, pick([undefined, 1]));
      expect(parseStrict(text, LIMITS)).toEqual({ ok: true, value: JSON.parse(text) as unknown, inexact: false });
    }
  });

  it(`agrees with JSON.parse about the grammar of mutated texts, and never throws (seed ${seed})`, () => {
    for (let i = 0; i < 4000; i++) {
      const original = JSON.stringify(anyValue(3));
      const at = Math.floor(random() * (original.length + 1));
      const text = original.slice(0, at) + pick(['"', '\\', '{', '}', '[', ']', ',', ':', '1', 'e', '-', '.', ' ', 'x', '']) + original.slice(at + Math.floor(random() * 2));
      const read = parseStrict(text, LIMITS);
      if (read.ok && read.inexact) expect(text).toMatch(/\d{16}/);
      else if (read.ok) expect(read.value).toEqual(JSON.parse(text));
      else if (read.problem.code === 'SYNTAX') expect(() => JSON.parse(text) as unknown).toThrow();
    }
  });

  it(`finds a repeated key wherever it stands (seed ${seed})`, () => {
    for (let i = 0; i < 500; i++) {
      const object = anyValue(4);
      if (typeof object !== 'object' || object === null || Array.isArray(object) || Object.keys(object).length === 0) continue;
      const text = JSON.stringify(object);
      const key = JSON.stringify(pick(Object.keys(object)));
      const nested = '['.repeat(i % 10) + `${text.slice(0, -1)},${key}:0}` + ']'.repeat(i % 10);
      expect(code(nested)).toBe('DUPLICATE_KEY');
    }
  });
});

function mulberry32(seed: number): () => number {
  let a = seed | 0;
  return () => {
    a = (a + 0x6d2b79f5) | 0;
    let t = Math.imul(a ^ (a >>> 15), a | 1);
    t = (t + Math.imul(t ^ (t >>> 7), t | 61)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

import { describe, expect, it } from 'vitest';
import { InexactNumber } from '../json.ts';
import type { JsonValue } from '../json.ts';
import type { Operator, PolicyValue } from '../policy.ts';
import { parseDecimal } from '../decimal.ts';
import { compileCountOperator } from './count-operators.ts';
import { FAILS, HOLDS, UNFIT } from './judged.ts';
import { compileOperator } from './operators.ts';
import { InexactComparison } from './values.ts';

const text = (value: string): PolicyValue => ({ kind: 'string', value });
const int = (value: string): PolicyValue => ({ kind: 'int', value });
const list = (...items: PolicyValue[]): PolicyValue => ({ kind: 'list', items });

function judge(op: Operator, value: PolicyValue, actual: JsonValue | undefined): number {
  return compileOperator(op, value)(actual);
}

/** Every type of JSON, and what leaving out looks like. */
const OTHERS: readonly JsonValue[] = [5, true, [], {}, ['a'], { a: 'a' }];

describe('operators beyond Intercept', () => {
  it.each<[Operator, PolicyValue, JsonValue[], JsonValue[]]>([
    ['starts_with', text('ab'), ['ab', 'abc'], ['', 'a', 'Ab', 'xab']],
    ['starts_with', list(text('a'), text('b')), ['ab', 'b'], ['c', '']],
    ['ends_with', text('.md'), ['.md', 'a.md'], ['a.MD', 'a.md ', 'md']],
    ['glob', text('a*c?'), ['acx', 'a/b.cx', 'acc\u{1F600}'], ['ac', 'acxx', 'Acx', '']],
    ['glob', list(text('*.ts'), text('x')), ['a.ts', 'x'], ['a.js', 'xx']],
    ['not_contains', text('x'), ['', 'a', 'X'], ['x', 'axa']],
    ['max_length', int('2'), ['', 'ab', '\u{1F600}\u{1F600}'], ['abc', '\u{1F600}\u{1F600}\u{1F600}']],
  ])('%s %j', (op, value, holds, fails) => {
    expect(holds.map((actual) => [actual, judge(op, value, actual)])).toEqual(holds.map((actual) => [actual, HOLDS]));
    expect(fails.map((actual) => [actual, judge(op, value, actual)])).toEqual(fails.map((actual) => [actual, FAILS]));
  });

  it('speak about lists where that means something', () => {
    expect(judge('not_contains', text('a'), ['b', 'A'])).toBe(HOLDS);
    expect(judge('not_contains', text('a'), ['b', 'a'])).toBe(FAILS);
    expect(judge('not_contains', text('a'), [])).toBe(HOLDS);
    expect(judge('max_length', int('2'), [1, 2])).toBe(HOLDS);
    expect(judge('max_length', int('2'), [1, 2, 3])).toBe(FAILS);
  });

  it.each<[Operator, PolicyValue]>([
    ['starts_with', text('')],
    ['ends_with', text('')],
    ['glob', text('*')],
    ['path_within', text('/')],
    ['host_in', text('*')],
    ['regex', text('')],
  ])('%s cannot be judged for what is no text, and does not hold for null or nothing', (op, value) => {
    for (const actual of OTHERS) expect(judge(op, value, actual)).toBe(UNFIT);
    expect(judge(op, value, null)).toBe(FAILS);
    expect(judge(op, value, undefined)).toBe(FAILS);
  });

  it('never hold for what is absent, but for exists', () => {
    const values: [Operator, PolicyValue][] = [
      ['eq', { kind: 'null' }], ['neq', text('x')], ['in', list({ kind: 'null' })], ['not_in', list()], ['lt', int('1')], ['lte', int('1')], ['gt', int('1')], ['gte', int('1')],
      ['contains', text('')], ['not_contains', text('x')], ['max_length', int('9')], ['type', text('null')], ['exists', { kind: 'bool', value: true }],
    ];
    for (const [op, value] of values) expect([op, judge(op, value, undefined)]).toEqual([op, FAILS]);
    expect(judge('exists', { kind: 'bool', value: false }, undefined)).toBe(HOLDS);
    expect(judge('not_contains', text('x'), null)).toBe(FAILS);
  });

  it('type knows the types of JSON Schema', () => {
    const samples: [JsonValue, string[]][] = [
      [null, ['null']], [true, ['boolean']], ['', ['string']], [1.5, ['number']], [1, ['number', 'integer']], [-0, ['number', 'integer']], [1e300, ['number', 'integer']],
      [[], ['array']], [{}, ['object']], [new InexactNumber('9007199254740993'), ['number', 'integer']], [new InexactNumber('0.1000000000000000000001'), ['number']],
    ];
    for (const [sample, types] of samples) {
      const held = ['null', 'boolean', 'string', 'number', 'integer', 'array', 'object'].filter((type) => judge('type', text(type), sample) === HOLDS);
      expect(held.sort()).toEqual([...types].sort());
    }
    expect(judge('type', list(text('string'), text('null')), null)).toBe(HOLDS);
    expect(() => compileOperator('type', text('str'))).toThrow(/is not one of/);
  });
});

describe('numbers that a double cannot hold', () => {
  const inexact = new InexactNumber('9007199254740993');

  it.each<[Operator, PolicyValue]>([
    ['eq', int('9007199254740993')], ['neq', int('1')], ['in', list(int('1'))], ['not_in', list()], ['lt', int('1')], ['gte', int('1')], ['regex', text('.')], ['contains', text('9')],
    ['not_contains', text('x')], ['starts_with', text('9')], ['max_length', int('99')], ['host_in', text('*')], ['path_within', text('/')], ['glob', text('*')],
  ])('[E3] %s is an error', (op, value) => {
    expect(() => judge(op, value, inexact)).toThrow(InexactComparison);
  });

  it('[E3] are an error inside of lists and objects too, where these are compared', () => {
    for (const actual of [[1, inexact], { a: { b: [inexact] } }]) {
      expect(() => judge('eq', text('x'), actual)).toThrow(InexactComparison);
      expect(() => judge('not_in', list(text('x')), actual)).toThrow(InexactComparison);
    }
    expect(() => judge('contains', int('1'), [1, inexact])).toThrow(InexactComparison);
  });

  it('exist, and have a type', () => {
    expect(judge('exists', { kind: 'bool', value: true }, inexact)).toBe(HOLDS);
    expect(judge('type', text('number'), inexact)).toBe(HOLDS);
  });
});

describe('operators on counts', () => {
  const judgeCount = (op: Operator, value: PolicyValue, count: string): number => {
    const decimal = parseDecimal(count);
    if (decimal === null) throw new Error(count);
    return compileCountOperator(op, value)(decimal);
  };

  it('are exact beyond 2^53 and in cents', () => {
    expect(judgeCount('lte', int('9007199254740992'), '9007199254740993')).toBe(FAILS);
    expect(judgeCount('lte', int('9007199254740993'), '9007199254740993')).toBe(HOLDS);
    expect(judgeCount('eq', int('9007199254740992'), '9007199254740993')).toBe(FAILS);
    expect(judgeCount('lt', { kind: 'float', value: '0.3' }, '0.3')).toBe(FAILS);
    expect(judgeCount('lt', { kind: 'float', value: '1e+21' }, '999999999999999999999')).toBe(HOLDS);
  });

  it('know infinity, and hold nothing against NaN', () => {
    const float = (value: string): PolicyValue => ({ kind: 'float', value });
    expect([judgeCount('lt', float('+Inf'), '1'), judgeCount('gt', float('-Inf'), '1'), judgeCount('lt', float('-Inf'), '1')]).toEqual([HOLDS, HOLDS, FAILS]);
    expect((['lt', 'lte', 'gt', 'gte', 'eq'] as const).map((op) => judgeCount(op, float('NaN'), '1'))).toEqual(Array(5).fill(FAILS));
  });

  it('equal their decimal spelling as a text, never an exponent', () => {
    expect(judgeCount('eq', text('1000000'), '1000000')).toBe(HOLDS);
    expect(judgeCount('eq', text('1e+06'), '1000000')).toBe(FAILS);
    expect(judgeCount('in', list(text('0.5'), int('7')), '0.5')).toBe(HOLDS);
  });
});

describe('[E5] a regular expression judges no text that would take it too long', () => {
  // No two neighbours of this text look alike to the expression, which is then at its slowest.
  const alternating = (length: number): string => Array.from({ length }, (_, at) => ((Math.imul(at, 2654435761) >>> 15) & 1 ? 'a' : 'b')).join('');
  const large = text('(?i)(?:a[ab]{900}[cd]|b[ab]{900}[de])');

  it('and cannot be judged then, so that a `when` denies as well', { timeout: 120_000 }, () => {
    expect(judge('regex', large, alternating(1_000_000))).toBe(UNFIT);
    expect(judge('regex', large, alternating(10_000))).toBe(FAILS);
    expect(judge('regex', large, `${alternating(10_000)}${'a'.repeat(901)}c`)).toBe(HOLDS);
  });

  it('and reads a megabyte where it is of an ordinary size', () => {
    expect(judge('regex', text('^[^;]*$'), 'a'.repeat(1_000_000))).toBe(HOLDS);
    expect(judge('regex', text('(?i)(select|with)\\b'), `${'a'.repeat(1_000_000)} select `)).toBe(HOLDS);
  });
});

describe('[E5] every operator is linear in the argument', () => {
  const MEGABYTE = 1_000_000;
  const texts = ['a'.repeat(MEGABYTE), '\u{1F600}'.repeat(MEGABYTE / 2), 'e\u0301'.repeat(MEGABYTE / 2), '\u0323\u0301'.repeat(MEGABYTE / 2), '%25'.repeat(MEGABYTE / 3), '../'.repeat(MEGABYTE / 3), 'https://' + '@'.repeat(MEGABYTE)];
  const lists: JsonValue[] = [Array.from({ length: MEGABYTE }, (_, i) => i), Array.from({ length: 1000 }, () => 'a'.repeat(1000))];
  const objects: JsonValue[] = [Object.fromEntries(Array.from({ length: 100_000 }, (_, i) => [`k${i}`, i]))];
  const cases: [Operator, PolicyValue][] = [
    ['eq', text('x')], ['neq', list(text('a'))], ['in', list(...Array.from({ length: 1000 }, (_, i) => text(`v${i}`)))], ['not_in', list(text('x'))], ['lt', int('1')],
    ['regex', text('(a+)+$')], ['regex', text('^(a|aa)+b')], ['regex', text('(.*)(.*)(.*)x')], ['contains', text('aaab')], ['contains', text(`${'a'.repeat(25_000)}b${'a'.repeat(25_000)}`)], ['regex', text('(?i)(?:a[ab]{900}c|b[ab]{900}d)')], ['not_contains', text('b')], ['starts_with', text('a'.repeat(1000))],
    ['ends_with', text('b')], ['glob', text('*a*a*a*b')], ['glob', text('*?*?*b')], ['glob', text(`*${'a'.repeat(900)}?b*`)], ['path_within', text('/srv')], ['host_in', text('*.example.com')], ['max_length', int('600000')],
    ['type', text('string')], ['exists', { kind: 'bool', value: true }],
  ];

  it.each(cases.map(([op, value]) => [op, JSON.stringify(value).slice(0, 60), value] as const))('%s %s', (op, _, value) => {
    const judgeIt = compileOperator(op, value);
    for (const actual of [...texts, ...lists, ...objects]) {
      // Of a megabyte anything quadratic takes minutes, which no test is given.
      judgeIt(actual);
    }
  });
});

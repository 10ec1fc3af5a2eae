/** A sieve may say no too often and must never say yes too often: held against the rules themselves, over everything that meets. */
import { describe, expect, it } from 'vitest';
import { memoryCounters } from '../counter-memory.ts';
import type { CallContext } from '../call.ts';
import { InexactNumber } from '../json.ts';
import type { JsonObject, JsonValue } from '../json.ts';
import { OPERATORS } from '../policy.ts';
import type { Condition, Operator, PolicyValue, Rule } from '../policy.ts';
import { PASSES, compileRule, judgeByRule } from './rule.ts';
import type { CompiledRule } from './rule.ts';
import { passes, sieveOf } from './sieve.ts';

const AT = { line: 1, column: 1 };
const CONTEXT: CallContext = { server: 's', labels: {}, upstream: null, clientName: null, nowMs: 0, staleMs: 0 };
const COUNTERS = memoryCounters();

const TEXTS = ['', 'a', 'ab', '5', '-0', '1e+06', 'true', '<nil>', 'NaN', '/srv', '/srv/a', 'h.example', 'string', '__proto__'];
const SCALARS: readonly PolicyValue[] = [
  ...TEXTS.map((value): PolicyValue => ({ kind: 'string', value })),
  ...['5', '0', '1000000', '9007199254740993'].map((value): PolicyValue => ({ kind: 'int', value })),
  ...['0.5', 'NaN', '+Inf', '-0', '1e+06'].map((value): PolicyValue => ({ kind: 'float', value })),
  { kind: 'uint', value: '18446744073709551615' },
  { kind: 'timestamp', value: '2024-01-15 00:00:00 +0000 UTC' },
  { kind: 'bool', value: true },
  { kind: 'bool', value: false },
  { kind: 'null' },
];
const VALUES: readonly PolicyValue[] = [
  ...SCALARS,
  ...SCALARS.map((item): PolicyValue => ({ kind: 'list', items: [item] })),
  { kind: 'list', items: [] },
  { kind: 'list', items: SCALARS.slice(0, 4) },
  { kind: 'list', items: SCALARS.slice(10, 18) },
  { kind: 'list', items: SCALARS },
  { kind: 'map', entries: [['a', { kind: 'int', value: '5' }]] },
];
const ARGUMENTS: readonly (JsonValue | undefined)[] = [
  undefined, null, true, false, 0, -0, 5, 0.5, 1e6, 9007199254740992, -1e300, ...TEXTS, [], ['a'], [5], ['a', 'b'], {}, { a: 5 }, new InexactNumber('1e400'), [new InexactNumber('5.0000000000000000001')],
];

function ruleOf(conditions: readonly Condition[], more: Partial<Rule> = {}): CompiledRule {
  const rule: Rule = { name: 'r', at: AT, action: 'evaluate', mode: 'enforce', when: [], conditions, counter: null, onDeny: null, ...more };
  return compileRule(rule, {
    entry: { pattern: 't', at: AT, rules: [rule] },
    observes: false,
    findCounter: () => null,
    keyOf: () => ({ server: 's', policy: 'p', entry: 't', counter: 'c', window: 'hour' }),
    shared: new Map(),
  });
}

function condition(op: Operator, value: PolicyValue, path = 'args.x'): Condition {
  return { path, op, value, at: AT };
}

function asked(compiled: CompiledRule, args: JsonObject): boolean {
  const sieve = sieveOf(compiled);
  return sieve !== null && passes(sieve, args, CONTEXT, COUNTERS);
}

function ruleSays(compiled: CompiledRule, args: JsonObject): boolean {
  try {
    return judgeByRule(compiled, args, CONTEXT, COUNTERS) === PASSES;
  } catch {
    return false;
  }
}

describe('a sieve', () => {
  it.each(OPERATORS)('[E1] says yes to `%s` only where the rule passes', (op) => {
    for (const value of VALUES) {
      const compiled = ruleOf([condition(op, value)]);
      for (const actual of ARGUMENTS) {
        const args = actual === undefined ? {} : { x: actual };
        if (asked(compiled, args)) expect({ value, actual, passes: ruleSays(compiled, args) }).toEqual({ value, actual, passes: true });
      }
    }
  });

  it.each<[Operator, PolicyValue, JsonValue]>([
    ['eq', { kind: 'string', value: 'a' }, 'a'],
    ['eq', { kind: 'int', value: '5' }, 5],
    ['eq', { kind: 'bool', value: true }, true],
    ['neq', { kind: 'string', value: 'a' }, 'b'],
    ['in', { kind: 'list', items: [{ kind: 'string', value: 'a' }, { kind: 'int', value: '5' }] }, 5],
    ['not_in', { kind: 'list', items: [{ kind: 'string', value: 'a' }] }, 'b'],
    ['lt', { kind: 'int', value: '5' }, 4],
    ['lte', { kind: 'int', value: '5' }, 5],
    ['gt', { kind: 'float', value: '0.5' }, 1],
    ['gte', { kind: 'int', value: '5' }, 5],
    ['starts_with', { kind: 'string', value: 'a' }, 'ab'],
    ['ends_with', { kind: 'string', value: 'b' }, 'ab'],
    ['contains', { kind: 'string', value: 'b' }, 'abc'],
    ['not_contains', { kind: 'string', value: 'x' }, 'abc'],
    ['regex', { kind: 'string', value: '^a' }, 'ab'],
    ['max_length', { kind: 'int', value: '5' }, 'ab'],
    ['path_within', { kind: 'string', value: '/srv' }, '/srv/a'],
    ['exists', { kind: 'bool', value: true }, {}],
  ])('says yes to what is common: %s', (op, value, actual) => {
    expect(asked(ruleOf([condition(op, value)]), { x: actual })).toBe(true);
  });

  it('reads behind a list where it should', () => {
    const items: PolicyValue = { kind: 'list', items: [{ kind: 'string', value: 'a' }, { kind: 'string', value: 'b' }] };
    const compiled = ruleOf([condition('in', items), condition('not_in', items, 'args.y'), condition('eq', { kind: 'string', value: 'c' }, 'args.z')]);
    expect(asked(compiled, { x: 'b', y: 'c', z: 'c' })).toBe(true);
    for (const args of [{ x: 'c', y: 'c', z: 'c' }, { x: 'b', y: 'a', z: 'c' }, { x: 'b', y: 'c', z: 'd' }]) expect(asked(compiled, args)).toBe(false);
  });

  it('reads own arguments only', () => {
    const compiled = ruleOf([condition('neq', { kind: 'string', value: 'a' }, 'args.constructor')]);
    expect(asked(compiled, {})).toBe(false);
    expect(asked(compiled, { constructor: 'b' })).toBe(true);
    const inherited = Object.create({ x: 'b' }) as JsonObject;
    expect(asked(ruleOf([condition('neq', { kind: 'string', value: 'a' })]), inherited)).toBe(false);
  });

  it('leaves to the rules what counts, reads counters, applies to some calls only, denies, or cannot be compiled', () => {
    const holds = condition('exists', { kind: 'bool', value: true });
    const counter = { name: 'c', window: 'hour', amount: { kind: 'fixed', value: '1' }, limit: '5', from: 'state' } as const;
    expect(sieveOf(ruleOf([holds], { counter }))).toBeNull();
    expect(sieveOf(ruleOf([condition('gte', { kind: 'int', value: '0' }, 'state.t.c')]))).toBeNull();
    expect(sieveOf(ruleOf([holds], { when: [holds] }))).toBeNull();
    expect(sieveOf(ruleOf([], { action: 'deny' }))).toBeNull();
    expect(asked(ruleOf([condition('regex', { kind: 'string', value: '(' })]), { x: 'a' })).toBe(false);
  });
});

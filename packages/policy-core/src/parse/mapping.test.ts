import { describe, expect, it } from 'vitest';
import { renderPolicyValue } from '../evaluate/values.ts';
import type { ParsedPolicy } from './policy.ts';
import { parsePolicy } from './policy.ts';

function parse(value: string): ParsedPolicy {
  const text = `version: "1"
x-text: &text {a: m, "1": n}
x-whole: &whole {0x10: m, 9: n, 1: o}
tools: {t: {rules: [{name: r, conditions: [{path: args.x, op: eq, value: ${value}}]}]}}
`;
  return parsePolicy({ id: 'github.yaml', bytes: new TextEncoder().encode(text) });
}

function rendered(value: string): string {
  const parsed = parse(value);
  const condition = parsed.ok ? parsed.policy.tools[0]?.rules[0]?.conditions[0] : undefined;
  return condition === undefined ? parsed.problems.map(({ code, message }) => `${code} ${message}`).join('; ') : renderPolicyValue(condition.value);
}

/** What Go prints of each, found by asking yaml.v3 3.0.1. */
describe('a mapping that arguments are compared with renders as in Go', () => {
  it.each([
    ['{b: 1, a: 2}', 'map[a:2 b:1]'],
    ['{0x10: a}', 'map[16:a]'],
    ['{"0x10": a}', 'map[0x10:a]'],
    ['{!!str 0x10: a}', 'map[0x10:a]'],
    ['{True: a}', 'map[true:a]'],
    ['{true: a, False: b}', 'map[false:b true:a]'],
    ['{1.0: a}', 'map[1:a]'],
    ['{1e6: a, -.inf: b, .5: c, .inf: d}', 'map[-Inf:b 0.5:c 1e+06:a +Inf:d]'],
    ['{0.0: a, -0.0: b}', 'map[-0:b]'],
    ['{2024-01-15: a}', 'map[2024-01-15 00:00:00 +0000 UTC:a]'],
    ['{9: b, 10: a}', 'map[9:b 10:a]'],
    ['{18446744073709551615: a, 9223372036854775808: b}', 'map[9223372036854775808:b 18446744073709551615:a]'],
    ['{1: a, 0x1: b}', 'map[1:b]'],
    ['{<<: *whole}', 'map[0x10:m 1:o 9:n]'],
    ['{<<: *whole, 2: x}', 'map[1:o 2:x 9:n 16:m]'],
    ['{<<: *whole, 16: x}', 'map[1:o 9:n 16:x]'],
    ['{<<: *whole, z: x}', 'map[0x10:m 1:o 9:n z:x]'],
    ['{<<: *text, z: x}', 'map[1:n a:m z:x]'],
    ['[{10: [{9: a}], 9: ~}]', '[map[9:<nil> 10:[map[9:a]]]]'],
  ])('%s', (value, text) => {
    expect(rendered(value)).toBe(text);
  });

  it.each(['{1: a, b: c}', '{1: a, 1.5: b}', '{true: a, x: b}', '{1: a, 9223372036854775808: b}', '{2024-01-15: a, 2024-01-16: b}', '{.nan: a, .NaN: b}', '{<<: *text, 2: x}', '[{a: {1: b, c: d}}]'])(
    'or is refused, because the order of its keys is that of a memory: %s',
    (value) => {
      expect(parse(value).problems.filter(({ severity }) => severity === 'error').map(({ code, line }) => `${line} ${code}`)).toEqual(['4 VALUE']);
    },
  );
});

describe('values that arguments do not have are warned of at any depth', () => {
  it.each([
    ['{1: a}', 'is no text'],
    ['[{0x10: a}]', 'is no text'],
    ['{a: 2024-01-15}', 'timestamp'],
    ['[[2024-01-15]]', 'timestamp'],
    ['{a: {b: 9223372036854775808}}', 'too large'],
  ])('%s', (value, words) => {
    const { problems } = parse(value);
    expect(problems.map(({ code, severity }) => `${severity} ${code}`)).toEqual(['warning VALUE']);
    expect(problems[0]?.message).toContain(words);
  });
});

it('refuses a key that is no text and is merged in as well, because to yaml.v3 the merged one counts', () => {
  const text = 'version: "1"\nx-b: &b {123: {rules: [{name: no, action: deny}]}, x: }\ntools: {<<: *b, 123: , x: }\n';
  const { problems } = parsePolicy({ id: 'github.yaml', bytes: new TextEncoder().encode(text) });
  expect(problems.map(({ code, line, column }) => `${line}:${column} ${code}`)).toEqual(['3:17 YAML_MERGE']);
});

import { describe, expect, it } from 'vitest';
import { parsePolicy } from './policy.ts';

/** How many times something is written by alias, to a policy. */
type Shape = (times: number) => string;

const HEAD = 'version: "1"\n';

function rules(count: number): string {
  const rule = (index: number): string => `{name: r${index}, conditions: [{path: args.a0, op: eq, value: x}, {path: args.a1, op: eq, value: x}]}`;
  return `{rules: [${Array.from({ length: count }, (_, index) => rule(index)).join(', ')}]}`;
}

function tools(times: number, value: string): string {
  return Array.from({ length: times }, (_, index) => `  t${index}: ${value}\n`).join('');
}

function repeated(times: number, text: string): string {
  return Array<string>(times).fill(text).join(', ');
}

/**
 * The least number of times at which yaml.v3 3.0.1, decoding into Intercept's types, answers "document contains excessive
 * aliasing": found by asking it.
 */
const SHAPES: readonly (readonly [name: string, refusedFrom: number, shape: Shape])[] = [
  ['an entry that others repeat', 209, (times) => `${HEAD}tools:\n  t: &c ${rules(20)}\n${tools(times, '*c')}`],
  ['an entry kept under a key that is not decoded', 4, (times) => `${HEAD}x-c: &c ${rules(20)}\ntools:\n${tools(times, '*c')}`],
  ['an entry that others merge', 2, (times) => `${HEAD}x-c: &c ${rules(40)}\ntools:\n${tools(times, '{<<: *c}')}`],
  ['a list of values', 6, (times) => `${HEAD}x-l: &l [${repeated(1000, 'x')}]\ntools: {t: {rules: [{name: r, conditions: [${repeated(times, '{path: args.x, op: in, value: *l}')}]}]}}\n`],
  ['lists in lists', 108, (times) => `${HEAD}x-l: &l [${repeated(20, 'x')}]\nx-m: &m [${repeated(times, '*l')}]\ntools: {t: {rules: [{name: r, conditions: [{path: args.x, op: in, value: *m}]}]}}\n`],
];

function codes(text: string): readonly string[] {
  return parsePolicy({ id: 'github.yaml', bytes: new TextEncoder().encode(text) }).problems.map(({ code }) => code);
}

describe('aliases', () => {
  it.each(SHAPES)('%s is refused from just where yaml.v3 refuses it', (_name, refusedFrom, shape) => {
    expect(codes(shape(refusedFrom - 1))).toEqual([]);
    expect(codes(shape(refusedFrom))).toEqual(['YAML_ALIAS']);
  });

  it('are refused where they multiply, before anybody counts them out', () => {
    const levels = Array.from({ length: 30 }, (_, level) => `x-${level + 1}: &a${level + 1} {<<: [${repeated(10, `*a${level}`)}]}\n`);
    expect(codes(`${HEAD}x-0: &a0 {}\n${levels.join('')}tools: {t: *a30}\n`)).toEqual(['YAML_ALIAS']);
  });

  it('are refused in a chain that no stack would survive', () => {
    const links = Array.from({ length: 20_000 }, (_, link) => `x-${link + 1}: &a${link + 1} {<<: *a${link}}\n`);
    expect(codes(`${HEAD}x-0: &a0 {rules: []}\n${links.join('')}tools: {t: *a20000}\n`)).toEqual(['YAML_ALIAS']);
  });

  it('are not counted under keys that mean nothing', () => {
    expect(codes(`${HEAD}x-l: &l [${repeated(500, 'x')}]\nx-m: [${repeated(400, '*l')}]\n`)).toEqual([]);
  });
});

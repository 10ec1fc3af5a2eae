/** Policy texts made to be slow: parsePolicy answers before the test's time is over, whatever they are made of. */
import { expect, it } from 'vitest';
import { parsePolicy } from '@portcullis/policy-core';

it.each(hostileTexts())('is not held up by %s', (_what, text) => {
  const parsed = parsePolicy({ id: 'x.yaml', bytes: new TextEncoder().encode(text.slice(0, 1024 * 1024)) });
  expect(parsed.ok || parsed.problems.length > 0).toBe(true);
});

/** A mebibyte each of what parsers are known to be slow on. */
function hostileTexts(): readonly (readonly [string, string])[] {
  const repeated = (unit: string): string => unit.repeat(Math.ceil(1_000_000 / unit.length));
  return [
    ['open brackets', repeated('[')], ['open braces', repeated('{a: ')], ['dashes', repeated('- ')], ['question marks', repeated('?\n')], ['colons', repeated(':\n')],
    ['indentation', Array.from({ length: 1200 }, (_, depth) => `${' '.repeat(depth)}a:`).join('\n')], ['many keys', Array.from({ length: 90_000 }, (_, key) => `k${key}: 1`).join('\n')],
    ['one key', repeated('a: 1\n')], ['aliases', `x-a: &a [b]\nx-b:\n${repeated('- *a\n')}`], ['quotes', repeated('"')], ['an open quote', `a: "${repeated('\n')}`], ['a block', `a: >\n${repeated(' b\n\n')}`],
    ['tags', repeated('!!str ')], ['documents', repeated('---\n')], ['directives', repeated('%Y\n')], ['comments', `a: b\n${repeated('# c\n')}`], ['blank lines', repeated('\n')], ['a long number', `x-a: ${repeated('1')}`],
    ['merges', `x-a: &a {${Array.from({ length: 3000 }, (_, key) => `k${key}: 1`).join(', ')}}\nx-b: [${'{<<: *a},'.repeat(3000)}]`],
    ['empty rules', `version: "1"\ntools:\n  t:\n    rules:\n${repeated('      - {}\n')}`], ['unknown keys', Array.from({ length: 60_000 }, (_, key) => `unknwn${key}: 1`).join('\n')],
    ['regular expressions', `version: "1"\ntools: {t: {rules: [{name: x, conditions: [${Array.from({ length: 9000 }, (_, n) => `{path: args.x, op: regex, value: "(a{1,500}){1,2}b${n}"}`).join(',')}]}]}}`],
    ['tools that look alike', `version: "1"\nread_only: [${Array.from({ length: 9000 }, (_, n) => `tool_nam_${n}`).join(',')}]\ntools: {${Array.from({ length: 9000 }, (_, n) => `tool_name_${n}: {rules: [{name: x, rate_limit: 1/day}]}`).join(',')}}`],
    ['counters that do not exist', `version: "1"\ntools: {${Array.from({ length: 2500 }, (_, n) => `tool_${n}: {rules: [{name: x, conditions: [{path: state.tool_${n}.x, op: lte, value: 1}]}]}`).join(',')}}`],
  ];
}

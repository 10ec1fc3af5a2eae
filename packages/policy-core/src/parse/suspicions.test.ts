import { expect, it } from 'vitest';
import { formatProblem } from '../problem.ts';
import { parsePolicy } from './policy.ts';

function warnings(text: string): readonly string[] {
  const parsed = parsePolicy({ id: 'github.yaml', bytes: new TextEncoder().encode(`version: "1"\n${text}`) });
  if (!parsed.ok) throw new Error(parsed.problems.map(formatProblem).join('\n'));
  return parsed.problems.map(({ line, code }) => `${line} ${code}`);
}

function rules(...texts: readonly string[]): string {
  return `tools:\n  t:\n    rules:\n${texts.map((text) => `      - ${text}\n`).join('')}`;
}

it.each<[why: string, text: string, expected: readonly string[]]>([
  ['an ordinary policy', rules('{ name: a, rate_limit: 5/hour }', '{ name: b, action: deny, when: [{ path: args.x, op: eq, value: 1 }] }', '{ name: c, action: deny }'), []],
  ['rules after one that denies everything', rules('{ name: a, action: deny }', '{ name: b, rate_limit: 5/hour }', '{ name: c, action: deny }'), ['6 UNREACHABLE', '7 UNREACHABLE']],
  ['rules after one that only observes', rules('{ name: a, action: deny, mode: observe }', '{ name: b, rate_limit: 5/hour }'), []],
  ['a counter of a deny rule', rules('{ name: a, action: deny, state: { counter: c, window: day } }'), ['5 NEVER_COUNTED']],
  [
    'a counter that another rule bounds',
    rules('{ name: a, conditions: [{ path: args.x, op: eq, value: 1 }], state: { counter: c, window: day } }', '{ name: b, conditions: [{ path: state.t.c, op: lte, value: 5 }] }'),
    ['5 NEVER_COUNTED', '6 NEVER_DENIES'],
  ],
  ['a counter that always exists', rules('{ name: a, conditions: [{ path: state.t.c, op: exists, value: true }], state: { counter: c, window: day } }'), ['5 NEVER_COUNTED', '5 NEVER_DENIES']],
  ['a counter that nothing counts', rules('{ name: a, conditions: [{ path: state.x, op: lte, value: 5 }] }'), ['5 NEVER_DENIES', '5 COUNTER_UNKNOWN']],
  ['a bound that no hour crosses', rules('{ name: a, conditions: [{ path: time.hour, op: lte, value: 23 }] }'), ['5 NEVER_DENIES']],
  ['a bound on hours', rules('{ name: a, conditions: [{ path: time.hour, op: lte, value: 18 }] }'), []],
  ['a when that contradicts itself', rules('{ name: a, action: deny, when: [{ path: args.x, op: eq, value: a }, { path: args.x, op: eq, value: b }] }'), ['5 NEVER_DENIES']],
  ['rules of a hidden tool', `hide: ["t*"]\n${rules('{ name: a, rate_limit: 5/hour }')}`, ['4 HIDDEN_AND_LISTED']],
  ['a hidden tool without rules', 'hide: [t]\ntools: { t: }\n', []],
  ['a hidden tool on a list of what is open', 'hide: [t]\ndefault: deny\ntools: { t: }\n', ['4 HIDDEN_AND_LISTED']],
  ['only * where everything must be listed', 'default: deny\ntools: { "*": { rules: [{ name: a, rate_limit: 5/hour }] } }\n', ['3 UNREACHABLE']],
  ['observing a server that nothing else opens', 'mode: observe\n', ['1 OBSERVE_ADMITS']],
  ['observing as a guard', 'mode: observe\nmatch: { server: "*" }\n', []],
  ['a name in another spelling', 'hide: [create-issue]\ntools: { create_issue: }\n', ['2 LOOKS_MISTYPED']],
  ['a slip in read_only', 'read_only: [get_isue]\ntools: { get_issue: }\n', ['2 LOOKS_MISTYPED']],
  ['a slip in a test', 'tools: { create_issue: }\ntests: [{ name: n, call: { tool: create_isseu }, expect: allow }]\n', ['3 LOOKS_MISTYPED']],
  ['a slip in hide', 'hide: [create_isue]\ntools: { create_issue: }\n', ['2 LOOKS_MISTYPED']],
  ['a slip in a test that is denied all the same', 'default: deny\ntools: { create_issue: }\ntests: [{ name: n, call: { tool: create_isseu }, expect: deny }]\n', ['4 LOOKS_MISTYPED']],
  ['a test of what no entry lists', "default: deny\ntools: { create_issue: }\ntests: [{ name: n, call: { tool: create_isseu }, expect: deny, rule: (default deny) }]\n", []],
  ['a test of a hidden tool that is a little like another', 'hide: [create_issues_x]\ntools: { create_issue_x: }\ntests: [{ name: n, call: { tool: create_issues_x }, expect: deny }]\n', ['2 LOOKS_MISTYPED']],
  ['a plural', 'read_only: [get_issue]\ntools: { get_issues: }\n', []],
  ['two tools that are a little alike', 'read_only: [git_log]\ntools: { git_add: , git_show: }\n', []],
  ['a name with a space', 'tools: { "create_issue ": }\n', ['2 LOOKS_MISTYPED']],
  ['a method that is nearly one', 'methods: { sampling/createmessage: deny }\n', ['2 LOOKS_MISTYPED']],
  ['a method that always passes', 'methods: { ping: deny }\n', ['2 UNREACHABLE']],
  ['a method of a server of our own', 'methods: { acme/report: deny, resources/subscribe: deny }\n', []],
  ['labels without a server', 'match: { labels: { env: prod } }\n', ['2 MATCH']],
  ['a date without quotes', rules('{ name: a, conditions: [{ path: args.x, op: in, value: [2024-01-15, "2024-01-16"] }] }'), ['5 VALUE']],
  ['an integer that is no number', rules('{ name: a, conditions: [{ path: args.x, op: eq, value: 18446744073709551615 }] }'), ['5 VALUE']],
  ['an empty item', 'hide: [a, ]\nread_only:\n  - b\n  -\n', ['5 TYPE']],
])('%s', (_why, text, expected) => {
  expect(warnings(text)).toEqual(expected);
});

it('warns as well where only a test is wrong, and not where the policy is', () => {
  const codes = (text: string): readonly string[] => parsePolicy({ id: 'github.yaml', bytes: new TextEncoder().encode(`version: "1"\n${text}`) }).problems.map(({ code }) => code);
  const slip = 'hide: [create_isue]\ntools: { create_issue: }\n';
  expect(codes(`${slip}tests: [{ name: n, expect: deny }]\n`)).toEqual(['TEST', 'LOOKS_MISTYPED']);
  expect(codes(`${slip}tests: [{ name: n, call: { tool: create_isseu }, expect: allow, rule: r }]\n`)).toEqual(['TEST', 'LOOKS_MISTYPED', 'LOOKS_MISTYPED']);
  expect(codes(`${slip}default: dney\ntests: [{ name: n, expect: deny }]\n`)).not.toContain('LOOKS_MISTYPED');
});

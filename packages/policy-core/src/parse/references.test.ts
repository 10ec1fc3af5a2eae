import { describe, expect, it } from 'vitest';
import { parsePolicy } from './policy.ts';

/** The problems of a policy with these tools, as places with what is told there. */
function problemsOf(tools: Readonly<Record<string, string>>): readonly string[] {
  const entries = Object.entries(tools).map(([pattern, rule]) => `  ${JSON.stringify(pattern)}: { rules: [{ name: r, ${rule} }] }\n`);
  const { problems } = parsePolicy({ id: 'github.yaml', bytes: new TextEncoder().encode(`version: "1"\ntools:\n${entries.join('')}`) });
  return problems.filter(({ severity }) => severity === 'error').map(({ line, code, message }) => `${line} ${code} ${message}`);
}

function counts(path: string, counter: string): string {
  return `conditions: [{ path: ${path}, op: lte, value: 5 }], state: { counter: ${counter}, window: day }`;
}

describe('a counter that two entries declare under one path', () => {
  const shared = /COUNTER_DUPLICATE .* and also one of /;

  it.each([
    ['of `*` and of a tool named _global', { '*': counts('state._global.c', 'c'), _global: counts('state._global.c', 'c') }],
    ['of the same, in the other order', { _global: counts('state._global.c', 'c'), '*': counts('state._global.c', 'c') }],
    ['of two rate limits', { '*': 'rate_limit: 2/hour', _global: 'rate_limit: 1/hour' }],
    ['of a rate limit and a counter that is called so', { '*': 'rate_limit: 2/hour', _global: counts('state._global._rate_hour', '_rate_hour') }],
    ['of two spend limits', { '*': 'spend_limit: { amount: args.n, max: 5, per: day }', _global: 'spend_limit: { amount: args.n, max: 5, per: day }' }],
    ['of a and a.b', { a: counts('state.a.b.c', 'b.c'), 'a.b': counts('state.a.b.c', 'c') }],
  ])('[E1] is refused, so that no entry takes a counter from those that read it: %s', (_, tools) => {
    const problems = problemsOf(tools);
    expect(problems).toHaveLength(1);
    expect(problems[0]).toMatch(shared);
    expect(problems[0]).toMatch(/^4 /);
  });

  it('is none where the names differ', () => {
    expect(problemsOf({ a: counts('state.a.b.c', 'b.c'), 'a.b': counts('args.x', 'd') })).toEqual([]);
    expect(problemsOf({ '*': counts('args.x', 'c'), _global: counts('state._global.d', 'd') })).toEqual([]);
  });
});

describe('a counter that two sections declare under one path', () => {
  const text = (reader: string, other: string): string => `version: "1"
tools:
  "*": { rules: [{ name: all, rate_limit: 2/hour }] }
  x: { rules: [{ name: r, ${reader} }] }
${other}`;
  const errorsOf = (source: string): readonly string[] =>
    parsePolicy({ id: 'github.yaml', bytes: new TextEncoder().encode(source) }).problems.flatMap(({ severity, line, code }) => (severity === 'error' ? [`${line} ${code}`] : []));
  const other = 'prompts:\n  "*": { rules: [{ name: all, rate_limit: 9/hour }] }\n';

  it('[E1] is read by the rules that declare it and by no other, so that no section takes a counter from those that read it', () => {
    expect(errorsOf(text('conditions: [{ path: args.n, op: lt, value: 1 }]', other))).toEqual([]);
    expect(errorsOf(text('conditions: [{ path: state._global._rate_hour, op: lt, value: 1 }]', ''))).toEqual([]);
    expect(errorsOf(text('conditions: [{ path: state._global._rate_hour, op: lt, value: 1 }]', other))).toEqual(['4 COUNTER_DUPLICATE']);
  });
});

describe('the entry `*`', () => {
  it('is spelled _global in a path', () => {
    expect(problemsOf({ '*': counts('state._global.c', 'c'), x: 'conditions: [{ path: state._global.c, op: lt, value: 1 }]' })).toEqual([]);
    expect(problemsOf({ '*': counts('state._global.c', 'c'), x: 'conditions: [{ path: state.*.c, op: lt, value: 1 }]' })).toEqual([
      '4 COUNTER_UNKNOWN `state.*.c` reads no counter, because the entry `*` is spelled `_global` there: write `state._global.c`',
    ]);
  });

  it('cannot be limited beside a tool that is named so, as in Intercept', () => {
    const message = (path: string): string => `3 COUNTER_UNKNOWN ${path} cannot be read beside a tool named \`_global\`, which such paths mean then: name that tool by a glob, \`_globa?\``;
    expect(problemsOf({ '*': 'rate_limit: 2/hour', _global: 'rate_limit: 1/day' })).toEqual([message('`state._global._rate_hour`')]);
    expect(problemsOf({ '*': 'rate_limit: 2/hour', '_globa?': 'rate_limit: 1/day' })).toEqual([]);
  });
});

import { describe, expect, it } from 'vitest';
import type { Policy, PolicyTest, Rule } from '../policy.ts';
import { formatProblem } from '../problem.ts';
import type { ParsedPolicy } from './policy.ts';
import { parsePolicy } from './policy.ts';
import { MAX_POLICY_BYTES } from './source.ts';

function parse(text: string | Uint8Array, id = 'github.yaml'): ParsedPolicy {
  return parsePolicy({ id, bytes: typeof text === 'string' ? new TextEncoder().encode(text) : text });
}

function policyOf(text: string, id?: string): Policy {
  const parsed = parse(text, id);
  if (!parsed.ok) throw new Error(parsed.problems.map(formatProblem).join('\n'));
  return parsed.policy;
}

/** `line:column CODE` of every problem. */
function places(text: string | Uint8Array): readonly string[] {
  return parse(text).problems.map(({ line, column, code }) => `${line}:${column} ${code}`);
}

function messages(text: string): string {
  return parse(text).problems.map(({ message }) => message).join('\n');
}

function ruleOf(rule: string, tool = 't'): Rule {
  const [read] = policyOf(`version: "1"\ntools:\n  "${tool}":\n    rules:\n      - ${rule}\n`).tools[0]?.rules ?? [];
  if (read === undefined) throw new Error('no rule');
  return read;
}

const HEAD = 'version: "1"\n';

describe('a blank name', () => {
  it.each(['""', '" "', '"\\t"', '"\\N"', '"\\_"', '"\\L\\P"', '"\\u1680\\u2000\\u200a\\u202f\\u205f\\u3000"'])('is what Go trims to nothing: hide: [%s]', (name) => {
    expect(places(`${HEAD}hide: [${name}]\n`)).toEqual(['2:8 HIDE']);
  });

  it.each(['"\\uFEFF"', '"\\u200b"', '"\\u180e"', '"\\0"'])('is not what Go keeps: hide: [%s]', (name) => {
    expect(places(`${HEAD}hide: [${name}]\n`)).toEqual([]);
  });
});

describe('a text that yaml.v3 refuses', () => {
  it.each(['hide: [get_?]', 'hide: [a ?b]', 'x-a: { b: https://c/?d }', 'x-a: {a:?b}', 'description: "a\\/b"', 'x-a: {"b": "\\\\\\/"}'])('is refused: %s', (text) => {
    expect(places(`${HEAD}${text}\n`).map((place) => place.split(' ')[1])).toEqual(['YAML_SYNTAX']);
  });

  it.each(['hide: ["get_?"]', 'hide:\n  - get_?', 'x-a: https://c/?d', 'description: "a\\\\/b"'])('is fine in other words: %s', (text) => {
    expect(places(`${HEAD}${text}\n`)).toEqual([]);
  });
});

describe('a policy', () => {
  it('has every default filled in', () => {
    expect(policyOf(HEAD, 'team/github.yml')).toEqual({
      model: 1, id: 'team/github.yml', description: null, match: { server: ['github'], labels: {}, upstream: [] }, admits: true, mode: 'enforce', default: 'allow',
      defaultAt: { line: 1, column: 1 }, onStale: null, hide: [], readOnly: null, tools: [], resources: null, prompts: null, methods: null,
    });
  });

  it('says where its parts stand', () => {
    const policy = policyOf('version: "1"\ndefault: deny\nhide: [a,\n  "b*"]\ntools:\n  t:\n    rules:\n      - name: r\n        conditions:\n          - {path: args.x, op: eq, value: 1}\n');
    expect(policy.defaultAt).toEqual({ line: 2, column: 1 });
    expect(policy.hide).toEqual([{ name: 'a', at: { line: 3, column: 8 } }, { name: 'b*', at: { line: 4, column: 3 } }]);
    expect(policy.tools[0]?.at).toEqual({ line: 6, column: 3 });
    expect(policy.tools[0]?.rules[0]?.at).toEqual({ line: 8, column: 9 });
    expect(policy.tools[0]?.rules[0]?.conditions[0]?.at).toEqual({ line: 10, column: 13 });
  });

  it.each([
    ['match: { server: github }', true],
    ['match: { server: ["*", "git*"] }', true],
    ['match: { server: "*" }', false],
    ['match: { server: ["**", "?*", "*?*", "??*"] }', false],
    ['match: { server: "???" }', true],
    ['match: { server: "*" }\nadmits: true', true],
    ['match: { server: github }\nadmits: false', false],
    ['', true],
  ])('[E2] admits the servers that it names by anything but a bare *: %j', (text, admits) => {
    expect(policyOf(HEAD + text).admits).toBe(admits);
  });

  it('reads match, on_stale and the lists', () => {
    const policy = policyOf(`${HEAD}match:\n  server: [a, 1]\n  labels: { env: [prod, staging], __proto__: x }\n  upstream: npx *\non_stale: { after: 1h30m, do: deny }\nread_only: ["get_*"]\n`);
    expect(policy.match).toEqual({ server: ['a', '1'], labels: Object.fromEntries([['env', ['prod', 'staging']], ['__proto__', ['x']]]), upstream: ['npx *'] });
    expect(Object.keys(policy.match.labels)).toEqual(['env', '__proto__']);
    expect(policy.onStale).toEqual({ afterMs: 5_400_000, do: 'deny' });
    expect(policy.readOnly?.map(({ name }) => name)).toEqual(['get_*']);
  });

  it('reads the other sections, and deny and allow in place of an entry', () => {
    const policy = policyOf(`${HEAD}methods: { sampling/createMessage: deny, elicitation/create: allow }\nresources:\n  "repo://secrets/*": { rules: [{ name: no secrets, action: deny }] }\nprompts: {}\ntools: { x: deny, y: }\n`);
    expect(policy.methods?.map(({ pattern, rules }) => [pattern, rules.map(({ name, action }) => `${name} ${action}`)])).toEqual([['sampling/createMessage', ['(method denied) deny']], ['elicitation/create', []]]);
    expect(policy.resources?.[0]?.pattern).toBe('repo://secrets/*');
    expect(policy.prompts).toEqual([]);
    expect(policy.tools.map(({ pattern, rules }) => `${pattern} ${rules.length}`)).toEqual(['x 1', 'y 0']);
  });

  it('observes with all its rules where it observes as a whole', () => {
    const rules = policyOf(`${HEAD}mode: observe\nadmits: false\ntools: { t: { rules: [{ name: a, action: deny, mode: enforce }] }, u: deny }\n`).tools.flatMap((entry) => entry.rules);
    expect(rules.map(({ mode }) => mode)).toEqual(['observe', 'observe']);
    expect(ruleOf('{ name: a, action: deny, mode: observe }').mode).toBe('observe');
  });
});

describe('what a rule counts', () => {
  it.each([
    ['9223372036854775295', '9223372036854774784'],
    ['9223372036854775296', '-9223372036854775808'],
    ['9223372036854775807', '-9223372036854775808'],
    ['9007199254740993', '9007199254740992'],
    ['5', '5'],
  ])('reads the bound %s through a double, as Intercept does', (bound, limit) => {
    const state = (op: string): string | null | undefined => ruleOf(`{ name: r, conditions: [{ path: state.t.c, op: ${op}, value: ${bound} }], state: { counter: c, window: day } }`).counter?.limit;
    expect(state('lte')).toBe(limit);
    expect(state('lt')).toBe(limit.startsWith('-') ? limit : String(BigInt(limit) - 1n));
    expect(ruleOf(`{ name: r, rate_limit: ${bound}/hour }`).counter?.limit).toBe(limit);
  });

  it('expands rate_limit as Intercept does', () => {
    expect(ruleOf('{ name: r, rate_limit: +05/hour }')).toEqual({
      name: 'r', at: { line: 5, column: 9 }, action: 'evaluate', mode: 'enforce', when: [],
      conditions: [{ path: 'state.t._rate_hour', op: 'lte', value: { kind: 'int', value: '5' }, at: { line: 5, column: 20 } }],
      counter: { name: '_rate_hour', window: 'hour', amount: { kind: 'fixed', value: '1' }, limit: '5', from: 'rate_limit' },
      onDeny: 'Rate limit of 5 per hour reached. Try again later.',
    });
    expect(ruleOf('{ name: r, rate_limit: 1/day, on_deny: no }').onDeny).toBe('no');
    expect(ruleOf('{ name: r, rate_limit: 1/day }', '*').conditions[0]?.path).toBe('state._global._rate_day');
  });

  it('lets rate_limit stand beside when, and under a glob with a dot', () => {
    expect(ruleOf('{ name: r, rate_limit: 1/day, when: [{ path: args.x, op: eq, value: 1 }] }').when).toHaveLength(1);
    expect(ruleOf('{ name: r, rate_limit: 1/day }', 'my.*')).toMatchObject({ conditions: [], counter: { limit: '1' } });
    expect(places(`${HEAD}tools: { my.tool: { rules: [{ name: r, rate_limit: 1/day }] } }`)).toEqual(['2:40 COUNTER_UNKNOWN']);
  });

  it.each(['0', '+0', '-1', '9223372036854775808', '1e3', '1_000', '', '5 '])('refuses a rate_limit of %j an hour', (count) => {
    expect(places(`${HEAD}tools: { t: { rules: [{ name: r, rate_limit: "${count}/hour" }] } }`)).toEqual(['2:46 RATE_LIMIT']);
  });

  it.each([
    ['500000', '500000'], ['0.1', '0.1'], ['1_000.50', '1000.5'], ['1e3', '1000'], ['1.25e-3', '0.00125'], ['0x10', '16'], ['18446744073709551615', '18446744073709551615'],
    ['18446744073709551616', '18446744073709551616'], ['.5', '0.5'], ['12.', '12'],
  ])('keeps the maximum of a spend_limit exact: %s', (max, limit) => {
    expect(ruleOf(`{ name: r, spend_limit: { amount: args.amount, max: ${max}, per: day } }`)).toMatchObject({
      conditions: [], onDeny: null, counter: { name: '_spend_day', window: 'day', amount: { kind: 'argument', path: 'args.amount' }, limit, from: 'spend_limit' },
    });
  });

  it.each(['0', '-5', '-0.5', '0.0', '.inf', '.nan', '1e31', '1e-31', '"5"'])('refuses the maximum %s', (max) => {
    expect(parse(`${HEAD}tools: { t: { rules: [{ name: r, spend_limit: { amount: args.a, max: ${max}, per: day } }] } }`).ok).toBe(false);
  });

  it('never lets two spend limits of an entry share a sum', () => {
    const spend = (per: string): string => `{ name: r, spend_limit: { amount: args.a, max: 5, per: ${per} } }`;
    const named = '{ name: r, conditions: [{ path: state.t._spend_day, op: lte, value: 5 }], state: { counter: _spend_day, window: day } }';
    const rules = policyOf(`${HEAD}tools: { t: { rules: [${spend('day')}, ${spend('hour')}, ${named}, ${spend('day')}] } }`).tools[0]?.rules ?? [];
    expect(rules.map(({ counter }) => counter?.name)).toEqual(['_spend_day_2', '_spend_hour', '_spend_day', '_spend_day_3']);
  });

  it.each([
    ['lte, value: 5', '5'], ['lt, value: 5', '4'], ['lt, value: 2.5', '1'], ['lte, value: -2.5', '-2'], ['lte, value: .inf', '-9223372036854775808'], ['lte, value: 1e30', '-9223372036854775808'],
    ['gte, value: 5', null],
  ])('finds the limit of a state block in its own condition: op: %s', (condition, limit) => {
    const rule = ruleOf(`{ name: r, conditions: [{ path: args.x, op: exists, value: true }, { path: state.t.c, op: ${condition} }], state: { counter: c, window: day } }`);
    expect(rule.counter?.limit).toBe(limit);
  });

  it.each([['3', '3'], ['0x10', '16'], ['1.9', '1'], ['0.5', '1'], ['0', '1'], ['~', '1']])('counts an increment of %s as %s', (increment, amount) => {
    const rule = ruleOf(`{ name: r, conditions: [{ path: state.t.c, op: lte, value: 5 }], state: { counter: c, window: day, increment: ${increment} } }`);
    expect(rule.counter?.amount).toEqual({ kind: 'fixed', value: amount });
  });
});

describe('problems', () => {
  it('come all at once, in the order of the text, each with its place', () => {
    const text = 'version: "2"\ndefault: block\nhide: [a, "", a]\ntool: {}\ntools:\n  t:\n    rules:\n      - action: deny\n      - name: x\n        conditions: [{path: arg.x, op: matches, value: 1}, {path: args.x, op: lt, value: "5"}]\n      - {name: y, rate_limit: 5/week}\n';
    expect(places(text)).toEqual(['1:10 VERSION', '2:10 DEFAULT', '3:11 HIDE', '3:15 HIDE', '4:1 UNKNOWN_KEY', '8:9 RULE_NAME', '10:29 PATH', '10:40 OPERATOR', '10:90 VALUE', '11:31 RATE_LIMIT']);
  });

  it('are shown with their line and a caret', () => {
    const [problem] = parse('version: "1"\ntools:\n  t:\n    rules:\n      - name: r\n        action: deny\n        on_denny: x\n').problems;
    expect(problem === undefined ? '' : formatProblem(problem)).toBe(
      'github.yaml:7:9: error UNKNOWN_KEY unknown key `on_denny` in a rule: did you mean `on_deny`?\n7 |         on_denny: x\n  |         ^',
    );
  });

  it('show a part of a very long line, without what a terminal would obey', () => {
    const [problem] = parse(`version: "1"\nx-a: "${'y'.repeat(100_000)}\ud7ff"\n${'k'.repeat(500)}: "\u200b"\n`).problems;
    expect(problem?.frame?.length).toBeLessThan(300);
    const [escape] = parse(`version: "1"\n"\\e[31mred": 1\n`).problems;
    expect(escape?.message).not.toContain('\u001b');
  });

  it.each([
    [`${HEAD}defualt: deny`, 'did you mean `default`?'],
    [`${HEAD}default: block`, 'did you mean `deny`?'],
    [`${HEAD}mode: dry-run`, 'did you mean `observe`?'],
    [`${HEAD}tools: { t: { rules: [{ name: r, conditions: [{ path: args.x, operator: eq }] }] } }`, 'did you mean `op`?'],
    [`${HEAD}tools: { t: { rules: [{ name: r, conditions: [{ path: args.x, op: "==" }] }] } }`, 'did you mean `eq`?'],
    [`${HEAD}tools: { t: { rules: [{ name: r, conditions: [{ path: arg.x, op: eq }] }] } }`, 'did you mean `args.…`?'],
    [`${HEAD}tools: { t: { rules: [{ name: r, conditions: [{ path: client.nme, op: eq }] }] } }`, 'did you mean `client.name`?'],
    [`${HEAD}tools: { t: { rules: [{ name: r, rate_limit: 5/hours }] } }`, 'did you mean `hour`?'],
    [`${HEAD}tools: { t: { rules: [{ name: r, spend_limit: { amount: args.a, max: 5, per: daily } }] } }`, 'did you mean `day`?'],
    [`${HEAD}tools: { t: { rules: [{ name: r, conditions: [{ path: state.t.cal, op: lte, value: 5 }], state: { counter: call, window: day } }] } }`, 'did you mean `state.t.call`?'],
    [`${HEAD}tools: { t: { rules: [{ name: r, conditions: [{ path: time.weekday, op: in, value: [Mon] }] }] } }`, 'did you mean `monday`?'],
    [`${HEAD}tools: { t: { rules: [{ name: r, conditions: [{ path: args.x, op: type, value: str }] }] } }`, 'did you mean `string`?'],
    [`${HEAD}tests: [{ name: t, call: { tool: x }, expect: deny, rule: fiv }]\ntools: { x: { rules: [{ name: five, action: deny }] } }`, 'did you mean `five`?'],
  ])('guess what was meant: %#', (text, guess) => {
    expect(messages(text)).toContain(guess);
  });

  it('do not blame a rule for what only a misspelt key left out', () => {
    expect(places(`${HEAD}tools: { t: { rules: [{ name: r, condition: [] }] } }`)).toEqual(['2:34 UNKNOWN_KEY']);
    expect(places(`${HEAD}tools: { t: { rules: [{ nam: r, action: deny }] } }`)).toEqual(['2:25 UNKNOWN_KEY']);
  });

  it('are counted where there are too many to list', () => {
    const { problems } = parse(HEAD + Array.from({ length: 1000 }, (_, index) => `unknown${index}: 1\n`).join(''));
    expect(problems).toHaveLength(200);
    expect(problems.at(-1)?.message).toContain('and 800 more problems');
  });

  it('treat the words of JavaScript as ordinary names', () => {
    const policy = policyOf(`${HEAD}tools: { __proto__: { rules: [{ name: constructor, conditions: [{ path: args.__proto__, op: eq, value: { __proto__: 1 } }] }] }, constructor: deny, toString: }\n`);
    expect(policy.tools.map(({ pattern }) => pattern)).toEqual(['__proto__', 'constructor', 'toString']);
    for (const key of ['__proto__', 'constructor', 'toString', 'hasOwnProperty']) expect(places(`${HEAD}${key}: 1`)).toEqual(['2:1 UNKNOWN_KEY']);
    expect(places(`${HEAD}default: constructor`)).toEqual(['2:10 DEFAULT']);
  });

  it.each([
    ['{ name: r, when: [{ path: args.x, op: eq }] }', 'RULE_EMPTY'],
    ['{ name: r, action: deny, conditions: [{ path: args.x, op: eq }] }', 'RULE_CONFLICT'],
    ['{ name: r, action: deny, spend_limit: { amount: args.x, max: 1, per: day } }', 'RULE_CONFLICT'],
    ['{ name: r, rate_limit: 1/day, spend_limit: { amount: args.x, max: 1, per: day } }', 'RULE_CONFLICT'],
    ['{ name: r, spend_limit: { amount: args.x, max: 1, per: day }, state: { counter: c, window: day } }', 'RULE_CONFLICT'],
    ['{ name: r, spend_limit: { amount: amount, max: 1, per: day } }', 'SPEND_LIMIT'],
    ['{ name: r, spend_limit: $500/day }', 'TYPE'],
    ['{ name: r, conditions: [{ path: args.x, op: path_within, value: /srv/../etc }] }', 'VALUE'],
    ['{ name: r, conditions: [{ path: args.x, op: path_within, value: "file:///etc" }] }', 'VALUE'],
    ['{ name: r, conditions: [{ path: args.x, op: host_in, value: ["https://a.example"] }] }', 'VALUE'],
    ['{ name: r, conditions: [{ path: args.x, op: host_in, value: [] }] }', 'VALUE'],
    ['{ name: r, conditions: [{ path: args.x, op: max_length, value: -1 }] }', 'VALUE'],
    ['{ name: r, conditions: [{ path: args.x, op: max_length, value: 1.5 }] }', 'VALUE'],
    ['{ name: r, conditions: [{ path: args.x, op: starts_with, value: 5 }] }', 'VALUE'],
    ['{ name: r, conditions: [{ path: proxy.labels., op: eq, value: x }] }', 'PATH'],
    ['{ name: r, conditions: [{ path: args.x, op: regex, value: "(?=x)" }] }', 'REGEX'],
    ['{ name: r, conditions: [{ path: state.u.c, op: lte, value: 1 }] }', 'COUNTER_UNKNOWN'],
  ])('%s: %s', (rule, code) => {
    const { problems } = parse(`${HEAD}tools: { t: { rules: [${rule}] } }`);
    expect(problems[0]?.code ?? 'OK').toBe(code);
  });

  it.each([
    ['match: { server: [] }', 'MATCH'], ['match: { server: "" }', 'MATCH'], ['match: { labels: { env: } }', 'MATCH'], ['match: { labels: { env: [] }, server: x }', 'MATCH'], ['match: github', 'TYPE'],
    ['on_stale: { after: 10, do: deny }', 'DURATION'], ['on_stale: { after: 10m }', 'MISSING_KEY'], ['on_stale: { after: 0s, do: deny }', 'DURATION'], ['on_stale: { after: 10m, do: allow }', 'DEFAULT'],
    ['admits: yes', 'TYPE'], ['hide: x', 'TYPE'], ['tools: { x: maybe }', 'TYPE'], ['tools: { " ": }', 'NAME'], ['hide: ["a", "a"]', 'HIDE'], [`hide: ["${'a'.repeat(2000)}"]`, 'GLOB'],
  ])('%s: %s', (line, code) => {
    expect(parse(HEAD + line).problems.map((problem) => problem.code)).toContain(code);
    expect(parse(HEAD + line).ok).toBe(false);
  });
});

describe('tests in a policy', () => {
  function testsOf(text: string): readonly PolicyTest[] {
    const parsed = parse(`${HEAD}tools: { t: { rules: [{ name: five, rate_limit: 5/hour }] } }\ntests:\n  - ${text}\n`);
    if (!parsed.ok) throw new Error(parsed.problems.map(formatProblem).join('\n'));
    return parsed.tests;
  }

  it('take from the test what a call leaves out', () => {
    const [test] = testsOf('{ name: n, server: s, labels: { env: prod }, client: c, at: 2026-02-01T00:00:00Z, expect: allow, calls: [{ tool: t, times: 2, arguments: { d: 2024-01-15, n: 1.50 } }, { tool: t, at: 2026-02-02T00:00:00Z, expect: deny, rule: five, outcome: error }] }');
    const at = { line: 4, column: 110 };
    const call = { kind: 'tool', name: 't', arguments: { kind: 'map', entries: [['d', { kind: 'string', value: '2024-01-15' }], ['n', { kind: 'float', value: '1.5' }]] } };
    const step = { call, atMs: Date.UTC(2026, 1, 1), expect: 'allow', rule: null, outcome: 'ok', at };
    expect(test).toEqual({
      name: 'n', at: { line: 4, column: 5 }, server: 's', labels: { env: 'prod' }, client: 'c',
      steps: [step, step, { ...step, call: { kind: 'tool', name: 't', arguments: null }, atMs: Date.UTC(2026, 1, 2), expect: 'deny', rule: 'five', outcome: 'error', at: { line: 4, column: 172 } }],
    });
  });

  it('have a clock of their own', () => {
    expect(testsOf('{ name: n, call: { uri: "repo://x" }, expect: allow }')[0]?.steps[0]).toMatchObject({ call: { kind: 'resource', uri: 'repo://x' }, atMs: Date.UTC(2026, 0, 5, 12) });
  });

  it.each([
    '{ name: n, expect: allow }', '{ name: n, call: { tool: t } }', '{ name: n, call: { tool: t }, calls: [], expect: allow }', '{ name: n, calls: [], expect: allow }', '{ call: { tool: t }, expect: allow }',
    '{ name: n, call: { tool: t, uri: u }, expect: allow }', '{ name: n, call: { tool: t }, expect: allow, rule: five }', '{ name: n, call: { tool: t }, expect: deny, rule: six hundred }',
    '{ name: n, call: { tool: t }, expect: allow, at: noon }', '{ name: n, calls: [{ tool: t, times: 0 }], expect: allow }', '{ name: n, calls: [{ tool: t, times: 1001 }], expect: allow }',
    '{ name: n, call: { tool: t, arguments: { x: .inf } }, expect: allow }', '{ name: n, call: { tool: t }, expect: maybe }',
    ...['tools/call', 'prompts/get', 'resources/read', 'resources/subscribe', 'resources/unsubscribe', 'initialize', 'tools/list', 'notifications/cancelled'].map((method) => `{ name: n, call: { method: ${method} }, expect: allow }`),
  ])('are refused where they say too little or too much: %s', (text) => {
    const { problems } = parse(`${HEAD}tools: { t: { rules: [{ name: five, rate_limit: 5/hour }] } }\ntests:\n  - ${text}\n`);
    expect(problems.map(({ code }) => code)).toEqual(['TEST']);
    expect(problems[0]?.line).toBe(4);
  });
});

describe('bytes', () => {
  const bytes = (...parts: readonly (string | number)[]): Uint8Array => Buffer.concat(parts.map((part) => (typeof part === 'string' ? Buffer.from(part) : Buffer.from([part]))));

  it('may begin with a byte order mark and end lines with CRLF', () => {
    expect(places(bytes(0xef, 0xbb, 0xbf, 'version: "1"\r\ndefalt: x\r\n'))).toEqual(['2:1 UNKNOWN_KEY']);
    expect(parse(bytes(0xef, 0xbb, 0xbf, 'version: "1"\r\ndefalt: x\r\n')).problems[0]?.frame).toBe('2 | defalt: x\n  | ^');
    expect(places(bytes(0xef, 0xbb, 0xbf, 'version: "2"'))).toEqual(['1:10 VERSION']);
  });

  it.each([
    ['invalid UTF-8', bytes(HEAD, 'description: "', 0xff, '"'), '2:15 FILE_NOT_UTF8'],
    ['half a character at the end', bytes(HEAD, 'description: ', 0xe2, 0x82), '2:14 FILE_NOT_UTF8'],
    ['an encoded surrogate', bytes(HEAD, '# ', 0xed, 0xa0, 0x80), '2:3 FILE_NOT_UTF8'],
    ['UTF-16', bytes(0xff, 0xfe, 'v', 0), '1:1 FILE_NOT_UTF8'],
    ['NUL', bytes(HEAD, '# a', 0), '2:4 YAML_SYNTAX'],
    ['a second byte order mark', bytes(HEAD, '# ', 0xef, 0xbb, 0xbf), '2:3 YAML_SYNTAX'],
    ['a line separator in a comment', bytes(HEAD, '# \u2028default: deny'), '2:3 YAML_SYNTAX'],
    ['a lone carriage return', bytes(HEAD, '# a\rdefault: deny'), '2:4 YAML_SYNTAX'],
    ['reordered text', bytes(HEAD, '# \u202e'), '2:3 YAML_SYNTAX'],
    ['half a character as an escape', bytes(HEAD, 'description: "\\ud83d\\ude00"'), '2:14 YAML_SYNTAX'],
    ['a tab as indentation', bytes(HEAD, 'tools:\n\ta: {}'), '3:1 YAML_SYNTAX'],
    ['a tab behind a dash', bytes(HEAD, 'hide:\n-\ta'), '3:2 YAML_SYNTAX'],
    ['a colon that may belong to the key', bytes(HEAD, 'tools: {a:}'), '2:11 YAML_SYNTAX'],
    ['a question mark that may begin a key', bytes(HEAD, 'hide: [?ead_file]'), '2:8 YAML_SYNTAX'],
    ['a question mark before a space', bytes(HEAD, 'hide: [a? b]'), '2:9 YAML_SYNTAX'],
    ['a question mark before a space at the end', bytes(HEAD, 'hide: [a? , b]'), '2:9 YAML_SYNTAX'],
    ['a tab in the indentation of a block', bytes(HEAD, 'description: |\n  x\n \t\n'), '4:2 YAML_SYNTAX'],
    ['a key that is not on one line with its colon', bytes(HEAD, 'tools: {"a"\n  : }'), '2:9 YAML_SYNTAX'],
    ['a complex key', bytes(HEAD, 'tools:\n  ? a\n  : {}'), '3:3 TYPE'],
    ['a quote that an escape cannot close', bytes(HEAD, 'description: "\\"\nhide: ["a"]'), '2:14 YAML_SYNTAX'],
    ['a text that goes on behind its quote', bytes(HEAD, 'description: "a"b'), '2:17 YAML_SYNTAX'],
    ['a directive', bytes('%YAML 1.1\n---\n', HEAD), '1:1 YAML_SYNTAX'],
    ['a tag', bytes(HEAD, 'description: !!binary aGk='), '2:23 YAML_TAG'],
    ['a tag that does not fit', bytes(HEAD, 'description: !!int x'), '2:20 YAML_TAG'],
    ['an unknown alias', bytes(HEAD, 'hide: *a'), '2:7 YAML_ALIAS'],
    ['an alias inside its anchor', bytes(HEAD, 'hide: &a [*a]'), '2:11 YAML_ALIAS'],
    ['an alias inside its anchor, though an earlier one has its name', bytes(HEAD, 'x-a: &a b\nhide: &a [*a]'), '3:11 YAML_ALIAS'],
    ['an anchor of another alphabet', bytes(HEAD, 'x-a: &é b'), '2:9 YAML_ALIAS'],
    ['a merge with an alias to a list', bytes(HEAD, 'x-a: &a [{ name: r }]\ntools: { t: { rules: [{ <<: *a, action: deny }] } }'), '3:25 YAML_MERGE'],
    ['a merge with a text', bytes(HEAD, 'tools: { t: { <<: x } }'), '2:15 YAML_MERGE'],
    ['a key twice', bytes(HEAD, 'tools: { 1: , "1": }'), '2:15 YAML_DUPLICATE_KEY'],
    ['a key missing', bytes(HEAD, 'tools: { : x }'), '2:9 TYPE'],
  ])('are refused with %s', (_what, text, place) => {
    expect(places(text)).toEqual([place]);
  });

  it('have all that is wrong with them told at once, also beside what is no good YAML', () => {
    const text = `${HEAD}default: maybe\ndescription: !mine x\nhide: [get_?, "", ""]\ntools:\n  t: { rules: [{ name: r, name: s, conditions: [{ path: arg.a, op: eq, value: 1 }] }], 5: x }\n  : {}\n---\nversion: "1"\n`;
    expect(places(text)).toEqual(['2:10 DEFAULT', '3:20 YAML_TAG', '4:12 YAML_SYNTAX', '4:15 HIDE', '4:19 HIDE', '6:27 YAML_DUPLICATE_KEY', '6:57 PATH', '6:88 UNKNOWN_KEY', '7:1 TYPE', '9:1 YAML_SEVERAL_DOCUMENTS']);
  });

  it('have a counter that nothing declares told beside an operator that is none', () => {
    expect(places(`${HEAD}hide: ["", ""]\ntools: { t: { rules: [{ name: r, conditions: [{ path: state.t.c, op: is, value: 1 }] }] } }\n`)).toEqual(['2:8 HIDE', '2:12 HIDE', '3:47 COUNTER_UNKNOWN', '3:70 OPERATOR']);
  });

  it('are limited in size, depth and what aliases make of them', () => {
    expect(places(new Uint8Array(MAX_POLICY_BYTES + 1))).toEqual(['1:1 FILE_TOO_LARGE']);
    expect(parse(`${HEAD}x-a: ${'['.repeat(60)}${']'.repeat(60)}\n`).ok).toBe(true);
    for (const deep of [`x-a: ${'['.repeat(70)}${']'.repeat(70)}`, `x-a: ${'['.repeat(500_000)}`, 'x-a: &a [[[[[[[[[[]]]]]]]]]]\n'.concat(...Array.from({ length: 9 }, (_, n) => `x-${'a'.repeat(n + 2)}: &${'a'.repeat(n + 2)} [[[[[[[*${'a'.repeat(n + 1)}]]]]]]]\n`))]) {
      expect(parse(HEAD + deep).problems.map(({ code }) => code)).toEqual(['YAML_TOO_DEEP']);
    }
    const laughs = Array.from({ length: 30 }, (_, n) => `x-${n}: &a${n} [${n === 0 ? 'ha' : Array.from({ length: 9 }, () => `*a${n - 1}`).join(', ')}]\n`);
    expect(parse(HEAD + laughs.join('')).problems.map(({ code }) => code)).toEqual(['YAML_ALIAS']);
  });

  it('may have anchors, aliases and merge keys', () => {
    const policy = policyOf(`${HEAD}x-one: &one { action: deny, on_deny: one }\nx-two: &two { name: two, on_deny: two }\ntools:\n  a: { rules: [{ <<: [*one, *two] }, { <<: *one, name: own, on_deny: mine }] }\n  b: &b { rules: [&r { name: r, action: deny }, *r] }\n  c: *b\n`);
    expect(policyOf(`${HEAD}tools: { "<<": deny }`).tools.map(({ pattern }) => pattern)).toEqual(['<<']);
    expect(policy.tools.map(({ rules }) => rules.map(({ name, action, onDeny }) => `${name} ${action} ${onDeny ?? '-'}`))).toEqual([['two deny one', 'own deny mine'], ['r deny -', 'r deny -'], ['r deny -', 'r deny -']]);
  });
});

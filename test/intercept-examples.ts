/**
 * Every row of the tables in docs/compatibility.md by examples: what Intercept does with them was asked of Intercept itself (its
 * config and engine at the commit that the page names), what Portcullis does is asked by intercept-documented.test.ts.
 */

const HEAD = 'version: "1"\n';

/** Rules of a tool `t`, and more besides, as a text. */
function tool(rules: string, name = 't'): string {
  return `${HEAD}tools: { ${name}: { rules: [${rules}] } }\n`;
}

function condition(rest: string): string {
  return tool(`{ name: r, conditions: [{ ${rest} }] }`);
}

function list(count: number, item: (index: number) => string): string {
  return Array.from({ length: count }, (_, index) => item(index)).join(', ');
}

function utf16(text: string): Uint8Array {
  return new Uint8Array([0xff, 0xfe, ...Array.from(text).flatMap((character) => [character.charCodeAt(0) & 0xff, character.charCodeAt(0) >> 8])]);
}

/** Rows under "These files load with Intercept and are refused here", by their first cell. */
export const REFUSED_HERE: ReadonlyMap<string, readonly (string | Uint8Array)[]> = new Map<string, readonly (string | Uint8Array)[]>([
  ['an unknown key, anywhere', [`${HEAD}tols: {}\n`, tool('{ name: r, action: deny, on_dney: no }'), condition('path: args.a, op: exists, value: true, note: x')]],
  ['a second document after `---` or `...`, or any text behind the first', [`${HEAD}---\ntools: { t: { rules: [{ name: r, action: deny }] } }\n`, `${HEAD}...\nx`, '{ version: "1" } { }\n', '  version: "1"\ndefault: deny\n']],
  ['the same key twice in one mapping, also under an `x-` key', [`${HEAD}x-a: { b: 1, b: 2 }\n`]],
  ['a key that is null (`~: value`)', [`${HEAD}tools:\n  ~: { rules: [] }\n`]],
  ['a tool whose name is empty or blank', [tool('', '""'), tool('', '" "')]],
  ['an `action` that does not exist, beside a `rate_limit`', [tool('{ name: r, action: allow, rate_limit: 5/hour }')]],
  ['a mapping under `value` whose keys are of several kinds (`{1: a, b: c}`), or two dates, or not a number beside others', [condition('path: args.a, op: eq, value: { 1: a, b: c }'), condition('path: args.a, op: eq, value: { 2024-01-15: a, 2024-01-16: b }'), condition('path: args.a, op: in, value: [{ .nan: a, 1: b }]')]],
  ['a key that is no text (`123`, `true`) and is merged in as well', [`${HEAD}x-a: &a { 123: { rules: [] } }\ntools:\n  <<: *a\n  123: { rules: [{ name: r, action: deny }] }\n`]],
  ['a negative `increment` (also -0.5, which is cut to 0 there and counts as 1), and one of 2^63 or more', ['-1', '-0.5', '9223372036854775807.0', '1e19'].map((amount) => counted(`increment: ${amount}`, 'lte, value: 5'))],
  ['two entries whose counters are read by one path: `b.c` of `a` and `c` of `a.b`, or `c` of `*` and of a tool named `_global`', [
    `${HEAD}tools:\n  a: { rules: [{ name: r, conditions: [{ path: state.a.b.c, op: lte, value: 5 }], state: { counter: b.c, window: day } }] }\n  a.b: { rules: [{ name: s, conditions: [{ path: state.a.b.c, op: lte, value: 5 }], state: { counter: c, window: day } }] }\n`,
    `${HEAD}tools:\n  "*": { rules: [{ name: r, conditions: [{ path: state._global.c, op: lte, value: 5 }], state: { counter: c, window: day } }] }\n  _global: { rules: [{ name: s, conditions: [{ path: state._global.c, op: lte, value: 5 }], state: { counter: c, window: day } }] }\n`,
    `${HEAD}tools:\n  _global: { rules: [{ name: r, rate_limit: 1/hour }] }\n  "*": { rules: [{ name: s, rate_limit: 2/hour }] }\n`,
  ]],
  ['a path `state.*.c`', [`${HEAD}tools:\n  "*": { rules: [{ name: r, conditions: [{ path: state._global.c, op: lte, value: 5 }], state: { counter: c, window: day } }] }\n  t: { rules: [{ name: s, conditions: [{ path: state.*.c, op: lte, value: 5 }] }] }\n`]],
  ['a `rate_limit` on an entry with a dot in its name, also where the tool `a` declares what makes it load there (`b._rate_hour` for `a.b`)', [`${HEAD}tools:\n  a: { rules: [{ name: r, conditions: [{ path: args.x, op: exists, value: true }], state: { counter: b._rate_hour, window: hour } }] }\n  a.b: { rules: [{ name: s, rate_limit: 5/hour }] }\n`]],
  ['a lone carriage return, U+0085, U+2028 or U+2029 outside of an escape', [`${HEAD}# a\rtools: {}\n`, `${HEAD}# a\u0085\n`, `${HEAD}# a\u2028tools: {}\n`]],
  ['characters that reorder text (U+202A to U+202E, U+2066 to U+2069), a byte order mark that is not first', [`${HEAD}description: a\u202eb\n`, `${HEAD}description: a\u2066b\n`, `${HEAD}description: a\ufeffb\n`]],
  ['UTF-16', [utf16(`${HEAD}tools: {}\n`)]],
  ['complex keys (`? key`)', [`${HEAD}x-a:\n  ? b\n  : c\n`, `${HEAD}x-a: { ? b : c }\n`]],
  ['inside brackets: `{a:}`, a dash alone (`[-]`), a tag or anchor with a comma right behind it, an alias with a colon right behind it', [`${HEAD}x-a: {a:}\n`, `${HEAD}x-a: [-]\n`, `${HEAD}x-a: [&b, c]\n`, `${HEAD}x-a: &a b\nx-b: {*a: c}\n`]],
  ['a `#` right behind a quote, a bracket or the head of a block', ['version: "1"#b\n', `${HEAD}hide: [a]#b\n`, `${HEAD}description: |#b\n c\n`]],
  ['brackets or quotes that go on in a line that is not indented more than what they belong to', [`${HEAD}hide: [a,\nb]\n`, `${HEAD}description: "a\nb"\n`, `${HEAD}x-a:\n  b: [\n  c\n  ]\n`]],
  ["the escape `\\'` in double quotes", [`${HEAD}description: "it\\'s"\n`]],
  ['an anchor or alias with a colon right behind it (`&rules: []`)', [`${HEAD}x-a:\n  &rules: []\n`]],
  ['directives (`%YAML`, `%TAG`), tags other than `!!str !!int !!float !!bool !!null !!map !!seq`, and a `!` alone', [`%YAML 1.1\n---\n${HEAD}`, condition('path: args.a, op: eq, value: !!timestamp 2024-01-15'), `${HEAD}hide: [!!binary aGk=]\n`, `${HEAD}description: !mine x\n`, `${HEAD}description: ! x\n`]],
  ['an anchor that contains itself, also where it is not used', [`${HEAD}x-a: &a [*a]\n`]],
  ['more than 1 MiB, 64 levels, 500,000 lexical pieces, 300,000 values with aliases followed, 500 aliases and levels in a chain, 10,000 rules, 500 different regular expressions, 500 tests, names of 1,024 or messages of 8,192 characters', [
    `${HEAD}description: ${'x'.repeat(1024 * 1024)}\n`, `${HEAD}x-a: ${'['.repeat(70)}${']'.repeat(70)}\n`, tool(list(10_001, (index) => `{name: r${index}, action: deny}`)),
    tool(list(501, (index) => `{ name: r${index}, conditions: [{ path: args.a, op: regex, value: a${index} }] }`)), `${HEAD}hide: [${'n'.repeat(1025)}]\n`, tool(`{ name: r, action: deny, on_deny: ${'x'.repeat(8193)} }`),
  ]],
  ['a regular expression that compiles to more than 2,500 instructions, is longer than 10,000 characters, or has two groups of one name', [condition('path: args.a, op: regex, value: "(a{1,100}){1,9}[b-d]{1,1000}e{1,1000}f{1,1000}"'), condition(`path: args.a, op: regex, value: ${'a'.repeat(10_001)}`), condition('path: args.a, op: regex, value: "(?P<n>a)(?P<n>b)"')]],
]);

type Decided = 'allow' | 'deny';

/** One call: the tool, its arguments as JSON text, and when, where the clock matters (RFC 3339). */
export interface ExampleCall {
  readonly tool: string;
  readonly arguments?: string;
  readonly at?: string;
  readonly intercept: Decided;
  readonly here: Decided;
}

/** What a policy means there and here. `intercept: 'refused'` = it does not load there; `here` likewise. */
export interface Example {
  readonly policy: string;
  readonly calls: readonly ExampleCall[] | { readonly intercept: 'loads' | 'refused'; readonly here: 'loads' | 'refused' };
}

const REFUSED_THERE = { intercept: 'refused', here: 'loads' } as const;
const REFUSED_BY_BOTH = { intercept: 'refused', here: 'refused' } as const;

/** Rows under "These mean something here and something else there". */
export const OTHER_MEANING: ReadonlyMap<string, readonly Example[]> = new Map<string, readonly Example[]>([
  ['`*` and `?` in a key of `tools` or in `hide`', [
    { policy: `${HEAD}hide: ["delete_*"]\n`, calls: [{ tool: 'delete_x', intercept: 'allow', here: 'deny' }, { tool: 'delete_*', intercept: 'deny', here: 'deny' }] },
    { policy: `${HEAD}default: deny\ntools: { "get_?": }\n`, calls: [{ tool: 'get_x', intercept: 'deny', here: 'allow' }] },
  ]],
  ['`spend_limit`, `when`, `mode`, `match`, `admits`, `on_stale`, `read_only`, `resources`, `prompts`, `methods`, `tests`', [
    { policy: tool('{ name: r, action: deny, when: [{ path: args.a, op: eq, value: 1 }] }'), calls: [{ tool: 't', arguments: '{"a":1}', intercept: 'deny', here: 'deny' }, { tool: 't', intercept: 'deny', here: 'allow' }] },
  ]],
  ['`not_contains`, `starts_with`, `ends_with`, `glob`, `path_within`, `host_in`, `max_length`, `type`', [{ policy: condition('path: args.a, op: starts_with, value: x'), calls: REFUSED_THERE }]],
  ['paths `proxy.…`, `client.name`, `time.…`', [{ policy: condition('path: time.hour, op: lt, value: 18'), calls: REFUSED_THERE }]],
  ['a rule with `spend_limit` alone', [{ policy: tool('{ name: r, spend_limit: { amount: args.n, max: 5, per: day } }'), calls: REFUSED_THERE }]],
  ['`tools: { name: deny }`', [{ policy: `${HEAD}tools: { t: deny }\n`, calls: REFUSED_THERE }]],
  ['`rate_limit` on an entry with a dot in its name', [
    { policy: tool('{ name: r, rate_limit: 5/hour }', 'a.b'), calls: REFUSED_BY_BOTH },
    { policy: tool('{ name: r, rate_limit: 5/hour }', '"a.b*"'), calls: REFUSED_THERE },
  ]],
  ['a `rate_limit` map, `action: allow`, rules without a name (seen on web pages about Intercept)', [
    { policy: tool('{ name: r, rate_limit: { max: 5, window: hour } }'), calls: REFUSED_BY_BOTH },
    { policy: tool('{ name: r, action: allow }'), calls: REFUSED_BY_BOTH },
    { policy: tool('{ action: deny }'), calls: REFUSED_BY_BOTH },
  ]],
]);

function counted(amount: string, limit: string, path = 'state.t.c', name = 't'): string {
  return tool(`{ name: r, conditions: [{ path: ${path}, op: ${limit} }], state: { counter: c, window: day, ${amount} } }`, name);
}

/** Rows under "Deciding" that one policy and its calls can show. */
export const DECIDED_OTHERWISE: ReadonlyMap<string, readonly Example[]> = new Map<string, readonly Example[]>([
  ['a number that a double cannot hold (2^53 + 1)', [{ policy: condition('path: args.a, op: lte, value: 9007199254740992'), calls: [{ tool: 't', arguments: '{"a":9007199254740992}', intercept: 'allow', here: 'allow' }, { tool: 't', arguments: '{"a":9007199254740993}', intercept: 'allow', here: 'deny' }] }]],
  ['`state` with a negative amount from an argument †', [{
    policy: counted('increment_from: args.n', 'lte, value: 10'),
    calls: [{ tool: 't', arguments: '{"n":8}', intercept: 'allow', here: 'allow' }, { tool: 't', arguments: '{"n":-5}', intercept: 'allow', here: 'deny' }, { tool: 't', arguments: '{"n":2}', intercept: 'allow', here: 'allow' }, { tool: 't', arguments: '{"n":1}', intercept: 'allow', here: 'deny' }],
  }]],
  ['amounts with a fraction †', [
    { policy: counted('increment_from: args.n', 'lte, value: 1'), calls: [{ tool: 't', arguments: '{"n":0.75}', intercept: 'allow', here: 'allow' }, { tool: 't', arguments: '{"n":0.75}', intercept: 'allow', here: 'deny' }] },
    {
      policy: `${HEAD}tools:\n  t: { rules: [{ name: r, conditions: [{ path: state.t.c, op: lte, value: 9 }], state: { counter: c, window: day, increment_from: args.n } }] }\n  u: { rules: [{ name: s, conditions: [{ path: state.t.c, op: gt, value: 0 }] }] }\n`,
      calls: [{ tool: 't', arguments: '{"n":0.5}', intercept: 'allow', here: 'allow' }, { tool: 'u', intercept: 'deny', here: 'allow' }],
    },
  ]],
  ['amounts beyond 2^63', [{ policy: counted('increment_from: args.n', 'lte, value: 10'), calls: [{ tool: 't', arguments: '{"n":1e19}', intercept: 'allow', here: 'deny' }] }]],
  ['a limit of `lt` and 2^63 or more (2^63 - 512 is as much to a double, `.inf` too)', ['.inf', '9223372036854775807', '9223372036854775296', '9.3e18'].map((bound) => ({ policy: counted('increment: 1', `lt, value: ${bound}`), calls: [{ tool: 't', intercept: 'allow', here: 'deny' }] }))],
  ['a `regex` on a text whose length times the size of the compiled expression is above 25,000,000 (4 million characters for `^[^;]*$`)', [{ policy: condition('path: args.a, op: regex, value: "^[^;]*$"'), calls: [{ tool: 't', arguments: `{"a":"${'x'.repeat(5_000_000)}"}`, intercept: 'allow', here: 'deny' }] }]],
  ['the clock steps back', [{
    policy: tool('{ name: r, rate_limit: 1/minute }'),
    calls: [{ tool: 't', at: '2026-03-04T12:01:00Z', intercept: 'allow', here: 'allow' }, { tool: 't', at: '2026-03-04T12:00:59Z', intercept: 'allow', here: 'deny' }],
  }]],
]);

/** Rows under "Deciding" that no policy and its calls show, and what does. */
export const SHOWN_ELSEWHERE: ReadonlyMap<string, string> = new Map([
  ['a number beyond every double (1e400)', 'intercept-documented.test.ts'],
  ['the text that an agent sees', 'every message of evaluate.json, less its prefix'],
  ['the name in a message', 'intercept-documented.test.ts'],
  ['arguments nested deeper than 128 levels', 'intercept-documented.test.ts'],
  ['counters of different servers with equal tool names †', 'counter-contract.ts'],
  ['the counter store cannot be used', 'backend-down-closed and its like in evaluate.json'],
  ['a rolled-back count', 'counter-contract.ts'],
]);

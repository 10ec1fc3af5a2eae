import { describe, expect, it } from 'vitest';
import type { Call, CallContext, Decision } from '../call.ts';
import type { CounterStore } from '../counter.ts';
import { memoryCounters } from '../counter-memory.ts';
import { InexactNumber } from '../json.ts';
import type { JsonObject } from '../json.ts';
import { parsePolicy } from '../parse/policy.ts';
import type { Policy } from '../policy.ts';
import type { Restriction } from '../restriction.ts';
import { listFilter, visibility } from '../restrict.ts';
import { decide } from './decide.ts';
import type { Verdict } from './decide.ts';
import { compilePolicies } from './enforcement.ts';

const NOON = Date.UTC(2026, 0, 5, 12);

function parse(id: string, text: string): Policy {
  const parsed = parsePolicy({ id, bytes: new TextEncoder().encode(`version: "1"\n${text}`) });
  if (!parsed.ok) throw new Error(parsed.problems.map(({ message }) => message).join('\n'));
  return parsed.policy;
}

interface World {
  readonly server?: string;
  readonly labels?: Record<string, string>;
  readonly upstream?: string;
  readonly restrictions?: readonly Restriction[];
  readonly context?: Partial<CallContext>;
  readonly counters?: CounterStore;
}

/** A gate over policies given as id to text (without the version line). */
function gate(files: Record<string, string>, world: World = {}): (call: Call) => Verdict {
  const { server = 'github', labels = {}, restrictions = [] } = world;
  const policies = Object.entries(files).map(([id, text]) => parse(id, text));
  const enforcement = compilePolicies(policies, { server, labels }, world.upstream ?? null);
  const counters = world.counters ?? memoryCounters();
  const context: CallContext = { server, labels, upstream: world.upstream ?? null, clientName: null, nowMs: NOON, staleMs: 0, ...world.context };
  return (call) => decide({ enforcement, restrictions, call, context, counters });
}

function tool(name: string, args: JsonObject = {}): Call {
  return { kind: 'tool', name, arguments: args };
}

function brief({ decision, reason, rule, message }: Decision): string {
  return [decision, reason, rule, message].filter((part) => part !== null).join(' | ');
}

describe('which policies apply', () => {
  it('[E2] says which line to write where no policy admits the server', () => {
    expect(brief(gate({})(tool('x')).decision)).toBe(
      'deny | no-policy | (no policy) | No policy admits server `github`. Add a file `github.yaml` to the policy directory, or `match: { server: github }` to a policy.',
    );
    const hostile = gate({}, { server: '../x: {' })(tool('x')).decision;
    expect(hostile.message).toBe('No policy admits server `../x: {`. Add `match: { server: "../x: {" }` to a policy.');
  });

  it('[E2] a file of its stem admits, a bare star only guards, admits: true admits', () => {
    expect(gate({ 'team/github.yml': '' })(tool('x')).decision.decision).toBe('allow');
    expect(gate({ 'other.yaml': '' })(tool('x')).decision.reason).toBe('no-policy');
    expect(gate({ 'all.yaml': 'match: { server: "*" }' })(tool('x')).decision.reason).toBe('no-policy');
    for (const glob of ['**', '?*', '*?*', '??*']) expect(gate({ 'all.yaml': `match: { server: "${glob}" }` })(tool('x')).decision.reason, glob).toBe('no-policy');
    expect(gate({ 'all.yaml': 'match: { server: "git*" }' })(tool('x')).decision.decision).toBe('allow');
    expect(gate({ 'all.yaml': 'match: { server: "*" }\nadmits: true' })(tool('x')).decision.decision).toBe('allow');
  });

  it('[E1] every policy that selects the proxy applies, by server and labels', () => {
    const files = { 'github.yaml': '', 'prod.yaml': 'match: { server: "*", labels: { env: prod } }\ntools: { x: deny }' };
    expect(gate(files, { labels: { env: 'prod' } })(tool('x')).decision.decision).toBe('deny');
    expect(gate(files, { labels: { env: 'dev' } })(tool('x')).decision.decision).toBe('allow');
    expect(gate(files)(tool('x')).decision.decision).toBe('allow');
  });

  it('[W8] denies everything where the server is not what a policy knows under its name', () => {
    const files = { 'github.yaml': 'match: { server: github, upstream: ["npx * @modelcontextprotocol/server-github*"] }' };
    expect(gate(files, { upstream: 'npx -y @modelcontextprotocol/server-github@1' })(tool('x')).decision.decision).toBe('allow');
    const wrong = gate(files, { upstream: 'sh -c evil' })(tool('x')).decision;
    expect([wrong.reason, wrong.rule, wrong.matched[0]?.source]).toEqual(['wrong-upstream', '(wrong upstream)', 'github.yaml']);
    expect(gate(files)(tool('x')).decision.decision).toBe('allow');
  });

  it('[P3] keeps the last good for ever, unless the strictest on_stale says deny', () => {
    const files = { 'github.yaml': 'on_stale: { after: 10m, do: deny }', 'guard.yaml': 'match: { server: "*" }\non_stale: { after: 1m, do: deny }' };
    const at = (staleMs: number): Decision => gate(files, { context: { staleMs } })(tool('x')).decision;
    expect(at(59_999).decision).toBe('allow');
    expect([at(60_000).reason, at(60_000).matched.map(({ source }) => source)]).toEqual(['stale', ['guard.yaml']]);
    expect(at(600_000).matched.map(({ source }) => source)).toEqual(['guard.yaml', 'github.yaml']);
    expect(at(NaN).reason).toBe('stale');
    expect(gate({ 'github.yaml': '' }, { context: { staleMs: 1e15 } })(tool('x')).decision.decision).toBe('allow');
  });
});

describe('what speaks', () => {
  it('[E4] is the first by policy id in bytes, then hide, default, exact entry, globs in file order, star', () => {
    const rules = (name: string): string => `{ rules: [{ name: ${name}, action: deny }] }`;
    const text = (id: string): string => `match: { server: github }\nhide: [x]\ntools:\n  "*": ${rules(`${id}-star`)}\n  "?": ${rules(`${id}-second`)}\n  x: ${rules(`${id}-exact`)}\n  "x*": ${rules(`${id}-third`)}`;
    const decision = gate({ 'b.yaml': text('b'), 'B.yaml': text('B'), '\u{1F600}.yaml': text('emoji'), '\uffee.yaml': text('bmp') })(tool('x')).decision;
    expect(decision.rule).toBe('(hidden)');
    const order = ['exact', 'second', 'third', 'star'];
    expect(decision.matched.map(({ rule }) => rule)).toEqual(['B', 'b', 'bmp', 'emoji'].flatMap((id) => ['(hidden)', ...order.map((entry) => `${id}-${entry}`)]));
    expect(decision.matched[1]).toEqual({ by: 'rule', source: 'B.yaml', rule: 'B-exact', entry: 'x', at: { line: 7, column: 16 } });
  });

  it('[E4] names the default with its place, and a star entry after it', () => {
    const decision = gate({ 'github.yaml': 'default: deny\ntools: { "*": { rules: [{ name: none, action: deny }] }, "a*": }' })(tool('x')).decision;
    expect(brief(decision)).toBe('deny | default | (default deny) | Tool "x" is not permitted by policy');
    expect(decision.matched.map(({ by, at }) => [by, at?.line])).toEqual([['default', 2], ['rule', 3]]);
  });

  it('names every policy that allowed', () => {
    expect(gate({ 'github.yaml': '', 'guard.yaml': 'match: { server: "*" }' })(tool('x')).decision.matched.map(({ source }) => source)).toEqual(['github.yaml', 'guard.yaml']);
  });
});

describe('default: deny', () => {
  const judge = gate({ 'github.yaml': 'default: deny\ntools: { get: , "list_*": , "*": }\nresources: { "repo://open/*": }\nprompts: { greet: }\nmethods: { "completion/*": allow }' });

  it('lets through what is listed by name or glob, not by the bare star', () => {
    expect(['get', 'list_x', 'list_*', '*'].map((name) => judge(tool(name)).decision.decision)).toEqual(Array(4).fill('allow'));
    expect(['gets', 'LIST_x', '', 'constructor', '__proto__'].map((name) => judge(tool(name)).decision.reason)).toEqual(Array(5).fill('default'));
  });

  it.each(['**', '?*', '*?*'])('[E4] lists nothing by %s, which is as good as the bare star and comes with it', (glob) => {
    const open = gate({ 'github.yaml': `default: deny\ntools: { "${glob}": { rules: [{ name: r, action: deny }] }, get: }` });
    expect(open(tool('other')).decision.matched.map(({ by }) => by)).toEqual(['default', 'rule']);
    expect(open(tool('get')).decision.matched.map(({ by }) => by)).toEqual(['rule']);
    expect(gate({ 'github.yaml': `default: deny\ntools: { "${glob}": , get: }` })(tool('get')).decision.decision).toBe('allow');
  });

  it('covers resources, prompts and methods', () => {
    expect(judge({ kind: 'resource', method: 'resources/read', uri: 'repo://open/x' }).decision.decision).toBe('allow');
    expect(judge({ kind: 'prompt', name: 'greet', arguments: {} }).decision.decision).toBe('allow');
    expect(judge({ kind: 'method', method: 'completion/complete', params: {} }).decision.decision).toBe('allow');
    expect(judge({ kind: 'resource', method: 'resources/read', uri: 'repo://closed/x' }).decision.message).toBe('Resource "repo://closed/x" is not permitted by policy');
    expect(judge({ kind: 'prompt', name: 'other', arguments: {} }).decision.message).toBe('Prompt "other" is not permitted by policy');
    expect(judge({ kind: 'method', method: 'sampling/createMessage', params: {} }).decision.message).toBe('Method "sampling/createMessage" is not permitted by policy');
  });

  it('cuts names that a caller made up', () => {
    expect(judge(tool('x'.repeat(100_000))).decision.message?.length).toBeLessThan(300);
  });
});

describe('resources', () => {
  const judge = gate({ 'github.yaml': 'resources: { "repo://secrets/*": { rules: [{ name: no secrets, action: deny }] } }' });
  const read = (uri: string): string => judge({ kind: 'resource', method: 'resources/read', uri }).decision.reason;

  it('are decided by their URI', () => {
    expect([read('repo://secrets/x'), read('repo://open/x'), read('repo://secrets/x%2Fy')]).toEqual(['rule', 'allowed', 'rule']);
    expect(judge({ kind: 'resource', method: 'resources/subscribe', uri: 'repo://secrets/x' }).decision.rule).toBe('no secrets');
  });

  it.each(['repo://open/../secrets/x', 'repo://open/%2e%2e/secrets/x', 'REPO://secrets/x', 'repo://secret%73/x', 'repo://open/a%2fb', ' repo://secrets/x', 'repo://secrets/x\n', 'secrets/x', '', 'HTTP://Example.com/', 'file://localhost/a'])(
    '%j is ambiguous',
    (uri) => {
      expect(read(uri)).toBe('ambiguous-uri');
    },
  );

  it('may be ambiguous where no entry speaks of any', () => {
    expect(gate({ 'github.yaml': '' })({ kind: 'resource', method: 'resources/read', uri: 'repo://a/../b' }).decision.decision).toBe('allow');
  });
});

describe('when', () => {
  const judge = gate({
    'github.yaml': `
tools:
  create_issue:
    rules:
      - name: our repositories
        when: [{ path: args.private, op: eq, value: true }]
        conditions: [{ path: args.owner, op: in, value: [acme] }]
        on_deny: Only acme repositories.
  read:
    rules:
      - { name: no secrets, action: deny, when: [{ path: args.path, op: path_within, value: /etc }] }
  pay:
    rules:
      - { name: large, when: [{ path: args.amount, op: gt, value: 100 }], conditions: [{ path: args.approved, op: eq, value: true }] }`,
  });

  it('lets a rule step aside', () => {
    expect(judge(tool('create_issue', { owner: 'evil', private: false })).decision.decision).toBe('allow');
    expect(judge(tool('create_issue', { owner: 'acme', private: true })).decision.decision).toBe('allow');
    expect(brief(judge(tool('create_issue', { owner: 'evil', private: true })).decision)).toBe('deny | rule | our repositories | Only acme repositories.');
  });

  it('never lets it step aside for a value that cannot be judged', () => {
    expect(judge(tool('read', { path: '/home/x' })).decision.decision).toBe('allow');
    expect(judge(tool('read', {})).decision.decision).toBe('allow');
    for (const path of ['/etc/passwd', '/home/../etc/passwd', '/home/%2e%2e/etc/passwd', '//etc/passwd', '/etc/e\u0301', ['/etc/passwd'], { toString: 'x' }, '/ETC/passwd', 'file:///etc/passwd']) {
      expect([path, judge(tool('read', { path })).decision.rule]).toEqual([path, 'no secrets']);
    }
    expect(judge(tool('pay', { amount: 5 })).decision.decision).toBe('allow');
    expect(judge(tool('pay', { amount: '5000' })).decision.rule).toBe('large');
    expect(judge(tool('pay', { amount: [5000] })).decision.rule).toBe('large');
  });

  it('[E3] denies where it is an error', () => {
    expect(judge(tool('pay', { amount: new InexactNumber('9007199254740993') })).decision.reason).toBe('error');
  });
});

describe('counting', () => {
  const spend = `
tools:
  pay:
    rules:
      - name: daily spend
        spend_limit: { amount: args.amount, max: 500.00, per: day }
      - name: three an hour
        rate_limit: 3/hour`;

  it('adds up to the cent, and says which limit was reached', () => {
    const pay = gate({ 'github.yaml': spend });
    expect(pay(tool('pay', { amount: 499.99 })).decision.decision).toBe('allow');
    expect(brief(pay(tool('pay', { amount: 0.02 })).decision)).toBe('deny | limit | daily spend | Spend limit of 500 per day exceeded for daily spend');
    expect(pay(tool('pay', { amount: 0.01 })).decision.decision).toBe('allow');
    expect(pay(tool('pay', { amount: 0 })).decision.decision).toBe('allow');
    const both = pay(tool('pay', { amount: 1 })).decision;
    expect(both.matched.map(({ by, rule }) => [by, rule])).toEqual([['limit', 'daily spend'], ['limit', 'three an hour']]);
  });

  it.each([[-1], [-0.01], ['5'], [null], [true], [[5]], [{}], [new InexactNumber('9007199254740993')], [NaN], [Infinity]])('[E3] denies the amount %j', (amount) => {
    const pay = gate({ 'github.yaml': spend });
    const { decision } = pay(tool('pay', { amount }));
    expect(brief(decision)).toBe('deny | error | daily spend | The amount "args.amount" must be a number of 0 or more, which "daily spend" adds up');
    expect(pay(tool('pay', { amount: 500 })).decision.decision).toBe('allow');
  });

  it('takes all or nothing over all policies, and only after all conditions', () => {
    const counters = memoryCounters();
    const files = {
      'github.yaml': 'tools: { "*": { rules: [{ name: two, rate_limit: 2/hour }] } }',
      'second.yaml': 'match: { server: "*" }\ntools: { x: { rules: [{ name: one, rate_limit: 1/hour }] }, y: { rules: [{ name: ok, conditions: [{ path: args.ok, op: exists, value: true }] }] } }',
    };
    const judge = gate(files, { counters });
    expect(judge(tool('y')).decision.rule).toBe('ok');
    expect(judge(tool('x')).decision.decision).toBe('allow');
    expect(brief(judge(tool('x')).decision)).toBe('deny | limit | one | Rate limit of 1 per hour reached. Try again later.');
    expect(judge(tool('y', { ok: 1 })).decision.decision).toBe('allow');
    expect(judge(tool('z')).decision.rule).toBe('two');
  });

  it('gives back once, on a JSON-RPC error only', () => {
    const judge = gate({ 'github.yaml': 'tools: { x: { rules: [{ name: one, rate_limit: 1/hour }] } }' });
    for (const outcome of ['error', 'error', 'tool_error'] as const) {
      const verdict = judge(tool('x'));
      expect(verdict.decision.decision).toBe('allow');
      verdict.settle(outcome);
      verdict.settle('error');
    }
    expect(judge(tool('x')).decision.reason).toBe('limit');
  });

  it('keeps tools, prompts and the servers apart', () => {
    const counters = memoryCounters();
    const text = 'match: { server: [github, gitlab] }\ntools: { x: { rules: [{ name: one, rate_limit: 1/hour }] } }\nprompts: { x: { rules: [{ name: one, rate_limit: 1/hour }] } }';
    const judge = gate({ 'a.yaml': text }, { counters });
    expect(judge(tool('x')).decision.decision).toBe('allow');
    expect(judge({ kind: 'prompt', name: 'x', arguments: {} }).decision.decision).toBe('allow');
    expect(gate({ 'a.yaml': text }, { counters, server: 'gitlab' })(tool('x')).decision.decision).toBe('allow');
    expect(judge(tool('x')).decision.decision).toBe('deny');
  });

  it('keeps a prompt apart from a tool that is called as its counter is', () => {
    const one = '{ rules: [{ name: one, rate_limit: 1/hour }] }';
    const judge = gate({ 'a.yaml': `match: { server: github }\ntools: { "prompts: x": ${one}, "tools: y": ${one}, y: ${one} }\nprompts: { x: ${one} }` });
    const calls: readonly Call[] = [tool('prompts: x'), { kind: 'prompt', name: 'x', arguments: {} }, tool('tools: y'), tool('y')];
    expect(calls.map((call) => judge(call).decision.decision)).toEqual(calls.map(() => 'allow'));
    expect(calls.map((call) => judge(call).decision.reason)).toEqual(calls.map(() => 'limit'));
  });

  it('[E4] tells limits that are reached and amounts that cannot be counted in the order of the rules', () => {
    const first = 'name: first, rate_limit: 1/hour';
    const second = 'name: second, state: { counter: c, window: hour, increment_from: args.n }, conditions: [{ path: state.ENTRY.c, op: lte, value: 5 }]';
    const files = [
      `tools: { t: { rules: [{ ${first} }, { ${second.replace('ENTRY', 't')} }] } }`,
      `tools: { "*": { rules: [{ ${second.replace('ENTRY', '_global')} }] }, t: { rules: [{ ${first} }] } }`,
    ];
    for (const text of files) {
      const judge = gate({ 'github.yaml': text });
      // Nothing is counted where an amount cannot be read, so that the first call with one still passes.
      expect(brief(judge(tool('t')).decision)).toBe('deny | error | second | Internal policy error');
      expect(judge(tool('t', { n: 1 })).decision.decision).toBe('allow');
      const { decision } = judge(tool('t'));
      expect(brief(decision)).toBe('deny | limit | first | Rate limit of 1 per hour reached. Try again later.');
      expect(decision.matched.map(({ by, rule }) => [by, rule])).toEqual([['limit', 'first'], ['error', 'second']]);
    }
    const reversed = gate({ 'github.yaml': `tools: { t: { rules: [{ ${second.replace('ENTRY', 't')} }, { ${first} }] } }` });
    reversed(tool('t', { n: 1 }));
    expect(reversed(tool('t')).decision.matched.map(({ by, rule }) => [by, rule])).toEqual([['error', 'second'], ['limit', 'first']]);
  });

  it('[E3] denies where the store fails, and says so', () => {
    const fail = (): never => {
      throw new Error('disk full');
    };
    const judge = gate({ 'github.yaml': spend }, { counters: { read: fail, reserve: fail, release: fail } });
    expect(brief(judge(tool('pay', { amount: 1 })).decision)).toBe('deny | error | three an hour | Internal policy error');
    expect(judge(tool('other')).decision.decision).toBe('allow');
  });
});

describe('mode: observe', () => {
  it('counts and notes what would have been denied, and never denies', () => {
    const judge = gate({
      'github.yaml': 'tools: { x: { rules: [{ name: one, rate_limit: 1/hour, mode: observe }, { name: never, action: deny, mode: observe }] } }',
      'z.yaml': 'match: { server: "*" }\nmode: observe\nhide: [x]\ndefault: deny',
    });
    const first = judge(tool('x')).decision;
    expect(first.decision).toBe('allow');
    expect(first.observed.map(({ by, rule }) => [by, rule])).toEqual([['rule', 'never'], ['hide', '(hidden)'], ['default', '(default deny)']]);
    expect(judge(tool('x')).decision.observed.map(({ rule }) => rule)).toContain('one');
  });

  it('is not stopped by a store that fails, or by an amount that cannot be read', () => {
    const fail = (): never => {
      throw new Error('disk full');
    };
    const text = 'mode: observe\ntools: { x: { rules: [{ name: one, rate_limit: 1/hour }, { name: spent, spend_limit: { amount: args.a, max: 1, per: day } }] } }';
    const { decision } = gate({ 'github.yaml': text }, { counters: { read: fail, reserve: fail, release: fail } })(tool('x'));
    expect([decision.decision, decision.observed.map(({ by }) => by)]).toEqual(['allow', ['error', 'error']]);
  });
});

describe('restrictions', () => {
  const restriction = (over: Partial<Restriction>): Restriction => ({
    id: 'rst-1', selector: { server: [], labels: {} }, scope: { kind: 'all' }, readOnly: false, reason: 'incident 7', actor: 'ops', imposedAtMs: 0, expiresAtMs: 0, ...over,
  });
  const files = { 'github.yaml': 'mode: observe\nread_only: ["get_*", "repo://*"]', 'guard.yaml': 'match: { server: "*" }\nread_only: [get_a, get_b, "repo://*"]\nhide: [get_b]' };

  it('deny everything with their reason, whatever policies say, also in observe mode, and never end by the clock', () => {
    const judge = gate(files, { restrictions: [restriction({}), restriction({ id: 'rst-2', reason: 'incident 8' })] });
    for (const call of [tool('get_a'), { kind: 'method', method: 'completion/complete', params: {} }, { kind: 'prompt', name: 'p', arguments: {} }] satisfies Call[]) {
      const { decision } = judge(call);
      expect(brief(decision)).toBe('deny | restricted | (restricted) | incident 7');
      expect(decision.matched.map(({ source }) => source)).toEqual(['rst-1', 'rst-2']);
    }
  });

  it('of tools leave everything else', () => {
    const judge = gate(files, { restrictions: [restriction({ scope: { kind: 'tools', globs: ['delete_*'] } })] });
    expect(judge(tool('delete_x')).decision.reason).toBe('restricted');
    expect(judge(tool('get_a')).decision.decision).toBe('allow');
    expect(judge({ kind: 'prompt', name: 'delete_x', arguments: {} }).decision.decision).toBe('allow');
  });

  it('that are read-only let pass what every policy with read_only lists, and nothing where none lists anything', () => {
    const readOnly = [restriction({ readOnly: true })];
    const judge = gate(files, { restrictions: readOnly });
    expect(judge(tool('get_a')).decision.decision).toBe('allow');
    expect(judge({ kind: 'resource', method: 'resources/read', uri: 'repo://a' }).decision.decision).toBe('allow');
    expect(['get_c', 'list', 'get_b'].map((name) => judge(tool(name)).decision.decision)).toEqual(Array(3).fill('deny'));
    expect(judge(tool('get_b')).decision.reason).toBe('hidden');
    expect(gate({ 'github.yaml': '' }, { restrictions: readOnly })(tool('get_a')).decision.reason).toBe('restricted');
  });

  it('[P8] take tools from the lists; a lockdown, a missing policy and a wrong upstream leave none', () => {
    const enforcement = compilePolicies(Object.entries(files).map(([id, text]) => parse(id, text)), { server: 'github', labels: {} }, null);
    const names = ['get_a', 'get_b', 'get_c', 'delete_x'];
    expect(names.filter(listFilter(enforcement, []))).toEqual(['get_a', 'get_c', 'delete_x']);
    expect(names.filter(listFilter(enforcement, [restriction({ scope: { kind: 'tools', globs: ['delete_*'] } })]))).toEqual(['get_a', 'get_c']);
    expect(names.filter(listFilter(enforcement, [restriction({ readOnly: true })]))).toEqual(['get_a']);
    expect(names.filter(listFilter(enforcement, [restriction({ scope: { kind: 'tools', globs: ['*'] }, readOnly: true })]))).toEqual(['get_a']);
    expect([names.filter(listFilter(enforcement, [restriction({})])), visibility(enforcement, [restriction({})]).empty]).toEqual([[], true]);
    const nobody = visibility(compilePolicies([], { server: 'github', labels: {} }, null), []);
    expect([nobody.tool('a'), nobody.resource('r'), nobody.prompt('p'), nobody.empty]).toEqual([false, false, false, true]);
    const misnamed = compilePolicies([parse('github.yaml', 'match: { server: github, upstream: ["npx *"] }')], { server: 'github', labels: {} }, 'sh');
    expect(visibility(misnamed, []).empty).toBe(true);
  });
});

describe('snapshots', () => {
  const identity = { server: 'github', labels: {} };
  const context: CallContext = { ...identity, upstream: null, clientName: null, nowMs: NOON, staleMs: 0 };

  it('[E6] a call is judged, counted and settled under the one it began with, whatever is compiled meanwhile', () => {
    const counters = memoryCounters();
    const limit = (count: number): Policy => parse('github.yaml', `tools: { x: { rules: [{ name: r, rate_limit: ${count}/hour }] } }`);
    const old = compilePolicies([limit(1)], identity, null);
    const began = decide({ enforcement: old, restrictions: [], call: tool('x'), context, counters });
    const replaced = compilePolicies([parse('github.yaml', 'hide: [x]')], identity, null);
    expect(decide({ enforcement: replaced, restrictions: [], call: tool('x'), context, counters }).decision.reason).toBe('hidden');
    expect(decide({ enforcement: old, restrictions: [], call: tool('x'), context, counters }).decision.reason).toBe('limit');
    began.settle('error');
    expect(decide({ enforcement: old, restrictions: [], call: tool('x'), context, counters }).decision.decision).toBe('allow');
  });

  it('[E6] nothing that goes in is ever changed', () => {
    const policies = [parse('github.yaml', 'hide: [b, "c*"]\nread_only: [a]\ntools: { a: { rules: [{ name: r, rate_limit: 1/hour }, { name: s, conditions: [{ path: args.m, op: neq, value: { b: 1, a: 2 } }] }] }, "*": }')];
    const call = tool('a', { m: { z: 1, a: [1, 2] } });
    const judge = (): Decision => decide({ enforcement: compilePolicies(deepFrozen(policies), identity, null), restrictions: deepFrozen([]), call: deepFrozen(call), context: deepFrozen(context), counters: memoryCounters() }).decision;
    expect(judge()).toEqual(judge());
    expect(judge().decision).toBe('allow');
  });
});

function deepFrozen<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const part of Object.values(value)) deepFrozen(part);
  }
  return value;
}

describe('hostile names', () => {
  it('are ordinary strings: __proto__, constructor, toString', () => {
    const judge = gate({ 'github.yaml': 'tools: { a: { rules: [{ name: r, conditions: [{ path: args.constructor, op: exists, value: false }, { path: args.__proto__.x, op: exists, value: false }] }] } }' });
    expect(judge(tool('a')).decision.decision).toBe('allow');
    expect(judge(tool('a', JSON.parse('{"__proto__":{"x":1}}') as JsonObject)).decision.decision).toBe('deny');
    for (const name of ['__proto__', 'constructor', 'toString', 'hasOwnProperty']) expect(judge(tool(name)).decision.decision).toBe('allow');
  });

  it('[E5] arguments of any shape deny or allow, and never throw', () => {
    let deep: JsonObject = {};
    for (let i = 0; i < 100_000; i++) deep = { x: deep };
    const judge = gate({ 'github.yaml': 'tools: { a: { rules: [{ name: r, conditions: [{ path: args.x, op: neq, value: 1 }] }] } }' });
    expect(brief(judge(tool('a', deep)).decision)).toBe('deny | error | r | Internal policy error');
    const hostile = new Proxy({}, { getOwnPropertyDescriptor: () => { throw new Error('boo'); } });
    expect(judge(tool('a', hostile)).decision.reason).toBe('error');
  });
});

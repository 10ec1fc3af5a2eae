import { describe, expect, it } from 'vitest';
import { parsePolicy } from './parse/policy.ts';
import { defaultServer, runPolicyTests } from './run-tests.ts';
import type { TestReport } from './run-tests.ts';

function report(text: string, id = 'team/github.yaml'): TestReport {
  const parsed = parsePolicy({ id, bytes: new TextEncoder().encode(`version: "1"\n${text}`) });
  if (!parsed.ok) throw new Error(parsed.problems.map(({ line, message }) => `${line}: ${message}`).join('\n'));
  return runPolicyTests(parsed.policy, parsed.tests);
}

describe('tests in policies', () => {
  it('pass and fail, and say what went wrong and where', () => {
    const got = report(`
tools:
  create_issue:
    rules:
      - name: our repositories
        conditions: [{ path: args.owner, op: in, value: [acme] }]
        on_deny: Only acme repositories.
tests:
  - name: refuses foreign repositories
    call: { tool: create_issue, arguments: { owner: evil } }
    expect: deny
    rule: our repositories
  - name: is wrong about the decision
    call: { tool: create_issue, arguments: { owner: evil } }
    expect: allow
  - name: is wrong about the rule
    call: { tool: create_issue, arguments: { owner: evil } }
    expect: deny
    rule: (hidden)`);
    expect([got.passed, got.failed]).toEqual([1, 2]);
    expect(got.failures.map(({ test, step, rule, at, message }) => [test, step, rule, at.line, message])).toEqual([
      ['is wrong about the decision', 1, 'our repositories', 15, 'the test `is wrong about the decision` expects allow, but the policy says deny by `our repositories`: Only acme repositories.'],
      ['is wrong about the rule', 1, 'our repositories', 18, 'the test `is wrong about the rule` expects deny by `(hidden)`, but the policy says deny by `our repositories`: Only acme repositories.'],
    ]);
    expect(got.failures[0]?.expected).toEqual({ decision: 'allow', rule: null });
  });

  it('judge the document alone, as if enforced, whatever it matches, also a guard', () => {
    const text = `
match: { server: "*", labels: { env: [prod] }, upstream: ["npx *"] }
mode: observe
on_stale: { after: 1m, do: deny }
tools: { x: deny, y: { rules: [{ name: no, mode: observe, action: deny }] } }
tests:
  - { name: denies x, call: { tool: x }, expect: deny }
  - { name: denies y, call: { tool: y }, expect: deny, rule: "no" }
  - { name: allows z, call: { tool: z }, expect: allow }`;
    expect(report(text)).toEqual({ passed: 3, failed: 0, failures: [] });
  });

  it('share counters between the steps of a test and not between tests, move the clock, and give back on error', () => {
    const text = `
tools:
  pay: { rules: [{ name: spend, spend_limit: { amount: args.amount, max: 10, per: hour } }] }
tests:
  - name: sequence
    calls:
      - { tool: pay, arguments: { amount: 9.99 }, expect: allow }
      - { tool: pay, arguments: { amount: 0.02 }, expect: deny, rule: spend }
      - { tool: pay, arguments: { amount: 0.01 }, expect: allow, outcome: error }
      - { tool: pay, arguments: { amount: 0.01 }, expect: allow }
      - { tool: pay, arguments: { amount: 0.01 }, expect: deny }
      - { tool: pay, arguments: { amount: 10 }, expect: allow, at: 2026-01-05T13:00:00Z }
  - { name: starts empty, call: { tool: pay, arguments: { amount: 10 } }, expect: allow }
  - name: fails at its second step
    calls:
      - { tool: pay, arguments: { amount: 10 }, expect: allow }
      - { tool: pay, arguments: { amount: 10 }, expect: allow }
      - { tool: pay, arguments: { amount: 10 }, expect: allow }`;
    const got = report(text);
    expect([got.passed, got.failed, got.failures[0]?.step]).toEqual([2, 1, 2]);
    expect(got.failures[0]?.message).toContain('at step 2');
  });

  it('read arguments as the proxy reads them from the wire', () => {
    const text = `
tools:
  x: { rules: [{ name: n, conditions: [{ path: args.n, op: lte, value: 10 }] }, { name: t, conditions: [{ path: args.n, op: type, value: number }] }] }
tests:
  - { name: int, call: { tool: x, arguments: { n: 10 } }, expect: allow }
  - { name: float, call: { tool: x, arguments: { n: 10.5 } }, expect: deny, rule: n }
  - { name: text, call: { tool: x, arguments: { n: "5" } }, expect: deny, rule: n }
  - { name: inexact, call: { tool: x, arguments: { n: 9007199254740993 } }, expect: deny, rule: n }
  - { name: exponent, call: { tool: x, arguments: { n: 1.0e+00 } }, expect: allow }`;
    expect(report(text)).toEqual({ passed: 5, failed: 0, failures: [] });
  });

  it('know the server, the labels, the client and the time that they state', () => {
    const text = `
tools:
  x:
    rules:
      - { name: s, conditions: [{ path: proxy.server, op: eq, value: github }] }
      - { name: l, conditions: [{ path: proxy.labels.env, op: eq, value: prod }] }
      - { name: c, conditions: [{ path: client.name, op: starts_with, value: claude }] }
      - { name: h, conditions: [{ path: time.hour, op: gte, value: 9 }, { path: time.weekday, op: in, value: [monday, tuesday] }] }
tests:
  - { name: all, call: { tool: x }, labels: { env: prod }, client: claude-code, expect: allow }
  - { name: server, call: { tool: x }, server: other, labels: { env: prod }, client: claude-code, expect: deny, rule: s }
  - { name: labels, call: { tool: x }, client: claude-code, expect: deny, rule: l }
  - { name: client, call: { tool: x }, labels: { env: prod }, expect: deny, rule: c }
  - { name: night, call: { tool: x }, labels: { env: prod }, client: claude-code, at: 2026-01-05T03:00:00Z, expect: deny, rule: h }
  - { name: sunday, call: { tool: x }, labels: { env: prod }, client: claude-code, at: 2026-01-04T12:00:00Z, expect: deny, rule: h }`;
    expect(report(text)).toEqual({ passed: 6, failed: 0, failures: [] });
  });

  it('reach resources, prompts and methods', () => {
    const text = `
default: deny
resources: { "repo://open/*": }
prompts: { greet: }
methods: { "sampling/createMessage": deny, "completion/complete": allow }
tests:
  - { name: open, call: { uri: "repo://open/a" }, expect: allow }
  - { name: closed, call: { uri: "repo://closed/a" }, expect: deny, rule: (default deny) }
  - { name: ambiguous, call: { uri: "repo://open/../closed/a" }, expect: deny, rule: (ambiguous uri) }
  - { name: prompt, call: { prompt: greet }, expect: allow }
  - { name: sampling, call: { method: sampling/createMessage }, expect: deny }
  - { name: completion, call: { method: completion/complete }, expect: allow }`;
    expect(report(text)).toEqual({ passed: 6, failed: 0, failures: [] });
  });
});

describe('defaultServer', () => {
  it.each([
    ['', 'github.yaml', 'github'],
    ['', 'team/git.hub.yml', 'git.hub'],
    ['match: { server: ["git*", gitlab, other] }', 'x.yaml', 'gitlab'],
    ['match: { server: "git*" }', 'x.yaml', 'x'],
  ])('%s in %s', (text, id, server) => {
    const parsed = parsePolicy({ id, bytes: new TextEncoder().encode(`version: "1"\n${text}`) });
    expect(parsed.ok && defaultServer(parsed.policy)).toBe(server);
  });
});

import { describe, expect, it } from 'vitest';
import { memoryCounters } from '@portcullis/policy-core';
import type { Call, DecisionRow, Policy, Restriction, Rule } from '@portcullis/policy-core';
import { createGate } from './gate.ts';
import type { GateOptions } from './gate.ts';
import type { Effective } from './guard/guard.ts';

const at = { line: 1, column: 1 };
const once: Rule = {
  name: 'once an hour', at, action: 'evaluate', mode: 'enforce', when: [],
  conditions: [{ path: 'state.pay._rate_hour', op: 'lte', value: { kind: 'int', value: '1' }, at }],
  counter: { name: '_rate_hour', window: 'hour', amount: { kind: 'fixed', value: '1' }, limit: '1', from: 'rate_limit' }, onDeny: null,
};

function policy(more: Partial<Policy> = {}): Policy {
  return {
    model: 1, id: 's.yaml', description: null, match: { server: ['s'], labels: {}, upstream: [] }, admits: true, mode: 'enforce', default: 'deny', defaultAt: at, onStale: null, hide: [], readOnly: null,
    tools: [{ pattern: 'read', at, rules: [] }], resources: null, prompts: null, methods: null, ...more,
  };
}

function restriction(id: string, tools: readonly string[] | null): Restriction {
  return { id, selector: { server: [], labels: {} }, scope: tools === null ? { kind: 'all' } : { kind: 'tools', globs: tools }, readOnly: false, reason: 'drill', actor: 'a', imposedAtMs: 0, expiresAtMs: null };
}

function effective(policies: readonly Policy[], restrictions: readonly Restriction[] = []): Effective {
  return { cut: { server: 's', labels: {} }, policies, restrictions, policiesVersion: 3, restrictionsVersion: 4 };
}

function gateOf(more: Partial<GateOptions> = {}) {
  const rows: DecisionRow[] = [];
  const gate = createGate({
    boot: 'b', upstream: 'npx s', now: () => 0, staleMs: () => 0, keep: (row) => rows.push(row), argumentsKey: new Uint8Array(32), openCounters: () => Promise.resolve(memoryCounters()), closedMessage: 'closed', ...more,
  });
  return { gate, rows, put: async (next: Effective) => (await gate.prepare(next)).swap() };
}

const call = (name: string): Call => ({ kind: 'tool', name, arguments: { a: 1 } });
const nobody = { name: null };

describe('the gate', () => {
  it('[P3] is closed until something is swapped in; compiling alone changes nothing', async () => {
    const { gate, rows } = gateOf();
    expect(gate.judge(call('read'), nobody).decision).toMatchObject({ decision: 'deny', reason: 'no-snapshot', message: 'closed' });
    expect([gate.lists().empty, gate.lists().tool('read')]).toEqual([true, false]);
    const prepared = await gate.prepare(effective([policy()]));
    expect(gate.judge(call('read'), nobody).decision.decision).toBe('deny');
    prepared.swap();
    expect(gate.judge(call('read'), nobody).decision.decision).toBe('allow');
    gate.flush();
    expect(rows.map(({ n, decision, freshness, policiesVersion }) => [n, decision, freshness, policiesVersion])).toEqual([[0, 'deny', 'none', null], [1, 'deny', 'none', null], [2, 'allow', 'fresh', 3]]);
    expect(new Set(rows.map(({ argumentsHmac }) => argumentsHmac)).size).toBe(1);
  });

  it('[P5] calls in flight are counted until they are settled, once', async () => {
    const { gate, put } = gateOf();
    await put(effective([policy()]));
    const judged = gate.judge(call('read'), nobody);
    await put(effective([policy({ tools: [] })]));
    expect(gate.inFlight()).toBe(1);
    judged.settle('ok');
    judged.settle('ok');
    expect(gate.inFlight()).toBe(0);
  });

  it('[E3] counts that cannot be opened deny what depends on them, and are tried again with the next set', async () => {
    let broken = true;
    const { gate, put } = gateOf({ openCounters: () => (broken ? Promise.reject(new Error('disk')) : Promise.resolve(memoryCounters())) });
    const counting = [{ pattern: 'pay', at, rules: [once] }, { pattern: 'read', at, rules: [] }];
    await put(effective([policy({ tools: counting })]));
    expect([gate.judge(call('pay'), nobody).decision.reason, gate.judge(call('read'), nobody).decision.reason]).toEqual(['error', 'allowed']);
    broken = false;
    await put(effective([policy({ tools: counting })]));
    expect([gate.judge(call('pay'), nobody).decision.reason, gate.judge(call('pay'), nobody).decision.decision]).toEqual(['allowed', 'deny']);
    await put(effective([policy({ tools: counting })], [restriction('r', ['x'])]));
    expect(gate.judge(call('pay'), nobody).decision.decision).toBe('deny');
  });

  it('[P3] a stale proxy keeps what it has, unless a policy says deny', async () => {
    let staleMs = 0;
    const { gate, put, rows } = gateOf({ staleMs: () => staleMs });
    await put(effective([policy({ onStale: { afterMs: 1_000, do: 'deny' } })]));
    for (staleMs of [0, 999, 1_000]) gate.judge(call('read'), nobody);
    gate.flush();
    expect(rows.map(({ decision, freshness }) => `${decision} ${freshness}`)).toEqual(['allow fresh', 'allow stale', 'deny expired']);
  });

  it('[W8] holds match.upstream against what is really started', async () => {
    const { gate, put } = gateOf({ upstream: 'node evil.js' });
    await put(effective([policy({ match: { server: ['s'], labels: {}, upstream: ['npx *'] } })]));
    expect(gate.judge(call('read'), nobody).decision.reason).toBe('wrong-upstream');
  });

  it('tells which lists to ask for again, and nothing where nothing changed', async () => {
    const { gate, put } = gateOf();
    const heard: unknown[] = [];
    gate.onListsChanged((changed) => heard.push(changed));
    const policies = [policy()];
    await put(effective(policies));
    await put({ ...effective(policies), policiesVersion: 9 });
    await put(effective(policies, [restriction('r', ['read'])]));
    await put(effective(policies, [restriction('r', null)]));
    expect(heard).toEqual([
      { tools: true, resources: true, prompts: true },
      { tools: true, resources: false, prompts: false },
      { tools: true, resources: true, prompts: true },
    ]);
  });

  it('[P2] keeps what was not forwarded, cut to what a row may hold', () => {
    const { gate, rows } = gateOf();
    gate.refuse({ what: 'duplicate-key', detail: 'x'.repeat(5_000) });
    gate.flush();
    expect(rows[0]).toMatchObject({ kind: 'refused', reason: 'unparsable', name: 'duplicate-key', freshness: 'none' });
    expect(rows[0]?.message).toHaveLength(1024);
  });
});

/** Compiled policies are kept with their policies; what is kept must not be noticed except by the clock. */
import { describe, expect, it } from 'vitest';
import type { Call, CallContext, Decision } from '../call.ts';
import { memoryCounters } from '../counter-memory.ts';
import type { CounterStore } from '../counter.ts';
import { parsePolicy } from '../parse/policy.ts';
import type { Policy } from '../policy.ts';
import { decide } from './decide.ts';
import { compilePolicies } from './enforcement.ts';

const NOW_MS = Date.UTC(2026, 0, 5, 12);

function policy(id: string, rules: string): Policy {
  const text = `version: "1"\nmatch: { server: [one, two] }\ntools:\n  t:\n    rules: [${rules}]\n`;
  const parsed = parsePolicy({ id, bytes: new TextEncoder().encode(text) });
  if (!parsed.ok) throw new Error(parsed.problems[0]?.message);
  return parsed.policy;
}

function ask(policies: readonly Policy[], server: string, counters: CounterStore): Decision {
  const enforcement = compilePolicies(policies, { server, labels: {} }, null);
  const context: CallContext = { server, labels: {}, upstream: null, clientName: null, nowMs: NOW_MS, staleMs: 0 };
  const call: Call = { kind: 'tool', name: 't', arguments: {} };
  return decide({ enforcement, restrictions: [], call, context, counters }).decision;
}

describe('policies that are compiled again', () => {
  it('count for the server that they are compiled for, whatever they were compiled for before', () => {
    const once = policy('a.yaml', '{ name: once, rate_limit: 1/day }');
    const counters = memoryCounters();
    const answers = ['one', 'two', 'one', 'two'].map((server) => ask([once], server, counters).decision);
    expect(answers).toEqual(['allow', 'allow', 'deny', 'deny']);
    expect(compilePolicies([once], { server: 'one', labels: {} }, null).usesCounters).toBe(true);
  });

  it('[E6] take a changed policy among unchanged ones, and leave the snapshot before as it was', () => {
    const unchanged = policy('a.yaml', '{ name: a, conditions: [{ path: args.x, op: exists, value: false }] }');
    const before = policy('b.yaml', '{ name: b, action: deny }');
    const after = policy('b.yaml', '{ name: b, conditions: [{ path: args.x, op: exists, value: false }] }');
    const old = compilePolicies([unchanged, before], { server: 'one', labels: {} }, null);
    expect(ask([unchanged, after], 'one', memoryCounters()).decision).toBe('allow');
    expect(ask([unchanged, before], 'one', memoryCounters()).rule).toBe('b');
    expect(old.policies).toEqual([unchanged, before]);
    expect(old.usesCounters).toBe(false);
  });
});

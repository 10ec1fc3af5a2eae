import { compilePolicies, decide, listFilter, memoryCounters, parsePolicy } from '@portcullis/policy-core';
import type { Policy, Restriction } from '@portcullis/policy-core';
import { describe, expect, it } from 'vitest';
import { diffReach } from './reach.ts';
import type { ReachDifference } from './reach.ts';

function policy(id: string, text: string): Policy {
  const parsed = parsePolicy({ id, bytes: Buffer.from(`version: "1"\n${text}`) });
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems));
  return parsed.policy;
}

const restriction = (tools: readonly string[] | null, labels: Restriction['selector']['labels'] = {}): Restriction => ({
  id: 'r-1', selector: { server: [], labels }, scope: tools === null ? { kind: 'all' } : { kind: 'tools', globs: tools }, readOnly: false, reason: 'x', actor: 'a', imposedAtMs: 0, expiresAtMs: null,
});
const told = (before: readonly Policy[], after: readonly Policy[], restrictions: readonly Restriction[] = []): readonly string[] =>
  diffReach({ policies: before, restrictions: [] }, { policies: after, restrictions }).changes.map(line);
const line = ({ server, labels, tool, visible, calls }: ReachDifference): string =>
  `${server}${JSON.stringify(labels)} ${tool}: ${visible.before === visible.after ? '' : `${visible.before ? 'visible' : 'hidden'} -> ${visible.after ? 'visible' : 'hidden'} `}${calls.before} -> ${calls.after}`;

describe('what a change means to callers', () => {
  it('tells what became visible or hidden, allowed outright or denied outright', () => {
    const before = policy('files.yaml', 'hide: [secret]\ntools:\n  read: {}\n  write: { rules: [{ name: no, action: deny }] }\n  move: { rules: [{ name: few, rate_limit: 5/hour }] }\n  same: { rules: [{ name: few, rate_limit: 5/hour }] }\n  watched: {}\n');
    const after = policy('files.yaml', 'hide: [read]\ntools:\n  secret: {}\n  write: { rules: [{ name: some, conditions: [{ path: args.a, op: eq, value: 1 }] }] }\n  move: {}\n  same: { rules: [{ name: few, rate_limit: 9/hour }] }\n  watched: { rules: [{ name: look, action: deny, mode: observe }] }\n');
    expect(told([before], [after])).toEqual(['files{} move: depends -> allowed', 'files{} read: visible -> hidden allowed -> denied', 'files{} same: depends -> depends', 'files{} secret: hidden -> visible denied -> allowed', 'files{} write: denied -> depends']);
  });

  it('tells limits that changed, and none that a call never comes to', () => {
    const limits = (...texts: readonly string[]) => policy('files.yaml', `tools:\n  pay: { rules: [${texts.join(', ')}] }\n`);
    const rate = (limit: string, more = '') => `{ name: few, rate_limit: ${limit}${more} }`;
    const spend = '{ name: cheap, spend_limit: { amount: args.amount, max: 500, per: day } }';
    const changed = (before: Policy, after: Policy) => diffReach({ policies: [before], restrictions: [] }, { policies: [after], restrictions: [] }).changes.map((one) => one.limits);
    expect(changed(limits(rate('60/minute')), limits(rate('3/minute'), spend))).toEqual([{ before: ['60 a minute'], after: ['3 a minute', '500 of args.amount a day'] }]);
    expect(changed(limits(rate('5/hour')), limits(rate('5/hour', ', when: [{ path: args.a, op: eq, value: 1 }]')))).toEqual([{ before: ['5 an hour'], after: ['5 an hour in some cases'] }]);
    expect(changed(limits(rate('5/hour')), limits(rate('5/hour', ', mode: observe')))).toEqual([{ before: ['5 an hour'], after: [] }]);
    const shut = '{ name: no, action: deny }';
    expect(changed(limits(shut, rate('5/hour')), limits(shut, rate('9/hour')))).toEqual([]);
  });

  it('sees a policy that goes, a default that turns, a glob that takes more, and a lockdown', () => {
    const open = policy('files.yaml', 'tools: { read: {}, write: {} }\n');
    const shut = policy('files.yaml', 'default: deny\ntools: { "r*": {}, "*": {} }\n');
    const guard = policy('guard.yaml', 'match: { server: "*", labels: { env: prod } }\ntools: { "w*": { rules: [{ name: no, action: deny }] } }\n');
    expect(told([open], [])).toEqual(['files{} read: visible -> hidden allowed -> denied', 'files{} write: visible -> hidden allowed -> denied']);
    expect(told([open], [shut])).toEqual(['files{} write: allowed -> denied']);
    expect(told([open], [open, guard])).toEqual(['files{"env":"prod"} write: allowed -> denied']);
    expect(told([open], [open], [restriction(null)])).toEqual(['files{} read: visible -> hidden allowed -> denied', 'files{} write: visible -> hidden allowed -> denied']);
    expect(told([open], [open], [restriction(['delete', 'w*'])])).toEqual(['files{} delete: visible -> hidden allowed -> denied', 'files{} write: visible -> hidden allowed -> denied']);
    expect(told([open], [open])).toEqual([]);
  });

  it('tells of proxies that there are, by what policies and restrictions ask of them, and of labels that a restriction names', () => {
    const open = policy('team.yaml', 'match: { server: "git*" }\nadmits: true\ntools: { read: {}, write: {} }\n');
    const shut = policy('team.yaml', 'match: { server: "git*" }\nadmits: true\nhide: [write]\ntools: { read: {}, write: {} }\n');
    const proxies = [{ server: 'github', labels: { env: 'prod', owner: 'a' } }, { server: 'github', labels: { env: 'dev', owner: 'b' } }, { server: 'other', labels: {} }];
    const changes = (restrictions: readonly Restriction[]): readonly string[] => diffReach({ policies: [open], restrictions: [] }, { policies: [shut], restrictions }, proxies).changes.map(line);
    expect(told([open], [shut])).toEqual([]);
    expect(changes([])).toEqual(['github{} write: visible -> hidden allowed -> denied']);
    expect(changes([restriction(['read'], { env: ['prod'] })])).toEqual(['github{"env":"dev"} write: visible -> hidden allowed -> denied', 'github{"env":"prod"} read: visible -> hidden allowed -> denied', 'github{"env":"prod"} write: visible -> hidden allowed -> denied']);
    const files = policy('files.yaml', 'tools: { read: {} }\n');
    expect(told([files], [files], [restriction(null, { env: ['prod'] })])).toEqual(['files{"env":"prod"} read: visible -> hidden allowed -> denied']);
  });

  it('says nothing that deciding and listing would contradict', () => {
    const texts = ['', 'default: deny\n', 'hide: ["s*"]\n', 'mode: observe\nhide: [a]\n'];
    const tools = ['a: {}', 'a: { rules: [{ name: x, action: deny }] }', '"s*": { rules: [{ name: x, action: deny, when: [{ path: args.q, op: eq, value: 1 }] }] }', '"*": { rules: [{ name: x, conditions: [{ path: args.q, op: eq, value: 1 }] }] }'];
    const all = texts.flatMap((text) => tools.map((tool) => policy('files.yaml', `${text}tools:\n  s1: {}\n  ${tool}\n`)));
    for (const before of all) {
      for (const after of all) {
        for (const { tool, visible, calls } of diffReach({ policies: [before], restrictions: [] }, { policies: [after], restrictions: [] }).changes) {
          for (const [one, seen, outlook] of [[before, visible.before, calls.before], [after, visible.after, calls.after]] as const) {
            const enforcement = compilePolicies([one], { server: 'files', labels: {} }, null);
            expect(listFilter(enforcement, [])(tool)).toBe(seen);
            const decisions = [{}, { q: 1 }, { q: 2 }].map((args) => decide({
              enforcement, restrictions: [], call: { kind: 'tool', name: tool, arguments: args }, context: { server: 'files', labels: {}, upstream: null, clientName: null, nowMs: 0, staleMs: 0 }, counters: memoryCounters(),
            }).decision.decision);
            if (outlook === 'allowed') expect(new Set(decisions)).toEqual(new Set(['allow']));
            if (outlook === 'denied') expect(new Set(decisions)).toEqual(new Set(['deny']));
          }
        }
      }
    }
  });
});

import { describe, expect, it } from 'vitest';
import { parsePolicy } from '@portcullis/policy-core';
import type { Policy } from '@portcullis/policy-core';
import { diffPolicySets } from './diff.ts';

function policy(text: string, id = 'a.yaml'): Policy {
  const parsed = parsePolicy({ id, bytes: Buffer.from(`version: "1"\n${text}`) });
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems));
  return parsed.policy;
}
const set = (...policies: Policy[]): ReadonlyMap<string, Policy> => new Map(policies.map((one) => [one.id, one]));

describe('the difference of two policy sets', () => {
  it('names policies that came and went, in the order of ids', () => {
    expect(diffPolicySets(set(policy('', 'b.yaml')), set(policy('', 'a.yaml')))).toEqual([
      { policy: 'a.yaml', kind: 'added', parts: [] },
      { policy: 'b.yaml', kind: 'removed', parts: [] },
    ]);
  });

  it('is empty where only the writing changed', () => {
    const before = policy('tools:\n  x: { rules: [{ name: r, action: deny }] }\n  y: {}\n');
    const after = policy('# a comment\n\ntools:\n\n  x:\n    rules:\n      - action: "deny"\n        name: r\n  y: {}\n');
    expect(diffPolicySets(set(before), set(after))).toEqual([]);
  });

  it('gives each changed value with what it was and what it is', () => {
    const rules = (limit: string, owner: string) => `default: deny\nhide: [h1]\ntools:\n  create:\n    rules:\n      - { name: few, rate_limit: ${limit} }\n      - { name: ours, conditions: [{ path: args.owner, op: in, value: ${owner} }] }\n`;
    const [difference] = diffPolicySets(set(policy(rules('5/hour', '[acme]'))), set(policy(rules('9/hour', '[acme, evil]').replace('h1', 'h2').replace('default: deny', 'default: allow'))));
    expect(difference?.parts).toContainEqual({ path: ['default'], kind: 'changed', before: 'deny', after: 'allow' });
    expect(difference?.parts).toContainEqual({ path: ['hide', 'h1'], kind: 'removed', before: '', after: null });
    expect(difference?.parts).toContainEqual({ path: ['hide', 'h2'], kind: 'added', before: null, after: '' });
    expect(difference?.parts).toContainEqual({ path: ['tools', 'create', 'ours', 'conditions', 'args.owner in'], kind: 'changed', before: '["acme"]', after: '["acme", "evil"]' });
    expect(difference?.parts).toContainEqual({ path: ['tools', 'create', 'few', 'rate_limit'], kind: 'changed', before: '5/hour', after: '9/hour' });
  });

  it('speaks of limits and rules in the words of their author, and of nothing that nobody wrote', () => {
    const rules = (limit: string, max: number, more = '') => `tools:\n  pay:\n    rules:\n      - { name: few, rate_limit: ${limit}${more} }\n      - { name: cheap, spend_limit: { amount: args.amount, max: ${max}, per: day } }\n`;
    const [changed] = diffPolicySets(set(policy(rules('60/minute', 500))), set(policy(rules('3/minute', 700))));
    expect(changed?.parts).toEqual([
      { path: ['tools', 'pay', 'few', 'rate_limit'], kind: 'changed', before: '60/minute', after: '3/minute' },
      { path: ['tools', 'pay', 'cheap', 'spend_limit', 'max'], kind: 'changed', before: '500', after: '700' },
    ]);
    const [added] = diffPolicySets(set(policy('tools: {}\n')), set(policy(rules('60/minute', 500, ', mode: observe'))));
    expect(added?.parts).toEqual([{ path: ['tools', 'pay'], kind: 'added', before: null, after: 'few: { mode: observe; rate_limit: 60/minute }; cheap: { spend_limit: { amount: args.amount; max: 500; per: day } }' }]);
    const [observed] = diffPolicySets(set(policy(rules('60/minute', 500))), set(policy(`mode: observe\n${rules('60/minute', 500)}`)));
    expect(observed?.parts).toEqual([{ path: ['mode'], kind: 'changed', before: 'enforce', after: 'observe' }]);
  });

  it('tells rules of one name apart, and takes `__proto__` for a name', () => {
    const two = 'tools:\n  "__proto__":\n    rules: [{ name: r, action: deny }, { name: r, conditions: [{ path: args.a, op: eq, value: 1 }] }]\n';
    const [difference] = diffPolicySets(set(policy('tools: {}\n')), set(policy(two)));
    expect(difference?.parts.map(({ path, kind }) => [path.join('.'), kind])).toEqual([['tools.__proto__', 'added']]);
    expect(difference?.parts[0]?.after).toContain('r (2)');
  });
});

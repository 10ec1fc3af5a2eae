import { describe, expect, it } from 'vitest';
import { canonicalJson } from './canonical.ts';
import { InexactNumber } from './json.ts';
import type { Policy, Rule } from './policy.ts';
import { compileSelector, cutKey, cutOf, identityOf, inCut, mentionsOf, policiesBody, selectPolicies } from './snapshot.ts';

const at = { line: 1, column: 1 };
function policy(id: string, labels: Record<string, readonly string[]>, path?: string): Policy {
  const rule: Rule = { name: 'r', at, action: 'evaluate', mode: 'enforce', when: [], conditions: path === undefined ? [] : [{ path, op: 'exists', value: { kind: 'bool', value: true }, at }], counter: null, onDeny: null };
  return {
    model: 1, id, description: null, match: { server: ['git*'], labels, upstream: [] }, admits: true, mode: 'enforce', default: 'deny', defaultAt: at, onStale: null, hide: [], readOnly: null,
    tools: [{ pattern: 'x', at, rules: [rule] }], resources: null, prompts: null, methods: null,
  };
}

describe('cuts', () => {
  it('[W8] name the labels that matter, and no others', () => {
    const mentions = mentionsOf([policy('a', { env: ['prod'] }, 'proxy.labels.team')], []);
    const cut = cutOf({ server: 'github', labels: { env: 'prod', rack: '7' } }, mentions);
    expect(cut).toEqual({ server: 'github', labels: { env: 'prod', team: null } });
    expect(inCut(cut, { server: 'github', labels: { env: 'prod', rack: '8' } })).toBe(true);
    expect(inCut(cut, { server: 'github', labels: { env: 'prod', team: 'x' } })).toBe(false);
    expect(inCut(cut, { server: 'gitlab', labels: { env: 'prod' } })).toBe(false);
  });

  it('proxies of one cut are selected alike', () => {
    const policies = [policy('a', { env: ['p*'] }), policy('b', { team: ['x'] }), policy('c', {})];
    const mentions = mentionsOf(policies, []);
    for (const env of ['prod', 'dev', undefined]) {
      for (const team of ['x', 'y', undefined]) {
        const labels = { ...(env === undefined ? {} : { env }), ...(team === undefined ? {} : { team }), other: 'o' };
        const identity = { server: 'github', labels };
        const own = selectPolicies(policies, identity);
        expect(selectPolicies(policies, identityOf(cutOf(identity, mentions)))).toEqual(own);
      }
    }
  });

  it('a condition on the labels as a whole puts them all into the cut', () => {
    const mentions = mentionsOf([policy('a', {}, 'proxy.labels')], []);
    expect(cutOf({ server: 's', labels: { a: '1', b: '2' } }, mentions).labels).toEqual({ a: '1', b: '2' });
  });

  it('labels named like parts of Object are ordinary', () => {
    const labels = JSON.parse('{"__proto__":"x","constructor":"y"}') as Record<string, string>;
    const mentions = mentionsOf([policy('a', JSON.parse('{"__proto__":["x"]}') as Record<string, string[]>), policy('b', { constructor: ['*'] })], []);
    expect(inCut(cutOf({ server: 's', labels }, mentions), { server: 's', labels })).toBe(true);
    expect(cutKey(cutOf({ server: 's', labels }, mentions))).toContain('"__proto__":"x"');
    expect(compileSelector({ server: [], labels: { toString: ['*'] } })({ server: 's', labels: {} })).toBe(false);
  });

  it('equal content has an equal text, whatever the order of keys', () => {
    const one = policy('a', { b: ['1'], a: ['2'] });
    const other = Object.fromEntries(Object.entries({ ...one, match: { upstream: [], labels: { a: ['2'], b: ['1'] }, server: ['git*'] } }).reverse()) as unknown as Policy;
    expect(policiesBody([other])).toBe(policiesBody([one]));
  });
});

describe('canonical JSON', () => {
  it('sorts keys, keeps what a double cannot hold, and refuses what JSON cannot say', () => {
    expect(canonicalJson({ b: 1, a: [true, null, 'é"\n'], c: new InexactNumber('9007199254740993') })).toBe('{"a":[true,null,"é\\"\\n"],"b":1,"c":9007199254740993}');
    for (const bad of [undefined, Number.NaN, () => 1, { a: undefined }, 1n]) expect(() => canonicalJson(bad)).toThrow(TypeError);
  });
});

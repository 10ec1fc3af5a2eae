import { expect, it } from 'vitest';
import { MAX_POLICIES, MAX_SET_RULES, checkPolicySet } from './check-set.ts';
import { parsePolicy } from './parse/policy.ts';
import type { Policy } from './policy.ts';

function policy(id: string, text = 'version: "1"\n'): Policy {
  const parsed = parsePolicy({ id, bytes: new TextEncoder().encode(text) });
  if (!parsed.ok) throw new Error(parsed.problems.map(({ message }) => message).join('\n'));
  return parsed.policy;
}

function codes(policies: readonly Policy[]): readonly string[] {
  return checkPolicySet(policies).map(({ file, code, severity }) => `${file} ${severity} ${code}`);
}

it('has nothing to say about an ordinary set', () => {
  expect(codes([policy('github.yaml'), policy('team/slack.yml'), policy('guards/all.yaml', 'version: "1"\nmatch: { server: "*" }\n')])).toEqual([]);
});

it('warns of two files that are for one server by their name', () => {
  expect(codes([policy('b/github.yaml'), policy('a/github.yaml')])).toEqual(['b/github.yaml warning STEM_TWICE']);
  expect(codes([policy('a/github.yaml'), policy('b/github.yaml', 'version: "1"\nmatch: { server: "git*" }\n')])).toEqual([]);
});

it.each(['../x.yaml', '/x.yaml', 'a//x.yaml', './x.yaml', 'x.json', '.yaml', 'a/.yml', 'a\\x.yaml', 'a\u202ex.yaml', 'a\nx.yaml', `${'x'.repeat(600)}.yaml`])('refuses the id %j', (id) => {
  expect(checkPolicySet([{ ...policy('x.yaml'), id }]).map(({ code }) => code)).toContain('POLICY_ID');
});

it('refuses an id that two policies have', () => {
  expect(checkPolicySet([policy('x.yaml'), policy('x.yaml')]).map(({ code }) => code)).toContain('POLICY_ID');
});

it('names the document that crosses a limit', () => {
  const one = policy('x.yaml', 'version: "1"\nmatch: { server: "x*" }\n');
  const many = Array.from({ length: MAX_POLICIES + 1 }, (_, index) => ({ ...one, id: `${String(index).padStart(5, '0')}.yaml` }));
  expect(codes(many)).toEqual([`0${MAX_POLICIES}.yaml error SET_TOO_LARGE`]);

  const ruled = policy('r.yaml', 'version: "1"\nmatch: { server: "x*" }\ntools: { a: { rules: [{ name: r, action: deny }] } }\n');
  const rule = ruled.tools[0]?.rules[0];
  if (rule === undefined) throw new Error('no rule');
  const full = { ...ruled, tools: [{ pattern: 'a', at: { line: 1, column: 1 }, rules: Array.from({ length: MAX_SET_RULES / 2 }, () => rule) }] };
  expect(codes(['a.yaml', 'b.yaml'].map((id) => ({ ...full, id })))).toEqual([]);
  expect(codes(['a.yaml', 'b.yaml', 'c.yaml', 'd.yaml'].map((id) => ({ ...full, id })))).toEqual(['c.yaml error SET_TOO_LARGE']);
});

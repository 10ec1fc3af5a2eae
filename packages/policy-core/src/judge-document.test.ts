import { expect, it } from 'vitest';
import { judgeDocument } from './judge-document.ts';

const TEXT = `version: "1"
tools:
  create_issue:
    rules:
      - { name: owner, conditions: [{ path: args.owner, op: eq, value: acme }], on_deny: Only acme }
tests:
  - { name: a, call: { tool: create_issue }, expect: allow }
  - { name: b, call: { tool: create_issue, arguments: { owner: acme } }, expect: deny, rule: owner }
`;

it('shows what a failing test expected over what was decided, and by which line', () => {
  const { ok, tests, problems } = judgeDocument({ id: 'github.yaml', bytes: new TextEncoder().encode(TEXT) });
  expect({ ok, tests }).toEqual({ ok: false, tests: { passed: 0, failed: 2 } });
  expect(problems.map(({ code, line, frame }) => [code, line, frame?.split('\n').slice(2)])).toEqual([
    ['TEST_FAILED', 7, ['- expected allow', '+ decided  deny by `owner` (line 5), saying `Only acme`']],
    ['TEST_FAILED', 8, ['- expected deny by `owner`', '+ decided  allow']],
  ]);
});

it('does not publish what it cannot read', () => {
  const { ok, policy, tests } = judgeDocument({ id: 'github.yaml', bytes: new TextEncoder().encode('version: "2"\n') });
  expect({ ok, policy, tests }).toEqual({ ok: false, policy: null, tests: { passed: 0, failed: 0 } });
});

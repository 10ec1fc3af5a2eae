/**
 * docs/policy.md is executed: every block of YAML is parsed and its tests are run, and every list that the page repeats
 * is held against the code that it is about. How blocks are marked, after the word yaml:
 *
 *   file=NAME         the policy's id (github.yaml where nothing is said)
 *   untested          a document without tests, because its subject lies outside of what tests in a file can judge; it is judged here
 *   rule              rules of the tool create_issue
 *   conditions        one condition a line, with values of args.x for which it holds and fails
 *   error=A,B         wrong input: exactly these codes of errors
 *   warning=A         sound, with exactly these warnings
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { compilePolicies, decide, isPlumbing, memoryCounters, OPERATORS, parsePolicy, PLUMBING, policySchema, PROBLEM_CODES, REASONS, runPolicyTests } from '@portcullis/policy-core';
import type { Call, Decision, JsonValue, ParsedPolicy, Policy, Restriction } from '@portcullis/policy-core';
import { describe, expect, it } from 'vitest';

const ROOT = join(import.meta.dirname, '..');
const PAGE = readFileSync(join(ROOT, 'docs/policy.md'), 'utf8');
const NOON_MS = Date.UTC(2026, 0, 5, 12);

interface Block {
  /** Where the block's first line stands on the page. */
  readonly line: number;
  readonly words: readonly string[];
  readonly text: string;
}

const BLOCKS = [...PAGE.matchAll(/^```yaml(.*)\n([^]*?)^```$/gm)].map((match): Block => ({
  line: PAGE.slice(0, match.index).split('\n').length + 1,
  words: (match[1] ?? '').trim().split(/\s+/).filter((word) => word !== ''),
  text: match[2] ?? '',
}));
const documents = BLOCKS.filter(({ words }) => !words.includes('conditions'));
const sound = documents.filter((block) => valueOf(block, 'error') === null && valueOf(block, 'warning') === null);

describe('the documents of docs/policy.md', () => {
  it('are all fenced as yaml, so that none is left out', () => {
    expect(PAGE.match(/^```/gm)?.length).toBe(BLOCKS.length * 2);
    expect(BLOCKS.length).toBeGreaterThan(25);
  });

  it.each(sound)('line $line loads without any problem, and its own tests pass', (block) => {
    const parsed = parse(block);
    expect(parsed.problems).toEqual([]);
    if (!parsed.ok) throw new Error('unreachable');
    expect(parsed.tests.length > 0).toBe(!block.words.includes('untested'));
    expect(runPolicyTests(parsed.policy, parsed.tests).failures).toEqual([]);
  });

  it.each(sound)('line $line has tests that notice: without its rules, hides and default, one fails', (block) => {
    const parsed = parse(block);
    if (!parsed.ok || parsed.tests.every(({ steps }) => steps.every((step) => step.expect === 'allow'))) return;
    const open: Policy = { ...parsed.policy, default: 'allow', hide: [], tools: [], resources: null, prompts: null, methods: null };
    expect(runPolicyTests(open, parsed.tests).failed).toBeGreaterThan(0);
  });

  it.each(documents.filter((block) => valueOf(block, 'error') !== null))('line $line is refused as it says', (block) => {
    const parsed = parse(block);
    const codes = parsed.ok ? runPolicyTests(parsed.policy, parsed.tests).failures.map(() => 'TEST_FAILED') : parsed.problems.filter(({ severity }) => severity === 'error').map(({ code }) => code);
    expect(codes.sort()).toEqual(valueOf(block, 'error')?.split(',').sort());
    for (const code of codes) expect(severitiesOf(code)).toContain('error');
  });

  it.each(documents.filter((block) => valueOf(block, 'warning') !== null))('line $line is warned of as it says', (block) => {
    const parsed = parse(block);
    expect(parsed.ok).toBe(true);
    expect(parsed.problems.map(({ code }) => code)).toEqual(valueOf(block, 'warning')?.split(','));
    for (const { code } of parsed.problems) expect(severitiesOf(code)).toContain('warning');
  });
});

describe('what tests in a file cannot judge', () => {
  const untested = sound.filter(({ words }) => words.includes('untested'));
  const about = (key: string): Policy => {
    const [block, another] = untested.filter(({ text }) => new RegExp(`^${key}:`, 'm').test(text));
    if (block === undefined || another !== undefined) throw new Error(`one untested block is about ${key}`);
    return parsedOrThrow(block);
  };
  const reasons = (policy: Policy, server: string, labels: Record<string, string>, upstream: string | null, staleMs = 0, restrictions: readonly Restriction[] = []): readonly string[] =>
    ['get_issue', 'create_issue'].map((name) => decide({
      enforcement: compilePolicies([policy], { server, labels }, upstream), restrictions, call: { kind: 'tool', name, arguments: {} },
      context: { server, labels, upstream, clientName: null, nowMs: NOON_MS, staleMs }, counters: memoryCounters(),
    }).decision.reason);

  it('is four blocks', () => {
    expect(untested).toHaveLength(4);
  });

  it('[E2] match', () => {
    const policy = about('default');
    const upstream = 'npx -y @modelcontextprotocol/server-github';
    expect(reasons(policy, 'github-2', { env: 'prod', team: 'payments' }, upstream)).toEqual(['allowed', 'default']);
    expect(reasons(policy, 'github', { env: 'prod', team: 'payments' }, 'node other.js')).toEqual(['wrong-upstream', 'wrong-upstream']);
    expect(reasons(policy, 'github', { env: 'dev', team: 'payments' }, upstream)).toEqual(['no-policy', 'no-policy']);
    expect(reasons(policy, 'github', { env: 'prod' }, upstream)).toEqual(['no-policy', 'no-policy']);
  });

  it('[E2] admits', () => {
    const policy = about('admits');
    expect(reasons(policy, 'anything', { env: 'lab' }, null)).toEqual(['allowed', 'allowed']);
    expect(reasons(policy, 'anything', { env: 'prod' }, null)).toEqual(['no-policy', 'no-policy']);
  });

  it('read_only', () => {
    const restriction: Restriction = { id: 'r', selector: { server: [], labels: {} }, scope: { kind: 'all' }, readOnly: true, reason: 'incident', actor: 'ops', imposedAtMs: 0, expiresAtMs: null };
    expect(reasons(about('read_only'), 'github', {}, null)).toEqual(['allowed', 'allowed']);
    expect(reasons(about('read_only'), 'github', {}, null, 0, [restriction])).toEqual(['allowed', 'restricted']);
  });

  it('on_stale', () => {
    const policy = about('on_stale');
    expect(reasons(policy, 'github', {}, null, 10 * 60_000 - 1)).toEqual(['allowed', 'allowed']);
    expect(reasons(policy, 'github', {}, null, 10 * 60_000)).toEqual(['stale', 'stale']);
  });
});

describe('the conditions of docs/policy.md', () => {
  const lines = BLOCKS.filter(({ words }) => words.includes('conditions')).flatMap(({ line, text }) => text.trimEnd().split('\n').map((condition, index) => ({ line: line + index, condition })));

  it.each(lines)('line $line: $condition', ({ condition }) => {
    const said = /^- (\{.*\}) +# holds (.*); fails (.*)$/.exec(condition);
    if (said === null) throw new Error('a line says what holds and what fails');
    const [, text = '', holds = '', fails = ''] = said;
    const policy = parsedOrThrow({ line: 0, words: [], text: `version: "1"\ntools:\n  t:\n    rules:\n      - name: r\n        conditions: [${text}]\n` });
    for (const value of valuesOf(holds)) expect([value, judged(policy, value).decision]).toEqual([value, 'allow']);
    for (const value of valuesOf(fails)) expect([value, judged(policy, value).decision]).toEqual([value, 'deny']);
  });

  it('show every operator', () => {
    const shown = new Set(lines.map(({ condition }) => /op: (\w+)/.exec(condition)?.[1]));
    expect([...OPERATORS].filter((operator) => !shown.has(operator))).toEqual([]);
  });
});

describe('the lists of docs/policy.md', () => {
  it('have every problem code, once and in order', () => {
    expect(rowsUnder('## Problems').map(([code]) => unticked(code))).toEqual([...PROBLEM_CODES]);
  });

  it('have every reason, once and in order', () => {
    expect(rowsUnder('## What agents are told').slice(5).map(([reason]) => unticked(reason))).toEqual([...REASONS]);
  });

  it('have exactly the plumbing of the proxy', () => {
    const names = new Set(Object.values(PLUMBING).flatMap((forms) => Object.values(forms).flat()));
    const rows = rowsUnder('## Plumbing');
    expect(rows).toHaveLength(4);
    for (const [from, form, methods] of rows) {
      const sender = from === 'agent' ? 'client' : 'server';
      if (form !== 'request' && form !== 'notification') throw new Error(`${form ?? ''} is no form of a message`);
      const listed = (methods ?? '').split(' ').map(unticked);
      expect(listed.toSorted()).toEqual([...names].filter((name) => isPlumbing(sender, form, name)).sort());
    }
  });

  it('have every key of a document and of a rule', () => {
    expect(rowsUnder('## The file').flatMap(([keys]) => (keys ?? '').split(', ').map(unticked)).sort()).toEqual(Object.keys(documentKeys()).sort());
    for (const key of ['name', 'when', 'conditions', 'action', 'rate_limit', 'spend_limit', 'state', 'mode', 'on_deny']) expect(rowsUnder('## Rules').map(([name]) => unticked(name))).toContain(key);
  });

  it('quote the five messages that agents are told most', () => {
    const told = rowsUnder('## What agents are told').slice(0, 5);
    expect(told.map(([, reason]) => unticked(reason))).toEqual(['no-policy', 'default', 'rule', 'limit', 'restricted']);
    for (const [index, decision] of fiveDenials().entries()) {
      expect(decision.reason).toBe(unticked(told[index]?.[1]));
      expect(told[index]?.[0]).toContain(decision.reason === 'restricted' ? 'the reason that an operator gave' : decision.message);
    }
  });
});

function fiveDenials(): readonly Decision[] {
  const five = documents[0];
  if (five === undefined) throw new Error('the page begins with an example');
  const policy = parsedOrThrow(five);
  const plain: Policy = { ...policy, tools: policy.tools.map((entry) => ({ ...entry, rules: entry.rules.map((rule) => (rule.counter === null ? { ...rule, onDeny: null } : rule)) })) };
  const call: Call = { kind: 'tool', name: 'create_issue', arguments: { owner: 'acme' } };
  const counters = memoryCounters();
  const asked = (policies: readonly Policy[], server: string, asking: Call, restrictions: readonly Restriction[] = []): Decision =>
    decide({
      enforcement: compilePolicies(policies, { server, labels: {} }, null),
      restrictions,
      call: asking,
      context: { server, labels: {}, upstream: null, clientName: null, nowMs: NOON_MS, staleMs: 0 },
      counters,
    }).decision;
  const lockdown: Restriction = { id: 'r', selector: { server: [], labels: {} }, scope: { kind: 'all' }, readOnly: false, reason: 'incident', actor: 'ops', imposedAtMs: 0, expiresAtMs: null };
  for (let n = 0; n < 5; n += 1) expect(asked([plain], 'github', call).decision).toBe('allow');
  return [
    asked([plain], 'files', call),
    asked([{ ...plain, tools: [] }], 'github', call),
    asked([plain], 'github', { ...call, arguments: { owner: 'evil' } }),
    asked([plain], 'github', call),
    asked([plain], 'github', call, [lockdown]),
  ];
}

function parse(block: Block): ParsedPolicy {
  const text = block.words.includes('rule') ? `version: "1"\ntools:\n  create_issue:\n    rules:\n${block.text.replace(/^/gm, '      ')}\n` : block.text;
  return parsePolicy({ id: valueOf(block, 'file') ?? 'github.yaml', bytes: new TextEncoder().encode(text) });
}

function parsedOrThrow(block: Block): Policy {
  const parsed = parse(block);
  if (!parsed.ok) throw new Error(parsed.problems[0]?.message ?? 'refused');
  return parsed.policy;
}

function valueOf({ words }: Block, key: string): string | null {
  return words.find((word) => word.startsWith(`${key}=`))?.slice(key.length + 1) ?? null;
}

const ABSENT = Symbol('absent');

/** JSON values behind one another; `absent` is the one word that is none. */
function valuesOf(text: string): readonly (JsonValue | typeof ABSENT)[] {
  const values = JSON.parse(`[${text.replace(/\babsent\b/g, '{"absent":true}')}]`) as readonly JsonValue[];
  return values.map((value) => (typeof value === 'object' && value !== null && Object.hasOwn(value, 'absent') ? ABSENT : value));
}

function judged(policy: Policy, value: JsonValue | typeof ABSENT): Decision {
  const enforcement = compilePolicies([policy], { server: 'github', labels: {} }, null);
  const call: Call = { kind: 'tool', name: 't', arguments: value === ABSENT ? {} : { x: value } };
  return decide({ enforcement, restrictions: [], call, context: { server: 'github', labels: {}, upstream: null, clientName: null, nowMs: NOON_MS, staleMs: 0 }, counters: memoryCounters() }).decision;
}

/** The rows of the tables between a heading and the next one of its rank, without heads. */
function rowsUnder(heading: string): readonly (readonly string[])[] {
  const [, after = ''] = PAGE.split(`\n${heading}\n`);
  const section = after.split(/^## /m)[0] ?? '';
  const lines = section.split('\n');
  const rows = lines.filter((line, index) => line.startsWith('|') && !/^\|[-|]+$/.test(line) && !/^\|[-|]+$/.test(lines[index + 1] ?? ''));
  return rows.map((row) => row.slice(1, -1).split('|').map((cell) => cell.trim()));
}

function unticked(cell: string | undefined): string {
  return (cell ?? '').replaceAll('`', '');
}

function severitiesOf(code: string): readonly string[] {
  return rowsUnder('## Problems').find(([name]) => unticked(name) === code)?.[1]?.split(', ') ?? [];
}

function documentKeys(): object {
  const { properties } = policySchema();
  if (typeof properties !== 'object' || properties === null) throw new Error('the schema has no properties');
  return properties;
}

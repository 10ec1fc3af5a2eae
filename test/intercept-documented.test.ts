/**
 * docs/compatibility.md says what differs from Intercept, all of it and nothing else: every row of its tables has examples that go as it
 * says, every listed divergence has a row, and nothing that Intercept denies is allowed but under a row that owns up to it.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { compilePolicies, decide, memoryCounters, parsePolicy, parseStrict } from '@portcullis/policy-core';
import type { JsonObject, ParsedPolicy } from '@portcullis/policy-core';
import { describe, expect, it } from 'vitest';
import { EVALUATE_DIVERGENCES, VALIDATE_DIVERGENCES } from './intercept-divergences.ts';
import { DECIDED_OTHERWISE, OTHER_MEANING, REFUSED_HERE, SHOWN_ELSEWHERE } from './intercept-examples.ts';
import type { Example, ExampleCall } from './intercept-examples.ts';

const PAGE = readFileSync(join(import.meta.dirname, '../docs/compatibility.md'), 'utf8');
const TABLES = tablesOf(PAGE);

/** As the proxy and `portcullis eval` read arguments. */
const LIMITS = { maxDepth: 128, maxValues: 1_000_000 };
const START = '2026-03-04T12:00:00Z';

describe('docs/compatibility.md', () => {
  it('has three tables, with examples for each row of them and for no other', () => {
    expect(TABLES).toEqual([[...REFUSED_HERE.keys()], [...OTHER_MEANING.keys()], TABLES[2]]);
    expect([...(TABLES[2] ?? [])].sort()).toEqual([...DECIDED_OTHERWISE.keys(), ...SHOWN_ELSEWHERE.keys()].sort());
  });

  it('has a row for each divergence from the vectors', () => {
    const rows = new Set(TABLES.flat());
    const named = [...EVALUATE_DIVERGENCES, ...VALIDATE_DIVERGENCES].map(([id, { row }]) => ({ id, row }));
    expect(named.filter(({ row }) => row !== null && !rows.has(row))).toEqual([]);
    const silent = [...VALIDATE_DIVERGENCES].filter(([, { row, differs }]) => row === null && differs === 'refused');
    expect(silent).toEqual([]);
  });
});

describe('is refused here', () => {
  it.each([...REFUSED_HERE].map(([row, texts]) => [row, texts] as const))('%s', (_row, texts) => {
    for (const text of texts) expect(parsed(text).ok, typeof text === 'string' ? text.slice(0, 200) : 'bytes').toBe(false);
  });
});

describe('goes otherwise than there', () => {
  const rows = [...OTHER_MEANING, ...DECIDED_OTHERWISE];
  it.each(rows)('%s', (row, examples) => {
    for (const example of examples) expectAsStated(example);
    const steps = examples.flatMap(({ calls }) => ('length' in calls ? calls : []));
    const looser = steps.some(({ intercept, here }) => intercept === 'deny' && here === 'allow');
    // What is no part of Intercept's language (globs, `when`) lists and leaves out what it says.
    expect(looser && !OTHER_MEANING.has(row) && !row.endsWith('†'), 'a dagger marks the rows under which something is allowed that Intercept denies').toBe(false);
    expect(steps.length === 0 || steps.some(({ intercept, here }) => intercept !== here)).toBe(true);
  });

  it('a name in a message: at most 200 characters of it', () => {
    const [message] = decisions('version: "1"\nhide: ["*"]\n', [{ tool: 'n'.repeat(300), intercept: 'deny', here: 'deny' }]).map((decision) => decision.message);
    expect(message).toBe(`Tool "${'n'.repeat(200)}…" is hidden by policy`);
  });

  it('a number beyond every double cannot be read', () => {
    expect(parseStrict('{"a":1e308}', LIMITS).ok).toBe(true);
    expect(parseStrict('{"a":1e400}', LIMITS).ok).toBe(false);
  });

  it('arguments nested deeper than 128 levels cannot be read', () => {
    const nested = (depth: number): string => `{"a":${'['.repeat(depth - 1)}${']'.repeat(depth - 1)}}`;
    expect(parseStrict(nested(128), LIMITS).ok).toBe(true);
    expect(parseStrict(nested(129), LIMITS).ok).toBe(false);
  });
});

function expectAsStated({ policy, calls }: Example): void {
  if (!('length' in calls)) {
    expect(parsed(policy).ok, policy).toBe(calls.here === 'loads');
    return;
  }
  expect(decisions(policy, calls).map(({ decision }) => decision), policy).toEqual(calls.map(({ here }) => here));
}

function decisions(policy: string, calls: readonly ExampleCall[]): readonly { readonly decision: 'allow' | 'deny'; readonly message: string | null }[] {
  const read = parsed(policy);
  if (!read.ok) throw new Error(read.problems.map(({ message }) => message).join('\n'));
  const enforcement = compilePolicies([read.policy], { server: 'example', labels: {} }, null);
  const counters = memoryCounters();
  let nowMs = Date.parse(START);
  return calls.map(({ tool, arguments: text = '{}', at }) => {
    if (at !== undefined) nowMs = Date.parse(at);
    const args = parseStrict(text, LIMITS);
    if (!args.ok) throw new Error(args.problem.message);
    const call = { kind: 'tool', name: tool, arguments: args.value as JsonObject } as const;
    const verdict = decide({ enforcement, restrictions: [], call, context: { server: 'example', labels: {}, upstream: null, clientName: null, nowMs, staleMs: 0 }, counters });
    if (verdict.decision.decision === 'allow') verdict.settle('ok');
    return verdict.decision;
  });
}

function parsed(text: string | Uint8Array): ParsedPolicy {
  return parsePolicy({ id: 'example.yaml', bytes: typeof text === 'string' ? new TextEncoder().encode(text) : text });
}

/** The first cells of each table, without its head. */
function tablesOf(page: string): readonly (readonly string[])[] {
  return page.split(/\n\n+/).filter((block) => block.startsWith('| ')).map((block) => block.split('\n').filter((line) => line.startsWith('| ')).slice(1).map((line) => line.slice(2, line.indexOf(' | ', 2))));
}

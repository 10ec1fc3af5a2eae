/** Decides as Intercept does: the vectors of evaluate.json and tools_list.json, run through the parser and the evaluator that proxies use. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { compilePolicies, counterKeyText, decide, listFilter, memoryCounters, parsePolicy, parseStrict, readCount, releaseCounts, reserveCounts } from '@portcullis/policy-core';
import type { CounterKey, CounterRow, CounterRows, CounterStore, Decision, Enforcement, JsonObject, Verdict } from '@portcullis/policy-core';
import { describe, expect, it } from 'vitest';
import { EVALUATE_DIVERGENCES } from './intercept-divergences.ts';
import type { Deviation } from './intercept-divergences.ts';

const VECTORS = join(import.meta.dirname, 'vectors/intercept');
const PREFIX = '[INTERCEPT POLICY DENIED] ';
const SERVER = 'vector';
const START = '2026-03-04T12:00:00Z';

interface Step {
  readonly call?: { readonly name: string; readonly arguments?: JsonObject };
  readonly settle?: number;
  readonly at?: string;
  readonly upstream?: 'ok' | 'error' | 'tool_error' | 'none';
  readonly defer?: boolean;
  readonly reload?: string;
  readonly backend?: 'closed' | 'open';
  readonly expect?: Expectation;
}

interface Expectation {
  readonly decision: 'allow' | 'deny';
  readonly message: string | null;
  readonly rule?: string | null;
  readonly phase?: string;
  readonly counters?: Readonly<Record<string, number>>;
}

interface Case {
  readonly id: string;
  readonly policy: string;
  readonly steps: readonly Step[];
}

interface ListCase {
  readonly id: string;
  readonly policy: string;
  readonly tools: readonly string[];
  readonly expectVisible: readonly string[];
}

describe('Intercept: evaluate.json', () => {
  const cases = vectors('evaluate.json') as readonly Case[];

  it('has all its cases', () => {
    expect(cases.length).toBe(201);
  });

  it('lists only divergences that exist', () => {
    const ids = new Set(cases.map(({ id }) => id));
    expect([...EVALUATE_DIVERGENCES.keys()].filter((id) => !ids.has(id))).toEqual([]);
  });

  it.each(cases.map((one) => [one.id, one] as const))('%s', (id, one) => {
    const stated = EVALUATE_DIVERGENCES.get(id)?.steps;
    if (stated === 'unloadable') {
      expect(() => enforcementOf(one.policy)).toThrow();
      return;
    }
    // A divergence is stated step by step: what is not listed agrees, and what is listed must really differ.
    const divergences = stated ?? new Map<number, Deviation>();
    const differences = run(one);
    expect(differences.filter(({ step }) => !divergences.has(step))).toEqual([]);
    expect(new Map(differences.map(({ step, got }) => [step, { decision: got.decision, reason: got.reason }]))).toEqual(divergences);
  });
});

describe('Intercept: tools_list.json', () => {
  const cases = vectors('tools_list.json') as readonly ListCase[];
  /** Names under `hide` are globs here; Intercept takes them literally. */
  const globsHideMore = new Map([['hide-no-glob', ['read_file']]]);

  it.each(cases.map((one) => [one.id, one] as const))('%s', (id, one) => {
    const shows = listFilter(enforcementOf(one.policy), []);
    expect(one.tools.filter(shows)).toEqual(globsHideMore.get(id) ?? one.expectVisible);
  });
});

interface Difference {
  readonly step: number;
  readonly got: Decision;
  readonly expected: Expectation;
  readonly counted: Readonly<Record<string, number>>;
}

/** Runs one case and returns the steps that went otherwise than in Intercept. */
function run(one: Case): readonly Difference[] {
  const state = inspectableCounters();
  const verdicts: (Verdict | null)[] = [];
  const differences: Difference[] = [];
  let enforcement = enforcementOf(one.policy);
  let nowMs = Date.parse(START);
  for (const [number, step] of one.steps.entries()) {
    if (step.at !== undefined) nowMs = Date.parse(step.at);
    if (step.reload !== undefined) enforcement = enforcementOf(step.reload);
    if (step.settle !== undefined) verdicts[step.settle]?.settle('error');
    if (step.call === undefined) {
      verdicts.push(null);
      continue;
    }
    const call = { kind: 'tool', name: step.call.name, arguments: step.call.arguments ?? {} } as const;
    const context = { server: SERVER, labels: {}, upstream: null, clientName: null, nowMs, staleMs: 0 };
    // There is no fail-open mode: a store that does not work is one that throws.
    const counters = step.backend === undefined ? state.store : brokenCounters();
    const verdict = decide({ enforcement, restrictions: [], call, context, counters });
    verdicts.push(verdict);
    if (verdict.decision.decision === 'allow' && step.defer !== true) verdict.settle(step.upstream ?? 'ok');
    const expected = step.expect;
    if (expected !== undefined && !agrees(verdict.decision, expected, state.counts(), state.current(nowMs))) {
      differences.push({ step: number, got: verdict.decision, expected, counted: state.counts() });
    }
  }
  return differences;
}

function agrees(got: Decision, expected: Expectation, stored: Readonly<Record<string, number>>, current: Readonly<Record<string, number>>): boolean {
  if (got.decision !== expected.decision) return false;
  if (got.message !== (expected.message?.replace(PREFIX, '') ?? null)) return false;
  // Intercept names no rule where an amount cannot be read; a Decision names every rule (E4).
  if (expected.phase !== 'internal' && expected.rule !== undefined && got.rule !== expected.rule) return false;
  const wanted = expected.counters;
  if (wanted === undefined) return true;
  // A reservation that is undone leaves a 0 in the new window there, and the old window untouched here: both count nothing now.
  return [...new Set([...Object.keys(wanted), ...Object.keys(stored)])].every((key) => {
    const expected = wanted[key] ?? 0;
    return expected === (stored[key] ?? 0) || expected === (current[key] ?? 0);
  });
}

function enforcementOf(text: string): Enforcement {
  const parsed = parsePolicy({ id: `${SERVER}.yaml`, bytes: new TextEncoder().encode(text) });
  if (!parsed.ok) throw new Error(parsed.problems.map(({ line, message }) => `${line}: ${message}`).join('\n'));
  return compilePolicies([parsed.policy], { server: SERVER, labels: {} }, null);
}

/** The store that proxies' stores are made of, with its rows in view as Intercept names them. */
function inspectableCounters(): { readonly store: CounterStore; counts(): Readonly<Record<string, number>>; current(nowMs: number): Readonly<Record<string, number>> } {
  const kept = new Map<string, readonly [CounterKey, CounterRow]>();
  const rows: CounterRows = {
    get: (key) => kept.get(counterKeyText(key))?.[1] ?? null,
    put: (key, row) => void kept.set(counterKeyText(key), [key, row]),
  };
  return {
    store: {
      read: (key, nowMs) => readCount(rows, key, nowMs),
      reserve: (reservations, nowMs) => reserveCounts(rows, reservations, nowMs),
      release: (receipt) => releaseCounts(rows, receipt),
    },
    counts: () => Object.fromEntries([...kept.values()].map(([key, { value }]) => [interceptKey(key), Number(value)])),
    current: (nowMs) => Object.fromEntries([...kept.values()].map(([key]) => [interceptKey(key), Number(readCount(rows, key, nowMs))])),
  };
}

function interceptKey({ entry, counter }: CounterKey): string {
  return `${entry === '*' ? '_global' : entry}.${counter}`;
}

function brokenCounters(): CounterStore {
  const fail = (): never => {
    throw new Error('the store is gone');
  };
  return { ...memoryCounters(), read: fail, reserve: fail };
}

/** Read as the relay reads the wire, so that numbers beyond a double arrive as they would there. */
function vectors(file: string): unknown {
  const read = parseStrict(readFileSync(join(VECTORS, file), 'utf8'), { maxDepth: 64, maxValues: 1_000_000 });
  if (!read.ok) throw new Error(read.problem.message);
  return read.value;
}

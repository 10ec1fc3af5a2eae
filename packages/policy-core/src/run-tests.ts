/**
 * The tests that a policy carries about itself. They judge their own document alone: whatever it matches, with every rule
 * as if enforced, and with empty counters that the steps of one test share.
 */
import type { Call, CallContext, Decision } from './call.ts';
import { memoryCounters } from './counter-memory.ts';
import { compilePolicies } from './evaluate/enforcement.ts';
import { decide } from './evaluate/decide.ts';
import type { Enforcement } from './evaluate/evaluation.ts';
import { isExact } from './glob.ts';
import { InexactNumber } from './json.ts';
import type { JsonObject, JsonValue } from './json.ts';
import { parseStrict } from './strict-json.ts';
import type { Entry, Policy, PolicyTest, PolicyTestCall, PolicyTestStep, PolicyValue, Position } from './policy.ts';

export interface TestReport {
  readonly passed: number;
  readonly failed: number;
  readonly failures: readonly TestFailure[];
}

/** The first step of a test that went otherwise than expected. */
export interface TestFailure {
  readonly test: string;
  /** From 1. */
  readonly step: number;
  readonly expected: { readonly decision: 'allow' | 'deny'; readonly rule: string | null };
  readonly got: Decision;
  /** The rule that spoke, or null. */
  readonly rule: string | null;
  /** What went wrong, in one sentence. */
  readonly message: string;
  readonly at: Position;
}

/** Runs tests against their policy. A test fails with its first failing step. */
export function runPolicyTests(policy: Policy, tests: readonly PolicyTest[]): TestReport {
  const failures = tests.flatMap((test) => runTest(policy, test));
  return { passed: tests.length - failures.length, failed: failures.length, failures };
}

/** The server a document is about when nothing else says so: the first literal of its match, else its file's stem. */
export function defaultServer(policy: Policy): string {
  const stem = (policy.id.split('/').at(-1) ?? policy.id).replace(/\.ya?ml$/, '');
  return policy.match.server.find(isExact) ?? stem;
}

function runTest(policy: Policy, test: PolicyTest): readonly TestFailure[] {
  const server = test.server ?? defaultServer(policy);
  const enforcement = enforcedAlone(policy, server, test.labels);
  const counters = memoryCounters();
  for (const [index, step] of test.steps.entries()) {
    const context: CallContext = { server, labels: test.labels, upstream: null, clientName: test.client, nowMs: step.atMs, staleMs: 0 };
    const verdict = decide({ enforcement, restrictions: [], call: callOf(step.call), context, counters });
    const failure = failureOf(test, step, index + 1, verdict.decision);
    if (failure !== null) return [failure];
    if (verdict.decision.decision === 'allow') verdict.settle(step.outcome);
  }
  return [];
}

/** The document as the one policy of a server that it admits, observing nothing. */
function enforcedAlone(policy: Policy, server: string, labels: PolicyTest['labels']): Enforcement {
  const enforced: Policy = {
    ...policy,
    match: { server: ['*'], labels: {}, upstream: [] },
    admits: true,
    mode: 'enforce',
    tools: policy.tools.map(enforcedEntry),
    resources: policy.resources?.map(enforcedEntry) ?? null,
    prompts: policy.prompts?.map(enforcedEntry) ?? null,
    methods: policy.methods?.map(enforcedEntry) ?? null,
  };
  return compilePolicies([enforced], { server, labels }, null);
}

function enforcedEntry(entry: Entry): Entry {
  return { ...entry, rules: entry.rules.map((rule) => ({ ...rule, mode: 'enforce' })) };
}

function failureOf(test: PolicyTest, step: PolicyTestStep, number: number, got: Decision): TestFailure | null {
  const rightDecision = got.decision === step.expect;
  if (rightDecision && (step.rule === null || step.rule === got.rule)) return null;
  const where = test.steps.length > 1 ? ` at step ${number}` : '';
  const wanted = `${step.expect}${step.rule === null ? '' : ` by \`${step.rule}\``}`;
  const speaker = got.rule === null ? '' : ` by \`${got.rule}\``;
  const told = got.message === null ? '' : `: ${got.message}`;
  return {
    test: test.name,
    step: number,
    expected: { decision: step.expect, rule: step.rule },
    got,
    rule: got.rule,
    message: `the test \`${test.name}\` expects ${wanted}${where}, but the policy says ${got.decision}${speaker}${told}`,
    at: step.at,
  };
}

function callOf(call: PolicyTestCall): Call {
  switch (call.kind) {
    case 'tool':
      return { kind: 'tool', name: call.name, arguments: argumentsOf(call.arguments) };
    case 'prompt':
      return { kind: 'prompt', name: call.name, arguments: argumentsOf(call.arguments) };
    case 'resource':
      return { kind: 'resource', method: 'resources/read', uri: call.uri };
    case 'method':
      return { kind: 'method', method: call.method, params: {} };
  }
}

function argumentsOf(value: PolicyValue | null): JsonObject {
  return value?.kind === 'map' ? objectOf(value.entries) : {};
}

/** The JSON that the written value stands for. What JSON cannot say (NaN, infinities) becomes a number that no rule compares. */
function jsonOf(value: PolicyValue): JsonValue {
  switch (value.kind) {
    case 'null':
      return null;
    case 'bool':
    case 'string':
    case 'timestamp':
      return value.value;
    case 'int':
    case 'uint':
    case 'float':
      return numberOf(value.value);
    case 'list':
      return value.items.map(jsonOf);
    case 'map':
      return objectOf(value.entries);
  }
}

/** The same reading as for a number on the wire, so that a test and a proxy agree about what is inexact. */
function numberOf(text: string): JsonValue {
  const read = parseStrict(text, { maxDepth: 1, maxValues: 1 });
  return read.ok ? read.value : new InexactNumber(text);
}

function objectOf(entries: readonly (readonly [string, PolicyValue])[]): JsonObject {
  return Object.fromEntries(entries.map(([key, value]) => [key, jsonOf(value)] as const));
}

/** The tests that a policy carries about itself: calls, and what must become of them. */
import { askedBy } from '../carriers.ts';
import { isPlumbing } from '../plumbing.ts';
import type { Policy, PolicyTest, PolicyTestCall, PolicyTestStep, PolicyValue } from '../policy.ts';
import { quote } from '../problem.ts';
import { EFFECTS, OUTCOMES } from '../schema/tables.ts';
import { nearest } from '../suggestion.ts';
import type { Findings } from './findings.ts';
import { child, itemsOf, placeOf, textOf, valueOf, valuePlaceOf, wordOf } from './nodes.ts';
import type { MapNode, Node } from './nodes.ts';
import { rfc3339Ms } from './timestamp.ts';

/** 2026-01-05T12:00:00Z, a Monday at noon: what the clock of a test shows where it says nothing. */
export const TEST_CLOCK_MS = Date.UTC(2026, 0, 5, 12);

/** Tests run on every check and before every publish; that must stay a matter of a moment. */
const MAX_TESTS = 500;
/** Calls of one test, repetitions counted. */
const MAX_STEPS = 1000;

/** Reads the tests. `policy` is what they are about: a test may only name rules that it has. */
export function readTests(document: MapNode, policy: Policy, findings: Findings): readonly PolicyTest[] {
  const items = itemsOf(document, 'tests');
  if (items.length > MAX_TESTS) findings.error('TEST', placeOf(document, 'tests'), `a policy may have ${MAX_TESTS} tests, not ${items.length}`);
  const ruleNames = new Set([policy.tools, policy.resources ?? [], policy.prompts ?? [], policy.methods ?? []].flat().flatMap((entry) => entry.rules.map((rule) => rule.name)));
  return items.slice(0, MAX_TESTS).flatMap((item) => (item.kind === 'map' ? readTest(item, ruleNames, findings) : []));
}

function readTest(test: MapNode, ruleNames: ReadonlySet<string>, findings: Findings): readonly PolicyTest[] {
  const call = child(test, 'call');
  const calls = child(test, 'calls');
  if ((call === null) === (calls === null)) {
    findings.error('TEST', test.offset, call === null ? 'a test needs a `call`, for example `call: { tool: create_issue, arguments: {} }`' : 'a test has a `call` or `calls`, not both');
    return [];
  }
  const nodes = call === null ? itemsOf(test, 'calls') : [call];
  if (nodes.length === 0) findings.error('TEST', placeOf(test, 'calls'), '`calls` is empty: write the calls that are to be judged');
  const steps = nodes.flatMap((node) => (node.kind === 'map' ? readSteps(node, test, ruleNames, findings) : []));
  if (textOf(test, 'rule') !== null && steps.length > 0 && steps.every(({ expect }) => expect === 'allow')) {
    findings.error('TEST', placeOf(test, 'rule'), '`rule` says which rule denies, and every call is expected to pass: remove it');
  }
  if (steps.length > MAX_STEPS) findings.error('TEST', test.offset, `a test may have ${MAX_STEPS} calls, not ${steps.length}`);
  return [
    {
      name: textOf(test, 'name') ?? '',
      at: findings.at(test.offset),
      server: textOf(test, 'server'),
      labels: readLabels(test),
      client: textOf(test, 'client'),
      steps: steps.slice(0, MAX_STEPS),
    },
  ];
}

/** One written call is as many steps as it says. What it leaves out is taken from the test. */
function readSteps(node: MapNode, test: MapNode, ruleNames: ReadonlySet<string>, findings: Findings): readonly PolicyTestStep[] {
  const call = readCall(node, findings);
  const expect = wordOf(node, 'expect', EFFECTS) ?? wordOf(test, 'expect', EFFECTS);
  if (expect === null && textOf(node, 'expect') === null && textOf(test, 'expect') === null) {
    findings.error('TEST', node.offset, 'the test does not say what must become of the call: write `expect: allow` or `expect: deny`');
  }
  const ownRule = textOf(node, 'rule');
  const rule = ownRule ?? (expect === 'deny' ? textOf(test, 'rule') : null);
  if (rule !== null) checkRule(rule, expect, valuePlaceOf(ownRule === null ? test : node, 'rule'), ruleNames, findings);
  const atMs = readClock(node, findings) ?? readClock(test, findings) ?? TEST_CLOCK_MS;
  const outcome = wordOf(node, 'outcome', OUTCOMES) ?? wordOf(test, 'outcome', OUTCOMES) ?? 'ok';
  const times = readTimes(node, findings);
  if (call === null || expect === null) return [];
  return Array.from({ length: times }, () => ({ call, atMs, expect, rule, outcome, at: findings.at(node.offset) }));
}

function checkRule(rule: string, expect: 'allow' | 'deny' | null, offset: number, ruleNames: ReadonlySet<string>, findings: Findings): void {
  if (expect === 'allow') {
    findings.error('TEST', offset, '`rule` says which rule denies, and the call is expected to pass: remove it');
  } else if (!ruleNames.has(rule) && !rule.startsWith('(')) {
    const meant = nearest(rule, ruleNames);
    findings.error('TEST', offset, `the policy has no rule ${quote(rule)}${meant === null ? ': name one of its rules, or leave `rule` out' : `, did you mean ${quote(meant)}?`}`);
  }
}

function readClock(node: MapNode, findings: Findings): number | null {
  const text = textOf(node, 'at');
  if (text === null) return null;
  const ms = rfc3339Ms(text);
  if (ms === null) findings.error('TEST', valuePlaceOf(node, 'at'), `\`at\` must be a time like \`2026-01-05T12:00:00Z\`, not ${quote(text)}`);
  return ms;
}

function readTimes(node: MapNode, findings: Findings): number {
  const written = child(node, 'times');
  if (written?.kind !== 'scalar') return 1;
  const value = valueOf(written);
  const times = value.kind === 'int' ? Number(value.value) : NaN;
  if (times >= 1 && times <= MAX_STEPS) return times;
  if (value.kind === 'int' || value.kind === 'uint' || value.kind === 'float') findings.error('TEST', written.offset, `times must be a whole number from 1 to ${MAX_STEPS}, not ${quote(written.text)}`);
  return 1;
}

function readCall(node: MapNode, findings: Findings): PolicyTestCall | null {
  const named = (['tool', 'uri', 'prompt', 'method'] as const).filter((key) => child(node, key) !== null);
  const [kind] = named;
  if (kind === undefined || named.length > 1) {
    findings.error('TEST', node.offset, 'a call names one of `tool`, `uri`, `prompt` and `method`');
    return null;
  }
  const name = textOf(node, kind) ?? '';
  const args = readArguments(node, findings);
  switch (kind) {
    case 'tool':
      return { kind: 'tool', name, arguments: args };
    case 'prompt':
      return { kind: 'prompt', name, arguments: args };
    case 'uri':
      if (args !== null) findings.error('TEST', placeOf(node, 'arguments'), 'reading a resource has no arguments: remove them');
      return { kind: 'resource', uri: name };
    case 'method':
      if (args !== null) findings.error('TEST', placeOf(node, 'arguments'), 'a test of a method has no arguments: remove them');
      checkMethod(name, valuePlaceOf(node, 'method'), findings);
      return { kind: 'method', method: name };
  }
}

/** A test of a method shows nothing where policies decide about what the method names, or about nothing at all. */
function checkMethod(method: string, offset: number, findings: Findings): void {
  const key = askedBy(method);
  if (key !== null) findings.error('TEST', offset, `${quote(method)} is decided by what it names: write \`call: { ${key}: … }\``);
  else if (isPlumbing('client', 'request', method) || isPlumbing('client', 'notification', method)) {
    findings.error('TEST', offset, `${quote(method)} keeps a session going and always passes, whatever a policy says: remove the test`);
  }
}

function readArguments(node: MapNode, findings: Findings): PolicyValue | null {
  const args = child(node, 'arguments');
  return args?.kind === 'map' ? argumentValue(args, findings) : null;
}

/** Arguments are JSON: a date is the text that was written, and there is no infinity. */
function argumentValue(node: Node, findings: Findings): PolicyValue {
  switch (node.kind) {
    case 'list':
      return { kind: 'list', items: node.items.map((item) => argumentValue(item, findings)) };
    case 'map':
      return { kind: 'map', entries: [...node.pairs].map(([key, pair]) => [key, argumentValue(pair.value, findings)] as const) };
    case 'scalar': {
      const value = valueOf(node);
      if (value.kind === 'timestamp') return { kind: 'string', value: node.text };
      if (value.kind === 'float' && ['NaN', '+Inf', '-Inf'].includes(value.value)) findings.error('TEST', node.offset, `arguments are JSON, which has no ${quote(node.text)}`);
      return value;
    }
  }
}

function readLabels(test: MapNode): PolicyTest['labels'] {
  const labels = child(test, 'labels');
  if (labels?.kind !== 'map') return {};
  return Object.fromEntries([...labels.pairs].map(([label, { value }]) => [label, value.kind === 'scalar' ? value.text : ''] as const));
}

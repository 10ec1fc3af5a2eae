/** What is legal but surely not meant: warnings about a policy that is otherwise sound. */
import { compileGlob, isExact, namesNothing } from '../glob.ts';
import type { Condition, Entry, PlacedName, Policy, PolicyTest, Rule } from '../policy.ts';
import { quote } from '../problem.ts';
import { nearest } from '../suggestion.ts';
import { scopeOf } from './counters.ts';
import type { Findings } from './findings.ts';

/** Comparing every hidden name with every entry is a product; beyond this size nobody reads the warnings. */
const MAX_COMPARED_NAMES = 500;

/** Warns of rules that cannot matter, counters that never count, and names that look mistyped. */
export function warnOfSuspicions(policy: Policy, tests: readonly PolicyTest[], findings: Findings): void {
  const sections = [policy.tools, policy.resources ?? [], policy.prompts ?? [], policy.methods ?? []];
  for (const entries of sections) {
    const idle = uncountedPaths(entries);
    for (const entry of entries) warnOfEntry(entry, idle, findings);
  }
  warnOfHiddenEntries(policy, findings);
  warnOfUnlistedStar(policy, findings);
  warnOfNames(policy, tests, findings);
  if (policy.mode === 'observe' && policy.admits) {
    findings.warnAt('OBSERVE_ADMITS', { line: 1, column: 1 }, `in observe mode this policy opens ${policy.match.server.map(quote).join(', ')} and denies nothing there: add \`admits: false\` if another policy decides what is open`);
  }
}

function warnOfEntry(entry: Entry, idle: ReadonlySet<string>, findings: Findings): void {
  let closed: Rule | null = null;
  for (const rule of entry.rules) {
    if (closed !== null) findings.warnAt('UNREACHABLE', rule.at, `the rule ${quote(rule.name)} never decides: ${quote(closed.name)} in line ${closed.at.line} denies every call before it`);
    else if (rule.action === 'deny' && rule.when.length === 0 && rule.mode === 'enforce') closed = rule;
    if (neverCounted(rule)) {
      const why = rule.action === 'deny' ? 'a deny rule counts nothing' : `no condition of the rule bounds it with lte or lt on \`state.${scopeOf(entry.pattern)}.${rule.counter?.name ?? ''}\``;
      findings.warnAt('NEVER_COUNTED', rule.at, `the counter ${quote(rule.counter?.name ?? '')} never counts: ${why}`);
    }
    if (neverDenies(rule, idle)) findings.warnAt('NEVER_DENIES', rule.at, `the rule ${quote(rule.name)} never denies: its conditions always hold`);
    else if (contradicts(rule.when)) findings.warnAt('NEVER_DENIES', rule.at, `the rule ${quote(rule.name)} never applies: its \`when\` asks for two different values at once`);
  }
}

function neverCounted(rule: Rule): boolean {
  return rule.counter !== null && (rule.action === 'deny' || rule.counter.limit === null);
}

/** Paths of counters that stay 0 for ever. */
function uncountedPaths(entries: readonly Entry[]): ReadonlySet<string> {
  return new Set(entries.flatMap((entry) => entry.rules.filter(neverCounted).map((rule) => `state.${scopeOf(entry.pattern)}.${rule.counter?.name ?? ''}`)));
}

function neverDenies(rule: Rule, idle: ReadonlySet<string>): boolean {
  if (rule.action === 'deny' || (rule.counter !== null && !neverCounted(rule))) return false;
  return rule.conditions.length > 0 && rule.conditions.every((condition) => alwaysHolds(condition, idle));
}

/** Counters always exist and are never negative; hours are 0 to 23. */
function alwaysHolds({ path, op, value }: Condition, idle: ReadonlySet<string>): boolean {
  if (path.startsWith('state.')) {
    if (op === 'exists') return value.kind === 'bool' && value.value;
    if (value.kind !== 'int' && value.kind !== 'float') return false;
    const bound = Number(value.value);
    const zero = idle.has(path) || path.split('.').length < 3;
    return (op === 'gte' && bound <= 0) || (op === 'gt' && bound < 0) || (zero && ((op === 'lte' && bound >= 0) || (op === 'lt' && bound > 0)));
  }
  if (path === 'time.hour' && value.kind === 'int') {
    return (op === 'gte' && Number(value.value) <= 0) || (op === 'lte' && Number(value.value) >= 23);
  }
  return path === 'proxy.server' && op === 'exists' && value.kind === 'bool' && value.value;
}

/** Two `eq` on one path with values that no value equals at once. */
function contradicts(when: readonly Condition[]): boolean {
  const wanted = new Map<string, string>();
  for (const { path, op, value } of when) {
    if (op !== 'eq' || value.kind !== 'string') continue;
    const before = wanted.get(path);
    if (before !== undefined && before !== value.value) return true;
    wanted.set(path, value.value);
  }
  return false;
}

/** Listing a tool and hiding it is harmless where the entry says nothing; its rules, or its place on a list of what is open, are lost. */
function warnOfHiddenEntries(policy: Policy, findings: Findings): void {
  if (policy.hide.length > MAX_COMPARED_NAMES) return;
  const hidden = policy.hide.map(({ name, at }) => ({ name, at, matches: compileGlob(name) }));
  for (const entry of policy.tools) {
    if (!isExact(entry.pattern) || (entry.rules.length === 0 && policy.default === 'allow')) continue;
    const by = hidden.find(({ matches }) => matches(entry.pattern));
    if (by !== undefined) findings.warnAt('HIDDEN_AND_LISTED', entry.at, `${quote(entry.pattern)} is hidden by ${quote(by.name)} in line ${by.at.line}, so this entry has no effect: remove one of them`);
  }
}

function warnOfUnlistedStar(policy: Policy, findings: Findings): void {
  const [first] = policy.tools;
  if (policy.default === 'deny' && first !== undefined && policy.tools.every(({ pattern }) => namesNothing(pattern))) {
    findings.warnAt('UNREACHABLE', first.at, 'under `default: deny` a `*` without anything else lists no tool, so every tool is denied and these rules never decide: list the tools, by name or glob');
  }
}

/** Names that are one slip away from an entry, or from nothing at all. */
function warnOfNames(policy: Policy, tests: readonly PolicyTest[], findings: Findings): void {
  const entries = policy.tools.map((entry) => entry.pattern);
  if (entries.length > MAX_COMPARED_NAMES) return;
  const listed = new Set(entries);
  const matchers = entries.filter((pattern) => !isExact(pattern) && !namesNothing(pattern)).map(compileGlob);
  const exact = entries.filter(isExact);
  const hides = policy.hide.map(({ name }) => compileGlob(name));
  const isHidden = (name: string): boolean => hides.some((hidden) => hidden(name));
  // A hidden name is meant where a test calls it or read_only lists it; where `hide` itself names it, that says nothing.
  const named = [...policy.hide.map((placed) => ({ ...placed, meant: false })), ...[...(policy.readOnly ?? []), ...calledTools(tests)].map((placed) => ({ ...placed, meant: isHidden(placed.name) }))];
  for (const { name, at, meant } of named.slice(0, MAX_COMPARED_NAMES)) {
    if (!isExact(name) || listed.has(name) || matchers.some((matches) => matches(name))) continue;
    const twin = exact.find((other) => sameButForSpelling(other, name)) ?? (meant ? null : slip(name, exact));
    if (twin !== null) findings.warnAt('LOOKS_MISTYPED', at, `no entry is called ${quote(name)}: did you mean ${quote(twin)}?`);
  }
}

/** Under `default: deny` a test of a mistyped tool is denied as it expects, and shows nothing, unless it names the default as what denies. */
function calledTools(tests: readonly PolicyTest[]): readonly PlacedName[] {
  const steps = tests.flatMap((test) => test.steps);
  return steps.flatMap(({ call, rule, at }) => (call.kind === 'tool' && rule !== '(default deny)' ? [{ name: call.name, at }] : []));
}

function sameButForSpelling(left: string, right: string): boolean {
  const fold = (name: string): string => name.trim().toLowerCase().replaceAll(/[-.]/g, '_');
  return left !== right && fold(left) === fold(right);
}

/** Not a plural of it: `get_issue` and `get_issues` are two tools. */
function slip(name: string, known: readonly string[]): string | null {
  const meant = nearest(name, known);
  if (meant === null || `${meant}s` === name || `${name}s` === meant) return null;
  return distanceIsSmall(name, meant) ? meant : null;
}

/** Two letters swapped, one missing, added or replaced inside a name that is long enough to tell. */
function distanceIsSmall(left: string, right: string): boolean {
  return left.length >= 6 && Math.abs(left.length - right.length) <= 1 && nearest(left, [right]) !== null && commonEnds(left, right) >= Math.min(left.length, right.length) - 2;
}

function commonEnds(left: string, right: string): number {
  const shorter = Math.min(left.length, right.length);
  let head = 0;
  while (head < shorter && left[head] === right[head]) head++;
  let tail = 0;
  while (tail < shorter - head && left.at(-1 - tail) === right.at(-1 - tail)) tail++;
  return head + tail;
}

/**
 * What changed between two policy sets, by what it means and not by how it is written: policies, entries, rules and values,
 * each with what it was and what it is. Comments, order of keys and places in the file make no difference.
 */
import { rateLimitMessage } from '@portcullis/policy-core';
import type { Condition, Counter, Entry, Match, Mode, PlacedName, Policy, PolicyValue, Rule } from '@portcullis/policy-core';

export interface PolicyDifference {
  readonly policy: string;
  readonly kind: 'added' | 'removed' | 'changed';
  /** Empty for a policy that came or went whole. */
  readonly parts: readonly PartDifference[];
}

/** One part that came, went or has another value. */
export interface PartDifference {
  /** From the document inwards, in its own words: `tools`, `create_issue`, `five an hour`, `rate_limit`. */
  readonly path: readonly string[];
  readonly kind: 'added' | 'removed' | 'changed';
  /** As text; null where there was nothing. */
  readonly before: string | null;
  readonly after: string | null;
}

/** Ordered by policy id. Policies whose meaning is the same, whatever their text, are left out. */
export function diffPolicySets(before: ReadonlyMap<string, Policy>, after: ReadonlyMap<string, Policy>): readonly PolicyDifference[] {
  const ids = [...new Set([...before.keys(), ...after.keys()])].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  const differences: PolicyDifference[] = [];
  for (const policy of ids) {
    const was = before.get(policy);
    const is = after.get(policy);
    if (was === is) continue;
    if (was === undefined || is === undefined) differences.push({ policy, kind: was === undefined ? 'added' : 'removed', parts: [] });
    else {
      const parts = diffPolicies(was, is);
      if (parts.length > 0) differences.push({ policy, kind: 'changed', parts });
    }
  }
  return differences;
}

/** The parts in which two policies differ. */
export function diffPolicies(before: Policy, after: Policy): readonly PartDifference[] {
  return [...compare([], policyTree(before), policyTree(after))];
}

/** Names and what they stand for; a leaf is a value as text. */
type Tree = ReadonlyMap<string, Tree | string>;

function* compare(path: readonly string[], before: Tree, after: Tree): Generator<PartDifference> {
  for (const name of new Set([...before.keys(), ...after.keys()])) {
    const was = before.get(name);
    const is = after.get(name);
    const here = [...path, name];
    if (was instanceof Map && is instanceof Map) yield* compare(here, was, is);
    else if (was === undefined) yield { path: here, kind: 'added', before: null, after: text(is) };
    else if (is === undefined) yield { path: here, kind: 'removed', before: text(was), after: null };
    else if (text(was) !== text(is)) yield { path: here, kind: 'changed', before: text(was), after: text(is) };
  }
}

/** A whole part in one line, for what came or went. */
function text(node: Tree | string | undefined): string {
  if (node === undefined) return '';
  if (typeof node === 'string') return node;
  return [...node].map(([name, value]) => (typeof value === 'string' && value === '' ? name : `${name}: ${typeof value === 'string' ? value : `{ ${text(value)} }`}`)).join('; ');
}

function policyTree(policy: Policy): Tree {
  return tree([
    ['description', policy.description ?? undefined],
    ['match', matchTree(policy.match)],
    ['admits', String(policy.admits)],
    ['mode', policy.mode],
    ['default', policy.default],
    ['on_stale', policy.onStale === null ? undefined : `${policy.onStale.do} after ${policy.onStale.afterMs} ms`],
    ['hide', namesTree(policy.hide)],
    ['read_only', policy.readOnly === null ? undefined : namesTree(policy.readOnly)],
    ['tools', entriesTree(policy.tools, policy.mode)],
    ['resources', policy.resources === null ? undefined : entriesTree(policy.resources, policy.mode)],
    ['prompts', policy.prompts === null ? undefined : entriesTree(policy.prompts, policy.mode)],
    ['methods', policy.methods === null ? undefined : entriesTree(policy.methods, policy.mode)],
  ]);
}

function matchTree({ server, labels, upstream }: Match): Tree {
  const byLabel = Object.entries(labels).map(([label, values]) => [label, list(values)] as const);
  return tree([['server', list(server)], ['labels', tree(byLabel)], ['upstream', upstream.length === 0 ? undefined : list(upstream)]]);
}

function namesTree(names: readonly PlacedName[]): Tree {
  return tree(names.map(({ name }) => [name, ''] as const));
}

function entriesTree(entries: readonly Entry[], mode: Mode): Tree {
  return tree(numbered(entries.map((entry) => [entry.pattern, tree(numbered(entry.rules.map((rule) => [rule.name, ruleTree(rule, mode)] as const)))] as const)));
}

/** In the words that an author uses: what a limit was expanded to, and what every rule has that says nothing of it, is left out. */
function ruleTree({ action, mode, when, conditions, counter, onDeny }: Rule, ofPolicy: Mode): Tree {
  const written = conditions.filter((condition) => !isExpanded(condition, counter));
  return tree([
    ['action', action === 'deny' ? action : undefined],
    ['mode', mode === ofPolicy ? undefined : mode],
    ['when', when.length === 0 ? undefined : conditionsTree(when)],
    ['conditions', written.length === 0 ? undefined : conditionsTree(written)],
    [counter?.from ?? 'state', counter === null ? undefined : counterTree(counter)],
    ['on_deny', onDeny === null || onDeny === messageOfLimit(counter) ? undefined : onDeny],
  ]);
}

/** What agents are told of a rate limit where the rule says nothing. */
function messageOfLimit(counter: Counter | null): string | null {
  return counter?.from === 'rate_limit' && counter.limit !== null ? rateLimitMessage({ count: counter.limit, window: counter.window }) : null;
}

/** Whether the condition is the one that holds a `rate_limit` or `spend_limit`. */
function isExpanded({ path, op }: Condition, counter: Counter | null): boolean {
  return counter !== null && counter.from !== 'state' && op === 'lte' && path.startsWith('state.') && path.endsWith(`.${counter.name}`);
}

function conditionsTree(conditions: readonly Condition[]): Tree {
  return tree(numbered(conditions.map(({ path, op, value }) => [`${path} ${op}`, valueText(value)] as const)));
}

/** Of a counter that the author keeps, the bound is one of the rule's own conditions. */
function counterTree({ name, window, amount, limit, from }: Counter): Tree | string {
  if (from === 'rate_limit') return `${limit ?? ''}/${window}`;
  const counted = amount.kind === 'fixed' ? amount.value : amount.path;
  if (from === 'spend_limit') return tree([['amount', counted], ['max', limit ?? undefined], ['per', window]]);
  return tree([['counter', name], ['window', window], ['increment', counted]]);
}

function valueText(value: PolicyValue): string {
  switch (value.kind) {
    case 'null':
      return 'null';
    case 'bool':
      return String(value.value);
    case 'string':
      return JSON.stringify(value.value);
    case 'int':
    case 'uint':
    case 'float':
    case 'timestamp':
      return value.value;
    case 'list':
      return `[${value.items.map(valueText).join(', ')}]`;
    case 'map':
      return `{${value.entries.map(([key, item]) => `${JSON.stringify(key)}: ${valueText(item)}`).join(', ')}}`;
  }
}

function list(values: readonly string[]): string {
  return values.map((value) => JSON.stringify(value)).join(', ');
}

/** Names that stand twice are told apart by their number. */
function numbered<T>(named: readonly (readonly [string, T])[]): readonly (readonly [string, T])[] {
  const seen = new Map<string, number>();
  return named.map(([name, value]) => {
    const count = (seen.get(name) ?? 0) + 1;
    seen.set(name, count);
    return [count === 1 ? name : `${name} (${count})`, value] as const;
  });
}

function tree(parts: readonly (readonly [string, Tree | string | undefined])[]): Tree {
  const made = new Map<string, Tree | string>();
  for (const [name, value] of parts) if (value !== undefined) made.set(name, value);
  return made;
}

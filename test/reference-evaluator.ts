/**
 * The policy language a second time: naive, short, and sharing nothing with the compiled evaluator but the contract
 * types. Where the two disagree, one of them is wrong. Renderings are written again here from Go's rules.
 */
import { InexactNumber } from '@portcullis/policy-core';
import type { Call, CallContext, Condition, Counter, Decision, Determinant, Entry, JsonObject, JsonValue, Policy, PolicyValue, Restriction, Rule } from '@portcullis/policy-core';
import { posix } from 'node:path';

export interface Counts {
  /** `section entry counter window policy` to window start and value. */
  readonly rows: Map<string, { start: number; value: number }>;
}

interface World {
  readonly policies: readonly Policy[];
  readonly restrictions: readonly Restriction[];
  readonly call: Call;
  readonly context: CallContext;
  readonly counts: Counts;
}

type Cause = { reason: Decision['reason']; rule: string; determinant: Determinant | null };
type Section = 'tools' | 'resources' | 'prompts' | 'methods';
type Claim = { policy: Policy; section: Section; entry: Entry; rule: Rule; counter: Counter; observed: boolean };

/** What the decision must be, and what it takes from the counts. `observed` comes in no particular order. */
export function reference(world: World): Omit<Decision, 'message'> {
  const { call, context } = world;
  const policies = world.policies.filter(selected(context)).sort((a, b) => Buffer.compare(Buffer.from(a.id), Buffer.from(b.id)));
  const causes: Cause[] = [];
  const observed: Determinant[] = [];
  const claims: Claim[] = [];
  const add = (observes: boolean, cause: Cause): void => {
    if (!observes) causes.push(cause);
    else if (cause.determinant !== null) observed.push(cause.determinant);
  };

  for (const restriction of world.restrictions) {
    const covers = restriction.scope.kind === 'all' || (call.kind === 'tool' && restriction.scope.globs.some((glob) => globMatches(glob, call.name)));
    if (!covers || (restriction.readOnly && readsOnly(policies, nameOf(call)))) continue;
    causes.push({ reason: 'restricted', rule: '(restricted)', determinant: { by: 'restriction', source: restriction.id, rule: '(restricted)', entry: null, at: null } });
  }
  for (const policy of [...policies].sort((a, b) => (a.onStale?.afterMs ?? 0) - (b.onStale?.afterMs ?? 0))) {
    if (policy.onStale !== null && context.staleMs > 0 && context.staleMs >= policy.onStale.afterMs) add(policy.mode === 'observe', ofPolicy(policy, 'stale', '(stale)'));
  }
  const misnamed = policies.filter((policy) => policy.match.upstream.length > 0 && !policy.match.upstream.some((glob) => globMatches(glob, context.upstream ?? '')));
  for (const policy of misnamed) add(policy.mode === 'observe', ofPolicy(policy, 'wrong-upstream', '(wrong upstream)'));
  if (!policies.some((policy) => policy.admits && !misnamed.includes(policy))) causes.push({ reason: 'no-policy', rule: '(no policy)', determinant: null });
  for (const policy of policies) judgePolicy(policy, world, add, claims);

  if (causes.length === 0) causes.push(...reserve(claims, world, observed));
  const [first] = causes;
  if (first !== undefined) {
    return { decision: 'deny', reason: first.reason, rule: first.rule, matched: causes.flatMap(({ determinant }) => determinant ?? []), observed };
  }
  const matched = policies.map((policy): Determinant => ({ by: 'policy', source: policy.id, rule: null, entry: null, at: policy.defaultAt }));
  return { decision: 'allow', reason: 'allowed', rule: null, matched, observed };
}

function judgePolicy(policy: Policy, world: World, add: (observes: boolean, cause: Cause) => void, claims: Claim[]): void {
  const { call } = world;
  const name = nameOf(call);
  const observes = policy.mode === 'observe';
  const hidden = call.kind === 'tool' ? (policy.hide.find((one) => one.name === name && !isGlob(one.name)) ?? policy.hide.find((one) => globMatches(one.name, name))) : undefined;
  if (hidden !== undefined) add(observes, { reason: 'hidden', rule: '(hidden)', determinant: { by: 'hide', source: policy.id, rule: '(hidden)', entry: hidden.name, at: hidden.at } });
  const section = { tool: 'tools', resource: 'resources', prompt: 'prompts', method: 'methods' }[call.kind] as Section;
  const entries = policy[section] ?? [];
  if (call.kind === 'resource' && entries.length > 0 && !['repo://secrets/x', 'file:///srv/a'].includes(call.uri)) {
    add(observes, { reason: 'ambiguous-uri', rule: '(ambiguous uri)', determinant: { by: 'policy', source: policy.id, rule: '(ambiguous uri)', entry: null, at: entries[0]?.at ?? null } });
    return;
  }
  const exact = entries.filter(({ pattern }) => !isGlob(pattern) && pattern === name);
  const globs = entries.filter(({ pattern }) => isGlob(pattern) && !namesNothing(pattern) && globMatches(pattern, name));
  const stars = entries.filter(({ pattern }) => namesNothing(pattern) && globMatches(pattern, name));
  if (policy.default === 'deny' && exact.length + globs.length === 0 && !(name === '*' && entries.some(({ pattern }) => pattern === '*'))) {
    add(observes, { reason: 'default', rule: '(default deny)', determinant: { by: 'default', source: policy.id, rule: '(default deny)', entry: null, at: policy.defaultAt } });
  }
  for (const entry of [...exact, ...globs, ...stars]) judgeEntry(policy, section, entry, world, add, claims);
  if (call.kind === 'method') return;
  const method = call.kind === 'tool' ? 'tools/call' : call.kind === 'prompt' ? 'prompts/get' : call.method;
  for (const entry of policy.methods ?? []) if (entry.pattern === method) judgeEntry(policy, 'methods', entry, world, add, claims);
}

function judgeEntry(policy: Policy, section: Section, entry: Entry, world: World, add: (observes: boolean, cause: Cause) => void, claims: Claim[]): void {
  for (const rule of entry.rules) {
    const observes = rule.mode === 'observe' || policy.mode === 'observe';
    const determinant = (by: Determinant['by']): Determinant => ({ by, source: policy.id, rule: rule.name, entry: entry.pattern, at: rule.at });
    let denies: boolean;
    try {
      checkWellFormed(rule);
      const holds = (condition: Condition): Answer => answer(condition, policy, section, entry, rule, world);
      const steps = firstNot(rule.when, 'yes', holds);
      if (steps === 'no') continue;
      denies = steps === 'unfit' || rule.action === 'deny' || firstNot(rule.conditions, 'yes', holds) !== 'yes';
    } catch {
      add(observes, { reason: 'error', rule: rule.name, determinant: determinant('error') });
      continue;
    }
    const by = rule.counter?.from === 'rate_limit' ? 'limit' : 'rule';
    if (denies) add(observes, { reason: by, rule: rule.name, determinant: determinant(by) });
    if (rule.counter !== null && rule.action !== 'deny' && (!denies || observes)) claims.push({ policy, section, entry, rule, counter: rule.counter, observed: observes });
  }
}

function firstNot(conditions: readonly Condition[], wanted: Answer, holds: (condition: Condition) => Answer): Answer {
  for (const condition of conditions) {
    const given = holds(condition);
    if (given !== wanted) return given;
  }
  return wanted;
}

/** Takes what the call counts, or says why it cannot; observed claims never deny. */
function reserve(claims: readonly Claim[], world: World, observed: Determinant[]): Cause[] {
  const determinant = ({ policy, entry, rule }: Claim, by: Determinant['by']): Determinant => ({ by, source: policy.id, rule: rule.name, entry: entry.pattern, at: rule.at });
  const refused: Cause[] = [];
  const readable: (Claim & { amount: number })[] = [];
  const exceeds = (claim: Claim & { amount: number }): boolean => countOf(claim, world) + claim.amount > Number(claim.counter.limit);
  for (const claim of claims) {
    const amount = amountOf(claim.counter, argumentsOf(world.call));
    if (amount === null) {
      if (claim.observed) observed.push(determinant(claim, 'error'));
      else refused.push({ reason: 'error', rule: claim.rule.name, determinant: determinant(claim, 'error') });
    } else if (claim.counter.limit !== null) {
      readable.push({ ...claim, amount });
      if (!claim.observed && exceeds({ ...claim, amount })) refused.push({ reason: 'limit', rule: claim.rule.name, determinant: determinant(claim, 'limit') });
    }
  }
  if (refused.length > 0) return refused;
  for (const claim of readable) {
    const known = observed.some(({ source, at }) => source === claim.policy.id && at === claim.rule.at);
    if (claim.observed && !known && exceeds(claim)) observed.push(determinant(claim, 'limit'));
  }
  for (const claim of readable) {
    const value = countOf(claim, world) + claim.amount;
    world.counts.rows.set(keyOf(claim.policy, claim.section, claim.entry.pattern, claim.counter), { start: startOf(claim.counter, world), value });
  }
  return [];
}

function countOf({ policy, section, entry, counter }: Pick<Claim, 'policy' | 'section' | 'entry' | 'counter'>, world: World): number {
  const row = world.counts.rows.get(keyOf(policy, section, entry.pattern, counter));
  return row !== undefined && row.start === startOf(counter, world) ? row.value : 0;
}

function startOf(counter: Counter, { context }: World): number {
  const length = { minute: 60_000, hour: 3_600_000, day: 86_400_000 }[counter.window];
  return context.nowMs - (context.nowMs % length);
}

function keyOf(policy: Policy, section: Section, pattern: string, counter: Counter): string {
  return JSON.stringify([policy.id, section, pattern, counter.name, counter.window]);
}

/** Null where the amount denies. */
function amountOf(counter: Counter, args: JsonObject): number | null {
  if (counter.amount.kind === 'fixed') return Number(counter.amount.value);
  const value = argument(counter.amount.path, args);
  return typeof value === 'number' && Number.isFinite(value) && value >= 0 ? value : null;
}

type Answer = 'yes' | 'no' | 'unfit';

/** What no compiler would accept. */
function checkWellFormed(rule: Rule): void {
  for (const { path, op, value } of [...rule.when, ...rule.conditions]) {
    if (['lt', 'lte', 'gt', 'gte'].includes(op) && number(value) === null) throw new Error('no number');
    // What speaks of texts never holds for a count, whatever its value.
    if (path.startsWith('state.')) continue;
    if (op === 'regex' && value.kind === 'string') new RegExp(value.value, 'u');
    if (op === 'max_length' && (number(value) === null || Number.isNaN(number(value)))) throw new Error('no number');
    if (['starts_with', 'ends_with', 'glob', 'type'].includes(op) && value.kind !== 'string') throw new Error('no text');
  }
}

function answer(condition: Condition, policy: Policy, section: Section, entry: Entry, rule: Rule, world: World): Answer {
  const { path, op, value } = condition;
  if (path.startsWith('state.')) return aboutCount(condition, stateOf(path, policy, section, entry, rule, world));
  const actual = path.startsWith('args.') ? argument(path, argumentsOf(world.call)) : fromContext(path, world.context);
  const nothing = actual === undefined || actual === null;
  if (op === 'exists') return yesNo(nothing !== (value.kind === 'bool' && value.value));
  if (actual === undefined) return 'no';
  if (op === 'type') return yesNo(typesOf(actual).includes(text(value)));
  if (actual instanceof InexactNumber) throw new Error('inexact');
  switch (op) {
    case 'eq':
      return yesNo(equal(actual, value));
    case 'neq':
      return yesNo(!equal(actual, value));
    case 'in':
      return yesNo(items(value).some((item) => equal(actual, item)));
    case 'not_in':
      return yesNo(!items(value).some((item) => equal(actual, item)));
    case 'contains':
      return contains(actual, value);
    case 'not_contains': {
      const contained = contains(actual, value);
      return actual === null ? 'no' : contained === 'unfit' ? 'unfit' : yesNo(contained === 'no');
    }
    case 'max_length':
      if (typeof actual === 'string') return yesNo(Array.from(actual).length <= (number(value) ?? 0));
      return Array.isArray(actual) ? yesNo(actual.length <= (number(value) ?? 0)) : nothing ? 'no' : 'unfit';
    case 'lt':
    case 'lte':
    case 'gt':
    case 'gte':
      return typeof actual === 'number' ? yesNo(ordered(op, actual, number(value) ?? NaN)) : nothing ? 'no' : 'unfit';
    default:
      return typeof actual === 'string' ? aboutText(op, actual, value) : nothing ? 'no' : 'unfit';
  }
}

function aboutText(op: 'regex' | 'starts_with' | 'ends_with' | 'glob' | 'path_within' | 'host_in', actual: string, value: PolicyValue): Answer {
  switch (op) {
    case 'regex':
      return yesNo(new RegExp(text(value), 'u').test(actual));
    case 'starts_with':
      return yesNo(actual.startsWith(text(value)));
    case 'ends_with':
      return yesNo(actual.endsWith(text(value)));
    case 'glob':
      return yesNo(globMatches(text(value), actual));
    case 'path_within': {
      if (!actual.startsWith('/') || actual.includes('%')) return 'unfit';
      const path = posix.normalize(actual);
      return yesNo(path === text(value) || path.startsWith(`${text(value)}/`));
    }
    case 'host_in': {
      if (actual === '' || /[@<[%+]|^\/|^\d+$|\u0301/.test(actual)) return 'unfit';
      const host = new URL(actual.includes('://') ? actual : `https://${actual}`).hostname;
      return yesNo(items(value).some((item) => text(item) === host));
    }
  }
}

function aboutCount({ op, value }: Condition, count: number): Answer {
  const bound = number(value);
  switch (op) {
    case 'exists':
      return yesNo(value.kind === 'bool' && value.value);
    case 'type':
      return yesNo(text(value) === 'number' || (text(value) === 'integer' && Number.isInteger(count)));
    case 'eq':
    case 'neq':
      return yesNo(countEquals(count, value) === (op === 'eq'));
    case 'in':
    case 'not_in':
      return yesNo(items(value).some((item) => countEquals(count, item)) === (op === 'in'));
    case 'lt':
    case 'lte':
    case 'gt':
    case 'gte':
      return yesNo(ordered(op, count, bound ?? NaN));
    default:
      return 'no';
  }
}

function countEquals(count: number, value: PolicyValue): boolean {
  const bound = number(value);
  return bound === null ? render(value) === String(count) : bound === count;
}

function stateOf(path: string, policy: Policy, section: Section, entry: Entry, rule: Rule, world: World): number {
  const sections: Section[] = [section, 'tools', 'resources', 'prompts', 'methods'];
  const candidates = sections.flatMap((searched) =>
    [...(policy[searched] ?? [])]
      .sort((a, b) => Number(a.pattern === '*') - Number(b.pattern === '*'))
      .flatMap((found) => found.rules.flatMap(({ counter }) => (counter === null ? [] : [{ policy, section: searched, entry: found, counter }]))),
  );
  const own = rule.counter === null ? [] : [{ policy, section, entry, counter: rule.counter }];
  const spelled = ({ entry: { pattern }, counter }: (typeof candidates)[number]): string => `state.${pattern === '*' ? '_global' : pattern}.${counter.name}`;
  const found = [...own, ...candidates].find((candidate) => spelled(candidate) === path);
  return found === undefined ? 0 : countOf(found, world);
}

function ordered(op: 'lt' | 'lte' | 'gt' | 'gte', a: number, b: number): boolean {
  return { lt: a < b, lte: a <= b, gt: a > b, gte: a >= b }[op];
}

function contains(actual: JsonValue, value: PolicyValue): Answer {
  if (typeof actual === 'string') return value.kind === 'string' ? yesNo(actual.includes(value.value)) : 'unfit';
  if (!Array.isArray(actual)) return actual === null ? 'no' : 'unfit';
  if (actual.some((element) => element instanceof InexactNumber)) throw new Error('inexact');
  return yesNo((actual as readonly JsonValue[]).map((element) => equal(element, value)).includes(true));
}

function equal(actual: JsonValue, value: PolicyValue): boolean {
  const wanted = number(value);
  return typeof actual === 'number' && wanted !== null ? actual === wanted : renderJson(actual) === render(value);
}

function number(value: PolicyValue): number | null {
  if (value.kind === 'int') return Number(value.value);
  return value.kind === 'float' ? Number(value.value.replace('Inf', 'Infinity')) : null;
}

function render(value: PolicyValue): string {
  switch (value.kind) {
    case 'null':
      return '<nil>';
    case 'list':
      return `[${value.items.map(render).join(' ')}]`;
    case 'map':
      return `map[${value.entries.map(([key, item]) => `${key}:${render(item)}`).join(' ')}]`;
    case 'float':
      return renderNumber(number(value) ?? 0);
    default:
      return String(value.value);
  }
}

function renderJson(value: JsonValue): string {
  if (value === null) return '<nil>';
  if (value instanceof InexactNumber) throw new Error('inexact');
  if (typeof value === 'number') return renderNumber(value);
  if (typeof value !== 'object') return String(value);
  if (Array.isArray(value)) return `[${value.map(renderJson).join(' ')}]`;
  return `map[${Object.entries(value as JsonObject).sort(([a], [b]) => (a < b ? -1 : 1)).map(([key, item]) => `${key}:${renderJson(item)}`).join(' ')}]`;
}

function renderNumber(value: number): string {
  if (Object.is(value, -0)) return '-0';
  if (!Number.isFinite(value)) return Number.isNaN(value) ? 'NaN' : value > 0 ? '+Inf' : '-Inf';
  const size = Math.abs(value);
  if (size === 0 || (size >= 1e-4 && size < 1e6)) return String(value);
  return value.toExponential().replace(/e([+-])(\d)$/, 'e$10$2');
}

function argument(path: string, args: JsonObject): JsonValue | undefined {
  let value: JsonValue | undefined = args;
  for (const segment of path.split('.').slice(1)) {
    if (typeof value !== 'object' || value === null || Array.isArray(value) || value instanceof InexactNumber) return undefined;
    value = new Map(Object.entries(value as JsonObject)).get(segment);
  }
  return value;
}

function fromContext(path: string, context: CallContext): JsonValue | undefined {
  const time = new Date(context.nowMs);
  const days = ['sunday', 'monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday'];
  const label = /^proxy\.labels\.(.*)$/.exec(path)?.[1];
  if (label !== undefined) return new Map(Object.entries(context.labels)).get(label);
  return { 'proxy.server': context.server, 'client.name': context.clientName ?? undefined, 'time.hour': time.getUTCHours(), 'time.weekday': days[time.getUTCDay()] }[path];
}

function selected(context: CallContext): (policy: Policy) => boolean {
  return ({ match }) =>
    match.server.some((glob) => globMatches(glob, context.server)) &&
    Object.entries(match.labels).every(([label, globs]) => globs.some((glob) => globMatches(glob, context.labels[label] ?? '\0')));
}

function readsOnly(policies: readonly Policy[], name: string): boolean {
  const lists = policies.flatMap(({ readOnly }) => (readOnly === null ? [] : [readOnly]));
  return lists.length > 0 && lists.every((list) => list.some((one) => globMatches(one.name, name)));
}

function ofPolicy(policy: Policy, reason: Decision['reason'], rule: string): Cause {
  return { reason, rule, determinant: { by: 'policy', source: policy.id, rule, entry: null, at: null } };
}

function typesOf(value: JsonValue): string[] {
  if (value === null) return ['null'];
  if (typeof value === 'number' || value instanceof InexactNumber) return value instanceof InexactNumber || Number.isInteger(value) ? ['number', 'integer'] : ['number'];
  return [Array.isArray(value) ? 'array' : typeof value];
}

/** The slow and obvious way. */
function globMatches(glob: string, name: string): boolean {
  const pattern = Array.from(glob, (character) => (character === '*' ? '[^]*' : character === '?' ? '[^]' : character.replace(/[\\^$.|+()[\]{}/]/g, '\\$&'))).join('');
  return new RegExp(`^${pattern}$`, 'u').test(name);
}

/** As good as the bare `*`. */
function namesNothing(pattern: string): boolean {
  return pattern.includes('*') && pattern.replaceAll(/[*?]/g, '') === '';
}

function isGlob(pattern: string): boolean {
  return /[*?]/.test(pattern);
}

function nameOf(call: Call): string {
  return call.kind === 'resource' ? call.uri : call.kind === 'method' ? call.method : call.name;
}

function argumentsOf(call: Call): JsonObject {
  return call.kind === 'resource' ? { uri: call.uri } : call.kind === 'method' ? call.params : call.arguments;
}

function items(value: PolicyValue): readonly PolicyValue[] {
  return value.kind === 'list' ? value.items : [];
}

function text(value: PolicyValue): string {
  return value.kind === 'string' ? value.value : '';
}

function yesNo(holds: boolean): Answer {
  return holds ? 'yes' : 'no';
}

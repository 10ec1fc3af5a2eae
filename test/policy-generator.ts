/** Random policies, restrictions and calls. The worlds are small, so that what is generated often meets. */
import { InexactNumber, POLICY_MODEL, WINDOWS } from '@portcullis/policy-core';
import type { Call, CallContext, Condition, Counter, Entry, JsonObject, JsonValue, Operator, PlacedName, Policy, PolicyValue, Position, Restriction, Rule } from '@portcullis/policy-core';
import type { Random } from './random.ts';

export const SERVER = 'files';
export const LABELS = { env: 'prod' };
export const UPSTREAM = 'npx -y server-files /srv';

const TOOL_NAMES = ['a', 'ab', 'delete_x', 'delete_y', '*', '_global', 'constructor'];
const TOOL_PATTERNS = ['a', 'ab', 'a?', 'a*', 'delete_*', '*_x', '*', '*', '**', '?*', '_global', 'constructor', '__proto__'];
const URIS = ['repo://secrets/x', 'repo://secrets/../x', 'file:///srv/a', 'HTTP://h/', 'repo://open/%41', 'not a uri'];
const URI_PATTERNS = ['repo://secrets/*', 'repo://*', 'file:///srv/a', '*'];
const PROMPTS = ['a', 'greet'];
const METHODS = ['sampling/createMessage', 'completion/complete', 'resources/subscribe'];
const METHOD_PATTERNS = ['sampling/createMessage', 'completion/*', '*', 'resources/subscribe'];
const ARGUMENTS = ['x', 'y', 'amount', '__proto__'];
const PATHS = ['args.x', 'args.x', 'args.y', 'args.x.y', 'args.amount', 'args.__proto__', 'proxy.server', 'proxy.labels.env', 'proxy.labels.team', 'client.name', 'time.hour', 'time.weekday'];
const TEXTS = ['', 'a', 'ab', 'b', 'A', '5', '1e+06', '<nil>', '[1 2]', 'true', '/srv/a', '/srv/../etc', '/srv/%2e%2e/etc', 'https://h.example/x', 'h.example', 'x.h.example', 'u@h.example', 'é', 'e\u0301'];
const NUMBERS = [0, 1, 2, 5, -1, 0.5, 12, 1e6, 1e21, -0];

/** Lines rise, so that no two parts of a policy stand in one place. */
function positions(): () => Position {
  let line = 1;
  return () => ({ line: ++line, column: 1 });
}

export function policySet(random: Random): Policy[] {
  const ids = random.shuffled(['a.yaml', 'b.yaml', 'team/a.yaml', 'Z.yaml', '\u{1F600}.yaml', '\uffee.yaml']);
  return Array.from({ length: 1 + random.below(3) }, (_, index) => policy(random, ids[index] ?? 'x.yaml'));
}

export function policy(random: Random, id: string): Policy {
  const place = positions();
  const mode = random.chance(0.15) ? 'observe' : 'enforce';
  const section = (patterns: readonly string[], most: number): Entry[] => entries(random, place, patterns, most);
  return {
    model: POLICY_MODEL,
    id,
    description: null,
    match: {
      server: random.chance(0.1) ? ['other'] : [random.pick(['files', 'f*', '*'])],
      labels: random.chance(0.2) ? { env: [random.pick(['prod', 'p*', 'dev'])] } : {},
      upstream: random.chance(0.1) ? [random.pick(['npx *', 'uvx *'])] : [],
    },
    admits: random.chance(0.85),
    mode,
    default: random.chance(0.3) ? 'deny' : 'allow',
    defaultAt: place(),
    onStale: random.chance(0.2) ? { afterMs: random.pick([0, 1000, 60_000]), do: 'deny' } : null,
    hide: random.chance(0.2) ? names(random, place) : [],
    readOnly: random.chance(0.4) ? names(random, place) : null,
    tools: section(TOOL_PATTERNS, 4),
    resources: random.chance(0.5) ? section(URI_PATTERNS, 2) : null,
    prompts: random.chance(0.3) ? section(TOOL_PATTERNS, 2) : null,
    methods: random.chance(0.3) ? section(METHOD_PATTERNS, 2) : null,
  };
}

function names(random: Random, place: () => Position): PlacedName[] {
  return Array.from({ length: 1 + random.below(2) }, () => ({ name: random.pick(TOOL_PATTERNS), at: place() }));
}

function entries(random: Random, place: () => Position, patterns: readonly string[], most: number): Entry[] {
  const chosen = [...new Set(random.some(most, () => random.pick(patterns)))];
  return chosen.map((pattern) => {
    const at = place();
    const names = random.shuffled(['c', 'd', 'e']);
    return { pattern, at, rules: random.some(2, () => rule(random, place, pattern, names.pop() ?? 'z')) };
  });
}

export function rule(random: Random, place: () => Position, pattern: string, counterName: string): Rule {
  const at = place();
  const own = `state.${pattern === '*' ? '_global' : pattern}.${counterName}`;
  const counter = random.chance(0.3) ? counting(random, counterName) : null;
  const conditions = random.some(2, () => condition(random, at, own));
  return {
    name: random.pick(['r1', 'r2', 'r3']),
    at,
    action: random.chance(0.1) ? 'deny' : 'evaluate',
    mode: random.chance(0.15) ? 'observe' : 'enforce',
    when: random.chance(0.3) ? random.some(2, () => condition(random, at, own)) : [],
    conditions: counter !== null && random.chance(0.5) ? [{ path: own, op: 'lte', value: { kind: 'int', value: '1' }, at }] : conditions,
    counter,
    onDeny: random.chance(0.5) ? 'no' : null,
  };
}

function counting(random: Random, name: string): Counter {
  return {
    name,
    window: random.pick(WINDOWS),
    amount: random.chance(0.5) ? { kind: 'fixed', value: '1' } : { kind: 'argument', path: random.pick(['args.amount', 'args.x.y']) },
    limit: random.chance(0.15) ? null : random.pick(['0', '1', '2.5', '7']),
    from: random.pick(['rate_limit', 'spend_limit', 'state']),
  };
}

function condition(random: Random, at: Position, own: string): Condition {
  const path = random.chance(0.1) ? own : random.chance(0.05) ? 'state.a.c' : random.pick(PATHS);
  const [op, value] = operatorAndValue(random);
  return { path, op, value, at };
}

/** Mostly conditions that can hold; a few that cannot be compiled, as no parser would let through. */
function operatorAndValue(random: Random): [Operator, PolicyValue] {
  const text = (): PolicyValue => ({ kind: 'string', value: random.pick(TEXTS) });
  const number = (): PolicyValue => random.pick([{ kind: 'int', value: random.pick(['0', '1', '5', '12', '1000000']) }, { kind: 'float', value: random.pick(['0.5', '1e+06', 'NaN', '+Inf']) }]);
  const scalar = (): PolicyValue => random.pick([text(), text(), number(), { kind: 'bool', value: true }, { kind: 'null' }, { kind: 'uint', value: '18446744073709551615' }]);
  const list = (): PolicyValue => ({ kind: 'list', items: Array.from({ length: random.below(4) }, scalar) });
  const op = random.pick<Operator>([
    'eq', 'neq', 'in', 'not_in', 'lt', 'lte', 'gt', 'gte', 'regex', 'contains', 'exists', 'exists',
    'not_contains', 'starts_with', 'ends_with', 'glob', 'path_within', 'host_in', 'max_length', 'type',
  ]);
  switch (op) {
    case 'in':
    case 'not_in':
      return [op, list()];
    case 'lt':
    case 'lte':
    case 'gt':
    case 'gte':
    case 'max_length':
      return [op, random.chance(0.9) ? number() : text()];
    case 'exists':
      return [op, { kind: 'bool', value: random.chance(0.5) }];
    case 'regex':
      return [op, { kind: 'string', value: random.pick(['^a', 'b$', 'a|b', '[0-9]', '', '(']) }];
    case 'path_within':
      return [op, { kind: 'string', value: '/srv' }];
    case 'host_in':
      return [op, { kind: 'list', items: [{ kind: 'string', value: 'h.example' }] }];
    case 'type':
      return [op, { kind: 'string', value: random.pick(['string', 'number', 'integer', 'boolean', 'array', 'object', 'null']) }];
    case 'glob':
      return [op, { kind: 'string', value: random.pick(TOOL_PATTERNS) }];
    case 'not_contains':
    case 'starts_with':
    case 'ends_with':
      return [op, text()];
    case 'eq':
    case 'neq':
    case 'contains':
      return [op, random.chance(0.8) ? scalar() : list()];
  }
}

export function call(random: Random): Call {
  switch (random.below(8)) {
    case 0:
      return { kind: 'resource', method: random.pick(['resources/read', 'resources/subscribe']), uri: random.pick(URIS) };
    case 1:
      return { kind: 'prompt', name: random.pick(PROMPTS), arguments: objectOf(random, 1) };
    case 2:
      return { kind: 'method', method: random.pick(METHODS), params: objectOf(random, 1) };
    default:
      return { kind: 'tool', name: random.pick(TOOL_NAMES), arguments: objectOf(random, 2) };
  }
}

export function context(random: Random): CallContext {
  return {
    server: SERVER,
    labels: LABELS,
    upstream: UPSTREAM,
    clientName: random.pick(['a', null]),
    nowMs: Date.UTC(2026, 0, 5, 12) + random.pick([0, 59_000, 3_599_000, 86_400_000]),
    staleMs: random.chance(0.8) ? 0 : random.pick([500, 5000, 1e9]),
  };
}

export function restriction(random: Random, id: string): Restriction {
  return {
    id,
    selector: { server: [], labels: {} },
    scope: random.chance(0.4) ? { kind: 'all' } : { kind: 'tools', globs: [random.pick(TOOL_PATTERNS)] },
    readOnly: random.chance(0.4),
    reason: `restricted by ${id}`,
    actor: 'ops',
    imposedAtMs: 0,
    expiresAtMs: null,
  };
}

function objectOf(random: Random, depth: number): JsonObject {
  return Object.fromEntries(random.some(3, () => [random.pick(ARGUMENTS), jsonValue(random, depth)] as const));
}

function jsonValue(random: Random, depth: number): JsonValue {
  const scalars: readonly JsonValue[] = [random.pick(TEXTS), random.pick(TEXTS), random.pick(NUMBERS), random.pick(NUMBERS), true, null];
  if (random.chance(0.02)) return new InexactNumber('9007199254740993');
  if (depth > 0 && random.chance(0.2)) return random.chance(0.5) ? objectOf(random, depth - 1) : random.some(3, () => jsonValue(random, depth - 1));
  return random.pick(scalars);
}

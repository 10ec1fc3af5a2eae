/**
 * Reads policies and restrictions as a snapshot carries them: the model of policy.ts, field by field, nothing more and nothing less (W2).
 * A proxy that meets a field, an operator or a model that it does not know says `unsupported` and keeps what it has.
 */
import type { Condition, Counter, Entry, Match, OnStale, PlacedName, Policy, PolicyValue, Position, Rule } from '../policy.ts';
import { OPERATORS, POLICY_MODEL, WINDOWS } from '../policy.ts';
import type { Restriction } from '../restriction.ts';
import type { Selector } from '../selector.ts';
import { MAX_LABELS, MAX_NAME_CHARS, MAX_POLICIES, MAX_RESTRICTIONS, MAX_VALUE_DEPTH } from './limits.ts';
import type { Read, Shape } from './shape.ts';
import { boolean, exactly, formed, invalid, list, mapping, nullable, object, oneOf, readJson, tagged, text, whole } from './shape.ts';

/** No text or list in a set can be larger than the set (24 MiB). */
const ANY_TEXT = 8 * 1024 * 1024;
const ANY_LENGTH = 1_000_000;

const anyText = text(ANY_TEXT);
const decimal = formed(/^-?\d{1,400}(\.\d{1,400})?([eE][+-]?\d{1,4})?$/, 'a decimal number as text');
const position = object<Position>({ line: whole(1), column: whole(1) });

const patterns = list(anyText, ANY_LENGTH);
const labelPatterns = mapping(patterns, MAX_LABELS);

/** One shape per depth, made when a value is first nested that deep. */
const valueShapes: Shape<PolicyValue>[] = [];
const policyValue: Shape<PolicyValue> = valueAt(0);

function valueAt(depth: number): Shape<PolicyValue> {
  const made = valueShapes[depth];
  if (made !== undefined) return made;
  const nested: Shape<PolicyValue> = (value, at) =>
    depth + 1 >= MAX_VALUE_DEPTH ? invalid(at, `nested deeper than ${MAX_VALUE_DEPTH}`) : valueAt(depth + 1)(value, at);
  const shape = tagged<PolicyValue>('kind', {
    null: object({ kind: exactly('null') }),
    bool: object({ kind: exactly('bool'), value: boolean }),
    string: object({ kind: exactly('string'), value: anyText }),
    int: object({ kind: exactly('int'), value: formed(/^-?\d{1,19}$/, 'an integer as text') }),
    uint: object({ kind: exactly('uint'), value: formed(/^\d{1,20}$/, 'an integer as text') }),
    float: object({ kind: exactly('float'), value: formed(/^(NaN|[+-]Inf|-?\d[\d.]{0,400}([eE][+-]?\d{1,4})?)$/, 'a float as text') }),
    timestamp: object({ kind: exactly('timestamp'), value: text(MAX_NAME_CHARS) }),
    list: object({ kind: exactly('list'), items: list(nested, ANY_LENGTH) }),
    map: object({ kind: exactly('map'), entries: list(pair(nested), ANY_LENGTH) }),
  });
  valueShapes[depth] = shape;
  return shape;
}

function pair(nested: Shape<PolicyValue>): Shape<readonly [string, PolicyValue]> {
  return (value, at) => {
    if (!Array.isArray(value) || value.length !== 2 || typeof value[0] !== 'string') return invalid(at, 'expected a key and its value');
    const key: string = value[0];
    const read = nested(value[1], `${at}[1]`);
    return read.ok ? { ok: true, value: [key, read.value] } : read;
  };
}

const condition = object<Condition>({ path: anyText, op: oneOf(OPERATORS), value: policyValue, at: position });

const counter = object<Counter>({
  name: anyText,
  window: oneOf(WINDOWS),
  amount: tagged<Counter['amount']>('kind', {
    fixed: object({ kind: exactly('fixed'), value: decimal }),
    argument: object({ kind: exactly('argument'), path: anyText }),
  }),
  limit: nullable(decimal),
  from: oneOf(['rate_limit', 'spend_limit', 'state']),
});

const mode = oneOf(['enforce', 'observe']);
const conditions = list(condition, ANY_LENGTH);

const rule = object<Rule>({
  name: anyText,
  at: position,
  action: oneOf(['evaluate', 'deny']),
  mode,
  when: conditions,
  conditions,
  counter: nullable(counter),
  onDeny: nullable(anyText),
});

const entries = list(object<Entry>({ pattern: anyText, at: position, rules: list(rule, ANY_LENGTH) }), ANY_LENGTH);
const placedNames = list(object<PlacedName>({ name: anyText, at: position }), ANY_LENGTH);

const policy = object<Policy>({
  model: exactly(POLICY_MODEL),
  id: text(4096),
  description: nullable(anyText),
  match: object<Match>({ server: patterns, labels: labelPatterns, upstream: patterns }),
  admits: boolean,
  mode,
  default: oneOf(['allow', 'deny']),
  defaultAt: position,
  onStale: nullable(object<OnStale>({ afterMs: whole(), do: exactly('deny') })),
  hide: placedNames,
  readOnly: nullable(placedNames),
  tools: entries,
  resources: nullable(entries),
  prompts: nullable(entries),
  methods: nullable(entries),
});

const restriction = object<Restriction>({
  id: text(MAX_NAME_CHARS),
  selector: object<Selector>({ server: patterns, labels: labelPatterns }),
  scope: tagged<Restriction['scope']>('kind', {
    all: object({ kind: exactly('all') }),
    tools: object({ kind: exactly('tools'), globs: patterns }),
  }),
  readOnly: boolean,
  reason: anyText,
  actor: anyText,
  imposedAtMs: whole(),
  expiresAtMs: nullable(whole()),
});

const policiesBody = object<{ readonly policies: readonly Policy[] }>({ policies: list(policy, MAX_POLICIES) });
const restrictions = list(restriction, MAX_RESTRICTIONS);
const restrictionsBody = object<{ readonly restrictions: readonly Restriction[] }>({ restrictions });

/** The policies in a snapshot's body. */
export function readPolicies(body: string): Read<readonly Policy[]> {
  const read = readJson(policiesBody, body, 'body');
  return read.ok ? { ok: true, value: read.value.policies } : read;
}

/** The restrictions in a restrict frame's body. */
export function readRestrictions(body: string): Read<readonly Restriction[]> {
  const read = readJson(restrictionsBody, body, 'body');
  return read.ok ? { ok: true, value: read.value.restrictions } : read;
}

/** A list of restrictions inside something else: what a proxy has stored. */
export const restrictionList: Shape<readonly Restriction[]> = restrictions;

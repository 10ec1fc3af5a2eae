/** One line of `portcullis eval --calls`: a call, and what else its decision may depend on. */
import { InexactNumber, askedBy, parseStrict, rfc3339Ms } from '@portcullis/policy-core';
import type { Call, JsonObject, JsonValue, Outcome } from '@portcullis/policy-core';

/** As the proxy: deeper arguments are refused there too. */
const LIMITS = { maxDepth: 128, maxValues: 1_000_000 };

const KINDS = ['tool', 'method', 'uri', 'prompt'] as const;
const KEYS: ReadonlySet<string> = new Set([...KINDS, 'arguments', 'server', 'labels', 'client', 'at', 'outcome']);
const OUTCOMES: readonly JsonValue[] = ['ok', 'error', 'tool_error', 'none'] satisfies readonly Outcome[];

export interface AskedCall {
  readonly call: Call;
  /** Null = the policy's own. */
  readonly server: string | null;
  readonly labels: Readonly<Record<string, string>>;
  readonly client: string | null;
  readonly atMs: number;
  readonly outcome: Outcome;
}

type Read = { readonly ok: true; readonly call: AskedCall } | { readonly ok: false; readonly message: string };

/** Reads one line; `nowMs` is the moment of a call that names none. Refuses everything that it does not know, saying what. */
export function readCall(line: string, nowMs: number): Read {
  const parsed = parseStrict(line, LIMITS);
  if (!parsed.ok) return no(`not one JSON object: ${parsed.problem.message} (at character ${parsed.problem.offset})`);
  const asked = parsed.value;
  if (!isObject(asked)) return no('a call is a JSON object, {"tool": …} for example');
  const unknown = Object.keys(asked).find((key) => !KEYS.has(key));
  if (unknown !== undefined) return no(`unknown key ${JSON.stringify(unknown)}; known are ${[...KEYS].join(', ')}`);
  const call = callOf(asked);
  if (typeof call === 'string') return no(call);
  const server = textOf(asked, 'server');
  const client = textOf(asked, 'client');
  const labels = labelsOf(asked['labels']);
  const atMs = momentOf(asked['at'], nowMs);
  const outcome = asked['outcome'] ?? 'ok';
  if (server === undefined || client === undefined) return no('server and client are texts');
  if (labels === undefined) return no('labels is an object of texts, {"env": "prod"} for example');
  if (atMs === undefined) return no('at is an RFC 3339 moment with its zone, "2026-01-05T12:00:00Z" for example');
  if (!OUTCOMES.includes(outcome)) return no('outcome is ok, error, tool_error or none');
  return { ok: true, call: { call, server, client, labels, atMs, outcome: outcome as Outcome } };
}

function callOf(asked: JsonObject): Call | string {
  const kinds = KINDS.filter((kind) => Object.hasOwn(asked, kind));
  const [kind] = kinds;
  if (kind === undefined || kinds.length > 1) return `exactly one of ${KINDS.join(', ')} says what is called`;
  const name = asked[kind];
  if (typeof name !== 'string') return `${kind} is a text`;
  const given = asked['arguments'] ?? {};
  if (!isObject(given)) return 'arguments is an object';
  switch (kind) {
    case 'tool':
      return { kind: 'tool', name, arguments: given };
    case 'prompt':
      return { kind: 'prompt', name, arguments: given };
    case 'method': {
      const refusal = namesMore(name, given);
      return refusal ?? { kind: 'method', method: name, params: given };
    }
    case 'uri':
      if (Object.keys(given).length > 0) return 'a resource is read by its URI alone, so its arguments are empty or left out';
      return { kind: 'resource', method: 'resources/read', uri: name };
    default:
      return kind satisfies never;
  }
}

/** Why a method says less than what policies decide about; null where it does not. */
function namesMore(method: string, given: JsonObject): string | null {
  const key = askedBy(method);
  if (key !== null) return `${method} is asked as {${JSON.stringify(key)}: …}, because policies decide about what it names`;
  if (method === 'completion/complete' && Object.hasOwn(given, 'ref')) return 'a completion is judged as its method and as the prompt or resource that its ref names: ask both, the method without ref';
  if (method === 'subscriptions/listen' && Object.keys(given).length > 0) return 'each resource that subscriptions/listen names is judged: ask it as {"uri": …}, and the method without arguments';
  return null;
}

function isObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof InexactNumber);
}

/** Null where absent, undefined where it is no text. */
function textOf(asked: JsonObject, key: string): string | null | undefined {
  const value = Object.hasOwn(asked, key) ? asked[key] : null;
  return value === null || typeof value === 'string' ? value : undefined;
}

function labelsOf(value: JsonValue | undefined): Readonly<Record<string, string>> | undefined {
  if (value === undefined || value === null) return {};
  if (!isObject(value) || Object.values(value).some((label) => typeof label !== 'string')) return undefined;
  return value as Readonly<Record<string, string>>;
}

function momentOf(value: JsonValue | undefined, nowMs: number): number | undefined {
  if (value === undefined || value === null) return nowMs;
  return typeof value === 'string' ? (rfc3339Ms(value) ?? undefined) : undefined;
}

function no(message: string): Read {
  return { ok: false, message };
}

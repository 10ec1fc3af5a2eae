/** One line of `portcullis eval --calls`: a call, and what else its decision may depend on. */
import { InexactNumber, parseStrict } from '@portcullis/policy-core';
import type { Call, JsonObject, JsonValue, Outcome } from '@portcullis/policy-core';

/** As the proxy: deeper arguments are refused there too. */
const LIMITS = { maxDepth: 128, maxValues: 1_000_000 };

const KINDS = ['tool', 'method', 'uri', 'prompt'] as const;
const KEYS: ReadonlySet<string> = new Set([...KINDS, 'arguments', 'server', 'labels', 'client', 'at', 'outcome']);
const OUTCOMES: readonly JsonValue[] = ['ok', 'error', 'tool_error', 'none'] satisfies readonly Outcome[];
/** RFC 3339, with the zone that makes it one moment. */
const MOMENT = /^\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)$/;

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
    case 'method':
      return { kind: 'method', method: name, params: given };
    case 'uri':
      if (Object.hasOwn(asked, 'arguments')) return 'a resource is read by its URI alone, without arguments';
      return { kind: 'resource', method: 'resources/read', uri: name };
    default:
      return kind satisfies never;
  }
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
  if (typeof value !== 'string' || !MOMENT.test(value)) return undefined;
  const ms = Date.parse(value);
  return Number.isNaN(ms) ? undefined : ms;
}

function no(message: string): Read {
  return { ok: false, message };
}

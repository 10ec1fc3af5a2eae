/**
 * What 2026-07-28 writes into HTTP headers besides the body: MCP-Protocol-Version, Mcp-Method, Mcp-Name and, for tools whose
 * schema asks for it, Mcp-Param-*. Policy never goes by them; whoever routes by them must find what the body says, so a header
 * that says anything else is refused (P2), in every era.
 */
import type { JsonObject, JsonValue } from '@portcullis/policy-core';
import { PROTOCOL_VERSION_KEY } from '../relay/era.ts';
import { isObject, own } from '../relay/message.ts';
import type { Message } from '../relay/message.ts';
import type { ParamHeaders } from './param-headers.ts';

/** The code that the protocol has for a header that does not say what the body says. */
export const HEADER_MISMATCH = -32020;

/** Which member of params Mcp-Name repeats. */
const NAMED_BY: ReadonlyMap<string, string> = new Map([
  ['tools/call', 'name'],
  ['prompts/get', 'name'],
  ['resources/read', 'uri'],
  ['tasks/get', 'taskId'],
  ['tasks/update', 'taskId'],
  ['tasks/cancel', 'taskId'],
]);

/** The revision that the message itself says it speaks; null up to 2025-11-25. */
export function revisionOf(message: Message): string | null {
  if (message.kind === 'response') return null;
  const meta = own(message.params, '_meta');
  const revision = isObject(meta) ? own(meta, PROTOCOL_VERSION_KEY) : undefined;
  return typeof revision === 'string' ? revision : null;
}

/** The headers that the message goes out with. Empty up to 2025-11-25. */
export function headersFor(message: Message, params: ParamHeaders): Record<string, string> {
  const revision = revisionOf(message);
  if (revision === null || message.kind === 'response') return {};
  const headers: Record<string, string> = { 'mcp-protocol-version': encode(revision), 'mcp-method': encode(message.method) };
  const name = nameIn(message.method, message.params);
  if (name !== null) headers['mcp-name'] = encode(name);
  for (const [header, value] of paramValues(message, params)) headers[header] = encode(value);
  return headers;
}

/** One value, the first of several, or null. Headers that may not be repeated were refused before. */
export type HeaderLookup = (name: string) => string | null;

/**
 * What the headers of a message say that its body does not; null where there is nothing. `required`: also what they leave out,
 * for an upstream that has no eyes for headers.
 */
export function mismatchOf(message: Message, header: HeaderLookup, params: ParamHeaders, required: boolean): string | null {
  if (message.kind === 'response') return null;
  const revision = revisionOf(message);
  const must = required && revision !== null && message.kind === 'request';
  const said = header('mcp-protocol-version');
  if (revision !== null && said !== null && said !== revision) return `MCP-Protocol-Version is ${quote(said)}, and the body says ${quote(revision)}`;
  if (must && said === null) return 'MCP-Protocol-Version is missing';
  const wanted: (readonly [string, string | null])[] = [['Mcp-Method', message.method], ['Mcp-Name', nameIn(message.method, message.params)]];
  for (const [name, body] of wanted) {
    const fault = compare(name, header(name.toLowerCase()), body, must);
    if (fault !== null) return fault;
  }
  if (revision === null || message.kind !== 'request') return null;
  for (const [name, body] of declaredValues(message, params)) {
    // A header for an argument that the call does not have says something that the body does not.
    const fault = compare(name, header(name), body, must);
    if (fault !== null) return fault;
  }
  return null;
}

function compare(name: string, written: string | null, body: string | null, must: boolean): string | null {
  if (written === null) return must && body !== null ? `${name} is missing` : null;
  const decoded = decode(written);
  if (decoded === null) return `${name} is not encoded as the protocol says`;
  if (body === null) return name === 'Mcp-Method' || name.startsWith('mcp-param-') ? `${name} is ${quote(decoded)}, and the body has no such value` : null;
  return sameValue(decoded, body) ? null : `${name} is ${quote(decoded)}, and the body says ${quote(body)}`;
}

/** Whole numbers are compared as numbers: 42.0 is 42. */
function sameValue(header: string, body: string): boolean {
  return header === body || (/^-?[0-9]{1,16}$/.test(body) && /^-?[0-9]{1,16}(\.0{1,16})?$/.test(header) && Number(header) === Number(body));
}

function nameIn(method: string, params: JsonObject): string | null {
  const key = NAMED_BY.get(method);
  const name = key === undefined ? undefined : own(params, key);
  return typeof name === 'string' ? name : null;
}

function declaredValues(message: Message, params: ParamHeaders): (readonly [string, string | null])[] {
  if (message.kind !== 'request' || message.method !== 'tools/call') return [];
  const tool = own(message.params, 'name');
  const given = own(message.params, 'arguments');
  return typeof tool === 'string' ? params.of(tool).map(({ header, path }) => [header, textOf(valueAt(given, path))] as const) : [];
}

function paramValues(message: Message, params: ParamHeaders): (readonly [string, string])[] {
  return declaredValues(message, params).flatMap(([header, value]) => (value === null ? [] : [[header, value] as const]));
}

function valueAt(value: JsonValue | undefined, path: readonly string[]): JsonValue | undefined {
  let at = value;
  for (const key of path) at = isObject(at) ? own(at, key) : undefined;
  return at;
}

function textOf(value: JsonValue | undefined): string | null {
  if (typeof value === 'string') return value;
  if (typeof value === 'boolean') return String(value);
  return typeof value === 'number' && Number.isSafeInteger(value) ? String(value) : null;
}

/* Values */

const OPEN = '=?base64?';
const CLOSE = '?=';

/** A value as a header may carry it: as it is, or in the base64 form that the protocol has. */
export function encode(value: string): string {
  const plain = /^[\x21-\x7e]([\t\x20-\x7e]*[\x21-\x7e])?$/.test(value) && !(value.startsWith(OPEN) && value.endsWith(CLOSE));
  return plain ? value : `${OPEN}${Buffer.from(value, 'utf8').toString('base64')}${CLOSE}`;
}

/** What a header value says; null where it is neither plain nor proper base64 of UTF-8. */
export function decode(value: string): string | null {
  if (!value.startsWith(OPEN) || !value.endsWith(CLOSE) || value.length < OPEN.length + CLOSE.length) return /^[\t\x20-\x7e]*$/.test(value) ? value : null;
  const inner = value.slice(OPEN.length, value.length - CLOSE.length);
  const bytes = Buffer.from(inner, 'base64');
  const text = bytes.toString('utf8');
  return bytes.toString('base64') === inner && Buffer.from(text, 'utf8').equals(bytes) ? text : null;
}

function quote(text: string): string {
  return JSON.stringify(text.length > 100 ? `${text.slice(0, 100)}…` : text);
}

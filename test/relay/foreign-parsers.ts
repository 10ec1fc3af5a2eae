/**
 * How servers in the field read a stream of lines, as small models: each returns the tools that it would call. They are as
 * careless as the real ones were seen to be, so that what passes the relay must mean the same to all of them.
 */
export interface Called {
  readonly name: unknown;
  readonly arguments: unknown;
}

/** JSON.parse: the last of two keys wins, case counts, carriage returns are white space. */
export function javascriptCalls(stream: Buffer): Called[] {
  return stream.toString('utf8').split('\n').flatMap((line) => callsIn(parse(line), (object, key) => object[key]));
}

/** Universal newlines, and a parser that takes NaN and Infinity; a byte order mark is skipped. */
export function pythonCalls(stream: Buffer): Called[] {
  const lines = stream.toString('utf8').split(/\r\n|\r|\n/);
  return lines.flatMap((line) => callsIn(parse(line.replace(/^\ufeff/, '').replace(/\b(NaN|-?Infinity)\b/g, '0')), (object, key) => object[key]));
}

/** encoding/json: names match under Unicode case folding, the last match wins; one SDK ended names at NUL. */
export function goCalls(stream: Buffer): Called[] {
  const folded = (key: string): string => (key.split('\0')[0] ?? '').replaceAll('\u017f', 's').replaceAll('\u212a', 'k').toLowerCase();
  const last = (object: Readonly<Record<string, unknown>>, wanted: string): unknown => Object.entries(object).findLast(([key]) => folded(key) === wanted)?.[1];
  return stream.toString('utf8').split('\n').flatMap((line) => callsIn(parse(line), last));
}

/** A parser that keeps the first of two equal keys (as serde-style and streaming readers may), read by a reviver. */
export function firstKeyCalls(stream: Buffer): Called[] {
  const first = (text: string): unknown => parse(text.replace(/("name":"[^"]*"),"name":"[^"]*"/g, '$1').replace(/("method":"[^"]*"),"method":"[^"]*"/g, '$1'));
  return stream.toString('utf8').split('\n').flatMap((line) => callsIn(first(line), (object, key) => object[key]));
}

export const PARSERS = { javascriptCalls, pythonCalls, goCalls, firstKeyCalls } as const;

type Look = (object: Readonly<Record<string, unknown>>, key: string) => unknown;

/** Servers execute arrays element by element, and do not mind a missing id. */
function callsIn(message: unknown, look: Look): Called[] {
  if (Array.isArray(message)) return message.flatMap((element) => callsIn(element, look));
  if (!isRecord(message)) return [];
  const method = look(message, 'method');
  // Handlers are often looked up in an object, where an array of one string is that string.
  if (String(method) !== 'tools/call') return [];
  const params = look(message, 'params');
  return isRecord(params) ? [{ name: look(params, 'name'), arguments: look(params, 'arguments') }] : [];
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

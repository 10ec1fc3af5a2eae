/**
 * JSON read so that no other parser can have read something else (P2). JSON.parse alone cannot tell: it keeps the last of
 * two equal keys, turns 1e400 into Infinity and rounds 9007199254740993 without a word. So a scan over the tokens looks
 * for what parsers disagree about, and JSON.parse then checks the grammar and builds the value.
 *
 * The scan comes first, because it is also what bounds depth and number of values; it trusts nothing about the grammar.
 */
import { InexactNumber } from './json.ts';
import type { JsonObject, JsonValue } from './json.ts';

export interface JsonLimits {
  /** How many arrays and objects may stand inside one another. */
  readonly maxDepth: number;
  /** How many values the whole text may hold. */
  readonly maxValues: number;
}

export const JSON_PROBLEM_CODES = ['SYNTAX', 'DUPLICATE_KEY', 'TOO_DEEP', 'TOO_MANY_VALUES', 'NUMBER_RANGE', 'LONE_SURROGATE'] as const;
export type JsonProblemCode = (typeof JSON_PROBLEM_CODES)[number];

export interface JsonProblem {
  readonly code: JsonProblemCode;
  readonly message: string;
  /** In UTF-16 code units from the start of the text. */
  readonly offset: number;
}

export type StrictJson =
  /** `inexact`: the value holds at least one InexactNumber. */
  | { readonly ok: true; readonly value: JsonValue; readonly inexact: boolean }
  | { readonly ok: false; readonly problem: JsonProblem };

/** No finite double needs more; some parsers refuse or take quadratic time far beyond it (Python: 4300 digits). */
const MAX_NUMBER_CHARACTERS = 1000;
/** A decimal of at most 15 significant digits survives the way through a double (IEEE 754, DBL_DIG); the rest is sign and point. */
const SURELY_EXACT_CHARACTERS = 15;
/** Up to here comparing one key with each is cheaper than a Set. */
const FEW_KEYS = 8;

/** With the u flag, a surrogate that is half of a pair is no code point of its own. */
const LONE_SURROGATE = /\p{Surrogate}/u;

const QUOTE = 34;
const COMMA = 44;
const MINUS = 45;
const COLON = 58;
const OPEN_BRACKET = 91;
const BACKSLASH = 92;
const CLOSE_BRACKET = 93;
const OPEN_BRACE = 123;
const CLOSE_BRACE = 125;

/**
 * Reads one JSON text (RFC 8259). Refuses what RFC 8259 refuses, duplicate keys at any depth (compared after unescaping),
 * numbers outside the range of a double, unpaired surrogates and whatever is beyond the limits.
 * A number that a double would change becomes an InexactNumber. Linear in the length of the text; never throws.
 */
export function parseStrict(text: string, limits: JsonLimits): StrictJson {
  if (LONE_SURROGATE.test(text)) return refuse('LONE_SURROGATE', 'the text holds an unpaired surrogate', 0);
  const scanned = scan(text, limits);
  if (!scanned.ok) return scanned;
  let value: JsonValue;
  try {
    value = JSON.parse(text) as JsonValue;
  } catch (error) {
    return refuse('SYNTAX', error instanceof Error ? error.message : 'not JSON', 0);
  }
  return { ok: true, value: scanned.inexact ? build(text) : value, inexact: scanned.inexact };
}

type Scan = { readonly ok: true; readonly inexact: boolean } | { readonly ok: false; readonly problem: JsonProblem };

/** Null stands for an array: it has no keys. */
type Keys = string[] | Set<string> | null;

function scan(text: string, limits: JsonLimits): Scan {
  const escapes = text.includes('\\');
  const surrogates = escapes && /\\u[dD][89a-fA-F]/.test(text);
  const stack: Keys[] = [];
  let keys: Keys = null;
  let expectKey = false;
  let inexact = false;
  let values = 1;
  let at = 0;
  while (at < text.length) {
    const c = text.charCodeAt(at);
    if (c === QUOTE) {
      const end = escapes ? stringEnd(text, at) : text.indexOf('"', at + 1);
      if (end < 0) return refuse('SYNTAX', 'a string does not end', at);
      if (surrogates && !isWellFormedString(text, at, end)) return refuse('LONE_SURROGATE', 'a string holds an unpaired surrogate', at);
      if (expectKey && keys !== null) {
        const key = keyAt(text, at, end, escapes);
        if (key === null) return refuse('SYNTAX', 'a key is not a JSON string', at);
        if (Array.isArray(keys) && keys.length === FEW_KEYS) keys = stack[stack.length - 1] = new Set(keys);
        if (!addKey(keys, key)) return refuse('DUPLICATE_KEY', `the key ${quote(key)} occurs twice in one object`, at);
        expectKey = false;
      }
      at = end + 1;
    } else if (c === COMMA) {
      expectKey = keys !== null;
      if (++values > limits.maxValues) return refuse('TOO_MANY_VALUES', `more than ${limits.maxValues} values`, at);
      at++;
    } else if (c === OPEN_BRACE || c === OPEN_BRACKET) {
      if (stack.length >= limits.maxDepth) return refuse('TOO_DEEP', `nested deeper than ${limits.maxDepth}`, at);
      if (++values > limits.maxValues) return refuse('TOO_MANY_VALUES', `more than ${limits.maxValues} values`, at);
      keys = c === OPEN_BRACE ? [] : null;
      expectKey = keys !== null;
      stack.push(keys);
      at++;
    } else if (c === CLOSE_BRACE || c === CLOSE_BRACKET) {
      stack.pop();
      keys = stack[stack.length - 1] ?? null;
      expectKey = false;
      at++;
    } else if (c === MINUS || (c >= 48 && c <= 57)) {
      const end = numberEnd(text, at);
      const kind = numberKind(text, at, end);
      if (kind === 'range') return refuse('NUMBER_RANGE', `${clip(text.slice(at, end))} is outside the range of a double`, at);
      inexact ||= kind === 'inexact';
      at = end;
    } else {
      // Whitespace, colons and literals; whether they stand where they may is for JSON.parse to say.
      at++;
    }
  }
  return { ok: true, inexact };
}

function addKey(keys: string[] | Set<string>, key: string): boolean {
  if (Array.isArray(keys)) {
    if (keys.includes(key)) return false;
    keys.push(key);
    return true;
  }
  if (keys.has(key)) return false;
  keys.add(key);
  return true;
}

/** The offset of the quote that ends the string whose opening quote is at `start`; negative where there is none. */
function stringEnd(text: string, start: number): number {
  for (let end = text.indexOf('"', start + 1); end >= 0; end = text.indexOf('"', end + 1)) {
    let before = end - 1;
    while (text.charCodeAt(before) === BACKSLASH) before--;
    if ((end - before) % 2 === 1) return end;
  }
  return -1;
}

function keyAt(text: string, start: number, end: number, escapes: boolean): string | null {
  const raw = text.slice(start + 1, end);
  return escapes && raw.includes('\\') ? unescape(text, start, end) : raw;
}

function unescape(text: string, start: number, end: number): string | null {
  try {
    return JSON.parse(text.slice(start, end + 1)) as string;
  } catch {
    return null;
  }
}

/** True also for what is no JSON string: JSON.parse refuses it later and says so better. */
function isWellFormedString(text: string, start: number, end: number): boolean {
  const string = unescape(text, start, end);
  return string === null || !LONE_SURROGATE.test(string);
}

function numberEnd(text: string, start: number): number {
  let end = start + 1;
  for (; end < text.length; end++) {
    const c = text.charCodeAt(end);
    const inside = (c >= 48 && c <= 57) || c === 46 || c === MINUS || c === 43 || c === 101 || c === 69;
    if (!inside) break;
  }
  return end;
}

function numberKind(text: string, start: number, end: number): 'exact' | 'inexact' | 'range' {
  if (end - start > MAX_NUMBER_CHARACTERS) return 'range';
  const token = text.slice(start, end);
  if (token.length <= SURELY_EXACT_CHARACTERS && !token.includes('e') && !token.includes('E')) return 'exact';
  const double = Number(token);
  if (Number.isNaN(double)) return 'exact';
  if (!Number.isFinite(double)) return 'range';
  return decimal(token) === decimal(String(double)) ? 'exact' : 'inexact';
}

/** One spelling for each decimal value: its significant digits and the power of ten of the last one. Zero has no digits and no sign. */
function decimal(token: string): string {
  const [mantissa = '', exponent = '0'] = token.toLowerCase().split('e');
  const negative = mantissa.startsWith('-');
  const [whole = '', fraction = ''] = (negative ? mantissa.slice(1) : mantissa).split('.');
  const digits = (whole + fraction).replace(/^0+/, '');
  const significant = digits.replace(/0+$/, '');
  if (significant === '') return '0';
  const power = Number(exponent) - fraction.length + (digits.length - significant.length);
  return `${negative ? '-' : ''}${significant}e${power}`;
}

/** Builds the value of a text that is known to be JSON, keeping the text of every number that a double would change. */
function build(text: string): JsonValue {
  let at = 0;
  const skip = (): number => {
    let c = text.charCodeAt(at);
    while (c === 32 || c === 9 || c === 10 || c === 13 || c === COMMA || c === COLON) c = text.charCodeAt(++at);
    return c;
  };
  const string = (): string => {
    const start = at;
    at = stringEnd(text, start) + 1;
    return JSON.parse(text.slice(start, at)) as string;
  };
  const value = (): JsonValue => {
    const c = skip();
    if (c === QUOTE) return string();
    if (c === OPEN_BRACE) return object();
    if (c === OPEN_BRACKET) return array();
    if (c === MINUS || (c >= 48 && c <= 57)) return number();
    const literal = c === 116 ? 'true' : c === 102 ? 'false' : 'null';
    at += literal.length;
    return literal === 'null' ? null : literal === 'true';
  };
  const number = (): number | InexactNumber => {
    const start = at;
    at = numberEnd(text, start);
    const token = text.slice(start, at);
    return numberKind(text, start, at) === 'inexact' ? new InexactNumber(token) : Number(token);
  };
  const object = (): JsonObject => {
    const entries: [string, JsonValue][] = [];
    at++;
    while (skip() !== CLOSE_BRACE) entries.push([string(), value()]);
    at++;
    // fromEntries defines own properties, so that `__proto__` is a key like any other.
    return Object.fromEntries(entries);
  };
  const array = (): JsonValue[] => {
    const items: JsonValue[] = [];
    at++;
    while (skip() !== CLOSE_BRACKET) items.push(value());
    at++;
    return items;
  };
  return value();
}

function quote(key: string): string {
  return JSON.stringify(clip(key));
}

function clip(text: string): string {
  return text.length > 60 ? `${text.slice(0, 60)}…` : text;
}

function refuse(code: JsonProblemCode, message: string, offset: number): { readonly ok: false; readonly problem: JsonProblem } {
  return { ok: false, problem: { code, message, offset } };
}

/**
 * Where the members of a JSON object and the elements of an array stand in the bytes, without reading what is in them.
 * A 10 MB result costs a search for quotes, not a parse; and what is cut out of a list is cut out of the bytes, so that
 * everything around it stays as the upstream wrote it.
 *
 * Only the level that is walked is checked. What an outline says is true of JSON; whether the rest is JSON it does not know.
 */
export interface Range {
  readonly start: number;
  /** After the last byte. */
  readonly end: number;
}

export interface Member extends Range {
  /** Unescaped. `start` and `end` are the value's. */
  readonly key: string;
  /** The value's own members, where the key was asked for and the value is an object. */
  readonly members: readonly Member[] | null;
}

/** An object with more is none that a client or server of this protocol would write. */
const MAX_MEMBERS = 10_000;
/** A list with more entries is refused by the limits of strict reading anyway. */
const MAX_ELEMENTS = 1_000_000;
/** Walking so far costs as much as one search for a quote. */
const WALKED_STRING_BYTES = 96;
const NONE: ReadonlySet<string> = new Set();

const QUOTE = 34;
const COMMA = 44;
const COLON = 58;
const OPEN_BRACKET = 91;
const BACKSLASH = 92;
const CLOSE_BRACKET = 93;
const OPEN_BRACE = 123;
const CLOSE_BRACE = 125;

/**
 * The members of the object that fills the range; null where it is no object or its outline is broken. The values of the
 * keys in `inside` come with their own members, in the same walk.
 */
export function membersOf(bytes: Buffer, range: Range, inside: ReadonlySet<string> = NONE): readonly Member[] | null {
  const walk = walkObject(bytes, skipSpace(bytes, range.start, range.end), range.end, inside);
  return walk !== null && skipSpace(bytes, walk.end, range.end) === range.end ? walk.members : null;
}

/** The elements of the array that fills the range; null where it is no array or its outline is broken. */
export function elementsOf(bytes: Buffer, range: Range): readonly Range[] | null {
  const { end } = range;
  let at = skipSpace(bytes, range.start, end);
  if (bytes[at] !== OPEN_BRACKET) return null;
  const elements: Range[] = [];
  at = skipSpace(bytes, at + 1, end);
  if (bytes[at] === CLOSE_BRACKET) return skipSpace(bytes, at + 1, end) === end ? elements : null;
  while (elements.length < MAX_ELEMENTS) {
    const after = skipValue(bytes, at, end);
    if (after < 0) return null;
    elements.push({ start: at, end: after });
    at = skipSpace(bytes, after, end);
    if (at < end && bytes[at] === CLOSE_BRACKET) return skipSpace(bytes, at + 1, end) === end ? elements : null;
    if (at >= end || bytes[at] !== COMMA) return null;
    at = skipSpace(bytes, at + 1, end);
  }
  return null;
}

function walkObject(bytes: Buffer, start: number, end: number, inside: ReadonlySet<string>): { members: Member[]; end: number } | null {
  if (start >= end || bytes[start] !== OPEN_BRACE) return null;
  const members: Member[] = [];
  let at = skipSpace(bytes, start + 1, end);
  if (at < end && bytes[at] === CLOSE_BRACE) return { members, end: at + 1 };
  while (members.length < MAX_MEMBERS) {
    if (at >= end || bytes[at] !== QUOTE) return null;
    const keyEnd = skipString(bytes, at, end);
    if (keyEnd < 0) return null;
    const key = keyOf(bytes, at, keyEnd);
    at = skipSpace(bytes, keyEnd, end);
    if (key === null || at >= end || bytes[at] !== COLON) return null;
    at = skipSpace(bytes, at + 1, end);
    const inner = inside.has(key) && bytes[at] === OPEN_BRACE ? walkObject(bytes, at, end, NONE) : null;
    const after = inner?.end ?? skipValue(bytes, at, end);
    if (after < 0) return null;
    members.push({ key, start: at, end: after, members: inner?.members ?? null });
    at = skipSpace(bytes, after, end);
    if (at < end && bytes[at] === CLOSE_BRACE) return { members, end: at + 1 };
    if (at >= end || bytes[at] !== COMMA) return null;
    at = skipSpace(bytes, at + 1, end);
  }
  return null;
}

function keyOf(bytes: Buffer, start: number, end: number): string | null {
  const raw = bytes.toString('utf8', start + 1, end - 1);
  if (!raw.includes('\\')) return raw;
  try {
    return JSON.parse(`"${raw}"`) as string;
  } catch {
    return null;
  }
}

function skipSpace(bytes: Buffer, start: number, end: number): number {
  let at = start;
  while (at < end && (bytes[at] === 32 || bytes[at] === 9 || bytes[at] === 13 || bytes[at] === 10)) at++;
  return at;
}

/** The offset after the value that starts here; negative where none does or it does not end. */
function skipValue(bytes: Buffer, start: number, end: number): number {
  const first = start < end ? bytes[start] : undefined;
  if (first === QUOTE) return skipString(bytes, start, end);
  if (first === OPEN_BRACE || first === OPEN_BRACKET) return skipContainer(bytes, start, end);
  let at = start;
  while (at < end && isScalarByte(bytes[at])) at++;
  return at > start ? at : -1;
}

/** What numbers and literals are made of, those of other dialects (NaN, Infinity) too. */
function isScalarByte(byte: number | undefined): boolean {
  return byte !== undefined && ((byte >= 48 && byte <= 57) || (byte >= 97 && byte <= 122) || (byte >= 65 && byte <= 90) || byte === 45 || byte === 43 || byte === 46);
}

function skipContainer(bytes: Buffer, start: number, end: number): number {
  let depth = 0;
  let at = start;
  while (at < end) {
    const byte = bytes[at];
    if (byte === QUOTE) {
      at = skipString(bytes, at, end);
      if (at < 0) return -1;
      continue;
    }
    if (byte === OPEN_BRACE || byte === OPEN_BRACKET) depth++;
    else if (byte === CLOSE_BRACE || byte === CLOSE_BRACKET) depth--;
    at++;
    if (depth === 0) return at;
  }
  return -1;
}

/**
 * The offset after the closing quote of the string that opens here; negative where it does not end. Near quotes are walked to
 * and far ones searched for, because text that holds JSON has a quote every few bytes and other text has none for megabytes.
 */
function skipString(bytes: Buffer, start: number, end: number): number {
  let at = start + 1;
  while (at < end) {
    const walked = Math.min(end, at + WALKED_STRING_BYTES);
    while (at < walked) {
      const byte = bytes[at];
      if (byte === QUOTE) return at + 1;
      at += byte === BACKSLASH ? 2 : 1;
    }
    if (at >= end) return -1;
    const quote = bytes.indexOf(QUOTE, at);
    if (quote < 0 || quote >= end) return -1;
    let before = quote - 1;
    while (before >= at && bytes[before] === BACKSLASH) before--;
    if ((quote - before) % 2 === 1) return quote + 1;
    at = quote + 1;
  }
  return -1;
}

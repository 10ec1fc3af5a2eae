/**
 * What a scalar of a policy text means. Go's yaml.v3 decides that for Intercept, and neither the YAML 1.1 nor the 1.2
 * rules of other libraries agree with it (leading-zero octals, underscores, `yes`, dates, integers above int64), so the
 * resolution is done here from the scalar's text.
 */
import type { PolicyValue } from '../policy.ts';
import { goTimestamp } from './timestamp.ts';

/** The tags that a policy may use; all others are refused. */
export const SCALAR_TAGS = ['str', 'int', 'float', 'bool', 'null'] as const;
export type ScalarTag = (typeof SCALAR_TAGS)[number];

export type ScalarValue = Exclude<PolicyValue, { kind: 'list' } | { kind: 'map' }>;

const INT64_MIN = -(2n ** 63n);
const INT64_MAX = 2n ** 63n - 1n;
const UINT64_MAX = 2n ** 64n - 1n;

const NULLS = new Set(['', '~', 'null', 'Null', 'NULL']);
const BOOLS = new Map([
  ['true', true], ['True', true], ['TRUE', true],
  ['false', false], ['False', false], ['FALSE', false],
]);
const SPECIAL_FLOATS = new Map([
  ['.inf', '+Inf'], ['.Inf', '+Inf'], ['.INF', '+Inf'], ['+.inf', '+Inf'], ['+.Inf', '+Inf'], ['+.INF', '+Inf'],
  ['-.inf', '-Inf'], ['-.Inf', '-Inf'], ['-.INF', '-Inf'],
  ['.nan', 'NaN'], ['.NaN', 'NaN'], ['.NAN', 'NaN'],
]);

/** No number that anyone means is longer (a double has at most 767 significant digits); converting more would take long. */
const MAX_NUMBER_LENGTH = 4096;

/**
 * Resolves a scalar. `plain` is false for quoted and block scalars, which are strings unless a tag says otherwise.
 * Returns null where the tag does not fit the text (`!!int abc`), which yaml.v3 refuses.
 */
export function resolveScalar(text: string, plain: boolean, tag: ScalarTag | null): ScalarValue | null {
  if (tag === null) return plain ? resolvePlain(text, true) : { kind: 'string', value: text };
  if (tag === 'str') return { kind: 'string', value: text };
  const value = resolvePlain(text, false);
  switch (tag) {
    case 'int':
      return value.kind === 'int' || value.kind === 'uint' ? value : null;
    case 'float':
      if (value.kind === 'int') return { kind: 'float', value: floatText(Number(value.value)) };
      return value.kind === 'float' ? value : null;
    case 'bool':
      return value.kind === 'bool' ? value : null;
    case 'null':
      return value.kind === 'null' ? value : null;
  }
}

/** The shortest text that reads back as the same double, as PolicyValue holds floats. */
export function floatText(value: number): string {
  if (Number.isNaN(value)) return 'NaN';
  if (!Number.isFinite(value)) return value > 0 ? '+Inf' : '-Inf';
  return Object.is(value, -0) ? '-0' : String(value);
}

function resolvePlain(text: string, timestamps: boolean): ScalarValue {
  if (NULLS.has(text)) return { kind: 'null' };
  const bool = BOOLS.get(text);
  if (bool !== undefined) return { kind: 'bool', value: bool };
  const special = SPECIAL_FLOATS.get(text);
  if (special !== undefined) return { kind: 'float', value: special };
  const lead = text.charAt(0);
  if (lead === '.') return /^\.\d+([eE][+-]?\d+)?$/.test(text) ? float(text) : { kind: 'string', value: text };
  if (!/^[-+0-9]/.test(lead)) return { kind: 'string', value: text };
  const timestamp = timestamps ? goTimestamp(text) : null;
  if (timestamp !== null) return { kind: 'timestamp', value: timestamp };
  return resolveNumber(text);
}

function resolveNumber(text: string): ScalarValue {
  const digits = text.replaceAll('_', '');
  if (digits.length <= MAX_NUMBER_LENGTH) {
    const integer = wholeNumber(digits);
    if (integer !== null) {
      if (integer >= INT64_MIN && integer <= INT64_MAX) return { kind: 'int', value: integer.toString() };
      // Go parses unsigned integers without any sign.
      if (integer <= UINT64_MAX && integer > 0n && !digits.includes('+')) return { kind: 'uint', value: integer.toString() };
    }
    if (/^[-+]?(\.\d+|\d+(\.\d*)?)([eE][-+]?\d+)?$/.test(digits)) return float(digits, text);
  }
  return { kind: 'string', value: text };
}

/**
 * Integers as Go's ParseInt with base 0 reads them: `0x`, `0o`, `0b`, a leading zero for octal, in either case. Behind a
 * lower-case `0b` or `0o`, yaml.v3 reads what ParseInt leaves by itself, and so finds a sign there (`0b-11` is -3).
 */
function wholeNumber(digits: string): bigint | null {
  const signedLate = /^0(?:b([-+])([01]+)|o([-+])([0-7]+))$/.exec(digits);
  if (signedLate !== null) {
    const [, binarySign, bits, octalSign, octals] = signedLate;
    const magnitude = BigInt(bits === undefined ? `0o${octals ?? '0'}` : `0b${bits}`);
    return (binarySign ?? octalSign) === '-' ? -magnitude : magnitude;
  }
  const match = /^([-+]?)(?:(0[xX][0-9a-fA-F]+)|0[oO]([0-7]+)|(0[bB][01]+)|0([0-7]+)|(0|[1-9]\d*))$/.exec(digits);
  if (match === null) return null;
  const [, sign, hex, octal, binary, zeroOctal, decimal] = match;
  const based = hex ?? binary ?? decimal;
  const magnitude = BigInt(based ?? `0o${octal ?? zeroOctal ?? '0'}`);
  return sign === '-' ? -magnitude : magnitude;
}

/** A number beyond the doubles is a string to Go, as it was written. */
function float(digits: string, written: string = digits): ScalarValue {
  const value = Number(digits);
  return Number.isFinite(value) ? { kind: 'float', value: floatText(value) } : { kind: 'string', value: written };
}

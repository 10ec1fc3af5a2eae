/**
 * How values compare, as Intercept compares them (reference: values and equality): two numbers as doubles, everything
 * else by its default rendering in Go. The renderings lose types and element boundaries; policies rely on that.
 */
import { InexactNumber } from '../json.ts';
import type { JsonObject, JsonValue } from '../json.ts';
import type { PolicyValue } from '../policy.ts';
import { compareBytes } from './order.ts';

/** Thrown where a comparison would touch a number that a double cannot hold: the decision is an error, and denies (E3). */
export class InexactComparison extends Error {
  constructor(value: InexactNumber) {
    super(`the number ${value.text.slice(0, 40)} cannot be held exactly, so it cannot be compared`);
  }
}

/** The rendering of a JSON value in Go's default format; throws `InexactComparison`. */
export function renderJson(value: JsonValue): string {
  if (typeof value === 'string') return value;
  if (typeof value === 'number') return renderFloat(value);
  if (typeof value === 'boolean') return value ? 'true' : 'false';
  if (value === null) return '<nil>';
  if (value instanceof InexactNumber) throw new InexactComparison(value);
  if (isList(value)) return `[${value.map(renderJson).join(' ')}]`;
  const entries = Object.keys(value).map((key) => [key, renderJson(value[key] ?? null)] as const);
  return mapText(entries.sort(([a], [b]) => compareBytes(a, b)));
}

/** The rendering of a value that stands in a policy. */
export function renderPolicyValue(value: PolicyValue): string {
  switch (value.kind) {
    case 'null':
      return '<nil>';
    case 'bool':
      return value.value ? 'true' : 'false';
    case 'string':
    case 'timestamp':
      return value.value;
    case 'int':
    case 'uint':
      return value.value;
    case 'float':
      return renderFloat(floatOf(value.value));
    case 'list':
      return `[${value.items.map(renderPolicyValue).join(' ')}]`;
    case 'map':
      return mapText(value.entries.map(([key, item]) => [key, renderPolicyValue(item)] as const));
  }
}

/**
 * The number that a policy value is in comparisons, or null where it is none. Integers above int64 are none, as in
 * Intercept, and integers above 2^53 lose digits, as in Intercept.
 */
export function numberOf(value: PolicyValue): number | null {
  if (value.kind === 'int') return Number(value.value);
  return value.kind === 'float' ? floatOf(value.value) : null;
}

/** A double in Go's shortest format: scientific below 1e-4 and from 1e6 on, with at least two digits of exponent. */
export function renderFloat(value: number): string {
  if (Number.isInteger(value) && value < 1e6 && value > -1e6) return Object.is(value, -0) ? '-0' : String(value);
  if (Number.isNaN(value)) return 'NaN';
  if (!Number.isFinite(value)) return value > 0 ? '+Inf' : '-Inf';
  const [mantissa = '', exponentText = '0'] = value.toExponential().split('e');
  const exponent = Number(exponentText);
  if (exponent >= -4 && exponent < 6) return String(value);
  return `${mantissa}e${exponent < 0 ? '-' : '+'}${String(Math.abs(exponent)).padStart(2, '0')}`;
}

/** A JSON object, as opposed to a list or to a number that kept its text. */
export function isObject(value: JsonValue): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof InexactNumber);
}

export function isList(value: JsonValue): value is readonly JsonValue[] {
  return Array.isArray(value);
}

function floatOf(text: string): number {
  if (text === '+Inf') return Infinity;
  if (text === '-Inf') return -Infinity;
  return Number(text);
}

function mapText(entries: readonly (readonly [string, string])[]): string {
  return `map[${entries.map(([key, text]) => `${key}:${text}`).join(' ')}]`;
}

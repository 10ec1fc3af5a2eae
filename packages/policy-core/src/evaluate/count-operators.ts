/**
 * Operators on a counter's value (`state.…`). A count is an exact decimal and is compared as one, so that limits beyond
 * 2^53 are right; it equals a text that is its decimal spelling, and is no text otherwise.
 */
import type { Decimal } from '../decimal.ts';
import { compareDecimals, decimalOf, formatDecimal, parseDecimal } from '../decimal.ts';
import type { Operator, PolicyValue } from '../policy.ts';
import { FAILS, HOLDS, judged } from './judged.ts';
import type { Judged } from './judged.ts';
import { numberOf, renderPolicyValue } from './values.ts';

export type JudgeCount = (count: Decimal) => Judged;

/** Compiles one operator for counts. Those that speak about texts, lists or objects never hold: a count is a number. */
export function compileCountOperator(op: Operator, value: PolicyValue): JudgeCount {
  switch (op) {
    case 'exists':
      return () => judged(value.kind === 'bool' && value.value);
    case 'eq':
      return (count) => judged(isEqual(count, value));
    case 'neq':
      return (count) => judged(!isEqual(count, value));
    case 'in':
      return (count) => judged(itemsOf(value).some((item) => isEqual(count, item)));
    case 'not_in':
      return (count) => judged(!itemsOf(value).some((item) => isEqual(count, item)));
    case 'lt':
      return ordered(value, (order) => order < 0);
    case 'lte':
      return ordered(value, (order) => order <= 0);
    case 'gt':
      return ordered(value, (order) => order > 0);
    case 'gte':
      return ordered(value, (order) => order >= 0);
    case 'type':
      return (count) => judged(namesNumber(value, count));
    case 'regex':
    case 'contains':
    case 'not_contains':
    case 'starts_with':
    case 'ends_with':
    case 'glob':
    case 'path_within':
    case 'host_in':
    case 'max_length':
      return () => FAILS;
  }
}

function isEqual(count: Decimal, value: PolicyValue): boolean {
  const number = exactNumber(value);
  if (number !== null) return compareDecimals(count, number) === 0;
  return numberOf(value) === null && formatDecimal(count) === renderPolicyValue(value);
}

function ordered(value: PolicyValue, accepts: (order: number) => boolean): JudgeCount {
  const bound = exactNumber(value);
  if (bound !== null) return (count) => judged(accepts(compareDecimals(count, bound)));
  const number = numberOf(value);
  if (number === null) throw new Error('a number is needed');
  // Infinity lies beyond every count; NaN compares with nothing.
  const order = number === Infinity ? -1 : number === -Infinity ? 1 : NaN;
  return () => (accepts(order) ? HOLDS : FAILS);
}

/** The exact number that a policy value stands for; null where it is none, or not finite. */
function exactNumber(value: PolicyValue): Decimal | null {
  if (value.kind === 'int') return parseDecimal(value.value);
  const number = numberOf(value);
  return number === null ? null : decimalOf(number);
}

function namesNumber(value: PolicyValue, count: Decimal): boolean {
  const names = value.kind === 'list' ? value.items : [value];
  return names.some((name) => name.kind === 'string' && (name.value === 'number' || (name.value === 'integer' && count.scale === 0)));
}

function itemsOf(value: PolicyValue): readonly PolicyValue[] {
  if (value.kind !== 'list') throw new Error('a list is needed');
  return value.items;
}

/**
 * What lets most calls through: the rules of an entry that only compare arguments, as one flat list of cells. Where all
 * of them surely hold, nothing of these rules denies or counts, and the rules themselves need not be looked at. In every
 * other case (something fails, has an unusual type, or throws) the sieve says no, and the rules are judged one by one,
 * which alone finds out who denies and why. So a sieve may say no too often, and must never say yes too often.
 *
 * Flat, because the time of a decision among hundreds of tools is the time to fetch its rules from memory: rule by rule
 * they lie in some forty places, as a sieve in a dozen.
 */
import type { CallContext } from '../call.ts';
import type { CounterStore } from '../counter.ts';
import type { JsonObject } from '../json.ts';
import { SHORT_NEEDLE } from '../find-text.ts';
import type { Condition, PolicyValue } from '../policy.ts';
import { HOLDS } from './judged.ts';
import type { CompiledRule, Test } from './rule.ts';
import { numberOf } from './values.ts';

/**
 * Three cells for each condition: code, name of the argument, operand. The operand of IN and NOT_IN is the number of items,
 * which follow. A condition without code is its compiled test in place of the name.
 */
export type Sieve = readonly Cell[];
type Cell = string | number | boolean | Test;

const TEST = 0;
const IS = 1;
const IS_NOT = 2;
const IN = 3;
const NOT_IN = 4;
const LT = 5;
const LTE = 6;
const GT = 7;
const GTE = 8;
const STARTS_WITH = 9;
const ENDS_WITH = 10;
const CONTAINS = 11;
const LACKS = 12;

/** Longer lists are asked by their own test, which is a lookup. */
const MOST_ITEMS = 8;

/** The cells of a rule; null for one that counts, reads a counter, applies to some calls only, or always denies. */
export function sieveOf({ rule, denies, conditions }: CompiledRule): Sieve | null {
  if (denies || rule.counter !== null || rule.when.length > 0 || rule.conditions.length !== conditions.length) return null;
  const cells: Cell[] = [];
  for (const [index, condition] of rule.conditions.entries()) {
    const test = conditions[index];
    if (test === undefined || condition.path.startsWith('state.')) return null;
    cells.push(...(comparison(condition) ?? [TEST, test, 0]));
  }
  return cells;
}

/** Whether all conditions surely hold. Never throws. */
export function passes(sieve: Sieve, argumentsOfCall: JsonObject, context: CallContext, counters: CounterStore): boolean {
  try {
    return passesAll(sieve, argumentsOfCall, context, counters);
  } catch {
    return false;
  }
}

function passesAll(sieve: Sieve, argumentsOfCall: JsonObject, context: CallContext, counters: CounterStore): boolean {
  const { length } = sieve;
  let at = 0;
  while (at < length) {
    const code = sieve[at];
    const name = sieve[at + 1];
    const operand = sieve[at + 2];
    at += 3;
    if (typeof name === 'function') {
      if (name(argumentsOfCall, context, counters) !== HOLDS) return false;
      continue;
    }
    if (typeof name !== 'string' || !Object.hasOwn(argumentsOfCall, name)) return false;
    const value = argumentsOfCall[name];
    if ((code === IN || code === NOT_IN) && typeof operand === 'number') {
      const found = isAmong(value, sieve, at, operand);
      if (code === IN ? !found : found || typeof value !== 'string') return false;
      at += operand;
    } else if (typeof value === 'string') {
      if (!textPasses(code, value, operand)) return false;
    } else if (typeof value === 'number') {
      if (!numberPasses(code, value, operand)) return false;
    } else if (code !== IS || value !== operand) return false;
  }
  return true;
}

function textPasses(code: Cell | undefined, value: string, operand: Cell | undefined): boolean {
  if (typeof operand !== 'string') return false;
  switch (code) {
    case IS:
      return value === operand;
    case IS_NOT:
      return value !== operand;
    case STARTS_WITH:
      return value.startsWith(operand);
    case ENDS_WITH:
      return value.endsWith(operand);
    case CONTAINS:
      return value.includes(operand);
    case LACKS:
      return !value.includes(operand);
    default:
      return false;
  }
}

function numberPasses(code: Cell | undefined, value: number, operand: Cell | undefined): boolean {
  if (typeof operand !== 'number') return false;
  switch (code) {
    case IS:
      return value === operand;
    case LT:
      return value < operand;
    case LTE:
      return value <= operand;
    case GT:
      return value > operand;
    case GTE:
      return value >= operand;
    default:
      return false;
  }
}

function isAmong(value: unknown, sieve: Sieve, from: number, count: number): boolean {
  for (let at = from; at < from + count; at++) if (sieve[at] === value) return true;
  return false;
}

/** The cells of a condition that compares one argument with what it can be compared with at once; null for all others. */
function comparison({ path, op, value }: Condition): readonly Cell[] | null {
  const [root, name, deeper] = path.split('.', 3);
  if (root !== 'args' || name === undefined || deeper !== undefined) return null;
  const plain = plainValue(value);
  const text = typeof plain === 'string' ? plain : null;
  switch (op) {
    case 'eq':
      return plain === null ? null : [IS, name, plain];
    case 'neq':
      return text === null ? null : [IS_NOT, name, text];
    case 'in':
      return list(IN, name, value, (item) => item !== null);
    case 'not_in':
      return list(NOT_IN, name, value, (item) => typeof item === 'string');
    case 'lt':
    case 'lte':
    case 'gt':
    case 'gte': {
      const bound = numberOf(value);
      return bound === null ? null : [{ lt: LT, lte: LTE, gt: GT, gte: GTE }[op], name, bound];
    }
    case 'starts_with':
      return text === null ? null : [STARTS_WITH, name, text];
    case 'ends_with':
      return text === null ? null : [ENDS_WITH, name, text];
    case 'contains':
      return isNeedle(text) ? [CONTAINS, name, text] : null;
    case 'not_contains':
      return isNeedle(text) ? [LACKS, name, text] : null;
    default:
      return null;
  }
}

/** What can be looked for without preparation. */
function isNeedle(text: string | null): text is string {
  return text !== null && text.length <= SHORT_NEEDLE;
}

/** What an argument that is `===` to it surely equals; null where there is no such thing. */
function plainValue(value: PolicyValue): string | number | boolean | null {
  return value.kind === 'string' || value.kind === 'bool' ? value.value : numberOf(value);
}

function list(code: number, name: string, value: PolicyValue, fits: (item: string | number | boolean | null) => boolean): readonly Cell[] | null {
  if (value.kind !== 'list' || value.items.length > MOST_ITEMS) return null;
  const items = value.items.map(plainValue);
  if (!items.every(fits)) return null;
  return [code, name, items.length, ...items.filter((item) => item !== null)];
}

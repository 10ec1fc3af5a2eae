/**
 * The operators on values of a call, compiled once per condition: `compileOperator(op, value)` is a function from the
 * value at the condition's path (`undefined` = absent) to a judgement. The first eleven decide as Intercept's do.
 * Every one takes time linear in the value. A number that a double cannot hold throws `InexactComparison`.
 */
import { InexactNumber } from '../json.ts';
import type { JsonValue } from '../json.ts';
import type { Operator, PolicyValue } from '../policy.ts';
import { compileGlob } from '../glob.ts';
import { compileRegex } from '../regex.ts';
import { compileHostIn } from './host-in.ts';
import { FAILS, HOLDS, UNFIT, judged, opposite } from './judged.ts';
import type { Judged } from './judged.ts';
import { compilePathWithin } from './path-within.ts';
import { InexactComparison, isList, isObject, numberOf, renderJson, renderPolicyValue } from './values.ts';

export type Judge = (value: JsonValue | undefined) => Judged;

/** Compiles one operator with its value; throws where the value does not suit the operator (the parser refuses that before). */
export function compileOperator(op: Operator, value: PolicyValue): Judge {
  switch (op) {
    case 'exists':
      return exists(booleanOf(value));
    case 'type':
      return present(typeIs(textsOf(value)));
    default:
      return present(exactly(compilePresent(op, value)));
  }
}

type JudgePresent = (value: JsonValue) => Judged;

function compilePresent(op: Exclude<Operator, 'exists' | 'type'>, value: PolicyValue): JudgePresent {
  switch (op) {
    case 'eq':
      return equals(value);
    case 'neq':
      return not(equals(value));
    case 'in':
      return isIn(itemsOf(value));
    case 'not_in':
      return not(isIn(itemsOf(value)));
    case 'lt':
    case 'lte':
    case 'gt':
    case 'gte':
      return compares(op, value);
    case 'contains':
      return contains(value);
    case 'not_contains':
      return notContains(value);
    case 'max_length':
      return maxLength(value);
    case 'regex':
      return onText(regexOf(value));
    case 'starts_with':
      return onText(anyText(value, (prefix) => (text) => text.startsWith(prefix)));
    case 'ends_with':
      return onText(anyText(value, (suffix) => (text) => text.endsWith(suffix)));
    case 'glob':
      return onText(anyText(value, compileGlob));
    case 'path_within':
      return onText(compilePathWithin(textsOf(value)));
    case 'host_in':
      return onText(compileHostIn(textsOf(value)));
  }
}

/** Absent: no operator but `exists` holds. */
function present(judge: JudgePresent): Judge {
  return (value) => (value === undefined ? FAILS : judge(value));
}

function exactly(judge: JudgePresent): JudgePresent {
  return (value) => {
    if (value instanceof InexactNumber) throw new InexactComparison(value);
    return judge(value);
  };
}

function not(judge: JudgePresent): JudgePresent {
  return (value) => opposite(judge(value));
}

function exists(expected: boolean): Judge {
  return (value) => judged((value !== undefined && value !== null) === expected);
}

/** Null is treated as absent rather than as a wrong type: it is how many clients leave an argument out. */
function onText(judge: (text: string) => Judged): JudgePresent {
  return (value) => (typeof value === 'string' ? judge(value) : value === null ? FAILS : UNFIT);
}

function equals(value: PolicyValue): JudgePresent {
  const rendering = renderPolicyValue(value);
  const number = numberOf(value);
  return (actual) => {
    if (typeof actual === 'string') return judged(actual === rendering);
    if (typeof actual === 'number' && number !== null) return judged(actual === number);
    return judged(renderJson(actual) === rendering);
  };
}

function isIn(items: readonly PolicyValue[]): JudgePresent {
  const numbers = new Set(items.map(numberOf).filter((number) => number !== null));
  const renderings = new Set(items.map(renderPolicyValue));
  const renderingsOfOthers = new Set(items.filter((item) => numberOf(item) === null).map(renderPolicyValue));
  // A Set finds NaN, equality does not.
  numbers.delete(NaN);
  return (actual) => {
    if (typeof actual === 'string') return judged(renderings.has(actual));
    if (typeof actual === 'number') return judged(numbers.has(actual) || renderingsOfOthers.has(renderJson(actual)));
    return judged(renderings.has(renderJson(actual)));
  };
}

function compares(op: 'lt' | 'lte' | 'gt' | 'gte', value: PolicyValue): JudgePresent {
  const bound = numberOf(value);
  if (bound === null) throw new Error(`${op} needs a number`);
  const wrongType = (actual: JsonValue): Judged => (actual === null ? FAILS : UNFIT);
  switch (op) {
    case 'lt':
      return (actual) => (typeof actual === 'number' ? judged(actual < bound) : wrongType(actual));
    case 'lte':
      return (actual) => (typeof actual === 'number' ? judged(actual <= bound) : wrongType(actual));
    case 'gt':
      return (actual) => (typeof actual === 'number' ? judged(actual > bound) : wrongType(actual));
    case 'gte':
      return (actual) => (typeof actual === 'number' ? judged(actual >= bound) : wrongType(actual));
  }
}

/** A text contains a text, a list contains an element that equals the value; nothing else contains anything. */
function contains(value: PolicyValue): JudgePresent {
  const equal = equals(value);
  return (actual) => {
    if (typeof actual === 'string') return value.kind === 'string' ? judged(actual.includes(value.value)) : UNFIT;
    if (isList(actual)) return judged(actual.filter((element) => exactly(equal)(element) === HOLDS).length > 0);
    return actual === null ? FAILS : UNFIT;
  };
}

/** A list or text without the value. Null is neither, so that leaving an argument out never passes. */
function notContains(value: PolicyValue): JudgePresent {
  const contained = contains(value);
  return (actual) => (actual === null ? FAILS : opposite(contained(actual)));
}

/** Code points of a text, elements of a list. */
function maxLength(value: PolicyValue): JudgePresent {
  const bound = numberOf(value);
  if (bound === null || Number.isNaN(bound)) throw new Error('max_length needs a number');
  return (actual) => {
    if (typeof actual === 'string') return judged(actual.length <= bound || (actual.length <= 2 * bound && countCodePoints(actual) <= bound));
    if (isList(actual)) return judged(actual.length <= bound);
    return actual === null ? FAILS : UNFIT;
  };
}

function countCodePoints(text: string): number {
  let count = 0;
  for (const _ of text) count++;
  return count;
}

/** The names of JSON Schema. */
const TYPES: ReadonlyMap<string, (value: JsonValue) => boolean> = new Map([
  ['null', (value: JsonValue) => value === null],
  ['boolean', (value: JsonValue) => typeof value === 'boolean'],
  ['string', (value: JsonValue) => typeof value === 'string'],
  ['number', (value: JsonValue) => typeof value === 'number' || value instanceof InexactNumber],
  ['integer', (value: JsonValue) => (value instanceof InexactNumber ? /^-?\d+$/.test(value.text) : Number.isInteger(value))],
  ['array', (value: JsonValue) => isList(value)],
  ['object', (value: JsonValue) => isObject(value)],
]);

function typeIs(names: readonly string[]): JudgePresent {
  const types = names.map((name) => {
    const type = TYPES.get(name);
    if (type === undefined) throw new Error(`type: ${JSON.stringify(name)} is not one of ${[...TYPES.keys()].join(', ')}`);
    return type;
  });
  return (value) => judged(types.some((type) => type(value)));
}

function regexOf(value: PolicyValue): (text: string) => Judged {
  const regex = compileRegex(textOf(value));
  if (!regex.ok) throw new Error(`regex: ${regex.reason}`);
  return (text) => judged(regex.test(text));
}

/** One text, or a list of which any may match. */
function anyText(value: PolicyValue, compile: (text: string) => (actual: string) => boolean): (text: string) => Judged {
  const tests = textsOf(value).map(compile);
  return (text) => judged(tests.some((test) => test(text)));
}

function itemsOf(value: PolicyValue): readonly PolicyValue[] {
  if (value.kind !== 'list') throw new Error('a list is needed');
  return value.items;
}

function textsOf(value: PolicyValue): readonly string[] {
  return value.kind === 'list' ? value.items.map(textOf) : [textOf(value)];
}

function textOf(value: PolicyValue): string {
  if (value.kind !== 'string') throw new Error('a text is needed');
  return value.value;
}

function booleanOf(value: PolicyValue): boolean {
  if (value.kind !== 'bool') throw new Error('true or false is needed');
  return value.value;
}

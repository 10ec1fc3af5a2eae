/**
 * The operators on values of a call, compiled once per condition: `compileOperator(op, value)` is a function from the
 * value at the condition's path (`undefined` = absent) to a judgement. The first eleven decide as Intercept's do.
 * Every one takes time linear in the value. A number that a double cannot hold throws `InexactComparison`.
 */
import { InexactNumber } from '../json.ts';
import type { JsonValue } from '../json.ts';
import type { Operator, PolicyValue } from '../policy.ts';
import { compileFind } from '../find-text.ts';
import { compileGlob } from '../glob.ts';
import { compileRegex } from '../regex.ts';
import { compileHostIn } from './host-in.ts';
import { FAILS, HOLDS, UNFIT, judged } from './judged.ts';
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
      return typeIs(textsOf(value));
    case 'eq':
      return equals(value, HOLDS, FAILS);
    case 'neq':
      return equals(value, FAILS, HOLDS);
    case 'in':
      return isIn(itemsOf(value), HOLDS, FAILS);
    case 'not_in':
      return isIn(itemsOf(value), FAILS, HOLDS);
    case 'lt':
    case 'lte':
    case 'gt':
    case 'gte':
      return compares(op, value);
    case 'contains':
      return contains(value, HOLDS, FAILS);
    case 'not_contains':
      return contains(value, FAILS, HOLDS);
    case 'max_length':
      return maxLength(value);
    case 'regex':
      return onThreeWayText(regexOf(value));
    case 'starts_with':
      return onText(anyText(value, (prefix) => (text) => text.startsWith(prefix)));
    case 'ends_with':
      return onText(anyText(value, (suffix) => (text) => text.endsWith(suffix)));
    case 'glob':
      return onText(anyText(value, compileGlob));
    case 'path_within':
      return onThreeWayText(compilePathWithin(textsOf(value)));
    case 'host_in':
      return onThreeWayText(compileHostIn(textsOf(value)));
  }
}

/**
 * What an operator says of a value that is not of its type. Absent: it does not hold, as for every operator but `exists`.
 * Null is treated as absent rather than as a wrong type: it is how many clients leave an argument out.
 */
function notOfItsType(value: JsonValue | undefined): Judged {
  if (value === undefined || value === null) return FAILS;
  if (value instanceof InexactNumber) throw new InexactComparison(value);
  return UNFIT;
}

function exists(expected: boolean): Judge {
  return (value) => judged((value !== undefined && value !== null) === expected);
}

function onText(test: (text: string) => boolean): Judge {
  return (value) => (typeof value === 'string' ? judged(test(value)) : notOfItsType(value));
}

function onThreeWayText(judge: (text: string) => Judged): Judge {
  return (value) => (typeof value === 'string' ? judge(value) : notOfItsType(value));
}

function equals(value: PolicyValue, equal: Judged, different: Judged): Judge {
  const rendering = renderPolicyValue(value);
  const number = numberOf(value);
  return (actual) => {
    if (typeof actual === 'string') return actual === rendering ? equal : different;
    if (typeof actual === 'number' && number !== null) return actual === number ? equal : different;
    if (actual === undefined) return FAILS;
    return renderJson(actual) === rendering ? equal : different;
  };
}

function isIn(items: readonly PolicyValue[], inside: Judged, outside: Judged): Judge {
  // Equality never finds NaN; a lookup would.
  const numbers = new Set(items.map(numberOf).filter((number) => number !== null && !Number.isNaN(number)));
  const renderings = new Set(items.map(renderPolicyValue));
  const renderingsOfOthers = new Set(items.filter((item) => numberOf(item) === null).map(renderPolicyValue));
  return (actual) => {
    if (typeof actual === 'string') return renderings.has(actual) ? inside : outside;
    if (actual === undefined) return FAILS;
    if (typeof actual === 'number') return numbers.has(actual) || renderingsOfOthers.has(renderJson(actual)) ? inside : outside;
    return renderings.has(renderJson(actual)) ? inside : outside;
  };
}

function compares(op: 'lt' | 'lte' | 'gt' | 'gte', value: PolicyValue): Judge {
  const bound = numberOf(value);
  if (bound === null) throw new Error(`${op} needs a number`);
  switch (op) {
    case 'lt':
      return (actual) => (typeof actual === 'number' ? judged(actual < bound) : notOfItsType(actual));
    case 'lte':
      return (actual) => (typeof actual === 'number' ? judged(actual <= bound) : notOfItsType(actual));
    case 'gt':
      return (actual) => (typeof actual === 'number' ? judged(actual > bound) : notOfItsType(actual));
    case 'gte':
      return (actual) => (typeof actual === 'number' ? judged(actual >= bound) : notOfItsType(actual));
  }
}

/** A text contains a text, a list contains an element that equals the value; nothing else contains anything, or lacks it. */
function contains(value: PolicyValue, contained: Judged, lacking: Judged): Judge {
  const find = value.kind === 'string' ? compileFind(value.value) : null;
  const equal = equals(value, HOLDS, FAILS);
  return (actual) => {
    if (typeof actual === 'string') return find === null ? UNFIT : find(actual, 0) !== -1 ? contained : lacking;
    if (actual === undefined || !isList(actual)) return notOfItsType(actual);
    // Every element is looked at, so that an inexact number is an error wherever it stands.
    return actual.filter((element) => equal(element) === HOLDS).length > 0 ? contained : lacking;
  };
}

/** Code points of a text, elements of a list. */
function maxLength(value: PolicyValue): Judge {
  const bound = numberOf(value);
  if (bound === null || Number.isNaN(bound)) throw new Error('max_length needs a number');
  return (actual) => {
    if (typeof actual === 'string') return judged(actual.length <= bound || (actual.length <= 2 * bound && countCodePoints(actual) <= bound));
    return actual !== undefined && isList(actual) ? judged(actual.length <= bound) : notOfItsType(actual);
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

function typeIs(names: readonly string[]): Judge {
  const types = names.map((name) => {
    const type = TYPES.get(name);
    if (type === undefined) throw new Error(`type: ${JSON.stringify(name)} is not one of ${[...TYPES.keys()].join(', ')}`);
    return type;
  });
  return (value) => judged(value !== undefined && types.some((type) => type(value)));
}

/** A text that would take the expression too long is not judged, so that it is denied wherever the condition stands. */
function regexOf(value: PolicyValue): (text: string) => Judged {
  const regex = compileRegex(textOf(value));
  if (!regex.ok) throw new Error(`regex: ${regex.reason}`);
  return (text) => (text.length > regex.maxLength ? UNFIT : judged(regex.test(text)));
}

/** One text, or a list of which any may match. */
function anyText(value: PolicyValue, compile: (text: string) => (actual: string) => boolean): (text: string) => boolean {
  const tests = textsOf(value).map(compile);
  const [only] = tests;
  return tests.length === 1 && only !== undefined ? only : (text) => tests.some((test) => test(text));
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

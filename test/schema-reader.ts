/**
 * Just enough of JSON Schema draft 7 to hold a policy text against the schema as an editor does. A keyword that it does
 * not know throws, so that the schema cannot come to use one that is silently ignored here.
 */
import { parseDocument } from 'yaml';
import { policySchema } from '@portcullis/policy-core';

export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };
type JsonMap = Readonly<Record<string, Json>>;

const ANNOTATIONS = new Set(['$schema', 'title', 'description', 'definitions']);

/** Where a text does not fit the policy schema; empty where it does. */
export function faultsOf(text: string): readonly string[] {
  const root = policySchema() as JsonMap;
  return check(valueOf(text), root, '$', root);
}

/** A YAML text as editors read it: YAML 1.2 with merge keys. */
export function valueOf(text: string): Json {
  return parseDocument(text, { schema: 'core', merge: true }).toJS() as Json;
}

function check(value: Json, schema: JsonMap, at: string, root: JsonMap): readonly string[] {
  return Object.entries(schema).flatMap(([keyword, argument]) => {
    if (ANNOTATIONS.has(keyword)) return [];
    const checker = CHECKERS.get(keyword);
    if (checker === undefined) throw new Error(`the schema uses ${keyword}`);
    return checker({ value, argument, schema, at, root });
  });
}

interface Asked {
  readonly value: Json;
  readonly argument: Json;
  readonly schema: JsonMap;
  readonly at: string;
  readonly root: JsonMap;
}

const CHECKERS: ReadonlyMap<string, (asked: Asked) => readonly string[]> = new Map([
  ['type', ({ value, argument, at }: Asked) => ((Array.isArray(argument) ? argument : [argument]).includes(typeOf(value)) ? [] : [`${at}: ${typeOf(value)} is not ${JSON.stringify(argument)}`])],
  ['minLength', ({ value, argument, at }: Asked) => (typeof value === 'string' && value.length < (argument as number) ? [`${at}: ${JSON.stringify(value)} is too short`] : [])],
  ['enum', ({ value, argument, at }: Asked) => ((argument as readonly Json[]).includes(value) ? [] : [`${at}: ${JSON.stringify(value)} is not one of ${JSON.stringify(argument)}`])],
  ['required', ({ value, argument, at }: Asked) => (isMap(value) ? (argument as readonly string[]).filter((key) => !Object.hasOwn(value, key)).map((key) => `${at}: ${key} is missing`) : [])],
  ['items', ({ value, argument, at, root }: Asked) => (Array.isArray(value) ? value.flatMap((item: Json, index) => check(item, argument as JsonMap, `${at}[${index}]`, root)) : [])],
  ['properties', ({ value, argument, at, root }: Asked) => (isMap(value) ? Object.entries(argument as JsonMap).flatMap(([key, schema]) => (Object.hasOwn(value, key) ? check(value[key] ?? null, schema as JsonMap, `${at}.${key}`, root) : [])) : [])],
  ['patternProperties', () => []],
  ['additionalProperties', ({ value, argument, schema, at, root }: Asked) => (isMap(value) ? otherKeys(value, schema).flatMap((key) => (argument === false ? [`${at}: ${key} is unknown`] : check(value[key] ?? null, argument as JsonMap, `${at}.${key}`, root))) : [])],
  ['anyOf', ({ value, argument, at, root }: Asked) => ((argument as readonly JsonMap[]).some((schema) => check(value, schema, at, root).length === 0) ? [] : [`${at}: fits none of several`])],
  ['allOf', ({ value, argument, at, root }: Asked) => (argument as readonly JsonMap[]).flatMap((schema) => check(value, schema, at, root))],
  ['$ref', ({ value, argument, at, root }: Asked) => check(value, definition(argument as string, root), at, root)],
]);

function otherKeys(value: JsonMap, schema: JsonMap): readonly string[] {
  const known = isMap(schema['properties'] ?? null) ? Object.keys(schema['properties'] as JsonMap) : [];
  const patterns = isMap(schema['patternProperties'] ?? null) ? Object.keys(schema['patternProperties'] as JsonMap).map((pattern) => new RegExp(pattern, 'u')) : [];
  return Object.keys(value).filter((key) => !known.includes(key) && !patterns.some((pattern) => pattern.test(key)));
}

function definition(reference: string, root: JsonMap): JsonMap {
  const found = (root['definitions'] as JsonMap)[reference.replace('#/definitions/', '')];
  if (found === undefined) throw new Error(`${reference} is not defined`);
  return found as JsonMap;
}

function typeOf(value: Json): string {
  if (value === null) return 'null';
  return Array.isArray(value) ? 'array' : typeof value;
}

function isMap(value: Json): value is JsonMap {
  return typeOf(value) === 'object';
}

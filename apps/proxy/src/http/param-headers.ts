/**
 * Arguments that a tool's schema wants repeated in headers (`x-mcp-header`, 2026-07-28): which they are, and whether the schema says it
 * in a way that the protocol allows. A client on HTTP must not offer a tool whose schema does not.
 */
import type { JsonObject, JsonValue } from '@portcullis/policy-core';
import { isObject, own } from '../relay/message.ts';

/** Which argument goes into which header, per tool, as its listed schema says. */
export interface ParamHeaders {
  /** Takes the entries of a list of tools. */
  learn(entries: readonly JsonValue[]): void;
  of(tool: string): readonly ParamHeader[];
}

export interface ParamHeader {
  /** In lower case, with its prefix. */
  readonly header: string;
  /** Keys that lead to the argument. */
  readonly path: readonly string[];
}

const PREFIX = 'mcp-param-';
const DECLARATION = 'x-mcp-header';
/** RFC 9110, section 5.6.2. */
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,128}$/;
/** A schema that nests deeper names nothing that goes into a header. */
const MAX_DEPTH = 16;
const MAX_DECLARATIONS = 64;
/** Tools remembered; of a longer list the headers are the client's own affair. */
const MAX_TOOLS = 10_000;

export function createParamHeaders(): ParamHeaders {
  const known = new Map<string, readonly ParamHeader[]>();
  return {
    learn(entries) {
      for (const entry of entries) {
        const name = isObject(entry) ? own(entry, 'name') : undefined;
        if (!isObject(entry) || typeof name !== 'string') continue;
        const declared: ParamHeader[] = [];
        gather(own(entry, 'inputSchema'), [], declared);
        known.delete(name);
        if (declared.length > 0 && known.size < MAX_TOOLS) known.set(name, declared);
      }
    },
    of: (tool) => known.get(tool) ?? [],
  };
}

function gather(schema: JsonValue | undefined, path: readonly string[], found: ParamHeader[]): void {
  const properties = isObject(schema) ? own(schema, 'properties') : undefined;
  if (!isObject(properties) || path.length >= MAX_DEPTH) return;
  for (const [key, property] of Object.entries(properties)) {
    const header = isObject(property) ? own(property, DECLARATION) : undefined;
    if (typeof header === 'string' && TOKEN.test(header) && found.length < MAX_DECLARATIONS) found.push({ header: `${PREFIX}${header.toLowerCase()}`, path: [...path, key] });
    gather(property, [...path, key], found);
  }
}

/* Faults */

/** What an argument in a header may be: its text is the same wherever it is written. */
const PRIMITIVES: ReadonlySet<unknown> = new Set(['string', 'integer', 'boolean']);
/** Schemas inside a schema that no argument is reached through by name alone. */
const INSIDE: readonly string[] = ['items', 'prefixItems', 'contains', 'additionalProperties', 'unevaluatedProperties', 'unevaluatedItems', 'propertyNames', 'oneOf', 'anyOf', 'allOf', 'not', 'if', 'then', 'else'];
/** The same, by name. */
const INSIDE_BY_NAME: readonly string[] = ['patternProperties', 'dependentSchemas', '$defs', 'definitions'];

/** Whether a listed tool declares a header in a way that the protocol does not allow. */
export function declaresHeadersWrongly(entry: JsonValue): boolean {
  return isObject(entry) && isFaulty(own(entry, 'inputSchema'), { root: true, reachable: true }, new Set(), 0);
}

function isFaulty(schema: JsonValue | undefined, at: { readonly root: boolean; readonly reachable: boolean }, names: Set<string>, depth: number): boolean {
  if (!isObject(schema) || depth > MAX_DEPTH) return false;
  if (Object.hasOwn(schema, DECLARATION) && (at.root || !at.reachable || !isAllowed(schema, names))) return true;
  const properties = own(schema, 'properties');
  const members = isObject(properties) ? Object.values(properties) : [];
  if (members.some((one) => isFaulty(one, { root: false, reachable: at.reachable }, names, depth + 1))) return true;
  const inside = [...INSIDE.flatMap((key) => listOf(own(schema, key))), ...INSIDE_BY_NAME.flatMap((key) => valuesOf(own(schema, key)))];
  return inside.some((one) => isFaulty(one, { root: false, reachable: false }, names, depth + 1));
}

function isAllowed(schema: JsonObject, names: Set<string>): boolean {
  const name = own(schema, DECLARATION);
  if (typeof name !== 'string' || !TOKEN.test(name) || !PRIMITIVES.has(own(schema, 'type')) || names.has(name.toLowerCase())) return false;
  names.add(name.toLowerCase());
  return true;
}

function listOf(value: JsonValue | undefined): readonly JsonValue[] {
  return value === undefined ? [] : Array.isArray(value) ? (value as readonly JsonValue[]) : [value];
}

function valuesOf(value: JsonValue | undefined): readonly JsonValue[] {
  return isObject(value) ? Object.values(value) : [];
}

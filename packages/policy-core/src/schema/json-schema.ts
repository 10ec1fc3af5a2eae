/** The JSON Schema for editors, generated from the key tables that the parser checks with. */
import type { JsonObject, JsonValue } from '../json.ts';
import { OWN_KEY_PREFIX } from './shape.ts';
import type { KeyTable, Shape, WordShape } from './shape.ts';
import { DOCUMENT } from './tables.ts';

/**
 * The schema of a policy file. Draft 7, which the YAML language servers of editors understand best. It knows shapes and
 * words; what only the parser can see (paths, regular expressions, counters) it lets pass.
 */
export function policySchema(): JsonObject {
  const definitions: Definitions = { names: new Map(), schemas: new Map([['text', TEXT]]) };
  const document = mapping(DOCUMENT, 'object', definitions);
  return {
    $schema: 'http://json-schema.org/draft-07/schema#',
    title: 'Portcullis policy',
    description: 'What agents may do with MCP servers',
    ...document,
    definitions: Object.fromEntries(definitions.schemas),
  };
}

/** A table is written down once, however often it is used. */
interface Definitions {
  readonly names: Map<KeyTable, string>;
  readonly schemas: Map<string, JsonObject>;
}

/** A scalar of any kind is a text to the parser, as it is written. Null is the same as leaving the key out, here and below. */
const TEXT: JsonObject = { type: ['string', 'number', 'boolean', 'null'] };

/** Left empty, a text counts as left out as well. */
const REQUIRED_TEXT: JsonObject = { type: ['string', 'number', 'boolean'], minLength: 1 };

/** What a merge key brings in: editors that know it look at the keys themselves, others let it pass. */
const MERGED: JsonObject = { type: ['object', 'array'] };

function schemaOf(shape: Shape, definitions: Definitions): JsonObject {
  switch (shape.kind) {
    case 'text':
      return { $ref: '#/definitions/text' };
    case 'word':
      return { enum: [...wordsOf(shape), '', null] };
    case 'flag':
      return { type: ['boolean', 'null'] };
    case 'number':
      return { type: ['number', 'null'] };
    case 'value':
      return {};
    case 'arguments':
      return { type: ['object', 'null'] };
    case 'list':
      return { type: ['array', 'null'], items: schemaOf(shape.of, definitions) };
    case 'texts':
      return { anyOf: [{ $ref: '#/definitions/text' }, { type: 'array', items: { $ref: '#/definitions/text' } }] };
    case 'named':
      return { type: ['object', 'null'], additionalProperties: schemaOf(shape.of, definitions) };
    case 'keys': {
      const whole = { $ref: `#/definitions/${define(shape.table, definitions)}` };
      return shape.words === undefined ? whole : { anyOf: [{ enum: [...shape.words] }, whole] };
    }
  }
}

/** What a key must hold that must not be left out. */
function requiredSchemaOf(shape: Shape, definitions: Definitions): JsonObject {
  switch (shape.kind) {
    case 'text':
      return REQUIRED_TEXT;
    case 'word':
      return { enum: [...wordsOf(shape)] };
    case 'number':
      return { type: 'number' };
    default:
      return schemaOf(shape, definitions);
  }
}

/** Numbers among the words need no quotes. */
function wordsOf({ words }: WordShape): readonly JsonValue[] {
  return [...words, ...words.filter((word) => /^\d+$/.test(word)).map(Number)];
}

/** The name under which a table is defined: how messages call it, made unique. */
function define(table: KeyTable, definitions: Definitions): string {
  const known = definitions.names.get(table);
  if (known !== undefined) return known;
  const base = table.what.replace(/^an? /, '').replaceAll(' ', '_');
  let name = base;
  for (let n = 2; definitions.schemas.has(name); n++) name = `${base}_${n}`;
  definitions.names.set(table, name);
  // The name is taken before its parts are defined.
  definitions.schemas.set(name, {});
  definitions.schemas.set(name, mapping(table, ['object', 'null'], definitions));
  return name;
}

function mapping(table: KeyTable, type: JsonValue, definitions: Definitions): JsonObject {
  const required = Object.entries(table.keys).flatMap(([key, definition]) => (definition.required === undefined ? [] : [key]));
  const properties: [string, JsonValue][] = Object.entries(table.keys).map(([key, { shape, doc, required: must }]) => [
    key,
    described(must === undefined ? schemaOf(shape, definitions) : requiredSchemaOf(shape, definitions), doc),
  ]);
  return {
    type,
    properties: Object.fromEntries(properties),
    patternProperties: { [`^${OWN_KEY_PREFIX}`]: {}, '^<<$': MERGED },
    additionalProperties: false,
    ...(required.length === 0 ? {} : { required }),
  };
}

/** Draft 7 ignores what stands beside `$ref`, so a reference is wrapped. */
function described(schema: JsonObject, description: string): JsonObject {
  return Object.hasOwn(schema, '$ref') ? { description, allOf: [schema] } : { description, ...schema };
}

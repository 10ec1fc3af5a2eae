/** The JSON Schema for editors, generated from the key tables that the parser checks with. */
import type { JsonObject, JsonValue } from '../json.ts';
import { OWN_KEY_PREFIX } from './shape.ts';
import type { KeyTable, Shape } from './shape.ts';
import { DOCUMENT } from './tables.ts';

/**
 * The schema of a policy file. Draft 7, which the YAML language servers of editors understand best. It knows shapes and
 * words; what only the parser can see (paths, regular expressions, counters) it lets pass.
 */
export function policySchema(): JsonObject {
  return {
    $schema: 'http://json-schema.org/draft-07/schema#',
    title: 'Portcullis policy',
    description: 'What agents may do with MCP servers',
    ...mapping(DOCUMENT, false),
    definitions: { text: scalar(), value: {} },
  };
}

/** A scalar of any kind is a text to the parser, as it is written. */
function scalar(): JsonObject {
  return { type: ['string', 'number', 'boolean'] };
}

function schemaOf(shape: Shape): JsonObject {
  switch (shape.kind) {
    case 'text':
      return orNull({ $ref: '#/definitions/text' });
    case 'word':
      return { enum: [...shape.words, ...shape.words.filter((word) => /^\d+$/.test(word)).map(Number), null] };
    case 'flag':
      return { type: ['boolean', 'null'] };
    case 'number':
      return { type: ['number', 'null'] };
    case 'value':
      return { $ref: '#/definitions/value' };
    case 'arguments':
      return { type: ['object', 'null'] };
    case 'list':
      return { type: ['array', 'null'], items: schemaOf(shape.of) };
    case 'texts':
      return { anyOf: [{ $ref: '#/definitions/text' }, { type: 'array', items: orNull({ $ref: '#/definitions/text' }) }, { type: 'null' }] };
    case 'named':
      return { type: ['object', 'null'], additionalProperties: schemaOf(shape.of) };
    case 'keys': {
      const whole = mapping(shape.table, true);
      return shape.words === undefined ? whole : { anyOf: [{ enum: [...shape.words] }, whole] };
    }
  }
}

function mapping(table: KeyTable, nullable: boolean): JsonObject {
  const required = Object.entries(table.keys).flatMap(([key, definition]) => (definition.required === undefined ? [] : [key]));
  const properties: [string, JsonValue][] = Object.entries(table.keys).map(([key, { shape, doc }]) => [key, described(schemaOf(shape), doc)]);
  return {
    type: nullable ? ['object', 'null'] : 'object',
    properties: Object.fromEntries(properties),
    patternProperties: { [`^${OWN_KEY_PREFIX}`]: {} },
    additionalProperties: false,
    ...(required.length === 0 ? {} : { required }),
  };
}

/** Draft 7 ignores what stands beside `$ref`, so a reference is wrapped. */
function described(schema: JsonObject, description: string): JsonObject {
  return Object.hasOwn(schema, '$ref') ? { description, allOf: [schema] } : { description, ...schema };
}

function orNull(schema: JsonObject): JsonObject {
  return { anyOf: [schema, { type: 'null' }] };
}

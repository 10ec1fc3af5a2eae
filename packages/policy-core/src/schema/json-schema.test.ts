import { expect, it } from 'vitest';
import { collectFindings } from '../parse/findings.ts';
import { conform } from '../parse/conform.ts';
import type { MapNode } from '../parse/nodes.ts';
import { OPERATORS } from '../policy.ts';
import { policySchema } from './json-schema.ts';
import type { KeyTable, Shape } from './shape.ts';
import { DOCUMENT } from './tables.ts';

/** Every key table with the path of its keys. */
function tables(table: KeyTable, path: string): readonly (readonly [string, KeyTable])[] {
  const inner = (shape: Shape, at: string): readonly (readonly [string, KeyTable])[] => {
    switch (shape.kind) {
      case 'keys':
        return tables(shape.table, at);
      case 'list':
        return inner(shape.of, `${at}.items`);
      case 'named':
        return inner(shape.of, `${at}.additionalProperties`);
      default:
        return [];
    }
  };
  return [[path, table], ...Object.entries(table.keys).flatMap(([key, { shape }]) => inner(shape, `${path}.properties.${key}`))];
}

/** Follows references and alternatives to where the keys are. */
function schemaAt(path: string): Schema {
  const root = policySchema() as Schema;
  let node = root;
  for (const key of path.split('.').filter((part) => part !== '')) {
    const next = branchesOf(node, root).map((branch) => branch[key]).find((found) => found !== undefined);
    node = next as Schema;
  }
  return branchesOf(node, root).find((branch) => branch['properties'] !== undefined) ?? {};
}

type Schema = Readonly<Record<string, unknown>>;

function branchesOf(schema: Schema, root: Schema): readonly Schema[] {
  const alternatives = [schema['anyOf'], schema['allOf']].flatMap((list) => (list ?? []) as readonly Schema[]);
  const reference = schema['$ref'] as string | undefined;
  const referred = reference === undefined ? [] : [(root['definitions'] as Record<string, Schema>)[reference.replace('#/definitions/', '')] ?? {}];
  return [schema, ...[...alternatives, ...referred].flatMap((branch) => branchesOf(branch, root))];
}

it.each(tables(DOCUMENT, ''))('says at %j what the parser says', (path, table) => {
  const schema = schemaAt(path);
  const keys = Object.keys(table.keys);
  expect(Object.keys(schema['properties'] as object)).toEqual(keys);
  expect(schema['additionalProperties']).toBe(false);
  for (const key of keys) {
    const required = ((schema['required'] as readonly string[] | undefined) ?? []).includes(key);
    const complete: MapNode = { kind: 'map', offset: 0, pairs: new Map(), own: 0 };
    const findings = collectFindings('x.yaml', '');
    conform(complete, { what: table.what, keys: Object.fromEntries(Object.entries(table.keys).filter(([name]) => name === key)) }, findings);
    expect(findings.failed, `${path}.${key}`).toBe(required);
  }
});

it('is plain JSON, explains every key, and lists every operator', () => {
  const schema = policySchema();
  expect(JSON.parse(JSON.stringify(schema))).toEqual(schema);
  for (const [path, table] of tables(DOCUMENT, '')) for (const { doc } of Object.values(table.keys)) expect(doc.length, path).toBeGreaterThan(3);
  for (const operator of OPERATORS) expect(JSON.stringify(schema)).toContain(`"${operator}"`);
});

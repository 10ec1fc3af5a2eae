/**
 * Holds a tree against the key tables: kinds, unknown and missing keys, words of closed lists. What it lets pass has
 * the shape that the readers of the meaning expect; what it reports they skip.
 */
import { quote } from '../problem.ts';
import { OWN_KEY_PREFIX } from '../schema/shape.ts';
import type { KeyDefinition, KeyTable, Shape, WordShape } from '../schema/shape.ts';
import { nearest } from '../suggestion.ts';
import type { Findings } from './findings.ts';
import { child, isNull, textOf } from './nodes.ts';
import type { MapNode, Node, Pair, ScalarNode } from './nodes.ts';
import { resolveScalar } from './scalar.ts';

/** Keys that are missing because they are misspelt: the misspelling is the one thing to report. Per mapping. */
export type Misspelt = ReadonlyMap<MapNode, ReadonlySet<string>>;

/** Reports everything about a mapping that its table does not allow. */
export function conform(node: MapNode, table: KeyTable, findings: Findings): Misspelt {
  const misspelt = new Map<MapNode, ReadonlySet<string>>();
  conformKeys(node, table, { findings, misspelt });
  return misspelt;
}

interface Checking {
  readonly findings: Findings;
  readonly misspelt: Map<MapNode, ReadonlySet<string>>;
}

function conformKeys(node: MapNode, table: KeyTable, checking: Checking): void {
  let meant: Set<string> | null = null;
  for (const [key, pair] of node.pairs) {
    const definition = Object.hasOwn(table.keys, key) ? table.keys[key] : undefined;
    if (definition !== undefined) {
      if (!isNull(pair.value)) conformNode(pair.value, definition.shape, key, checking);
    } else if (!key.startsWith(OWN_KEY_PREFIX)) {
      const suggestion = reportUnknownKey(pair.key, table, node, checking.findings);
      if (suggestion !== null) (meant ??= new Set()).add(suggestion);
    }
  }
  if (meant !== null) checking.misspelt.set(node, meant);
  for (const [key, { required, shape }] of requiredKeys(table)) {
    if (required === undefined || meant?.has(key) === true) continue;
    const empty = shape.kind === 'text' || shape.kind === 'word' ? isEmptyText(node, key) : child(node, key) === null;
    if (empty) checking.findings.error(required.code, node.pairs.get(key)?.key.offset ?? node.offset, required.say);
  }
}

/** The required keys of each table, found once. */
const REQUIRED = new WeakMap<KeyTable, readonly (readonly [string, KeyDefinition])[]>();

function requiredKeys(table: KeyTable): readonly (readonly [string, KeyDefinition])[] {
  const known = REQUIRED.get(table);
  if (known !== undefined) return known;
  const found = Object.entries(table.keys).filter(([, { required }]) => required !== undefined);
  REQUIRED.set(table, found);
  return found;
}

function isEmptyText(node: MapNode, key: string): boolean {
  const value = child(node, key);
  return value === null || (value.kind === 'scalar' && textOf(node, key) === null);
}

/** Returns the key that was meant, where that is clear and the mapping does not have it. */
function reportUnknownKey(key: ScalarNode, table: KeyTable, node: MapNode, findings: Findings): string | null {
  const names = Object.keys(table.keys);
  const synonym = names.find((name) => table.keys[name]?.mistaken?.includes(key.text.toLowerCase()) === true);
  const suggestion = synonym ?? nearest(key.text, names);
  const known = names.map((name) => `\`${name}\``).join(', ');
  const advice = suggestion === null ? `${table.what} may have ${known} (and keys of your own that begin with \`${OWN_KEY_PREFIX}\`)` : `did you mean \`${suggestion}\`?`;
  findings.error('UNKNOWN_KEY', key.offset, `unknown key ${quote(key.text)} in ${table.what}: ${advice}`);
  return suggestion !== null && !node.pairs.has(suggestion) ? suggestion : null;
}

function conformNode(node: Node, shape: Shape, key: string, checking: Checking): void {
  switch (shape.kind) {
    case 'value':
      return;
    case 'text':
      if (node.kind !== 'scalar') wrongKind(node, key, 'a text', checking);
      return;
    case 'word':
      conformWord(node, shape, key, checking);
      return;
    case 'flag':
      if (node.kind !== 'scalar' || valueKind(node) !== 'bool') wrongKind(node, key, '`true` or `false`', checking);
      return;
    case 'number':
      if (node.kind !== 'scalar' || !['int', 'float', 'uint'].includes(valueKind(node))) wrongKind(node, key, 'a number (without quotes)', checking);
      return;
    case 'arguments':
      if (node.kind !== 'map') wrongKind(node, key, 'a mapping from argument names to values', checking);
      return;
    case 'texts':
      if (node.kind === 'map') wrongKind(node, key, 'a text or a list of texts', checking);
      if (node.kind === 'list') conformItems(node.items, { kind: 'text' }, key, checking);
      return;
    case 'list':
      if (node.kind !== 'list') wrongKind(node, key, 'a list', checking);
      else conformItems(node.items, shape.of, key, checking);
      return;
    case 'named':
      if (node.kind !== 'map') wrongKind(node, key, 'a mapping from names', checking);
      else for (const [name, pair] of node.pairs) conformNamed(name, pair, shape.of, checking);
      return;
    case 'keys':
      if (node.kind === 'map') conformKeys(node, shape.table, checking);
      else if (node.kind !== 'scalar' || shape.words?.includes(node.text) !== true) wrongKind(node, key, mappingOr(shape.table, shape.words ?? []), checking);
  }
}

function conformNamed(name: string, pair: Pair, shape: Shape, checking: Checking): void {
  if (!isNull(pair.value)) conformNode(pair.value, shape, name, checking);
}

function conformItems(items: readonly Node[], shape: Shape, key: string, checking: Checking): void {
  for (const item of items) {
    if (isNull(item)) checking.findings.warn('TYPE', item.offset, `an empty item of ${quote(key)} is ignored: remove it, or say what it should be`);
    else conformNode(item, shape, `${key}[]`, checking);
  }
}

function conformWord(node: Node, shape: WordShape, key: string, checking: Checking): void {
  const known = shape.words.map((word) => `\`${word}\``).join(shape.words.length === 2 ? ' or ' : ', ');
  if (node.kind !== 'scalar') {
    wrongKind(node, key, shape.words.length > 1 ? `one of ${known}` : known, checking);
    return;
  }
  if (node.text === '' || shape.words.includes(node.text)) return;
  const synonym = shape.mistaken !== undefined && Object.hasOwn(shape.mistaken, node.text.toLowerCase()) ? shape.mistaken[node.text.toLowerCase()] : undefined;
  const suggestion = synonym ?? nearest(node.text, shape.words);
  const advice = suggestion === null || shape.words.length === 1 ? '' : `, did you mean \`${suggestion}\`?`;
  checking.findings.error(shape.code, node.offset, `${quote(key)} must be ${shape.words.length > 2 ? 'one of ' : ''}${known}, not ${quote(node.text)}${advice}`);
}

function wrongKind(node: Node, key: string, wanted: string, { findings }: Checking): void {
  const found = node.kind === 'scalar' ? quote(node.text) : `a ${node.kind === 'map' ? 'mapping' : 'list'}`;
  findings.error('TYPE', node.offset, `${quote(key)} must be ${wanted}, not ${found}`);
}

function mappingOr(table: KeyTable, words: readonly string[]): string {
  const keys = Object.keys(table.keys).map((name) => `\`${name}\``).join(', ');
  return `a mapping with ${keys}${words.map((word) => `, or \`${word}\``).join('')}`;
}

function valueKind(node: ScalarNode): string {
  return resolveScalar(node.text, node.plain, node.tag)?.kind ?? 'string';
}

/** The composed document -> our tree: aliases shared, merge keys applied, keys unique, tags known, size bounded. */
import { isAlias, isMap, isScalar } from 'yaml';
import type { Alias, Document, ParsedNode, Scalar, YAMLMap } from 'yaml';
import { quote } from '../problem.ts';
import { checkAliasing } from './aliasing.ts';
import type { Findings } from './findings.ts';
import type { ListNode, MapNode, Node, Pair, ScalarNode } from './nodes.ts';
import { SCALAR_TAGS, resolveScalar } from './scalar.ts';
import type { ScalarTag } from './scalar.ts';

/** Nodes of a document after its aliases are followed. A policy with ten thousand rules has fewer. */
export const MAX_NODES = 300_000;

/** Collections in collections. Policies need a dozen; a reader that recurses survives this many on any stack. */
export const MAX_DEPTH = 64;

/** A node that is still being built: an alias to it would make it contain itself. */
const UNFINISHED = Symbol('unfinished');

interface Building {
  readonly text: string;
  readonly findings: Findings;
  /** The latest node of each anchor, as aliases after it see it. */
  readonly anchors: Map<string, Node | typeof UNFINISHED>;
  /** The same as they were written, and what each alias found there. */
  readonly anchored: Map<string, ParsedNode>;
  readonly targets: Map<Alias.Parsed, ParsedNode>;
  /** Nodes as written, and aliases among them. */
  nodes: number;
  aliases: number;
  /** An alias or a merge brings in nothing, itself, or too much: what is missing for that is not to be told. */
  lost: boolean;
  /** Pairs that merge keys brought in, over all mappings: a short text can ask for very many. */
  merged: number;
}

/**
 * Builds the tree, or returns null after reporting why there is none. `text` is what the document was composed from. There is one without the keys, tags
 * and merges that are reported; not where an alias means nothing, nor where there is too much of it.
 */
export function buildTree(document: Document.Parsed, text: string, findings: Findings): { readonly root: Node | null } | null {
  if (document.contents === null) return { root: null };
  const building: Building = { text, findings, anchors: new Map(), anchored: new Map(), targets: new Map(), nodes: 0, aliases: 0, lost: false, merged: 0 };
  const root = build(document.contents, building);
  if (building.lost || !isBounded(root, building)) return null;
  return building.aliases > 0 && !checkAliasing(document.contents, building.targets, findings) ? null : { root };
}

/** Without aliases the nodes were counted and the depth was bounded while the text was read; with them both can explode. */
function isBounded(root: Node, { nodes, aliases, findings }: Building): boolean {
  const size = measure(root, new Map());
  if (size.depth > MAX_DEPTH) findings.error('YAML_TOO_DEEP', root.offset, `collections are nested deeper than ${MAX_DEPTH} levels`);
  if (nodes > MAX_NODES) findings.error('YAML_TOO_LARGE', root.offset, `the document has more than ${MAX_NODES} values: split it into several policies`);
  else if (aliases > 0 && size.nodes > MAX_NODES) findings.error('YAML_ALIAS', root.offset, `the document has more than ${MAX_NODES} values after its aliases are followed: write less by alias, or split the policy`);
  return size.depth <= MAX_DEPTH && nodes <= MAX_NODES && (aliases === 0 || size.nodes <= MAX_NODES);
}

/** Size and depth with aliases followed. */
interface Measure {
  readonly nodes: number;
  readonly depth: number;
}

/** What an alias refers to was measured before, because it stands before it, so this recurses no deeper than the text is nested. */
function measure(node: Node, measured: Map<Node, Measure>): Measure {
  if (node.kind === 'scalar') return LEAF;
  const known = measured.get(node);
  if (known !== undefined) return known;
  let nodes = 1;
  let depth = 0;
  const add = (part: Node): void => {
    const size = measure(part, measured);
    nodes += size.nodes;
    depth = Math.max(depth, size.depth);
  };
  if (node.kind === 'list') node.items.forEach(add);
  else {
    nodes += node.pairs.size;
    for (const { value } of node.pairs.values()) add(value);
  }
  const size = { nodes, depth: depth + 1 };
  measured.set(node, size);
  return size;
}

const LEAF: Measure = { nodes: 1, depth: 0 };

function build(source: ParsedNode, building: Building): Node {
  building.nodes++;
  if (isAlias(source)) return followAlias(source, building);
  const anchor = source.anchor;
  if (anchor !== undefined) {
    checkAnchor(anchor, source.range[0], building);
    building.anchors.set(anchor, UNFINISHED);
    building.anchored.set(anchor, source);
  }
  const node = isScalar(source) ? buildScalar(source, building) : isMap(source) ? buildMap(source, building) : buildList(source, building);
  if (anchor !== undefined) building.anchors.set(anchor, node);
  return node;
}

function followAlias(alias: Alias.Parsed, building: Building): Node {
  const [offset] = alias.range;
  building.aliases++;
  checkAnchor(alias.source, offset, building);
  const target = building.anchors.get(alias.source);
  const written = building.anchored.get(alias.source);
  if (written !== undefined) building.targets.set(alias, written);
  if (target !== undefined && target !== UNFINISHED) return target;
  const why = target === UNFINISHED ? 'stands inside what it refers to' : 'refers to nothing: no anchor of that name stands before it';
  building.lost = true;
  building.findings.error('YAML_ALIAS', offset, `the alias ${quote(alias.source)} ${why}`);
  return emptyAt(offset);
}

/** yaml.v3 knows no other names; where a name would end differently, an alias would mean something else. */
function checkAnchor(name: string, offset: number, { findings }: Building): void {
  if (!/^[0-9A-Za-z_-]+$/.test(name)) findings.error('YAML_ALIAS', offset, `the anchor name ${quote(name)} may only have letters, digits, \`_\` and \`-\``);
}

function buildScalar(source: Scalar.Parsed, building: Building): ScalarNode {
  const [offset, end] = source.range;
  const node: ScalarNode = { kind: 'scalar', text: scalarText(source, building.text), plain: source.type === 'PLAIN', tag: scalarTag(source, building), offset };
  if (node.tag !== null && resolveScalar(node.text, node.plain, node.tag) === null) {
    building.findings.error('YAML_TAG', offset, `${quote(node.text)} is no !!${node.tag}`);
  }
  if (source.type === 'QUOTE_DOUBLE' && /\\u[dD][89a-fA-F]/.test(building.text.slice(offset, end)) && hasSurrogateEscape(building.text.slice(offset, end))) {
    building.findings.error('YAML_SYNTAX', offset, 'an escape names half a character (a surrogate): write the character itself, or \\U and eight digits');
  }
  return node;
}

/** Where a block ends with the file and not with a line, libyaml gives it no line end, and the library one. */
function scalarText(source: Scalar.Parsed, text: string): string {
  const block = source.type === 'BLOCK_LITERAL' || source.type === 'BLOCK_FOLDED';
  const cutOff = block && source.range[1] >= text.length && !text.endsWith('\n') && source.source.endsWith('\n');
  return cutOff ? source.source.slice(0, -1) : source.source;
}

/** Escapes read in pairs, so that `\\ud800` (a backslash, then letters) is left alone. */
function hasSurrogateEscape(quoted: string): boolean {
  return [...quoted.matchAll(/\\(u[0-9a-fA-F]{4}|.)/gs)].some(([, escape]) => /^u[dD][89a-fA-F]/.test(escape ?? ''));
}

function scalarTag(source: Scalar.Parsed, building: Building): ScalarTag | null {
  if (source.tag === undefined) return null;
  const tag = SCALAR_TAGS.find((known) => source.tag === `tag:yaml.org,2002:${known}`);
  if (tag === undefined) refuseTag(source.tag, source.range[0], building);
  return tag ?? null;
}

function refuseTag(tag: string, offset: number, { findings }: Building): void {
  findings.error('YAML_TAG', offset, `the tag ${quote(tag)} means nothing in a policy: remove it (known are ${SCALAR_TAGS.map((known) => `!!${known}`).join(' ')})`);
}

function buildList(source: Extract<ParsedNode, { items: ParsedNode[] }>, building: Building): ListNode {
  checkCollectionTag(source, building);
  const items = source.items.map((item) => build(item, building));
  return { kind: 'list', items, offset: source.range[0] };
}

function checkCollectionTag(source: { tag?: string | undefined; range: readonly [number, number, number] }, building: Building): void {
  const { tag } = source;
  if (tag !== undefined && tag !== 'tag:yaml.org,2002:map' && tag !== 'tag:yaml.org,2002:seq') refuseTag(tag, source.range[0], building);
}

function buildMap(source: YAMLMap.Parsed, building: Building): MapNode {
  checkCollectionTag(source, building);
  const pairs = new Map<string, Pair>();
  const merges: { readonly value: Node; readonly written: ParsedNode | null; readonly offset: number }[] = [];
  for (const item of source.items) {
    const key = build(item.key, building);
    const value = item.value === null ? emptyAt(item.key.range[1]) : build(item.value, building);
    if (key.kind !== 'scalar') {
      building.findings.error('TYPE', key.offset, `a key must be a text, not a ${key.kind}`);
      continue;
    }
    const isMerge = key.text === '<<' && key.plain && key.tag === null;
    const first = isMerge ? merges[0]?.offset : pairs.get(key.text)?.key.offset;
    if (first !== undefined) {
      building.findings.error('YAML_DUPLICATE_KEY', key.offset, `the key ${quote(key.text)} stands twice in one mapping, first in line ${building.findings.at(first).line}: keep one`);
    } else if (isMerge) merges.push({ value, written: item.value, offset: key.offset });
    else if (isEmptyKey(key)) building.findings.error('TYPE', key.offset, 'a key is missing before the colon');
    else pairs.set(key.text, { key, value });
  }
  const own = pairs.size;
  const ownKeys = new Set(merges.length === 0 ? [] : pairs.keys());
  for (const merge of merges) applyMerge(pairs, ownKeys, merge, building);
  return { kind: 'map', pairs, own, offset: source.range[0] };
}

function isEmptyKey(key: ScalarNode): boolean {
  return key.plain && resolveScalar(key.text, true, key.tag)?.kind === 'null';
}

function isText(key: ScalarNode): boolean {
  return resolveScalar(key.text, key.plain, key.tag)?.kind === 'string';
}

function emptyAt(offset: number): ScalarNode {
  return { kind: 'scalar', text: '', plain: true, tag: null, offset };
}

/** Explicit keys beat merged ones, earlier mappings of a list beat later ones. An alias to a list is refused, as yaml.v3 does. */
function applyMerge(pairs: Map<string, Pair>, ownKeys: ReadonlySet<string>, merge: { readonly value: Node; readonly written: ParsedNode | null; readonly offset: number }, building: Building): void {
  const sources = merge.value.kind === 'list' && !isAlias(merge.written) ? merge.value.items : [merge.value];
  for (const source of sources) {
    if (source.kind !== 'map') {
      building.lost = true;
      building.findings.error('YAML_MERGE', merge.offset, 'a merge key (`<<`) needs a mapping, or a list of mappings');
      continue;
    }
    building.merged += source.pairs.size;
    if (building.merged > MAX_NODES) {
      building.lost = true;
      building.findings.error('YAML_ALIAS', merge.offset, `merge keys bring in more than ${MAX_NODES} values: write rules out, or split the policy`);
      return;
    }
    for (const [name, pair] of source.pairs) {
      const before = pairs.get(name);
      if (before === undefined) pairs.set(name, pair);
      else if (ownKeys.has(name) && !isText(before.key)) {
        building.findings.error('YAML_MERGE', before.key.offset, `the key ${quote(name)} is merged in as well, and readers disagree about which of the two counts where a key is no text: put it in quotes`);
      }
    }
  }
}

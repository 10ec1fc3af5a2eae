/**
 * The tree of a policy text, as the rest of the parser reads it: scalars, lists and maps with their places. Aliases are
 * resolved (shared, not copied) and merge keys applied, so nothing behind this file knows that YAML has them.
 */
import type { PolicyValue } from '../policy.ts';
import { printedPairs } from './mapping.ts';
import type { ScalarTag } from './scalar.ts';
import { resolveScalar } from './scalar.ts';

export type Node = ScalarNode | ListNode | MapNode;

export interface ScalarNode {
  readonly kind: 'scalar';
  /** Escapes and folding resolved, nothing else: what Go hands to a field of type string. */
  readonly text: string;
  readonly plain: boolean;
  readonly tag: ScalarTag | null;
  readonly offset: number;
}

export interface ListNode {
  readonly kind: 'list';
  readonly items: readonly Node[];
  readonly offset: number;
}

export interface MapNode {
  readonly kind: 'map';
  /** In file order; what a merge key brought in comes last. Keys are unique. */
  readonly pairs: ReadonlyMap<string, Pair>;
  /** How many of the pairs, the first, stand in the mapping itself. */
  readonly own: number;
  readonly offset: number;
}

export interface Pair {
  readonly key: ScalarNode;
  readonly value: Node;
}

/** `key:` without a value, `~` and `null`: everywhere the same as leaving the key out, as with Intercept. */
export function isNull(node: Node): boolean {
  return node.kind === 'scalar' && node.tag !== 'str' && (node.plain || node.tag !== null) && resolveScalar(node.text, node.plain, node.tag)?.kind === 'null';
}

/** Whether a text is empty or white space alone. To Go, U+0085 is white space and U+FEFF is not; to JavaScript's trim it is the other way round. */
export function isBlank(text: string): boolean {
  return /^\p{White_Space}*$/u.test(text);
}

/** The value under a key, or null where it is left out. */
export function child(map: MapNode, key: string): Node | null {
  const value = map.pairs.get(key)?.value;
  return value === undefined || isNull(value) ? null : value;
}

/** The text under a key as written, or null where it is left out, empty, or no scalar. */
export function textOf(map: MapNode, key: string): string | null {
  const value = child(map, key);
  return value?.kind === 'scalar' && value.text !== '' ? value.text : null;
}

/** The text under a key if it is one of the words, or null. */
export function wordOf<Word extends string>(map: MapNode, key: string, words: readonly Word[]): Word | null {
  const text = textOf(map, key);
  return words.find((word) => word === text) ?? null;
}

/** The items of the list under a key that are not null (Go drops those); empty where there is no list. */
export function itemsOf(map: MapNode, key: string): readonly Node[] {
  const value = child(map, key);
  return value?.kind === 'list' ? value.items.filter((item) => !isNull(item)) : [];
}

/** The place of a key, or of the whole map where the key is left out. */
export function placeOf(map: MapNode, key: string): number {
  return map.pairs.get(key)?.key.offset ?? map.offset;
}

/** A node as a value. Tags have been checked when the tree was built, and mappings whose order nobody knows are refused (comparands.ts). */
export function valueOf(node: Node): PolicyValue {
  switch (node.kind) {
    case 'scalar':
      return resolveScalar(node.text, node.plain, node.tag) ?? { kind: 'string', value: node.text };
    case 'list':
      return { kind: 'list', items: node.items.map(valueOf) };
    case 'map':
      return { kind: 'map', entries: (printedPairs(node) ?? []).map(([key, value]) => [key, valueOf(value)] as const) };
  }
}

/** The place of the value under a key, or of the key where the value is left out, or of the whole map. */
export function valuePlaceOf(map: MapNode, key: string): number {
  return child(map, key)?.offset ?? placeOf(map, key);
}

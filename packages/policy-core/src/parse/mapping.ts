/**
 * A mapping that arguments are compared with, as Go holds and prints it. Where all of its own keys are texts, its keys
 * are texts; else each key is what it resolves to (`0x10` is 16), and Go prints and sorts keys by value.
 */
import { compareBytes } from '../evaluate/order.ts';
import { numberOf, renderPolicyValue } from '../evaluate/values.ts';
import type { MapNode, Node, Pair, ScalarNode } from './nodes.ts';
import { resolveScalar } from './scalar.ts';
import type { ScalarValue } from './scalar.ts';

/** Each key as Go prints it with its value, in the order in which Go prints them; null where nobody can tell that order. */
export function printedPairs(map: MapNode): readonly (readonly [key: string, value: Node])[] | null {
  const pairs = [...map.pairs.values()];
  if (pairs.slice(0, map.own).every(({ key }) => keyValue(key).kind === 'string')) {
    return pairs.map(({ key, value }) => [key.text, value] as const).sort(([a], [b]) => compareBytes(a, b));
  }
  const typed = typedPairs(pairs, map.own);
  const [first] = typed;
  if (first === undefined || typed.some(({ key }) => key.kind !== first.key.kind)) return null;
  // Of two keys that are not a number, or are dates, Go's order is that of its memory.
  if (typed.length > 1 && typed.some(({ key }) => key.kind === 'timestamp' || key.value === 'NaN')) return null;
  return typed.sort((a, b) => compareKeys(a.key, b.key)).map(({ key, value }) => [renderPolicyValue(key), value] as const);
}

/** What a key resolves to where a mapping keeps the types of its keys. */
export function keyValue(key: ScalarNode): Key {
  const value = resolveScalar(key.text, key.plain, key.tag);
  // The tree has no keys that are null.
  return value === null || value.kind === 'null' ? { kind: 'string', value: key.text } : value;
}

type Key = Exclude<ScalarValue, { kind: 'null' }>;

interface TypedPair {
  readonly key: Key;
  readonly value: Node;
}

/** Keys that are spelled differently may be one. Of the mapping's own the last one counts, of merged ones the first. */
function typedPairs(pairs: readonly Pair[], own: number): TypedPair[] {
  const typed = new Map<string, TypedPair>();
  for (const [index, pair] of pairs.entries()) {
    const key = keyValue(pair.key);
    // What is not a number equals nothing, itself included.
    const identity = key.value === 'NaN' ? pair.key.text : `${key.kind}:${key.value === '-0' ? '0' : String(key.value)}`;
    if (index < own || !typed.has(identity)) typed.set(identity, { key, value: pair.value });
  }
  return [...typed.values()];
}

/** Of two keys of one kind that differ. */
function compareKeys(a: Key, b: Key): number {
  switch (a.kind) {
    case 'bool':
      return a.value ? 1 : -1;
    case 'float':
      return (numberOf(a) ?? 0) < (numberOf(b) ?? 0) ? -1 : 1;
    case 'int':
    case 'uint':
      return BigInt(a.value) < BigInt(b.value) ? -1 : 1;
    case 'string':
    case 'timestamp':
      return compareBytes(a.value, String(b.value));
  }
}

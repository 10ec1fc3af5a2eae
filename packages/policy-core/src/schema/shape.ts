/**
 * How a policy text is shaped, as data. The parser checks texts against these definitions and the JSON Schema for
 * editors is generated from them, so the two cannot differ.
 */
import type { ProblemCode } from '../problem.ts';

export type Shape =
  /** A scalar, taken as written. */
  | { readonly kind: 'text' }
  /** One of a few words; left empty it counts as left out. */
  | WordShape
  | { readonly kind: 'flag' }
  | { readonly kind: 'number' }
  /** Anything: what arguments are compared with. */
  | { readonly kind: 'value' }
  /** A mapping whose values may be anything. */
  | { readonly kind: 'arguments' }
  | { readonly kind: 'list'; readonly of: Shape }
  /** A text, or a list of texts. */
  | { readonly kind: 'texts' }
  /** A mapping from names of the author's choosing. */
  | { readonly kind: 'named'; readonly of: Shape }
  /** A mapping with known keys; `words` may stand for the whole mapping. */
  | { readonly kind: 'keys'; readonly table: KeyTable; readonly words?: readonly string[] };

export interface WordShape {
  readonly kind: 'word';
  readonly words: readonly string[];
  readonly code: ProblemCode;
  /** What people write instead, and what to tell them. */
  readonly mistaken?: Readonly<Record<string, string>>;
}

/** What a mapping may hold. */
export interface KeyTable {
  /** How messages call the mapping: `a rule`. */
  readonly what: string;
  readonly keys: Readonly<Record<string, KeyDefinition>>;
}

export interface KeyDefinition {
  readonly shape: Shape;
  /** One sentence for the editor. */
  readonly doc: string;
  /** The problem of leaving the key out. */
  readonly required?: { readonly code: ProblemCode; readonly say: string };
  /** Words of other languages that mean this key. */
  readonly mistaken?: readonly string[];
}

/** Keys that begin so are the author's own (a place for anchors and notes) and mean nothing here, at every level with known keys. */
export const OWN_KEY_PREFIX = 'x-';

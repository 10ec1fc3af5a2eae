/**
 * How much of a document stands behind aliases. Go's yaml.v3 counts the values that it decodes, and refuses a text of
 * which aliases make nearly everything; Intercept therefore refuses such policies, and so does this. The count depends
 * on what a decoder looks at: Intercept decodes the keys that it knows, and of all others only the name.
 */
import { isAlias, isMap, isScalar } from 'yaml';
import type { Alias, ParsedNode, Scalar, YAMLMap } from 'yaml';
import type { Findings } from './findings.ts';
import { SCALAR_TAGS, resolveScalar } from './scalar.ts';

/** What each alias refers to. */
export type AliasTargets = ReadonlyMap<Alias.Parsed, ParsedNode>;

/** Below both numbers yaml.v3 does not ask for the share. */
const FEW_ALIASED = 100;
const FEW_DECODED = 1000;

/** The share that aliases may make of a document up to the first size and from the second on; it falls evenly between them. */
const LARGEST_SHARE = 0.99;
const SMALLEST_SHARE = 0.1;
const SMALL_DOCUMENT = 400_000;
const LARGE_DOCUMENT = 4_000_000;

/** Merge keys chain mappings without nesting them; a policy chains two or three, and this recursion survives as many on any stack. */
const MAX_CHAIN = 500;

/** What a node is decoded into: null looks at nothing below it. */
type Wanted = null | 'any' | { readonly items: Wanted } | Receiver;

/** What takes a mapping. */
interface Receiver {
  /** What the value of a key is decoded into; undefined = it is not looked at. */
  readonly under: (key: string) => Wanted | undefined;
  /** Whether keys keep their types, or are texts. */
  readonly typed: boolean;
}

const STATE = known({ counter: null, window: null, increment: null, increment_from: null });
const CONDITION = known({ path: null, op: null, value: 'any' });
const RULE = known({ name: null, action: null, rate_limit: null, conditions: { items: CONDITION }, on_deny: null, state: STATE });
const TOOL = known({ rules: { items: RULE } });
const DOCUMENT = known({ version: null, description: null, default: null, hide: { items: null }, tools: { under: () => TOOL, typed: false } });

function known(keys: Readonly<Record<string, Wanted>>): Receiver {
  return { under: (key) => (Object.hasOwn(keys, key) ? keys[key] : undefined), typed: false };
}

interface Counting {
  readonly targets: AliasTargets;
  readonly findings: Findings;
  decoded: number;
  /** Of these, how many behind an alias. */
  aliased: number;
  aliasesAbove: number;
  chain: number;
}

/** Reports a document that yaml.v3 would not decode for Intercept, and returns whether it would. No alias may contain itself. The count ends the work: what is not aliased is bounded by the text. */
export function checkAliasing(root: ParsedNode, targets: AliasTargets, findings: Findings): boolean {
  // The document itself counts for one.
  return decode(root, DOCUMENT, null, { targets, findings, decoded: 1, aliased: 0, aliasesAbove: 0, chain: 0 });
}

/** Counts a node and what is decoded below it. `merged` are the keys that a merge has seen. Returns false where there is nothing more to find out. */
function decode(node: ParsedNode, wanted: Wanted, merged: Set<string> | null, counting: Counting): boolean {
  counting.decoded++;
  if (counting.aliasesAbove > 0) counting.aliased++;
  if (isExcessive(counting)) {
    counting.findings.error('YAML_ALIAS', node.range[0], 'aliases make more than 99 % of this document, which is taken for an attack: write some of it out, or use globs or `*` instead of an entry for each tool');
    return false;
  }
  if (counting.chain >= MAX_CHAIN) {
    counting.findings.error('YAML_ALIAS', node.range[0], `merge keys and aliases are chained over more than ${MAX_CHAIN} steps: write some of it out`);
    return false;
  }
  counting.chain++;
  const goOn = decodeParts(node, wanted, merged, counting);
  counting.chain--;
  return goOn;
}

function isExcessive({ decoded, aliased }: Counting): boolean {
  if (aliased <= FEW_ALIASED || decoded <= FEW_DECODED) return false;
  const beyond = Math.min(1, Math.max(0, (decoded - SMALL_DOCUMENT) / (LARGE_DOCUMENT - SMALL_DOCUMENT)));
  return aliased / decoded > LARGEST_SHARE - (LARGEST_SHARE - SMALLEST_SHARE) * beyond;
}

function decodeParts(node: ParsedNode, wanted: Wanted, merged: Set<string> | null, counting: Counting): boolean {
  if (isAlias(node)) {
    const target = counting.targets.get(node);
    if (target === undefined) return true;
    counting.aliasesAbove++;
    const goOn = decode(target, wanted, merged, counting);
    counting.aliasesAbove--;
    return goOn;
  }
  if (isScalar(node) || wanted === null) return true;
  if (isMap(node)) {
    if (wanted === 'any') return decodeMap(node, { under: () => 'any', typed: hasOtherKeys(node, counting) }, merged, counting);
    return !('under' in wanted) || decodeMap(node, wanted, merged, counting);
  }
  const item = wanted === 'any' ? wanted : 'items' in wanted ? wanted.items : undefined;
  return item === undefined || node.items.every((part) => decode(part, item, null, counting));
}

function decodeMap(node: YAMLMap.Parsed, receiver: Receiver, merged: Set<string> | null, counting: Counting): boolean {
  let merge: ParsedNode | null = null;
  for (const { key, value } of node.items) {
    if (isMergeKey(key)) {
      merge = value;
      continue;
    }
    if (!decode(key, null, null, counting)) return false;
    const identity = identityOf(key, receiver.typed, counting);
    if (merged?.has(identity) === true) continue;
    merged?.add(identity);
    const wanted = receiver.under(scalarOf(key, counting)?.source ?? '');
    if (wanted !== undefined && !decodeValue(value, wanted, counting)) return false;
  }
  return merge === null || decodeMerge(node, merge, receiver, merged, counting);
}

function decodeValue(value: ParsedNode | null, wanted: Wanted, counting: Counting): boolean {
  if (value !== null) return decode(value, wanted, null, counting);
  // What is left out is an empty scalar.
  counting.decoded++;
  if (counting.aliasesAbove > 0) counting.aliased++;
  return true;
}

/** yaml.v3 decodes the keys of the outermost mapping a second time, to know which ones beat merged ones. */
function decodeMerge(parent: YAMLMap.Parsed, merge: ParsedNode, receiver: Receiver, merged: Set<string> | null, counting: Counting): boolean {
  const seen = merged ?? new Set<string>();
  if (merged === null) {
    for (const { key } of parent.items) {
      if (!decode(key, null, null, counting)) return false;
      seen.add(identityOf(key, true, counting));
    }
  }
  const sources = isAlias(merge) || isScalar(merge) || isMap(merge) ? [merge] : merge.items;
  // A merged mapping is decoded into what the mapping that merges it is decoded into.
  return sources.every((source) => decode(source, receiver, seen, counting));
}

function isMergeKey(key: ParsedNode): boolean {
  return isScalar(key) && key.source === '<<' && key.type === 'PLAIN' && key.tag === undefined;
}

/** Whether any key of a mapping is no text, so that all of them keep their types. */
function hasOtherKeys(node: YAMLMap.Parsed, counting: Counting): boolean {
  return node.items.some(({ key }) => !isMergeKey(key) && !identityOf(key, true, counting).startsWith('string:'));
}

function identityOf(key: ParsedNode, typed: boolean, counting: Counting): string {
  const scalar = scalarOf(key, counting);
  if (scalar === null || !typed) return `string:${scalar?.source ?? ''}`;
  const tag = SCALAR_TAGS.find((known) => scalar.tag === `tag:yaml.org,2002:${known}`) ?? null;
  const value = resolveScalar(scalar.source, scalar.type === 'PLAIN', tag) ?? { kind: 'string', value: scalar.source };
  return `${value.kind}:${value.kind === 'null' ? '' : String(value.value)}`;
}

function scalarOf(key: ParsedNode, counting: Counting): Scalar.Parsed | null {
  const node = isAlias(key) ? counting.targets.get(key) : key;
  return node !== undefined && isScalar(node) ? node : null;
}

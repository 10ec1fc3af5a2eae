/**
 * Lists on their way back: entries that the policy does not show are cut out of the bytes, and everything else stays as the
 * upstream wrote it: order, cursor, unknown fields. Lists are known by their shape, because an answer may come for an id that
 * was used for something else before.
 */
import { parseStrict } from '@portcullis/policy-core/strict-json';
import type { JsonLimits, JsonObject, JsonValue } from '@portcullis/policy-core';
import { cutElements } from './edit.ts';
import type { Edit } from './edit.ts';
import { findDisguise, reserve } from './fold.ts';
import type { ListFilter } from './gate.ts';
import { decode, isObject, own } from './message.ts';
import { elementsOf } from './outline.ts';
import type { Member } from './outline.ts';

interface ListKind {
  /** The key in the result. */
  readonly list: string;
  /** The key in an entry that says which it is. */
  readonly name: string;
  /** The method that asks for this list. */
  readonly method: string;
  readonly shows: (filter: ListFilter, name: string) => boolean;
  /** Whether an entry without readable name is shown. */
  readonly showsUnreadable: (filter: ListFilter) => boolean;
}

const LISTS: readonly ListKind[] = [
  { list: 'tools', name: 'name', method: 'tools/list', shows: (filter, name) => filter.tool(name), showsUnreadable: (filter) => !filter.hidesTools && !filter.empty },
  // An entry without address is of no use to a client, and no policy can speak about it.
  { list: 'resources', name: 'uri', method: 'resources/list', shows: (filter, uri) => filter.resource(uri), showsUnreadable: () => false },
  { list: 'resourceTemplates', name: 'uriTemplate', method: 'resources/templates/list', shows: (filter, uri) => filter.resource(uri), showsUnreadable: () => false },
  { list: 'prompts', name: 'name', method: 'prompts/list', shows: (filter, name) => filter.prompt(name), showsUnreadable: () => false },
];

export const LIST_METHODS: ReadonlySet<string> = new Set(LISTS.map((kind) => kind.method));
const LIST_KEYS = reserve(LISTS.map((kind) => kind.list));
const ENTRY_KEYS: ReadonlyMap<string, ReturnType<typeof reserve>> = new Map(LISTS.map(({ name }) => [name, reserve([name])]));

export type Filtered =
  /** `tools`: all names of a tools list before filtering, `entries` what they stand in; null where the result has none. */
  | { readonly ok: true; readonly edits: readonly Edit[]; readonly tools: readonly string[] | null; readonly entries: readonly JsonValue[] | null; readonly nextCursor: string | null }
  /** The list cannot be read for certain, so it is not shown. */
  | { readonly ok: false; readonly detail: string };

const NOTHING: Filtered = { ok: true, edits: [], tools: null, entries: null, nextCursor: null };

/** True for a result that must go through `filterLists`. */
export function holdsList(result: Member, method: string): boolean {
  return LIST_METHODS.has(method) || (result.members ?? []).some((member) => LIST_KEYS.exact.has(member.key));
}

/** Filters the lists in the result of a request for `method`. `withholds` names tools that are cut whatever the filter says. */
export function filterLists(bytes: Buffer, result: Member, method: string, filter: ListFilter, limits: JsonLimits, withholds: (entry: JsonValue) => boolean = () => false): Filtered {
  // Some servers answer null where they have none.
  if (result.members === null) return bytes.toString('latin1', result.start, result.end) === 'null' ? NOTHING : unreadable(filter, method, 'the result is no object');
  const value = readResult(bytes, result, limits);
  if (typeof value === 'string') return unreadable(filter, method, value);
  const disguise = findDisguise(Object.keys(value), LIST_KEYS);
  if (disguise !== null) return unreadable(filter, method, `the key ${JSON.stringify(disguise)} may be taken for a list`);
  const edits: Edit[] = [];
  let tools: string[] | null = null;
  let entries: readonly JsonValue[] | null = null;
  for (const member of result.members) {
    const kind = LISTS.find((one) => one.list === member.key);
    if (kind === undefined) continue;
    const cut = cutList(bytes, member, own(value, kind.list), kind, filter, method, kind.list === 'tools' ? withholds : () => false);
    if (!cut.ok) return cut;
    edits.push(...cut.edits);
    if (kind.list !== 'tools') continue;
    tools = cut.names;
    const all = own(value, kind.list);
    entries = Array.isArray(all) ? (all as readonly JsonValue[]) : null;
  }
  const cursor = own(value, 'nextCursor');
  return { ok: true, edits, tools, entries, nextCursor: typeof cursor === 'string' ? cursor : null };
}

type Cut = { readonly ok: true; readonly edits: readonly Edit[]; readonly names: string[] } | { readonly ok: false; readonly detail: string };

function cutList(bytes: Buffer, member: Member, value: JsonValue | undefined, kind: ListKind, filter: ListFilter, method: string, withholds: (entry: JsonValue) => boolean): Cut {
  const asked = kind.method === method;
  const elements = elementsOf(bytes, member);
  if (!Array.isArray(value) || elements?.length !== value.length) {
    const hides = asked && !kind.showsUnreadable(filter);
    return hides ? { ok: false, detail: `"${kind.list}" is no array` } : { ok: true, edits: [], names: [] };
  }
  const names: string[] = [];
  const keep = (value as readonly JsonValue[]).map((entry) => {
    const name = nameOf(entry, kind.name);
    if (name !== null) names.push(name);
    if (asked && (filter.empty || withholds(entry))) return false;
    // Elsewhere than in the answer to its own method, an array of that name may be anything.
    return name === null ? !asked || kind.showsUnreadable(filter) : !filter.empty && kind.shows(filter, name);
  });
  return { ok: true, edits: cutElements(elements, (index) => keep[index] === true), names };
}

function nameOf(entry: JsonValue, key: string): string | null {
  if (!isObject(entry)) return null;
  const name = own(entry, key);
  const reserved = ENTRY_KEYS.get(key);
  if (typeof name !== 'string' || reserved === undefined || findDisguise(Object.keys(entry), reserved) !== null) return null;
  return name;
}

/** The result as an object, or why it cannot be read for certain. */
export function readResult(bytes: Buffer, result: Member, limits: JsonLimits): JsonObject | string {
  const text = decode(bytes.subarray(result.start, result.end));
  if (text === null) return 'the result is not UTF-8';
  const read = parseStrict(text, limits);
  if (!read.ok) return read.problem.message;
  return isObject(read.value) ? read.value : 'the result is no object';
}

function unreadable(filter: ListFilter, method: string, detail: string): Filtered {
  const kind = LISTS.find((one) => one.method === method);
  const hides = kind === undefined ? filter.hidesTools || filter.empty : !kind.showsUnreadable(filter);
  return hides ? { ok: false, detail } : NOTHING;
}

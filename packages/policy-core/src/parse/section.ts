/** `tools`, `resources`, `prompts` and `methods`: entries by name or glob, and what may not stand in them twice or at all. */
import { MAX_GLOB_LENGTH, isExact } from '../glob.ts';
import { isPlumbing } from '../plumbing.ts';
import type { Entry, Mode, Rule } from '../policy.ts';
import { quote } from '../problem.ts';
import { nearest } from '../suggestion.ts';
import type { Regexes } from './condition.ts';
import type { Misspelt } from './conform.ts';
import type { Findings } from './findings.ts';
import { child, isBlank, itemsOf } from './nodes.ts';
import type { MapNode, Pair } from './nodes.ts';
import { checkReferences } from './references.ts';
import type { ReadEntry } from './references.ts';
import { readRule } from './rule.ts';
import type { ReadRule } from './rule.ts';

type SectionKind = 'tool' | 'resource' | 'prompt' | 'method';

/** Rules of one document. A thousand policies of this size would not fit any fleet's snapshot; one file of it is a mistake. */
export const MAX_RULES = 10_000;

/** Methods that people write entries for; a near miss is a typing error. */
const KNOWN_METHODS = [
  'sampling/createMessage', 'elicitation/create', 'completion/complete', 'roots/list', 'tools/call', 'resources/read', 'resources/subscribe',
  'resources/unsubscribe', 'prompts/get', 'tasks/get', 'tasks/result', 'tasks/list', 'tasks/cancel',
];

export interface SectionContext {
  readonly findings: Findings;
  readonly misspelt: Misspelt;
  readonly policyMode: Mode;
  readonly regexes: Regexes;
}

export interface Sections {
  readonly tools: readonly Entry[];
  /** Null where the document does not have the section, here and below. */
  readonly resources: readonly Entry[] | null;
  readonly prompts: readonly Entry[] | null;
  readonly methods: readonly Entry[] | null;
}

/** Reads the four sections, and checks what their rules say of each other's counters. */
export function readSections(document: MapNode, context: SectionContext): Sections {
  const tools = readSection(document, 'tool', context);
  const resources = readSection(document, 'resource', context);
  const prompts = readSection(document, 'prompt', context);
  const methods = readSection(document, 'method', context);
  checkReferences(tools ?? [], [resources ?? [], prompts ?? [], methods ?? []], context.findings);
  return { tools: asEntries(tools ?? []), resources: resources && asEntries(resources), prompts: prompts && asEntries(prompts), methods: methods && asEntries(methods) };
}

function asEntries(entries: readonly ReadEntry[]): readonly Entry[] {
  return entries.map(({ pattern, at, rules }) => ({ pattern, at, rules: rules.flatMap(({ rule }) => rule ?? []) }));
}

function readSection(document: MapNode, kind: SectionKind, context: SectionContext): readonly ReadEntry[] | null {
  const section = child(document, `${kind}s`);
  return section?.kind === 'map' ? [...section.pairs.values()].map((pair) => readEntry(pair, kind, context)) : null;
}

function readEntry({ key, value }: Pair, kind: SectionKind, context: SectionContext): ReadEntry {
  const pattern = key.text;
  checkPattern(pattern, key.offset, kind, context.findings);
  const head = { pattern, offset: key.offset, at: context.findings.at(key.offset) };
  if (value.kind === 'scalar') return { ...head, rules: value.text === 'deny' ? [shorthandDeny(kind, value.offset, context)] : [] };
  if (value.kind !== 'map') return { ...head, rules: [] };
  const takenNames = new Set(itemsOf(value, 'rules').flatMap(statedCounter));
  const ruleContext = { ...context, pattern, takenNames };
  return { ...head, rules: itemsOf(value, 'rules').flatMap((item) => (item.kind === 'map' ? [readRule(item, ruleContext)] : [])) };
}

/** Counters that authors named keep their names; what is counted without a name goes around them. */
function statedCounter(rule: ReturnType<typeof itemsOf>[number]): readonly string[] {
  const state = rule.kind === 'map' ? child(rule, 'state') : null;
  const name = state?.kind === 'map' ? child(state, 'counter') : null;
  return name?.kind === 'scalar' ? [name.text] : [];
}

/** `name: deny` is short for one rule that denies. */
function shorthandDeny(kind: SectionKind, offset: number, { findings, policyMode }: SectionContext): ReadRule {
  const rule: Rule = { name: `(${kind} denied)`, at: findings.at(offset), action: 'deny', mode: policyMode, when: [], conditions: [], counter: null, onDeny: null };
  return { declares: null, counterAt: offset, asks: [], rule };
}

function checkPattern(pattern: string, offset: number, kind: SectionKind, findings: Findings): void {
  if (pattern.length > MAX_GLOB_LENGTH) {
    findings.error('NAME', offset, `the name of a ${kind} may have ${MAX_GLOB_LENGTH} characters, not ${pattern.length}`);
  } else if (isBlank(pattern)) {
    findings.error('NAME', offset, `the name of a ${kind} must not be blank`);
  } else if (kind === 'method') {
    checkMethod(pattern, offset, findings);
  } else if (kind === 'tool' && pattern !== pattern.trim()) {
    findings.warn('LOOKS_MISTYPED', offset, `the name ${quote(pattern)} begins or ends with a space, and no other spelling of it is meant: remove the space`);
  }
}

function checkMethod(pattern: string, offset: number, findings: Findings): void {
  // Entries are for requests: notifications carry nothing that is judged.
  if (isPlumbing('client', 'request', pattern)) {
    findings.warn('UNREACHABLE', offset, `${quote(pattern)} keeps a session going and always passes, so this entry never decides: remove it`);
    return;
  }
  if (!isExact(pattern) || KNOWN_METHODS.includes(pattern)) return;
  const meant = nearest(pattern, KNOWN_METHODS);
  if (meant !== null) findings.warn('LOOKS_MISTYPED', offset, `no known method is called ${quote(pattern)}: did you mean \`${meant}\`?`);
}

/**
 * What a snapshot is for and what goes into it. Proxies that differ only in labels which nothing mentions want the same content: they
 * share a cut, and with it encodings and signatures. A proxy tells by itself whether it belongs to a cut (W3).
 */
import { canonicalJson } from './canonical.ts';
import { compileGlob } from './glob.ts';
import type { Policy } from './policy.ts';
import type { Restriction } from './restriction.ts';
import type { Labels, ProxyIdentity, Selector } from './selector.ts';
import type { Cut } from './wire/frames.ts';

/** The labels that selectors or conditions mention; `all` where a condition looks at the labels as a whole. */
export interface Mentions {
  readonly labels: ReadonlySet<string>;
  readonly all: boolean;
}

/** What the given policies and restrictions mention. Mentions of one policy are worked out once. */
export function mentionsOf(policies: Iterable<Policy>, restrictions: Iterable<Restriction>): Mentions {
  const labels = new Set<string>();
  let all = false;
  for (const policy of policies) {
    for (const label of mentionedBy(policy)) {
      if (label === ALL_LABELS) all = true;
      else labels.add(label);
    }
  }
  for (const restriction of restrictions) for (const label of Object.keys(restriction.selector.labels)) labels.add(label);
  return { labels, all };
}

/** Stands for "the labels as a whole"; no label has an empty name. */
const ALL_LABELS = '';
const LABELS_PATH = 'proxy.labels';
const mentionedByPolicy = new WeakMap<Policy, readonly string[]>();

function mentionedBy(policy: Policy): readonly string[] {
  const known = mentionedByPolicy.get(policy);
  if (known !== undefined) return known;
  const labels = new Set(Object.keys(policy.match.labels));
  for (const entries of [policy.tools, policy.resources, policy.prompts, policy.methods]) {
    for (const entry of entries ?? []) {
      for (const rule of entry.rules) {
        for (const condition of [...rule.when, ...rule.conditions]) addPath(condition.path, labels);
        if (rule.counter?.amount.kind === 'argument') addPath(rule.counter.amount.path, labels);
      }
    }
  }
  const found = [...labels];
  mentionedByPolicy.set(policy, found);
  return found;
}

/** A label's name may hold dots, and paths spell that in more than one way: every reading is mentioned, because one too many costs nothing. */
function addPath(path: string, labels: Set<string>): void {
  if (path === LABELS_PATH) labels.add(ALL_LABELS);
  if (!path.startsWith(`${LABELS_PATH}.`)) return;
  const rest = path.slice(LABELS_PATH.length + 1);
  const plain = rest.replaceAll('\\', '');
  for (const reading of [rest, plain, rest.split('.')[0] ?? rest, plain.split('.')[0] ?? plain]) if (reading !== '') labels.add(reading);
}

/** The cut that a proxy belongs to while `mentions` holds. Equal cuts have equal `cutKey`s. */
export function cutOf(identity: ProxyIdentity, mentions: Mentions): Cut {
  const names = mentions.all ? new Set([...mentions.labels, ...Object.keys(identity.labels)]) : mentions.labels;
  const labels = [...names].sort().map((name): [string, string | null] => [name, labelOf(identity.labels, name)]);
  return { server: identity.server, labels: Object.fromEntries(labels) };
}

/** A text that names the cut. */
export function cutKey(cut: Cut): string {
  return canonicalJson(cut);
}

/** Whether a proxy belongs to the cut: its server name, and each label that the cut names, with its value or its absence. */
export function inCut(cut: Cut, identity: ProxyIdentity): boolean {
  return cut.server === identity.server && Object.entries(cut.labels).every(([name, value]) => labelOf(identity.labels, name) === value);
}

/** What a cut says about a proxy; enough to judge by, because nothing in force mentions another label. */
export function identityOf(cut: Cut): ProxyIdentity {
  const present = Object.entries(cut.labels).filter((label): label is [string, string] => label[1] !== null);
  return { server: cut.server, labels: Object.fromEntries(present) };
}

function labelOf(labels: Labels, name: string): string | null {
  return Object.hasOwn(labels, name) ? (labels[name] ?? null) : null;
}

/** A selector as a function; compiled once, asked once per cut. */
export type Selects = (identity: ProxyIdentity) => boolean;

/** Compiles a selector (a policy's `match` is one): an empty part holds for every proxy, a label that the host lacks matches nothing. */
export function compileSelector(selector: Selector): Selects {
  const servers = selector.server.map(compileGlob);
  const labels = Object.entries(selector.labels).map(([name, globs]) => [name, globs.map(compileGlob)] as const);
  return (identity) => {
    if (servers.length > 0 && !servers.some((matches) => matches(identity.server))) return false;
    return labels.every(([name, globs]) => {
      const value = labelOf(identity.labels, name);
      return value !== null && globs.some((matches) => matches(value));
    });
  };
}

const compiledSelectors = new WeakMap<Selector, Selects>();

/** `compileSelector`, remembered for as long as the selector lives. */
export function selectorOf(selector: Selector): Selects {
  const known = compiledSelectors.get(selector);
  if (known !== undefined) return known;
  const compiled = compileSelector(selector);
  compiledSelectors.set(selector, compiled);
  return compiled;
}

/** The policies that a proxy must enforce, in order of their ids. Whether the upstream is the right one only the proxy can tell. */
export function selectPolicies(policies: Iterable<Policy>, identity: ProxyIdentity): readonly Policy[] {
  return [...policies].filter((policy) => selectorOf(policy.match)(identity)).sort(byId);
}

/** The restrictions that a proxy must obey, in order of their ids. */
export function selectRestrictions(restrictions: Iterable<Restriction>, identity: ProxyIdentity): readonly Restriction[] {
  return [...restrictions].filter((restriction) => selectorOf(restriction.selector)(identity)).sort(byId);
}

function byId(a: { readonly id: string }, b: { readonly id: string }): number {
  return a.id < b.id ? -1 : a.id > b.id ? 1 : 0;
}

const canonicalTexts = new WeakMap<object, string>();

/** The canonical text of one policy or restriction, worked out once: most of a set is the same from version to version. */
function canonicalOnce(part: Policy | Restriction): string {
  const known = canonicalTexts.get(part);
  if (known !== undefined) return known;
  const made = canonicalJson(part);
  canonicalTexts.set(part, made);
  return made;
}

/** The body of a snapshot: canonical JSON, so that equal content has an equal digest on every plane and after every restart. */
export function policiesBody(selected: readonly Policy[]): string {
  return `{"policies":[${selected.map(canonicalOnce).join(',')}]}`;
}

/** The body of a restrict frame: the whole set. */
export function restrictionsBody(selected: readonly Restriction[]): string {
  return `{"restrictions":[${selected.map(canonicalOnce).join(',')}]}`;
}

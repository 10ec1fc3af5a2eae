/**
 * What a change means to callers: for each tool that a policy of either version names, on each server that one names and each proxy that there is,
 * whether it became visible or hidden, and whether calls of it are now allowed or denied whatever their arguments. The very code that decides in proxies is asked.
 */
import { compileGlob, compilePolicies, cutKey, cutOf, decide, defaultServer, identityOf, isExact, memoryCounters, mentionsOf, selectRestrictions, visibility } from '@portcullis/policy-core';
import type { Labels, Policy, Restriction, Rule, Selector } from '@portcullis/policy-core';

/** One version's policies and restrictions. */
export interface Regime {
  readonly policies: Iterable<Policy>;
  readonly restrictions: readonly Restriction[];
}

/** `allowed` and `denied`: whatever the arguments, the time and the counters are. */
export type Outlook = 'allowed' | 'denied' | 'depends';

export interface ReachDifference {
  readonly server: string;
  /** Of the hosts that it is said of; a policy asks for them. */
  readonly labels: Labels;
  readonly tool: string;
  readonly visible: { readonly before: boolean; readonly after: boolean };
  readonly calls: { readonly before: Outlook; readonly after: Outlook };
  /** How often, or how much: `60 a minute`, `500 of args.amount a day`. */
  readonly limits: { readonly before: readonly string[]; readonly after: readonly string[] };
}

export interface ReachDifferences {
  readonly changes: readonly ReachDifference[];
  /** Whether there was more to look at than is looked at. */
  readonly cut: boolean;
}

/** Audiences looked at: servers by the label combinations that policies ask for. */
const MAX_AUDIENCES = 200;
/** Labels of one policy are combined as long as there are no more of them. */
const MAX_COMBINATIONS = 16;
/** Tools looked at on one server. */
const MAX_TOOLS = 2_000;
/** Differences told; beyond it nobody reads on. */
const MAX_CHANGES = 1_000;

/**
 * Ordered by server, labels and tool. Upstreams are the hosts' business: `match.upstream` is taken as met.
 * @param proxies those that are known: a server that policies select by a glob has no other name to them
 */
export function diffReach(before: Regime, after: Regime, proxies: Iterable<Audience> = []): ReachDifferences {
  const [old, now] = [[...before.policies], [...after.policies]];
  const all = [...new Set([...old, ...now])];
  const restrictions = [...before.restrictions, ...after.restrictions];
  const audiences = audiencesOf(all, restrictions, proxies);
  const changes: ReachDifference[] = [];
  let cut = audiences.length > MAX_AUDIENCES;
  for (const { server, labels } of audiences.slice(0, MAX_AUDIENCES)) {
    const was = outlookOf(old, before.restrictions, server, labels);
    const is = outlookOf(now, after.restrictions, server, labels);
    const tools = toolsOf([...was.policies, ...is.policies], restrictions);
    cut ||= tools.length > MAX_TOOLS;
    for (const tool of tools.slice(0, MAX_TOOLS)) {
      const visible = { before: was.visible(tool), after: is.visible(tool) };
      const calls = { before: was.calls(tool), after: is.calls(tool) };
      const limits = { before: was.limits(tool), after: is.limits(tool) };
      if (visible.before === visible.after && calls.before === calls.after && (calls.after === 'denied' || limits.before.join() === limits.after.join())) continue;
      if (changes.length === MAX_CHANGES) return { changes, cut: true };
      changes.push({ server, labels, tool, visible, calls, limits });
    }
  }
  return { changes, cut };
}

export interface Audience {
  readonly server: string;
  readonly labels: Labels;
}

function audiencesOf(policies: readonly Policy[], restrictions: readonly Restriction[], proxies: Iterable<Audience>): readonly Audience[] {
  const servers = [...new Set(policies.flatMap((policy) => [...policy.match.server.filter(isExact), ...(policy.admits ? [defaultServer(policy)] : [])]))].filter(isExact).sort();
  const combinations = new Map<string, Labels>([['[]', {}]]);
  for (const { labels: asked } of [...policies.map(({ match }) => match), ...restrictions.map(({ selector }) => selector)]) {
    for (const labels of labelsOf(asked)) combinations.set(JSON.stringify(Object.entries(labels).sort()), labels);
  }
  const ordered = [...combinations].sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)).map(([, labels]) => labels);
  const named = servers.flatMap((server) => ordered.map((labels) => ({ server, labels })));
  const mentions = mentionsOf(policies, restrictions);
  const byCut = new Map([...named, ...proxies].map((audience) => {
    const cut = cutOf(audience, mentions);
    return [cutKey(cut), identityOf(cut)] as const;
  }));
  return [...byCut].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, identity]) => identity);
}

/** The label values that a selector asks for word for word, in every combination. */
function labelsOf(asked: Selector['labels']): readonly Labels[] {
  let combined: readonly (readonly (readonly [string, string])[])[] = [[]];
  for (const [label, values] of Object.entries(asked)) {
    combined = combined.flatMap((so) => values.filter(isExact).map((value) => [...so, [label, value] as const])).slice(0, MAX_COMBINATIONS);
  }
  return combined.map((labels) => Object.fromEntries(labels));
}

function toolsOf(policies: readonly Policy[], restrictions: readonly Restriction[]): readonly string[] {
  const named = policies.flatMap((policy) => [...policy.tools.map(({ pattern }) => pattern), ...policy.hide.map(({ name }) => name), ...(policy.readOnly ?? []).map(({ name }) => name)]);
  const restricted = restrictions.flatMap(({ scope }) => (scope.kind === 'tools' ? scope.globs : []));
  return [...new Set([...named, ...restricted])].filter(isExact).sort();
}

interface View {
  readonly policies: readonly Policy[];
  readonly visible: (tool: string) => boolean;
  readonly calls: (tool: string) => Outlook;
  readonly limits: (tool: string) => readonly string[];
}

function outlookOf(policies: readonly Policy[], all: readonly Restriction[], server: string, labels: Labels): View {
  const identity = { server, labels };
  const enforcement = compilePolicies(policies, identity, null);
  const restrictions = selectRestrictions(all, identity);
  const shown = visibility(enforcement, restrictions);
  // Without rules nothing is left that depends on a call's arguments, on the time, or on what was counted.
  const bare = compilePolicies(enforcement.policies.map(withoutRules), identity, null);
  const rulesOf = enforcedRules(enforcement.policies);
  const context = { server, labels, upstream: null, clientName: null, nowMs: 0, staleMs: 0 };
  return {
    policies: enforcement.policies,
    visible: (tool) => shown.tool(tool),
    calls(tool) {
      const call = { kind: 'tool', name: tool, arguments: {} } as const;
      if (decide({ enforcement: bare, restrictions, call, context, counters: memoryCounters() }).decision.decision === 'deny') return 'denied';
      const rules = rulesOf(tool);
      if (rules.some(({ action, when }) => action === 'deny' && when.length === 0)) return 'denied';
      return rules.some(({ when, conditions, counter }) => when.length + conditions.length > 0 || counter !== null) ? 'depends' : 'allowed';
    },
    limits: (tool) => rulesOf(tool).flatMap(limitText).sort(),
  };
}

/** What a rule's counter allows; nothing where it has none, or none that bounds it. */
function limitText({ counter, when }: Rule): readonly string[] {
  if (counter === null || counter.limit === null) return [];
  const { amount, limit, window } = counter;
  const of = amount.kind === 'argument' ? ` of ${amount.path}` : amount.value === '1' ? '' : ` by ${amount.value}`;
  return [`${limit}${of} ${window === 'hour' ? 'an' : 'a'} ${window}${when.length === 0 ? '' : ' in some cases'}`];
}

function withoutRules(policy: Policy): Policy {
  return { ...policy, tools: policy.tools.map((entry) => ({ ...entry, rules: [] })) };
}

/** The enforced rules that a call of a tool meets. */
function enforcedRules(policies: readonly Policy[]): (tool: string) => readonly Rule[] {
  const exact = new Map<string, readonly Rule[]>();
  const globs: { readonly matches: (tool: string) => boolean; readonly rules: readonly Rule[] }[] = [];
  for (const { pattern, rules: all } of policies.flatMap(({ mode, tools }) => (mode === 'enforce' ? tools : []))) {
    const rules = all.filter(({ mode }) => mode === 'enforce');
    if (isExact(pattern)) exact.set(pattern, [...(exact.get(pattern) ?? []), ...rules]);
    else globs.push({ matches: compileGlob(pattern), rules });
  }
  return (tool) => [...(exact.get(tool) ?? []), ...globs.flatMap(({ matches, rules }) => (matches(tool) ? rules : []))];
}

/**
 * One policy, compiled. Within a policy the order is: hide, then (resources only) the URI's normal form, the exact
 * entry, glob entries in file order, the default, `*` and its like (E4). A call that the default denies has neither an exact
 * nor a matching glob entry, so the default still speaks before any rule does.
 */
import type { Call, CallContext, Determinant } from '../call.ts';
import type { CounterStore } from '../counter.ts';
import { compileGlob, isExact } from '../glob.ts';
import type { JsonObject } from '../json.ts';
import type { PlacedName, Policy } from '../policy.ts';
import type { Section } from './counters.ts';
import { SECTIONS, counterIndex } from './counters.ts';
import type { Cause } from './evaluation.ts';
import type { Findings } from './findings.ts';
import { addCause, addCounted } from './findings.ts';
import { INTERNAL_ERROR, ambiguousUriMessage, amountMessage, defaultDenyMessage, hiddenMessage, limitMessage, ruleMessage } from './messages.ts';
import { isNormalUri } from './resource-uri.ts';
import type { CompiledRule, SharedTests } from './rule.ts';
import { DENIES, STEPS_ASIDE, judgeByRule } from './rule.ts';
import { compileSection, rulesOf } from './section.ts';
import type { CompiledEntry, CompiledSection } from './section.ts';
import { passes } from './sieve.ts';
import { argumentsOf, methodOf, nameOf, sectionOf } from './subject.ts';

export interface CompiledPolicy {
  readonly policy: Policy;
  /** Adds to the findings what this policy says of the call. Throws only where there is a bug. */
  judge(call: Call, context: CallContext, counters: CounterStore, findings: Findings): void;
  /** The tools that the policy speaks about, where these are all that it can say anything about a tool call; null where it may speak about any. */
  readonly onlyTools: readonly string[] | null;
  /** The `hide` entry that hides a tool; the whole is null where the policy hides nothing. */
  readonly hides: ((name: string) => PlacedName | null) | null;
}

/** What is the same for all entries while one call is judged by one policy. */
interface Judging {
  readonly policy: Policy;
  readonly args: JsonObject;
  readonly context: CallContext;
  readonly counters: CounterStore;
  readonly findings: Findings;
}

export function compilePolicy(policy: Policy, server: string, shared: SharedTests): CompiledPolicy {
  const findCounters = counterIndex(policy, server);
  const [tools, resources, prompts, methods] = SECTIONS.map((section) => compileSection(policy, section, server, findCounters, shared));
  if (tools === undefined || resources === undefined || prompts === undefined || methods === undefined) throw new Error('a section is missing');
  const sections: Readonly<Record<Section, CompiledSection>> = { tools, resources, prompts, methods };
  const hides = compileHide(policy.hide);
  const observes = policy.mode === 'observe';

  return {
    policy,
    hides,
    onlyTools: hides === null && policy.default === 'allow' && tools.globs.length + tools.stars.length === 0 && methods.exact.size === 0 ? [...tools.exact.keys()] : null,
    judge(call, context, counters, findings) {
      const name = nameOf(call);
      const judging: Judging = { policy, args: argumentsOf(call), context, counters, findings };
      const hidden = call.kind === 'tool' && hides !== null ? hides(name) : null;
      if (hidden !== null) addCause(findings, observes, hiddenCause(policy, hidden, call));
      const section = sections[sectionOf(call)];
      if (call.kind === 'resource' && !section.isEmpty && !isNormalUri(name)) {
        addCause(findings, observes, ambiguousCause(policy, call));
        return;
      }
      const listed = judgeNamedEntries(judging, section, name);
      if (!listed && policy.default === 'deny') addCause(findings, observes, defaultCause(policy, call));
      for (const star of section.stars) if (star.matches(name)) judgeEntry(judging, star);
      // `methods` speaks of other methods; one that is named there although it has a section of its own is judged all the same.
      if (call.kind !== 'method' && methods.exact.size > 0) {
        const entry = methods.exact.get(methodOf(call));
        if (entry !== undefined) judgeEntry(judging, entry);
      }
    },
  };
}

/** Judges the exact entry and the globs; whether there is any, which is what lists a name under `default: deny`. */
function judgeNamedEntries(judging: Judging, section: CompiledSection, name: string): boolean {
  // Intercept: a tool whose very name is `*` is listed by the key `*`.
  let listed = section.hasStar && name === '*';
  const exact = section.exact.get(name);
  if (exact !== undefined) {
    listed = true;
    judgeEntry(judging, exact);
  }
  for (const glob of section.globs) {
    if (!glob.matches(name)) continue;
    listed = true;
    judgeEntry(judging, glob);
  }
  return listed;
}

function judgeEntry(judging: Judging, entry: CompiledEntry): void {
  const { sieve, beyond, all } = rulesOf(entry);
  const open = passes(sieve, judging.args, judging.context, judging.counters) ? beyond : all;
  for (const rule of open) judgeRule(judging, rule);
}

function judgeRule({ policy, args, context, counters, findings }: Judging, compiled: CompiledRule): void {
  const { observed } = compiled;
  try {
    const judgement = judgeByRule(compiled, args, context, counters);
    if (judgement === DENIES) addCause(findings, observed, ruleCause(policy, compiled));
    // An observed rule counts every call that goes through, also one that it would have denied.
    if (compiled.counting !== null && judgement !== STEPS_ASIDE && (judgement !== DENIES || observed)) addCounted(findings, { policy, rule: compiled, observed });
  } catch {
    addCause(findings, observed, errorCause(policy, compiled));
  }
}

function compileHide(names: readonly PlacedName[]): CompiledPolicy['hides'] {
  if (names.length === 0) return null;
  const exact = new Map<string, PlacedName>();
  for (const placed of names) if (isExact(placed.name) && !exact.has(placed.name)) exact.set(placed.name, placed);
  const globs = names.filter(({ name }) => !isExact(name)).map((placed) => ({ placed, matches: compileGlob(placed.name) }));
  return (name) => exact.get(name) ?? globs.find(({ matches }) => matches(name))?.placed ?? null;
}

function hiddenCause(policy: Policy, hidden: PlacedName, call: Call): Cause {
  const rule = '(hidden)';
  return { reason: 'hidden', message: hiddenMessage(call), rule, determinant: { by: 'hide', source: policy.id, rule, entry: hidden.name, at: hidden.at } };
}

function ambiguousCause(policy: Policy, call: Call): Cause {
  const rule = '(ambiguous uri)';
  const first = policy.resources?.[0] ?? null;
  return {
    reason: 'ambiguous-uri',
    message: ambiguousUriMessage(call),
    rule,
    determinant: { by: 'policy', source: policy.id, rule, entry: null, at: first?.at ?? null },
  };
}

function defaultCause(policy: Policy, call: Call): Cause {
  const rule = '(default deny)';
  return { reason: 'default', message: defaultDenyMessage(call), rule, determinant: { by: 'default', source: policy.id, rule, entry: null, at: policy.defaultAt } };
}

function ruleCause(policy: Policy, compiled: CompiledRule): Cause {
  // The condition that a rate_limit was expanded to fails where the count is already beyond the limit: that is the limit speaking.
  if (compiled.rule.counter?.from === 'rate_limit') return limitCause(policy, compiled);
  return { reason: 'rule', message: ruleMessage(compiled.rule), rule: compiled.rule.name, determinant: ruleDeterminant(policy, compiled, 'rule') };
}

/** A limit that is reached. */
export function limitCause(policy: Policy, compiled: CompiledRule): Cause {
  return { reason: 'limit', message: limitMessage(compiled.rule), rule: compiled.rule.name, determinant: ruleDeterminant(policy, compiled, 'limit') };
}

/** A rule whose amount cannot be counted. */
export function amountCause(policy: Policy, compiled: CompiledRule): Cause {
  return { ...errorCause(policy, compiled), message: amountMessage(compiled.rule) };
}

/** A rule that cannot be evaluated, or whose count cannot be kept. */
export function errorCause(policy: Policy, compiled: CompiledRule): Cause {
  return { reason: 'error', message: INTERNAL_ERROR, rule: compiled.rule.name, determinant: ruleDeterminant(policy, compiled, 'error') };
}

function ruleDeterminant(policy: Policy, { rule, entry }: CompiledRule, by: Determinant['by']): Determinant {
  return { by, source: policy.id, rule: rule.name, entry: entry.pattern, at: rule.at };
}

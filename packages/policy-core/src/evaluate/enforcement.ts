/** From policies to what is enforced for one proxy: selects, orders, compiles, and evaluates calls (E1 to E5). */
import type { Call, CallContext, Determinant } from '../call.ts';
import type { CounterStore } from '../counter.ts';
import { compileGlob } from '../glob.ts';
import type { PlacedName, Policy, Rule } from '../policy.ts';
import type { ProxyIdentity } from '../selector.ts';
import { selects } from '../selects.ts';
import { SECTIONS } from './counters.ts';
import { compileDispatch } from './dispatch.ts';
import type { Dispatch } from './dispatch.ts';
import type { Cause, Enforcement, Evaluation } from './evaluation.ts';
import type { Findings } from './findings.ts';
import { addCause, evaluationOf, noFindings } from './findings.ts';
import { INTERNAL_ERROR, noPolicyMessage, staleMessage, wrongUpstreamMessage } from './messages.ts';
import { compareBytes } from './order.ts';
import { compilePolicy } from './policy.ts';
import type { CompiledPolicy } from './policy.ts';
import type { SharedTests } from './rule.ts';
import { nameOf } from './subject.ts';

/**
 * Compiles the policies that select the proxy.
 *
 * @param policies all policies in force, in any order
 * @param identity the proxy's server name and labels
 * @param upstream what the server name really is on this host (command line or URL origin); null = unknown, and `match.upstream` is not checked
 */
export function compilePolicies(policies: readonly Policy[], identity: ProxyIdentity, upstream: string | null): Enforcement {
  const applying = policies
    .filter(({ match }) => selects(match, identity))
    .sort((a, b) => compareBytes(a.id, b.id));
  const shared: SharedTests = new Map();
  const compiled = applying.map((policy) => compiledOnce(policy, identity.server, shared));
  const dispatch = compileDispatch(compiled);
  const enforced = compiled.filter(({ policy }) => policy.mode === 'enforce');
  const misnamed = applying.filter((policy) => !knowsUpstream(policy, upstream));
  const admitted = applying.some((policy) => policy.admits && !misnamed.includes(policy));
  const staleAfter = enforced.flatMap(({ policy }) => (policy.onStale === null ? [] : [policy.onStale.afterMs]));
  const gates = compileGates(applying, misnamed, admitted, identity.server);
  const readers = applying.flatMap(({ readOnly }) => (readOnly === null ? [] : [compileNames(readOnly)]));
  const listsAsReadOnly = (name: string): boolean => readers.length > 0 && readers.every((lists) => lists(name));
  const hiders = enforced.map(({ hides }) => hides).filter((hides) => hides !== null);
  return {
    evaluate: (call, context, counters) => evaluate(dispatch, gates, call, context, counters),
    hides: (kind, name) => kind === 'tool' && hiders.some((hides) => hides(name) !== null),
    hidesAny: hiders.length > 0,
    readsOnly: (call) => listsAsReadOnly(nameOf(call)),
    listsAsReadOnly,
    admitted,
    wrongUpstream: misnamed.some(({ mode }) => mode === 'enforce'),
    usesCounters: applying.some(needsCounters),
    onStaleMs: staleAfter.length === 0 ? null : Math.min(...staleAfter),
    policies: applying,
    allowedBy: applying.map((policy) => ({ by: 'policy', source: policy.id, rule: null, entry: null, at: policy.defaultAt })),
  };
}

/**
 * Compiled policies by their policy, for the server they were last compiled for: from one version to the next most policies stay
 * the same objects, and are neither compiled again nor warmed up again. A compiled policy depends on nothing else, and never changes
 * what it says. It may keep alive the conditions of those that it was first compiled with.
 */
const compiledPolicies = new WeakMap<Policy, { readonly server: string; readonly compiled: CompiledPolicy }>();

function compiledOnce(policy: Policy, server: string, shared: SharedTests): CompiledPolicy {
  const known = compiledPolicies.get(policy);
  if (known?.server === server) return known.compiled;
  const compiled = compilePolicy(policy, server, shared);
  compiledPolicies.set(policy, { server, compiled });
  return compiled;
}

/** What is asked before any policy is: freshness, the upstream's identity, admission. Returns what it found in `findings`. */
type Gates = (context: CallContext, findings: Findings) => void;

function evaluate(dispatch: Dispatch, gates: Gates, call: Call, context: CallContext, counters: CounterStore): Evaluation {
  const findings = noFindings();
  try {
    gates(context, findings);
    dispatch(call, (policy) => policy.judge(call, context, counters, findings));
  } catch {
    addCause(findings, false, internalError());
  }
  return evaluationOf(findings);
}

/** The cause of a denial where evaluating failed outside of any rule. */
export function internalError(): Cause {
  return { reason: 'error', message: INTERNAL_ERROR, rule: '(error)', determinant: null };
}

function compileGates(applying: readonly Policy[], misnamed: readonly Policy[], admitted: boolean, server: string): Gates {
  const aging = applying.filter(({ onStale }) => onStale !== null).sort((a, b) => (a.onStale?.afterMs ?? 0) - (b.onStale?.afterMs ?? 0));
  const wrongUpstream = misnamed.map((policy) => ({
    policy,
    cause: { reason: 'wrong-upstream', message: wrongUpstreamMessage(policy), rule: '(wrong upstream)', determinant: determinantOf(policy, '(wrong upstream)') } as const,
  }));
  const noPolicy: Cause = { reason: 'no-policy', message: noPolicyMessage(server), rule: '(no policy)', determinant: null };
  return (context, findings) => {
    for (const policy of aging) {
      if (!isStale(context.staleMs, policy.onStale?.afterMs ?? 0)) continue;
      addCause(findings, policy.mode === 'observe', {
        reason: 'stale',
        message: staleMessage(policy, context.staleMs),
        rule: '(stale)',
        determinant: determinantOf(policy, '(stale)'),
      });
    }
    for (const { policy, cause } of wrongUpstream) addCause(findings, policy.mode === 'observe', cause);
    if (!admitted) addCause(findings, false, noPolicy);
  };
}

/** 0 is fresh, whatever the policy says; a time that is no number is stale. */
function isStale(staleMs: number, afterMs: number): boolean {
  return staleMs !== 0 && !(staleMs < afterMs);
}

/** Neither `match` nor `on_stale` has a place of its own in a Policy; the file is named without a line. */
function determinantOf(policy: Policy, rule: string): Determinant {
  return { by: 'policy', source: policy.id, rule, entry: null, at: null };
}

function knowsUpstream(policy: Policy, upstream: string | null): boolean {
  const { upstream: globs } = policy.match;
  return upstream === null || globs.length === 0 || globs.some((glob) => compileGlob(glob)(upstream));
}

function compileNames(names: readonly PlacedName[]): (name: string) => boolean {
  const globs = names.map(({ name }) => compileGlob(name));
  return (name) => globs.some((matches) => matches(name));
}

const counterNeeds = new WeakMap<Policy, boolean>();

/** Whether a rule of the policy reads or keeps a count; found out once for each policy. */
function needsCounters(policy: Policy): boolean {
  const known = counterNeeds.get(policy);
  if (known !== undefined) return known;
  const needs = SECTIONS.some((section) => (policy[section] ?? []).some(({ rules }) => rules.some(usesCounter)));
  counterNeeds.set(policy, needs);
  return needs;
}

function usesCounter(rule: Rule): boolean {
  return rule.counter !== null || [...rule.when, ...rule.conditions].some(({ path }) => path.startsWith('state.'));
}

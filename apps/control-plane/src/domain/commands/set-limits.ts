/** How large the policies in force may be together. Crossing a limit refuses the change-set and names the document that did (F2). */
import { checkPolicySet } from '@portcullis/policy-core';
import type { Policy, Problem } from '@portcullis/policy-core';
import type { ChangeRefused } from '../events.ts';
import type { PlaneState } from '../state.ts';
import type { Arrival } from './offer.ts';

/** As many as the watcher reads: more is not one organisation's rules but a mistake in what was mounted. */
export const MAX_POLICIES = 5_000;
/** Bytes of normalised policies: 1,000 policies of 50 rules are about 20 MB, and all of them may have to be sent to one proxy, in one frame. */
export const MAX_SET_BYTES = 24 * 1024 * 1024;

/** The refusal of a change-set that would leave more than the limits allow; undefined where it fits. What shrinks always fits. */
export function setRefusal(state: PlaneState, policies: ReadonlyMap<string, Policy>, arrivals: readonly Arrival[], removed: readonly string[]): ChangeRefused | undefined {
  if (arrivals.length === 0) return undefined;
  let count = state.policies.size - removed.length;
  let bytes = 0;
  for (const { content } of state.policies.values()) bytes += content.modelBytes;
  for (const policy of removed) bytes -= state.policies.get(policy)?.content.modelBytes ?? 0;
  for (const arrival of arrivals) {
    const before = state.policies.get(arrival.policy);
    const grows = arrival.document.modelBytes - (before?.content.modelBytes ?? 0);
    bytes += grows;
    if (before === undefined && ++count > MAX_POLICIES) return refusal(arrival, `with it there are more than ${MAX_POLICIES} policies`);
    if (grows > 0 && bytes > MAX_SET_BYTES) return refusal(arrival, `with it the normalised policies are larger than ${MAX_SET_BYTES} bytes`);
  }
  return togetherRefusal(policies, arrivals, removed);
}

/** What the language says about policies together, where this change-set brings it about. */
function togetherRefusal(policies: ReadonlyMap<string, Policy>, arrivals: readonly Arrival[], removed: readonly string[]): ChangeRefused | undefined {
  const after = new Map(policies);
  for (const policy of removed) after.delete(policy);
  for (const { policy, document } of arrivals) after.set(policy, document.policy);
  const [problem] = errorsOf([...after.values()]);
  if (problem === undefined || errorsOf([...policies.values()]).length > 0) return undefined;
  const named = arrivals.find(({ policy }) => policy === problem.file) ?? arrivals.at(-1);
  return named === undefined ? undefined : refusal(named, problem.message);
}

/** The set-wide errors of these policies. Of a single one: what is wrong with its id. */
export function errorsOf(policies: readonly Policy[]): readonly Problem[] {
  return checkPolicySet(policies).filter(({ severity }) => severity === 'error');
}

function refusal({ policy, document }: Arrival, crossed: string): ChangeRefused {
  const message = `${policy} crosses a limit of the whole set, so nothing of this change-set is published: ${crossed}. Make it smaller or take something out`;
  return {
    type: 'ChangeRefused',
    policy,
    textSha256: document.textSha256,
    why: 'set',
    problems: [{ file: policy, line: 1, column: 1, code: 'SET_TOO_LARGE', severity: 'error', message: crossed, frame: null }],
    message,
    change: null,
    removes: [],
  };
}

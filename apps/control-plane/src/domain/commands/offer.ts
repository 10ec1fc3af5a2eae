/**
 * One settled change-set of the policy directory becomes at most one PolicySetPublished (F1). Each document stands alone:
 * what is invalid, unreadable or held keeps its last good content and is recorded once per content, and everything else
 * publishes (F2, F3, F5). What is in force already is nothing new, so a restart publishes what changed meanwhile (F6).
 */
import type { Policy, Problem } from '@portcullis/policy-core';
import type { OfferedDocument } from '../command.ts';
import type { ChangeRefused, PlaneEvent, PolicyChange } from '../events.ts';
import type { PlaneState } from '../state.ts';
import type { Decided, OfferCommand } from './answer.ts';
import { recorded } from './answer.ts';
import { removalWaits } from './removal.ts';
import { errorsOf, setRefusal } from './set-limits.ts';

/** Problems kept with one refusal: more than anybody mends in one go; `check` shows them all. */
export const MAX_PROBLEMS_RECORDED = 100;

export type ValidDocument = Extract<OfferedDocument, { kind: 'valid' }>;

/** A document that would come into force. */
export interface Arrival {
  readonly policy: string;
  readonly document: ValidDocument;
}

/**
 * @param policies the normalised policies in force
 * @param confirmed removals that an operator has let through
 */
export function offer(state: PlaneState, command: OfferCommand, policies: ReadonlyMap<string, Policy>, confirmed: ReadonlySet<string> = new Set()): Decided {
  const refusals: ChangeRefused[] = [];
  const arrivals: Arrival[] = [];
  for (const [policy, document] of command.documents) {
    const refusal = refusalOf(state, policy, document);
    if (refusal !== undefined) refusals.push(refusal);
    else if (document.kind === 'valid' && !isInForce(state, policy, document.textSha256)) arrivals.push({ policy, document });
  }
  arrivals.sort((a, b) => byBytes(a.policy, b.policy));
  const vanished = [...state.policies.keys()].filter((policy) => !command.documents.has(policy)).sort(byBytes);
  const gone = vanished.filter((policy) => holdOf(state, policy, 'absent') === undefined);
  refusals.push(...vanished.filter((policy) => holdOf(state, policy, 'absent') !== undefined).map((policy) => heldRefusal(state, policy, null)));
  const removal = removalWaits({ state, command, policies, arrivals, gone, confirmed, refusals });
  const waiting = new Set(removal?.removes);
  const removed = gone.filter((policy) => !waiting.has(policy));
  const overflow = setRefusal(state, policies, arrivals, removed);
  if (overflow !== undefined) refusals.push(overflow);
  else if (removal !== undefined) refusals.push(removal);

  const events: PlaneEvent[] = refusals.filter((refusal) => isNews(state, refusal)).sort((a, b) => byBytes(a.policy ?? '', b.policy ?? ''));
  const changes = overflow === undefined ? [...arrivals.map((arrival) => changeOf(state, arrival)), ...removed.map((policy) => ({ kind: 'removed', policy }) as const)] : [];
  if (changes.length > 0) events.push({ type: 'PolicySetPublished', changes, git: command.git });
  return recorded(...events);
}

/** Why this document may not come into force; undefined where nothing is against it. */
function refusalOf(state: PlaneState, policy: string, document: OfferedDocument): ChangeRefused | undefined {
  switch (document.kind) {
    case 'unreadable':
      return refusal(policy, null, 'unreadable', [document.problem], `${policy} cannot be read, which removes nothing: ${lastGood(state, policy)}`);
    case 'invalid':
      return isInForce(state, policy, document.textSha256) ? undefined : invalidRefusal(state, policy, document.textSha256, document.problems);
    case 'valid': {
      if (isInForce(state, policy, document.textSha256)) return undefined;
      // A fault of the id alone is this document's own, and holds up nobody else (F2).
      const faults = errorsOf([document.policy]);
      if (faults.length > 0) return invalidRefusal(state, policy, document.textSha256, faults);
      return holdOf(state, policy, document.textSha256) === undefined ? undefined : heldRefusal(state, policy, document.textSha256);
    }
  }
}

function isInForce(state: PlaneState, policy: string, textSha256: string): boolean {
  return state.policies.get(policy)?.content.textSha256 === textSha256;
}

function invalidRefusal(state: PlaneState, policy: string, textSha256: string, problems: readonly Problem[]): ChangeRefused {
  const errors = problems.filter((problem) => problem.severity === 'error').length;
  const found = errors === 1 ? '1 error' : `${errors} errors`;
  return refusal(policy, textSha256, 'invalid', problems.slice(0, MAX_PROBLEMS_RECORDED), `${policy} has ${found}: ${lastGood(state, policy)}`);
}

function lastGood(state: PlaneState, policy: string): string {
  return state.policies.has(policy) ? 'its last good content stays in force' : 'it is not in force';
}

function heldRefusal(state: PlaneState, policy: string, textSha256: string | null): ChangeRefused {
  const hold = holdOf(state, policy, textSha256 ?? 'absent');
  const what = textSha256 === null ? `the removal of ${policy}` : `the content that the file ${policy} has`;
  const release = `portcullis hold release ${hold?.policy ?? policy} --as admin`;
  return refusal(policy, textSha256, 'held', [], `${what} was withdrawn by the rollback of version ${hold?.since ?? 'unknown'} and stays out; change the file, or let it publish with: ${release}`);
}

/** Content is held under any id, because a rename must not bring it back; an absence is held for its own id (R3). */
export function holdOf(state: PlaneState, policy: string, content: string): PlaneState['holds'][number] | undefined {
  return state.holds.find((hold) => hold.content === content && (content !== 'absent' || hold.policy === policy));
}

function refusal(policy: string, textSha256: string | null, why: ChangeRefused['why'], problems: readonly Problem[], message: string): ChangeRefused {
  return { type: 'ChangeRefused', policy, textSha256, why, problems, message, change: null, removes: [] };
}

/** Once per content: the same refusal is not recorded again by every later offer. */
function isNews(state: PlaneState, refusal: ChangeRefused): boolean {
  if (refusal.change !== null) {
    const pending = state.pendingRemovals.get(refusal.change);
    return pending === undefined || pending.confirmed;
  }
  if (refusal.policy === null) return true;
  const before = state.refused.get(refusal.policy);
  if (before?.textSha256 !== refusal.textSha256 || before.why !== refusal.why) return true;
  return refusal.why === 'unreadable' && before.problems[0]?.message !== refusal.problems[0]?.message;
}

function changeOf(state: PlaneState, { policy, document }: Arrival): PolicyChange {
  const { textSha256, textBytes, modelSha256, modelBytes } = document;
  return { kind: state.policies.has(policy) ? 'changed' : 'added', policy, content: { textSha256, textBytes, modelSha256, modelBytes } };
}

/** Ids are ordered by their bytes, as a decision's determinants are (E4). */
function byBytes(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}

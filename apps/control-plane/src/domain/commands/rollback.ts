/**
 * Rollback and what keeps it: a rollback is a new, higher version with old content (R1), it leaves restrictions alone (R2),
 * and it holds what it withdrew, because the files still say it (R3).
 */
import type { Command, Meta } from '../command.ts';
import type { Hold, PlaneEvent, PolicyChange } from '../events.ts';
import type { PlaneState, PolicyInForce } from '../state.ts';
import type { Decided, Known } from './answer.ts';
import { badReason, recordedWith, refused, unexpectedVersion } from './answer.ts';
import { offer } from './offer.ts';

type Policies = ReadonlyMap<string, PolicyInForce>;

/**
 * Brings the policies of version `to` back into force. A seq that is no version means the last version before it; the
 * recorded `to` says which that was. Refuses what is in force already.
 */
export function rollback(state: PlaneState, command: Extract<Command, { kind: 'rollback' }>, meta: Meta, known: Known): Decided {
  const unexpected = unexpectedVersion(command.expected, state.version) ?? badReason(meta.reason, 'a rollback');
  if (unexpected !== undefined) return unexpected;
  const target = Number.isSafeInteger(command.to) && command.to >= 0 ? known.past(command.to) : undefined;
  if (target === undefined) return refused('not-found', `There is no version ${command.to} yet; the newest is ${state.version}. \`portcullis log\` lists them.`);
  const changes = changesTo(state.policies, target.policies);
  if (changes.length === 0) return refused('already-done', `the policies of version ${target.version} are what is in force: nothing was changed`);

  const released = state.holds.filter(({ policy, content }) => contentOf(target.policies, policy) === content).map(({ policy, content }) => ({ policy, content }));
  const isHeld = (hold: Hold): boolean => state.holds.some(({ policy, content }) => policy === hold.policy && content === hold.content);
  const holds = changes.map(({ policy }) => ({ policy, content: contentOf(state.policies, policy) })).filter((hold) => !isHeld(hold));
  return recordedWith({ type: 'RolledBack', to: target.version, changes, holds, released }, command.filesFollow === true ? [] : heldNow(state, target.policies, [...state.holds, ...holds], released, known));
}

/** Ends every hold of one policy. What the directory says about it is published at once, as the next offer would. */
export function release(state: PlaneState, command: Extract<Command, { kind: 'release' }>, known: Known): Decided {
  const unexpected = unexpectedVersion(command.expected, state.version);
  if (unexpected !== undefined) return unexpected;
  const ending = state.holds.filter(({ policy }) => policy === command.policy);
  if (ending.length === 0) return refused('not-found', `nothing of ${command.policy} is held; the holds are listed by: portcullis hold list`);
  const after: PlaneState = { ...state, holds: state.holds.filter(({ policy }) => policy !== command.policy) };
  return recordedWith({ type: 'HoldReleased', holds: ending.map(({ policy, content }) => ({ policy, content })) }, offeredAgain(after, known));
}

function changesTo(now: Policies, then: Policies): readonly PolicyChange[] {
  const changes: PolicyChange[] = [];
  for (const [policy, { content }] of then) {
    const current = now.get(policy);
    if (current === undefined) changes.push({ kind: 'added', policy, content });
    else if (current.content.textSha256 !== content.textSha256) changes.push({ kind: 'changed', policy, content });
  }
  for (const policy of now.keys()) if (!then.has(policy)) changes.push({ kind: 'removed', policy });
  return changes;
}

/** What a hold of this policy is about: the text in force, or its absence. */
function contentOf(policies: Policies, policy: string): string {
  return policies.get(policy)?.content.textSha256 ?? 'absent';
}

function offeredAgain(state: PlaneState, { offered, policies }: Known): readonly PlaneEvent[] {
  if (offered === null) return [];
  const decided = offer(state, offered, policies);
  return decided.ok ? decided.events.map(({ event }) => event) : [];
}

/** The files that now say what is held, recorded with the rollback, so that neither the next offer nor a restart has news. */
function heldNow(state: PlaneState, policies: Policies, holds: readonly Hold[], released: readonly Hold[], known: Known): readonly PlaneEvent[] {
  const stands = holds.filter((hold) => !released.some(({ policy, content }) => policy === hold.policy && content === hold.content));
  const unknown = { since: state.size, sinceMs: 0, by: { kind: 'plane', id: 'plane' }, reason: null } as const;
  const before = new Map(state.holds.map((hold) => [`${hold.content} ${hold.policy}`, hold]));
  const after: PlaneState = { ...state, policies, holds: stands.map((hold) => before.get(`${hold.content} ${hold.policy}`) ?? { ...hold, ...unknown }) };
  return offeredAgain(after, known).filter((event) => event.type === 'ChangeRefused' && event.why === 'held');
}

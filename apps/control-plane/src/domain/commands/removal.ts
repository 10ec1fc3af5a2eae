/**
 * Which removals wait for `confirm` (F3). A file that is gone may be a decision or an accident; where its going would
 * allow more, or much goes at once, somebody says so first.
 */
import { createHash } from 'node:crypto';
import type { Match, Policy } from '@portcullis/policy-core';
import type { ChangeRefused } from '../events.ts';
import { overlaps } from '../overlap.ts';
import type { PlaneState } from '../state.ts';
import type { OfferCommand } from './answer.ts';
import type { Arrival } from './offer.ts';

/** A change-set that takes away more than this part of the policies waits… */
export const REMOVAL_SHARE = 0.2;
/** …unless it takes only one: with four policies, one file is more than a fifth and no accident of scale. */
export const REMOVAL_SHARE_FROM = 2;

export interface Removals {
  readonly state: PlaneState;
  readonly command: OfferCommand;
  readonly policies: ReadonlyMap<string, Policy>;
  readonly arrivals: readonly Arrival[];
  /** Ids in force that the directory no longer has. */
  readonly gone: readonly string[];
  /** What this offer refuses, document by document. */
  readonly refusals: readonly ChangeRefused[];
}

/** The recorded wait, or undefined where the removals may publish. */
export function removalWaits(removals: Removals): ChangeRefused | undefined {
  if (removals.gone.length === 0) return undefined;
  const why = reasonToWait(removals);
  if (why === undefined) return undefined;
  const change = changeId(removals.state, removals.gone);
  const message = `${why}. What is gone stays in force: bring the files back, or confirm with: portcullis confirm ${change} --as admin`;
  return { type: 'ChangeRefused', policy: null, textSha256: null, why: 'removal', problems: [], message, change, removes: removals.gone };
}

function reasonToWait({ state, command, policies, arrivals, gone, refusals }: Removals): string | undefined {
  // It may be the gone policy under its new name, so this holds even where removals are accepted (F2).
  const newcomer = refusals.find((refusal) => refusal.policy !== null && command.documents.has(refusal.policy) && !state.policies.has(refusal.policy));
  if (newcomer !== undefined) return `${listed(gone)} may have been renamed to ${newcomer.policy ?? ''}, which is not in force`;
  if (command.removals === 'accept') return undefined;

  const after = policiesAfter(policies, arrivals, gone);
  const lost = gone.filter((policy) => !isRenamed(state, policies.get(policy), policy, arrivals, command));
  if (lost.length >= REMOVAL_SHARE_FROM && lost.length > REMOVAL_SHARE * state.policies.size) {
    return `${lost.length} of ${state.policies.size} policies would go at once`;
  }
  for (const policy of lost) {
    const match = policies.get(policy)?.match;
    const keeper = [...after].find(([, other]) => match !== undefined && overlaps(match, other));
    if (keeper !== undefined) return `without ${policy}, proxies that keep ${keeper[0]} could do more`;
  }
  return undefined;
}

function policiesAfter(policies: ReadonlyMap<string, Policy>, arrivals: readonly Arrival[], gone: readonly string[]): ReadonlyMap<string, Match> {
  const after = new Map<string, Match>();
  for (const [id, policy] of policies) after.set(id, policy.match);
  for (const { policy, document } of arrivals) after.set(policy, document.policy.match);
  for (const policy of gone) after.delete(policy);
  return after;
}

/** Whether the same text, about the same proxies, is there under another id: then nothing is taken away. */
function isRenamed(state: PlaneState, gone: Policy | undefined, policy: string, arrivals: readonly Arrival[], command: OfferCommand): boolean {
  const text = state.policies.get(policy)?.content.textSha256;
  if (gone === undefined || text === undefined) return false;
  const same = (other: Policy): boolean => other.admits === gone.admits && sameMatch(other.match, gone.match);
  if (arrivals.some(({ document }) => document.textSha256 === text && same(document.policy))) return true;
  for (const [id, { content }] of state.policies) {
    if (content.textSha256 !== text) continue;
    const document = command.documents.get(id);
    if (document?.kind === 'valid' && document.textSha256 === text && same(document.policy)) return true;
  }
  return false;
}

function sameMatch(a: Match, b: Match): boolean {
  const spelled = ({ server, labels, upstream }: Match): string =>
    JSON.stringify([server, Object.entries(labels).sort(([x], [y]) => (x < y ? -1 : 1)), upstream]);
  return spelled(a) === spelled(b);
}

/** Short, because people type it; bound to ids and contents, so that confirming never covers what came later. */
function changeId(state: PlaneState, gone: readonly string[]): string {
  const hash = createHash('sha256');
  for (const policy of gone) hash.update(JSON.stringify([policy, state.policies.get(policy)?.content.textSha256 ?? null]));
  return hash.digest('hex').slice(0, 8);
}

function listed(ids: readonly string[]): string {
  return ids.length <= 3 ? ids.join(', ') : `${ids.slice(0, 3).join(', ')} and ${ids.length - 3} more`;
}

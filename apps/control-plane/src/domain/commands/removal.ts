/**
 * Which removals wait for `confirm` (F3). A file that is gone may be a decision or an accident; where its going would
 * allow more, or much goes at once, somebody says so first.
 */
import { createHash } from 'node:crypto';
import type { Match, Policy } from '@portcullis/policy-core';
import type { ChangeRefused } from '../events.ts';
import { overlapAmong } from '../overlap.ts';
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
  /** Those that an operator has let through. */
  readonly confirmed: ReadonlySet<string>;
  /** What this offer refuses, document by document. */
  readonly refusals: readonly ChangeRefused[];
}

/** The recorded wait, whose `removes` stay in force, or undefined where none has to. Whatever else is gone may publish. */
export function removalWaits(removals: Removals): ChangeRefused | undefined {
  const { state, gone, confirmed } = removals;
  if (gone.length === 0) return undefined;
  const isThere = presence(removals);
  // What is there under another id is not taken away, whatever else waits.
  const lost = gone.filter((policy) => !confirmed.has(policy) && !isThere(policy));
  const wait = lost.length === 0 ? undefined : reasonToWait(removals, lost);
  if (wait === undefined) return undefined;
  const change = changeId(state, wait.removes);
  const message = `${wait.why}. ${listed(wait.removes)} ${wait.removes.length === 1 ? 'stays' : 'stay'} in force: bring back what is gone, or confirm with: portcullis confirm ${change} --as admin`;
  return { type: 'ChangeRefused', policy: null, textSha256: null, why: 'removal', problems: [], message, change, removes: wait.removes };
}

interface Wait {
  readonly why: string;
  readonly removes: readonly string[];
}

function reasonToWait({ state, command, policies, arrivals, gone, refusals }: Removals, lost: readonly string[]): Wait | undefined {
  // It may be the gone policy under its new name, so this holds even where removals are accepted (F2).
  const newcomer = refusals.find((refusal) => refusal.policy !== null && command.documents.has(refusal.policy) && !state.policies.has(refusal.policy));
  if (newcomer !== undefined) return { why: `${listed(lost)} may have been renamed to ${newcomer.policy ?? ''}, which is not in force`, removes: lost };
  if (command.removals === 'accept') return undefined;
  if (lost.length >= REMOVAL_SHARE_FROM && lost.length > REMOVAL_SHARE * state.policies.size) {
    return { why: `${lost.length} of ${state.policies.size} policies would go at once`, removes: lost };
  }
  return loosening(policies, policiesAfter(policies, arrivals, gone), lost);
}

/** What of it a proxy would lose that keeps another policy. What waits is kept too, and so may make yet another one wait. */
function loosening(policies: ReadonlyMap<string, Policy>, after: ReadonlyMap<string, Match>, lost: readonly string[]): Wait | undefined {
  const waiting = new Set<string>();
  let why = '';
  for (let keepers = [...after]; keepers.length > 0; ) {
    const found: [string, Match][] = [];
    const keeperOf = overlapAmong(keepers);
    for (const policy of lost) {
      const match = policies.get(policy)?.match;
      if (match === undefined || waiting.has(policy)) continue;
      const keeper = keeperOf(match);
      if (keeper === undefined) continue;
      if (why === '') why = `without ${policy}, proxies that keep ${keeper} could do more`;
      found.push([policy, match]);
    }
    for (const [policy] of found) waiting.add(policy);
    keepers = found;
  }
  return waiting.size === 0 ? undefined : { why, removes: lost.filter((policy) => waiting.has(policy)) };
}

function policiesAfter(policies: ReadonlyMap<string, Policy>, arrivals: readonly Arrival[], gone: readonly string[]): ReadonlyMap<string, Match> {
  const after = new Map<string, Match>();
  for (const [id, policy] of policies) after.set(id, policy.match);
  for (const { policy, document } of arrivals) after.set(policy, document.policy.match);
  for (const policy of gone) after.delete(policy);
  return after;
}

/** Whether the same text, about the same proxies, is there under another id: then nothing is taken away. */
function presence({ state, command, policies, arrivals }: Removals): (policy: string) => boolean {
  const there = new Set(arrivals.map(({ document }) => said(document.textSha256, document.policy)));
  for (const [id, { content }] of state.policies) {
    const document = command.documents.get(id);
    if (document?.kind === 'valid' && document.textSha256 === content.textSha256) there.add(said(document.textSha256, document.policy));
  }
  return (id) => {
    const policy = policies.get(id);
    const text = state.policies.get(id)?.content.textSha256;
    return policy !== undefined && text !== undefined && there.has(said(text, policy));
  };
}

/** A text and the proxies that it is about, which the file's name may decide. */
function said(textSha256: string, { admits, match: { server, labels, upstream } }: Policy): string {
  return JSON.stringify([textSha256, admits, server, Object.entries(labels).sort(([x], [y]) => (x < y ? -1 : 1)), upstream]);
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

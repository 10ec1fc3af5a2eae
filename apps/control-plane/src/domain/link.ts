/**
 * One proxy's link as the plane sees it. Pure: what it wants, what it has said, what is on its way, and what to send next (W4 to W7).
 *
 * A restrict frame goes out at once, whatever is on its way; at most one snapshot is; an advance tells the rest that nothing changes for
 * them. Nothing is queued: what is sent is worked out from the newest want when the link is free, so the newest replaces what waited.
 */
import type { Held, Mark, NackKind, PartName } from '@portcullis/policy-core';

/** What a proxy must enforce at the head. */
export interface Want {
  readonly version: number;
  /** Digests of the two parts. */
  readonly policies: string;
  readonly restrictions: string;
  /** The version that decided the restrictions in force: a proxy's set must not be older when policies arrive. */
  readonly restrictionsVersion: number;
}

export type Lane = 'restrict' | 'snapshot' | 'advance';

export interface Link {
  /** What the proxy said last that it holds. */
  readonly held: Held;
  /** The version that gave the host its labels: restrictions held from before may be another cut's. */
  readonly labelledAt: number;
  /** On its way, not answered. */
  readonly sent: Readonly<Record<Lane, Sent | null>>;
  /** Content that this build of the proxy will never take (W5). */
  readonly barred: ReadonlyMap<string, Refused>;
  /** The last transient refusal of each part, and when to try again. One part's trouble never delays the other. */
  readonly retry: Readonly<Record<PartName, Retry | null>>;
}

export interface Retry {
  readonly atMs: number;
  readonly failures: number;
  readonly problems: readonly string[];
}

export interface Sent {
  readonly version: number;
  /** Null for an advance, which carries no content. */
  readonly digest: string | null;
  readonly atMs: number;
}

export interface Refused {
  readonly part: PartName | 'link';
  readonly kind: NackKind;
  readonly problems: readonly string[];
}

/** What is sent and not answered by then means a proxy that does not read: its socket is dropped. */
export const ANSWER_MS = 15_000;
/** A transient refusal is tried again after 50 ms (mostly two frames crossed), doubling to 30 s. */
const RETRY_FIRST_MS = 50;
const RETRY_MOST_MS = 30_000;
/** Content that one proxy has refused for good; the oldest is forgotten, and would be offered once more. */
const MAX_BARRED = 64;

/** A link right after its hello. */
export function openLink(held: Held, labelledAt: number, barred: ReadonlyMap<string, Refused>): Link {
  return { held, labelledAt, sent: { restrict: null, snapshot: null, advance: null }, barred, retry: { policies: null, restrictions: null } };
}

/** Which lanes may be used now: a restriction reaches everybody before the first snapshot reaches anybody. */
export type Urgency = 'restrictions-only' | 'everything';

/** The frames to send now, in the order in which they must be sent, and the link after sending them. */
export function plan(link: Link, want: Want, nowMs: number, urgency: Urgency = 'everything'): { readonly link: Link; readonly send: readonly Lane[] } {
  const send: Lane[] = [];
  const { held, sent, barred } = link;
  const due = (part: PartName): boolean => link.retry[part] === null || nowMs >= link.retry[part].atMs;
  const needsPolicies = held.policies?.digest !== want.policies && !barred.has(want.policies);
  const mark = sent.restrict ?? held.restrictions;
  const needsRestrictions = mark?.digest !== want.restrictions || (needsPolicies && mark.version < Math.max(want.restrictionsVersion, link.labelledAt));
  if (needsRestrictions && due('restrictions') && !barred.has(want.restrictions)) send.push('restrict');
  const all = urgency === 'everything';
  const restrictionsReady = !needsRestrictions || send.includes('restrict');
  if (all && needsPolicies && due('policies') && sent.snapshot === null && restrictionsReady) send.push('snapshot');
  if (all && due('policies') && wantsAdvance(link, want)) send.push('advance');
  if (send.length === 0) return { link, send };
  const at = { version: want.version, atMs: nowMs };
  const next = {
    restrict: send.includes('restrict') ? { ...at, digest: want.restrictions } : sent.restrict,
    snapshot: send.includes('snapshot') ? { ...at, digest: want.policies } : sent.snapshot,
    advance: send.includes('advance') ? { ...at, digest: null } : sent.advance,
  };
  return { link: { ...link, sent: next }, send };
}

/** The proxy says what it holds (W9). Whatever it answers for is no longer on its way. */
export function acknowledged(link: Link, held: Held): Link {
  const { restrict, snapshot, advance } = link.sent;
  const sent = {
    restrict: restrict !== null && reaches(held.restrictions, restrict) ? null : restrict,
    snapshot: snapshot !== null && reaches(held.policies, snapshot) ? null : snapshot,
    advance: advance !== null && head(held) >= advance.version && !held.pending ? null : advance,
  };
  const retry = {
    policies: sent.snapshot !== snapshot || sent.advance !== advance ? null : link.retry.policies,
    restrictions: sent.restrict !== restrict ? null : link.retry.restrictions,
  };
  return { ...link, held, sent, retry };
}

/** The proxy has taken everything that was sent before `sinceMs`: what it does not answer for has been lost on the way, and is sent again (W7). */
export function missed(link: Link, sinceMs: number): Link {
  const kept = (sent: Sent | null): Sent | null => (sent !== null && sent.atMs < sinceMs ? null : sent);
  const { restrict, snapshot, advance } = link.sent;
  return { ...link, sent: { restrict: kept(restrict), snapshot: kept(snapshot), advance: kept(advance) } };
}

/** The proxy refuses what was sent (W5): for good, or for now. */
export function refused(link: Link, nack: Refused & { readonly digest: string | null }, nowMs: number): Link {
  const part = nack.part === 'restrictions' ? 'restrictions' : 'policies';
  const sent = { ...link.sent, [part === 'restrictions' ? 'restrict' : 'snapshot']: null, advance: null };
  if (nack.kind === 'transient' || nack.digest === null) {
    const failures = (link.retry[part]?.failures ?? 0) + 1;
    const wait = Math.min(RETRY_MOST_MS, RETRY_FIRST_MS * 2 ** Math.min(failures - 1, 10));
    return { ...link, sent, retry: { ...link.retry, [part]: { atMs: nowMs + wait, failures, problems: nack.problems } } };
  }
  const barred = new Map(link.barred);
  barred.delete(nack.digest);
  barred.set(nack.digest, { part: nack.part, kind: nack.kind, problems: nack.problems });
  for (const oldest of barred.keys()) if (barred.size > MAX_BARRED) barred.delete(oldest);
  return { ...link, sent, barred };
}

/** The host has other labels since `version`: what is on its way may be for another cut, and what is wanted is worked out anew. */
export function relabelled(link: Link, version: number): Link {
  return { ...link, labelledAt: version, sent: { restrict: null, snapshot: null, advance: null } };
}

/** Whether something has been on its way for too long. */
export function isSlow(link: Link, nowMs: number): boolean {
  return Object.values(link.sent).some((sent) => sent !== null && nowMs - sent.atMs > ANSWER_MS);
}

/** Whether the proxy enforces exactly `want`: both contents are the wanted ones and no lift is pending. */
export function enforces(held: Held, want: { readonly policies: string; readonly restrictions: string }): boolean {
  return held.policies?.digest === want.policies && held.restrictions?.digest === want.restrictions && !held.pending;
}

/** Whether the proxy has refused for good what it is wanted to enforce. */
export function refusal(link: Link, want: Want): Refused | null {
  return link.barred.get(want.restrictions) ?? link.barred.get(want.policies) ?? null;
}

/** W4: both contents are there already; the version is not, or a lift waits for it. */
function wantsAdvance({ held, sent }: Link, want: Want): boolean {
  if (held.policies?.digest !== want.policies || held.restrictions?.digest !== want.restrictions) return false;
  if (sent.restrict !== null || sent.snapshot !== null || sent.advance?.version === want.version) return false;
  return held.pending || head(held) < want.version;
}

function head(held: Held): number {
  return Math.max(held.policies?.version ?? -1, held.restrictions?.version ?? -1);
}

function reaches(mark: Mark | null, sent: Sent): boolean {
  return mark !== null && mark.version >= sent.version;
}

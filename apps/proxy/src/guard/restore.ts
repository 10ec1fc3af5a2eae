/**
 * The guard that a restarted process begins with, rebuilt from what is on disk (P3, P6): signatures and digests are verified again, and
 * what cannot be read falls back to the version before, never to open. Restrictions never fall back: an older set might lack the
 * one that an incident needs.
 */
import { canonicalJson, readDown, readPolicies, readRestrictions, restrictionList, shape } from '@portcullis/policy-core';
import type { DownFrame, Verify } from '@portcullis/policy-core';
import { emptyGuard, waits } from './guard.ts';
import type { GuardState, HeldPolicies, HeldRestrictions, StoredRestrictions } from './guard.ts';

/** One stored version of one part: the copies of its text, of which one that verifies is enough. */
export interface StoredVersion {
  readonly version: number;
  readonly copies: readonly string[];
}

/** Newest first. */
export interface Stored {
  readonly policies: readonly StoredVersion[];
  readonly restrictions: readonly StoredVersion[];
  readonly head: readonly StoredVersion[];
}

export interface Restored {
  readonly state: GuardState;
  /** What was wrong with the files, for the operator. */
  readonly problems: readonly string[];
}

/** Rebuilds the guard. Nothing is permitted where no coherent pair of parts can be verified. */
export function restore(log: string, server: string, stored: Stored, verify: Verify): Restored {
  const problems: string[] = [];
  const empty = emptyGuard(log, server);
  const policies = newestReadable(stored.policies, (text) => openPolicies(text, empty, verify), 'policies', problems);
  const restrictions = restoredRestrictions(stored, empty, verify, problems);
  if (policies === null || restrictions === null) return { state: { ...empty, policies: null, restrictions: restrictions?.[0]?.held ?? null }, problems };
  const advanced = newestReadable(stored.head, (text) => openAdvance(text, empty, verify), 'head', []);
  const state = paired(empty, policies, restrictions, advanced);
  if (state === null) {
    problems.push('policies and restrictions on disk do not belong together: every call is denied until the plane has been reached');
    return { state: empty, problems };
  }
  return { state, problems };
}

type AdvanceFrame = Extract<DownFrame, { frame: 'advance' }>;

interface Candidate {
  readonly held: HeldRestrictions;
  /** The policies beside which it was adopted. */
  readonly beside: number | null;
}

interface OpenedPolicies {
  readonly held: HeldPolicies;
  readonly needs: number;
}

/** The two parts together, or null where no version had them so. */
function paired(empty: GuardState, opened: OpenedPolicies, stored: readonly Candidate[], head: AdvanceFrame | null): GuardState | null {
  const policies = head === null || head.signed.policies !== opened.held.digest ? opened.held : movedTo(opened.held, head);
  const candidates = stored.map(({ held, beside }): Candidate => {
    const moved = head === null || head.signed.restrictions !== held.digest ? held : movedTo(held, head);
    return { beside, held: moved === held ? held : { ...moved, after: moved.version, carried: [] } };
  });
  const newest = candidates[0];
  if (newest === undefined || newest.held.version < opened.needs) return null;
  // Beside the very policies that it was stored with, it stands as it stood: only later policies end what it carries.
  if (policies.version === newest.beside) return { ...empty, policies, restrictions: newest.held };
  if (!waits(empty, policies, newest.held)) return { ...empty, policies, restrictions: { ...newest.held, carried: [] } };
  if (newest.beside !== null && policies.version >= newest.beside) return { ...empty, policies, restrictions: newest.held };
  // The policies fell back to an earlier version: every set stored since the one that goes with them holds at once.
  const fitting = candidates.findIndex(({ held }) => held.version >= opened.needs && !waits(empty, policies, held));
  if (fitting === -1) return null;
  const all = candidates.slice(0, fitting + 1).flatMap(({ held }) => [...held.set, ...held.carried]);
  return { ...empty, policies, restrictions: { ...newest.held, carried: all.filter((restriction) => !newest.held.set.includes(restriction)) } };
}

/** What the plane confirmed as unchanged at a later version. */
function movedTo<T extends HeldPolicies | HeldRestrictions>(held: T, head: AdvanceFrame): T {
  if (head.signed.version <= held.version) return held;
  return { ...held, version: head.signed.version, cut: head.signed.cut, header: head.header, signature: head.signature };
}

function restoredRestrictions(stored: Stored, empty: GuardState, verify: Verify, problems: string[]): readonly Candidate[] | null {
  const opened = stored.restrictions.map(({ copies }) => merged(copies.map((text) => openRestrictions(text, empty, verify))));
  if (opened.length > 0 && opened[0] === null) {
    problems.push(`restrictions@${stored.restrictions[0]?.version ?? 0} cannot be read: every call is denied until the plane has been reached`);
    return null;
  }
  const candidates = opened.filter((candidate): candidate is Candidate => candidate !== null);
  return candidates.length === 0 ? null : candidates;
}

/** Processes of one server may have stored one version beside different policies: what counts is beside the newest, all of it. */
function merged(copies: readonly (Candidate | null)[]): Candidate | null {
  const readable = copies.filter((copy): copy is Candidate => copy !== null);
  const newest = Math.max(...readable.map(({ beside }) => beside ?? -1));
  const counting = readable.filter(({ beside }) => (beside ?? -1) === newest);
  const [first] = counting;
  if (first === undefined) return null;
  const carried = new Map(counting.flatMap(({ held }) => held.carried).map((restriction) => [canonicalJson(restriction), restriction]));
  return { ...first, held: { ...first.held, carried: [...carried.values()] } };
}

function newestReadable<T>(versions: readonly StoredVersion[], open: (text: string) => T | null, what: string, problems: string[]): T | null {
  for (const version of versions) {
    const read = firstOf(version, open);
    if (read !== null) return read;
    problems.push(`${what}@${version.version} cannot be read: falling back to the version before`);
  }
  return null;
}

function firstOf<T>(version: StoredVersion, open: (text: string) => T | null): T | null {
  for (const text of version.copies) {
    const read = open(text);
    if (read !== null) return read;
  }
  return null;
}

function openPolicies(text: string, { log, server }: GuardState, verify: Verify): OpenedPolicies | null {
  const frame = readDown(text, verify);
  if (!frame.ok || frame.value.frame !== 'snapshot') return null;
  const { signed, header, signature, body } = frame.value;
  if (signed.log !== log || signed.cut.server !== server) return null;
  const policies = readPolicies(body);
  if (!policies.ok) return null;
  return { held: { version: signed.version, digest: signed.digest, cut: signed.cut, header, signature, policies: policies.value }, needs: signed.restrictions };
}

const storedRestrictions = shape.object<StoredRestrictions>({
  frame: shape.text(1_000_000_000),
  carried: restrictionList,
  policies: shape.nullable(shape.whole()),
});

function openRestrictions(text: string, { log, server }: GuardState, verify: Verify): Candidate | null {
  const stored = shape.readJson(storedRestrictions, text);
  if (!stored.ok) return null;
  const frame = readDown(stored.value.frame, verify);
  if (!frame.ok || frame.value.frame !== 'restrict') return null;
  const { signed, header, signature, body } = frame.value;
  if (signed.log !== log || signed.cut.server !== server) return null;
  const set = readRestrictions(body);
  if (!set.ok) return null;
  const held = { version: signed.version, digest: signed.digest, cut: signed.cut, header, signature, after: signed.after, set: set.value, carried: stored.value.carried };
  return { held, beside: stored.value.policies };
}

function openAdvance(text: string, { log, server }: GuardState, verify: Verify): AdvanceFrame | null {
  const frame = readDown(text, verify);
  if (!frame.ok || frame.value.frame !== 'advance') return null;
  return frame.value.signed.log === log && frame.value.signed.cut.server === server ? frame.value : null;
}


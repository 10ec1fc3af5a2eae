/**
 * The guard that a restarted process begins with, rebuilt from what is on disk (P3, P6): signatures and digests are verified again, and
 * what cannot be read falls back to the version before, never to open. Restrictions never fall back: an older set might lack the
 * one that an incident needs. So only the newest ever stored here counts, under the version that the plane signed.
 */
import { canonicalJson, readDown, readPolicies, readRestrictions, restrictionList, shape } from '@portcullis/policy-core';
import type { DownFrame, Restriction, Verify } from '@portcullis/policy-core';
import { emptyGuard, stated, waits } from './guard.ts';
import type { GuardState, HeldPolicies, HeldRestrictions, StoredHead, StoredRestrictions } from './guard.ts';

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
  /** The version of the newest restrictions ever stored here; null where none were, or where that is not known any more. */
  readonly newestRestrictions: number | null;
}

export interface Restored {
  readonly state: GuardState;
  /** What was wrong with the files, for the operator. */
  readonly problems: readonly string[];
  /** Why nothing is permitted though something was enforced here once, as the beginning of a sentence; null otherwise. */
  readonly closed: string | null;
}

/** Rebuilds the guard. Nothing is permitted where no coherent pair of parts can be verified. */
export function restore(log: string, server: string, stored: Stored, verify: Verify): Restored {
  const empty = emptyGuard(log, server);
  const fallen: string[] = [];
  const head = newestReadable(stored.head.map(wholeFirst), (text, version) => openHead(text, version, empty, verify), []);
  const newest = newestReadable(stored.policies, (text, version) => openPolicies(text, version, empty, verify), fallen);
  const policies = newest === null ? null : policiesOf(head, newest, () => opensAll(stored.policies, empty, verify));
  const restrictions = openNewestRestrictions(stored, empty, verify);
  const closed = (state: GuardState, why: string): Restored => ({ state, problems: [...fallen, `${why}: every call is denied until the plane has been reached`], closed: why });
  if (!restrictions.ok) return closed(empty, restrictions.problem);
  if (policies === null) {
    const state: GuardState = { ...empty, restrictions: restrictions.newest?.held ?? null };
    return stored.policies.length === 0 ? { state, problems: [], closed: null } : closed(state, 'no policies that are stored here can be read');
  }
  const older = (): readonly Candidate[] => stored.restrictions.flatMap(({ version, copies }) => merged(copies.map((text) => openRestrictions(text, version, empty, verify))) ?? []);
  const state = restrictions.newest === null ? null : paired(empty, policies, { newest: restrictions.newest, all: older }, head);
  return state === null ? closed(empty, 'policies and restrictions on disk do not belong together') : { state, problems: fallen, closed: null };
}

type AdvanceFrame = Extract<DownFrame, { frame: 'advance' }>;

interface Head {
  readonly frame: AdvanceFrame;
  /** What it speaks of, where that was stored with it. */
  readonly whole: { readonly policies: OpenedPolicies; readonly restrictions: Candidate } | null;
}

interface Candidate {
  readonly held: HeldRestrictions;
  /** The policies beside which it was adopted. */
  readonly beside: number | null;
}

/** Everything that any process of the server had in force since these policies, and that was lifted but not yet replaced. */
function carriedWith(restrictions: HeldRestrictions, { held: policies, needs }: OpenedPolicies, all: readonly Candidate[]): readonly Restriction[] {
  const since = all.filter(({ held }) => held.version >= needs && held.version < restrictions.version);
  const older = since.flatMap(({ held, beside }) => (beside !== null && beside >= policies.version ? [...held.set, ...held.carried] : held.set));
  const kept = new Set(restrictions.set.map(canonicalJson));
  const carried = new Map([...restrictions.carried, ...older].map((restriction) => [canonicalJson(restriction), restriction]));
  return [...carried].filter(([text]) => !kept.has(text)).map(([, restriction]) => restriction);
}

interface Candidates {
  readonly newest: Candidate;
  /** Older ones too, which count only where a head that is newer than all of them says so. */
  readonly all: () => readonly Candidate[];
}

/** A head that was stored with what it speaks of says more than the same one alone. */
function wholeFirst({ version, copies }: StoredVersion): StoredVersion {
  return { version, copies: [...copies].sort((a, b) => b.length - a.length) };
}

interface OpenedPolicies {
  readonly held: HeldPolicies;
  readonly needs: number;
}

/** The two parts together, or null where no version had them so. */
function paired(empty: GuardState, opened: OpenedPolicies, candidates: Candidates, head: Head | null): GuardState | null {
  const policies = opened.held;
  const stored = restrictionsOf(head, policies, candidates);
  if (stored === null) return null;
  const restrictions = stored.held;
  if (restrictions.version < opened.needs) return null;
  // Beside the very policies that it was stored with, it stands as it stood: only later policies end what it carries.
  const waiting = waits(empty, policies, restrictions);
  const carrying = { ...restrictions, carried: waiting ? carriedWith(restrictions, opened, candidates.all()) : restrictions.carried };
  if (policies.version === stored.beside) return { ...empty, policies, restrictions: carrying };
  if (!waiting) return { ...empty, policies, restrictions: { ...restrictions, carried: [] } };
  if (stored.beside !== null && policies.version >= stored.beside) return { ...empty, policies, restrictions: carrying };
  // The policies fell back to some under which more may have been restricted: nobody here knows what.
  return null;
}

/**
 * The policies that the newest statement is about. That may be a head which found them unchanged, while another process of this server had
 * taken and stored others and has not come so far.
 */
function policiesOf(head: Head | null, newest: OpenedPolicies, all: () => readonly OpenedPolicies[]): OpenedPolicies {
  if (head === null || head.frame.signed.version <= newest.held.version) return newest;
  const digest = head.frame.signed.policies;
  const meant = newest.held.digest === digest ? newest : (head.whole?.policies ?? all().find(({ held }) => held.digest === digest));
  return meant === undefined ? newest : { ...meant, held: movedTo(meant.held, head.frame) };
}

/** The restrictions that go with them; null where the head speaks of some that are not here, since older ones might lack one. */
function restrictionsOf(head: Head | null, policies: HeldPolicies, { newest, all }: Candidates): Candidate | null {
  if (head === null || policies.version < head.frame.signed.version || newest.held.version >= head.frame.signed.version) return newest;
  const { frame, whole } = head;
  const meant = newest.held.digest === frame.signed.restrictions ? newest : (whole?.restrictions ?? all().find(({ held }) => held.digest === frame.signed.restrictions));
  return meant === undefined ? null : { beside: frame.signed.version, held: { ...movedTo(meant.held, frame), after: frame.signed.version, carried: [] } };
}

/** What the plane confirmed as unchanged at a later version. */
function movedTo<T extends HeldPolicies | HeldRestrictions>(held: T, head: AdvanceFrame): T {
  if (head.signed.version <= held.version) return held;
  return { ...held, version: head.signed.version, cut: head.signed.cut, header: head.header, signature: head.signature };
}

type NewestRestrictions = { readonly ok: true; readonly newest: Candidate | null } | { readonly ok: false; readonly problem: string };

/** The newest restrictions ever stored here; null where there were none. */
function openNewestRestrictions({ policies, restrictions, newestRestrictions }: Stored, empty: GuardState, verify: Verify): NewestRestrictions {
  const [stored] = restrictions;
  if (stored === undefined) {
    if (newestRestrictions !== null) return { ok: false, problem: `restrictions@${newestRestrictions} were in force here, and their files are gone` };
    return policies.length === 0 ? { ok: true, newest: null } : { ok: false, problem: 'policies are stored here, and the files of the restrictions that go with them are gone' };
  }
  if (newestRestrictions === null) return { ok: false, problem: `restrictions@${stored.version} are stored here, and the file is gone that says whether they are the newest` };
  if (stored.version < newestRestrictions) {
    return { ok: false, problem: `restrictions@${newestRestrictions} were in force here, and their files are gone; those of version ${stored.version} are older` };
  }
  const newest = merged(stored.copies.map((text) => openRestrictions(text, stored.version, empty, verify)));
  return newest === null ? { ok: false, problem: `restrictions@${stored.version} cannot be read, or are not what the plane signed as that version` } : { ok: true, newest };
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

type Open<T> = (text: string, version: number) => T | null;

/** The newest version that can be read; what is newer and cannot is told. */
function newestReadable<T extends object>(versions: readonly StoredVersion[], open: Open<T>, problems: string[]): T | null {
  for (const { version, copies } of versions) {
    for (const text of copies) {
      const read = open(text, version);
      if (read !== null) return read;
    }
    problems.push(`policies@${version} cannot be read, or are not what the plane signed as that version: falling back to the version before`);
  }
  return null;
}

function opensAll(versions: readonly StoredVersion[], empty: GuardState, verify: Verify): readonly OpenedPolicies[] {
  return versions.flatMap((version) => newestReadable([version], (text, of) => openPolicies(text, of, empty, verify), []) ?? []);
}

function openPolicies(text: string, version: number | null, { log, server }: GuardState, verify: Verify): OpenedPolicies | null {
  const frame = readDown(text, verify);
  if (!frame.ok || frame.value.frame !== 'snapshot') return null;
  const { signed, header, signature, body } = frame.value;
  if (signed.log !== log || signed.cut.server !== server || (version !== null && signed.version !== version)) return null;
  const policies = readPolicies(body);
  if (!policies.ok) return null;
  return { held: { ...stated(signed, { header, signature }), policies: policies.value }, needs: signed.restrictions };
}

/** What is read back was bounded when it was received, and a record where it is read. */
const MAX_STORED = 1_000_000_000;

const storedRestrictions = shape.object<StoredRestrictions>({
  frame: shape.text(MAX_STORED),
  carried: restrictionList,
  policies: shape.nullable(shape.whole()),
});

function openRestrictions(text: string, version: number | null, { log, server }: GuardState, verify: Verify): Candidate | null {
  const stored = shape.readJson(storedRestrictions, text);
  if (!stored.ok) return null;
  const frame = readDown(stored.value.frame, verify);
  if (!frame.ok || frame.value.frame !== 'restrict') return null;
  const { signed, header, signature, body } = frame.value;
  if (signed.log !== log || signed.cut.server !== server || (version !== null && signed.version !== version)) return null;
  const set = readRestrictions(body);
  if (!set.ok) return null;
  const held = { ...stated(signed, { header, signature }), after: signed.after, set: set.value, carried: stored.value.carried };
  return { held, beside: stored.value.policies };
}

const storedHead = shape.object<StoredHead>({ advance: shape.text(MAX_STORED), policies: shape.text(MAX_STORED), restrictions: shape.text(MAX_STORED) });

function openHead(text: string, version: number, empty: GuardState, verify: Verify): Head | null {
  const stored = shape.readJson(storedHead, text);
  const frame = openAdvance(stored.ok ? stored.value.advance : text, version, empty, verify);
  if (frame === null || !stored.ok) return frame === null ? null : { frame, whole: null };
  // They keep the versions under which they were signed; that they are the ones meant, the head's digests say.
  const policies = openPolicies(stored.value.policies, null, empty, verify);
  const restrictions = openRestrictions(stored.value.restrictions, null, empty, verify);
  if (policies?.held.digest !== frame.signed.policies || restrictions?.held.digest !== frame.signed.restrictions) return null;
  return { frame, whole: { policies, restrictions } };
}

function openAdvance(text: string, version: number, { log, server }: GuardState, verify: Verify): AdvanceFrame | null {
  const frame = readDown(text, verify);
  if (!frame.ok || frame.value.frame !== 'advance') return null;
  const { signed } = frame.value;
  return signed.log === log && signed.cut.server === server && signed.version === version ? frame.value : null;
}


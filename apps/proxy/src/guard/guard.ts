/**
 * What a proxy takes from the plane, and what it refuses (W3, W5, W6, W9, P3, P6). Pure: frames arrive read and verified, and what must be
 * on disk before it is acknowledged comes back as a value.
 *
 * The state is always one of two things. Coherent: policies and restrictions are exactly those of one version. Or waiting: the
 * policies of an earlier version, under every restriction of that version and every one that came since; what was lifted goes when
 * the policies that the lift was decided on are in. So nothing is ever permitted that no version permitted.
 */
import { canonicalJson, inCut, policiesBody, readPolicies, readRestrictions, restrictionsBody, signedFrame } from '@portcullis/policy-core';
import type { Cut, DownFrame, Labels, Mark, NackKind, PartName, Policy, Restriction } from '@portcullis/policy-core';

export interface GuardState {
  readonly log: string;
  readonly server: string;
  /** From the last welcome, with its version; null before the first one of this process. */
  readonly labels: { readonly values: Labels; readonly version: number } | null;
  readonly policies: HeldPolicies | null;
  readonly restrictions: HeldRestrictions | null;
}

interface Statement {
  readonly version: number;
  readonly digest: string;
  readonly cut: Cut;
  /** As it was signed, to be shown beside a statement that contradicts it. */
  readonly header: string;
  readonly signature: string;
  /** The statement that brought the content, which is the one on disk; an advance replaces the other. */
  readonly brought: { readonly version: number; readonly header: string; readonly signature: string };
}

export interface HeldPolicies extends Statement {
  readonly policies: readonly Policy[];
}

export interface HeldRestrictions extends Statement {
  /** The version whose policies the set was decided on. */
  readonly after: number;
  readonly set: readonly Restriction[];
  /** Lifted, but still in force until those policies are in. */
  readonly carried: readonly Restriction[];
}

/** What must be durable before the adoption counts (W9). */
export type Persist =
  | { readonly kind: 'policies'; readonly version: number; readonly text: string }
  /** `settled`: no lift waits, so that older sets say nothing any more. */
  | { readonly kind: 'restrictions'; readonly version: number; readonly text: string; readonly settled: boolean }
  /** The log's tree at `version` events, as it was signed. */
  | { readonly kind: 'checkpoint'; readonly version: number; readonly text: string }
  | {
      readonly kind: 'head';
      readonly version: number;
      readonly text: string;
      /** The versions under which the contents that this head speaks of were stored. */
      readonly of: Readonly<Record<PartName, number>>;
      /** The same with these contents, for a disk where another process has stored later ones meanwhile. */
      readonly whole: () => string;
    };

/** A head as it is stored together with what it speaks of. */
export interface StoredHead {
  readonly advance: string;
  readonly policies: string;
  readonly restrictions: string;
}

/** Two statements of the plane that contradict each other, or one that it should not have made. Kept for whoever investigates. */
export interface Evidence {
  readonly what: 'equivocation' | 'lower' | 'other-log' | 'other-cut' | 'forged';
  readonly held: { readonly header: string; readonly signature: string } | null;
  readonly refused: { readonly header: string; readonly signature: string };
}

export type Adopted =
  | { readonly ok: true; readonly state: GuardState; readonly persist: Persist | null }
  | {
      readonly ok: false;
      readonly part: PartName;
      /** The content refused; null where the frame carries none, or where it is not the content that is wrong. */
      readonly digest: string | null;
      readonly kind: NackKind;
      readonly problem: string;
      readonly evidence: Evidence | null;
    };

type SnapshotFrame = Extract<DownFrame, { frame: 'snapshot' }>;
type RestrictFrame = Extract<DownFrame, { frame: 'restrict' }>;
type AdvanceFrame = Extract<DownFrame, { frame: 'advance' }>;
export type PolicyFrame = SnapshotFrame | RestrictFrame | AdvanceFrame;

/** A guard that has seen nothing: it permits nothing (P3). */
export function emptyGuard(log: string, server: string): GuardState {
  return { log, server, labels: null, policies: null, restrictions: null };
}

/** The labels that the plane says the host has, from a welcome made for this connection; an older one is passed over. What is held stays in force. */
export function welcomed(state: GuardState, welcome: { readonly labels: Labels; readonly version: number }): GuardState {
  if (state.labels !== null && welcome.version < state.labels.version) return state;
  return { ...state, labels: { values: welcome.labels, version: welcome.version } };
}

/** Takes or refuses a frame; `source` is its text as received, which is what is stored. */
export function adopt(state: GuardState, frame: PolicyFrame, source: string): Adopted {
  const stranger = refuseStranger(state, frame);
  if (stranger !== null) return stranger;
  switch (frame.frame) {
    case 'snapshot':
      return adoptSnapshot(state, frame, source);
    case 'restrict':
      return adoptRestrict(state, frame, source);
    case 'advance':
      return adoptAdvance(state, frame, source);
  }
}

/** What is enforced now; null where a part is missing, and then everything is denied. */
export function effective(state: GuardState): Effective | null {
  const { policies, restrictions } = state;
  if (policies === null || restrictions === null) return null;
  return {
    cut: policies.cut,
    policies: policies.policies,
    restrictions: restrictions.carried.length === 0 ? restrictions.set : [...restrictions.set, ...restrictions.carried],
    policiesVersion: policies.version,
    restrictionsVersion: restrictions.version,
  };
}

export interface Effective {
  readonly cut: Cut;
  readonly policies: readonly Policy[];
  readonly restrictions: readonly Restriction[];
  readonly policiesVersion: number;
  readonly restrictionsVersion: number;
}

/** The version that is enforced exactly; null while the policies that the restrictions were decided on are not in. */
export function coherentVersion(state: GuardState): number | null {
  const { policies, restrictions } = state;
  if (policies === null || restrictions === null || waits(state, policies, restrictions)) return null;
  return Math.max(policies.version, restrictions.version);
}

/** What an ack says about each part. */
export function held(state: GuardState): { readonly policies: Mark | null; readonly restrictions: Mark | null; readonly pending: boolean } {
  const { policies, restrictions } = state;
  return {
    policies: policies === null ? null : { version: policies.version, digest: policies.digest },
    restrictions: restrictions === null ? null : { version: restrictions.version, digest: restrictions.digest },
    pending: coherentVersion(state) === null,
  };
}

/** Whether restrictions that were decided on later policies, or are for other labels, are held together with these policies. */
export function waits(state: GuardState, policies: HeldPolicies, restrictions: { readonly after: number; readonly cut: Cut }): boolean {
  return policies.version < restrictions.after || !isOurs(state, policies.cut) || contradict(policies.cut, restrictions.cut);
}

/** Two cuts that no host belongs to both of: it was relabelled between them. */
function contradict(a: Cut, b: Cut): boolean {
  return Object.entries(a.labels).some(([name, value]) => Object.hasOwn(b.labels, name) && b.labels[name] !== value);
}

function adoptSnapshot(state: GuardState, frame: SnapshotFrame, source: string): Adopted {
  const { signed } = frame;
  const known = againstHeld('policies', state.policies, frame, signed);
  if (known !== 'newer') return known === 'same' ? { ok: true, state, persist: null } : known;
  const { restrictions } = state;
  if (restrictions === null || restrictions.version < signed.restrictions || !isOurs(state, restrictions.cut)) {
    return refused('policies', signed.digest, 'transient', `policies@${signed.version} need restrictions@${signed.restrictions} first`);
  }
  if (restrictions.after > signed.version) {
    return refused('policies', signed.digest, 'transient', `restrictions@${restrictions.version} were decided on policies@${restrictions.after}: policies@${signed.version} are too old`);
  }
  const body = readPolicies(frame.body);
  if (!body.ok) return refused('policies', signed.digest, body.kind, body.message);
  const policies: HeldPolicies = { ...statement(frame, signed), policies: body.value };
  return {
    ok: true,
    state: { ...state, policies, restrictions: { ...restrictions, carried: [] } },
    persist: { kind: 'policies', version: signed.version, text: source },
  };
}

function adoptRestrict(state: GuardState, frame: RestrictFrame, source: string): Adopted {
  const { signed } = frame;
  const known = againstHeld('restrictions', state.restrictions, frame, signed);
  if (known !== 'newer') return known === 'same' ? { ok: true, state, persist: null } : known;
  const body = readRestrictions(frame.body);
  if (!body.ok) return refused('restrictions', signed.digest, body.kind, body.message);
  const waiting = state.policies !== null && waits(state, state.policies, signed);
  const carried = waiting && state.restrictions !== null ? without([...state.restrictions.set, ...state.restrictions.carried], body.value) : [];
  const restrictions: HeldRestrictions = { ...statement(frame, signed), after: signed.after, set: body.value, carried };
  const stored: StoredRestrictions = { frame: source, carried, policies: state.policies?.version ?? null };
  return { ok: true, state: { ...state, restrictions }, persist: { kind: 'restrictions', version: signed.version, text: canonicalJson(stored), settled: !waiting } };
}

/** A restrict frame as it is stored: with what it lifted but could not lift yet, and the policies beside which that was so. */
export interface StoredRestrictions {
  readonly frame: string;
  readonly carried: readonly Restriction[];
  readonly policies: number | null;
}

function adoptAdvance(state: GuardState, frame: AdvanceFrame, source: string): Adopted {
  const { signed } = frame;
  const { policies, restrictions } = state;
  for (const part of ['policies', 'restrictions'] as const) {
    const known = againstHeld(part, state[part], frame, { version: signed.version, digest: signed[part] });
    if (known !== 'newer' && known !== 'same') return known;
  }
  if (policies?.digest !== signed.policies || restrictions?.digest !== signed.restrictions) {
    const part = policies?.digest !== signed.policies ? 'policies' : 'restrictions';
    return refused(part, null, 'transient', `the ${part} of version ${signed.version} have not arrived`);
  }
  if (policies.version === signed.version && restrictions.version === signed.version) return { ok: true, state, persist: null };
  const moved = { version: signed.version, cut: signed.cut, header: frame.header, signature: frame.signature };
  return {
    ok: true,
    state: { ...state, policies: { ...policies, ...moved }, restrictions: { ...restrictions, ...moved, after: signed.version, carried: [] } },
    persist: {
      kind: 'head',
      version: signed.version,
      text: source,
      of: { policies: policies.brought.version, restrictions: restrictions.brought.version },
      whole: () => wholeHead(source, policies, restrictions),
    },
  };
}

function wholeHead(advance: string, policies: HeldPolicies, restrictions: HeldRestrictions): string {
  const frame = (kind: 'snapshot' | 'restrict', { brought }: Statement, body: string): string => signedFrame(kind, brought.header, brought.signature, body);
  // Where an advance is taken, nothing is carried any more.
  const stored: StoredRestrictions = { frame: frame('restrict', restrictions, restrictionsBody(restrictions.set)), carried: [], policies: null };
  return canonicalJson({ advance, policies: frame('snapshot', policies, policiesBody(policies.policies)), restrictions: canonicalJson(stored) } satisfies StoredHead);
}

/** W3: another log's frame and another cut's are nobody's business here. Their content may be just what our own cut needs next, so it is not named. */
function refuseStranger(state: GuardState, frame: PolicyFrame): Extract<Adopted, { ok: false }> | null {
  const part = frame.frame === 'restrict' ? 'restrictions' : 'policies';
  const { signed } = frame;
  if (signed.log !== state.log) {
    return refused(part, null, 'invalid', `a ${frame.frame} of log ${signed.log}, this host is enrolled in ${state.log}`, evidence('other-log', null, frame));
  }
  if (signed.cut.server !== state.server || !isOurs(state, signed.cut)) {
    return refused(part, null, 'invalid', `a ${frame.frame} for another cut: ${canonicalJson(signed.cut)}`, evidence('other-cut', null, frame));
  }
  return null;
}

/** W3: lower than the highest seen, or the same version with other content. */
function againstHeld(part: PartName, mine: Statement | null, frame: PolicyFrame, theirs: Mark): 'newer' | 'same' | Extract<Adopted, { ok: false }> {
  if (mine === null || theirs.version > mine.version) return 'newer';
  const digest = frame.frame === 'advance' ? null : theirs.digest;
  if (theirs.version < mine.version) {
    return refused(part, digest, 'transient', `${part}@${theirs.version} are older than ${part}@${mine.version}`, evidence('lower', mine, frame));
  }
  if (theirs.digest === mine.digest) return 'same';
  return refused(part, null, 'invalid', `version ${theirs.version} of the ${part} was given two contents`, evidence('equivocation', mine, frame));
}

/** Before the first welcome of this process only the server name is known; what is stored was checked when it was adopted. */
function isOurs(state: GuardState, cut: Cut): boolean {
  return state.labels === null ? cut.server === state.server : inCut(cut, { server: state.server, labels: state.labels.values });
}

function statement(frame: SnapshotFrame | RestrictFrame, signed: { readonly version: number; readonly digest: string; readonly cut: Cut }): Statement {
  return stated(signed, frame);
}

/** What a frame that brings content says of it. */
export function stated(
  { version, digest, cut }: { readonly version: number; readonly digest: string; readonly cut: Cut },
  { header, signature }: { readonly header: string; readonly signature: string },
): Statement {
  return { version, digest, cut, header, signature, brought: { version, header, signature } };
}

/** Those of `older` that `newer` does not hold in the very same words. */
function without(older: readonly Restriction[], newer: readonly Restriction[]): readonly Restriction[] {
  const kept = new Set(newer.map(canonicalJson));
  const carried = new Map(older.map((restriction) => [canonicalJson(restriction), restriction]));
  return [...carried].filter(([text]) => !kept.has(text)).map(([, restriction]) => restriction);
}

function evidence(what: Evidence['what'], mine: Statement | null, frame: PolicyFrame): Evidence {
  const refusedStatement = { header: frame.header, signature: frame.signature };
  return { what, held: mine === null ? null : { header: mine.header, signature: mine.signature }, refused: refusedStatement };
}

function refused(part: PartName, digest: string | null, kind: NackKind, problem: string, kept: Evidence | null = null): Extract<Adopted, { ok: false }> {
  return { ok: false, part, digest, kind, problem, evidence: kept };
}

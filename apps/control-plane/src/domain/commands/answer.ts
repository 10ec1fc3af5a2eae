/** How a command is answered, and what it may know besides the state. */
import type { Policy } from '@portcullis/policy-core';
import type { Command, Refusal, RefusalCode } from '../command.ts';
import type { PlaneEvent } from '../events.ts';
import type { PolicyInForce } from '../state.ts';

/** Events to record, in order, or a refusal that records nothing. No events = the command asks for what is so already. */
export type Decided = { readonly ok: true; readonly events: readonly Drafted[] } | { readonly ok: false; readonly refusal: Refusal };

export interface Drafted {
  readonly event: PlaneEvent;
  /** Index, among the same command's events, of the one that led to this. */
  readonly causedBy: number | null;
}

export type OfferCommand = Extract<Command, { kind: 'offer' }>;

/** What a command may look up; all of it is a function of the log, but for the last offer. */
export interface Known {
  /** The normalised policies in force, by id. */
  readonly policies: ReadonlyMap<string, Policy>;
  /** The newest settled offer; null until the directory has been read. */
  readonly offered: OfferCommand | null;
  /** The last version at or before `seq`, and the policies that were in force right after it; undefined where the log does not reach. */
  readonly past: (seq: number) => { readonly version: number; readonly policies: ReadonlyMap<string, PolicyInForce> } | undefined;
}

export function recorded(...events: readonly PlaneEvent[]): Decided {
  return { ok: true, events: events.map((event) => ({ event, causedBy: null })) };
}

/** The first event, and what followed from it. */
export function recordedWith(first: PlaneEvent, consequences: readonly PlaneEvent[]): Decided {
  return { ok: true, events: [{ event: first, causedBy: null }, ...consequences.map((event) => ({ event, causedBy: 0 }))] };
}

export function refused(code: RefusalCode, message: string): Decided {
  return { ok: false, refusal: { code, message } };
}

/** Optimistic concurrency: refuses when the caller decided on another version than the head. */
export function unexpectedVersion(expected: number | null, version: number): Decided | undefined {
  if (expected === null || expected === version) return undefined;
  return refused('expected-version', `this was decided on version ${expected}, but the head is version ${version}: look at what changed, then ask again`);
}

/** Longest reason, name or note that people may type: a paragraph. */
export const MAX_PROSE_LENGTH = 2_000;

/** Refuses a missing or overlong reason. */
export function badReason(reason: string | null, what: string): Decided | undefined {
  if (reason === null || reason.trim() === '') return refused('reason-required', `${what} needs a reason: say why with --reason`);
  if (reason.length > MAX_PROSE_LENGTH) return refused('invalid', `the reason is ${reason.length} characters long; at most ${MAX_PROSE_LENGTH} are kept: shorten it`);
  return undefined;
}

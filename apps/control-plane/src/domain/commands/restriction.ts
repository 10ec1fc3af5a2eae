/**
 * Restrictions: imposing one works whatever else is broken, so it asks for a reason and nothing more, no version, no file,
 * no policy. It ends by an event only: somebody lifts it, or the plane records that its time has come.
 */
import { linkLimits } from '@portcullis/policy-core';
import type { Restriction } from '@portcullis/policy-core';
import type { Command, Meta } from '../command.ts';
import type { PlaneState } from '../state.ts';
import type { Decided } from './answer.ts';
import { badReason, recorded, refused, unexpectedVersion } from './answer.ts';
import { badGlobs, badSelector } from './limits.ts';

/**
 * Restrictions at one time: what proxies take, and each checks its own on every call. An incident has a handful. The places are shared out
 * so that nobody can use them up: what denies everything everywhere without an end is never refused, because there is one of it at most
 * and one place is kept for it.
 */
export const MAX_RESTRICTIONS = linkLimits.MAX_RESTRICTIONS;
/** Kept for what denies everything everywhere: one person after another may prolong a lockdown. */
export const RESERVED_FOR_LOCKDOWNS = 50;
/** Of one operator who cannot lift them again: several incidents' worth, and far from all there are. */
export const MAX_OF_ONE = 100;
/** Lockdowns with an end, of one such operator: each outlasts the one before. */
export const MAX_LOCKDOWNS_OF_ONE = 10;

type Restrict = Extract<Command, { kind: 'restrict' }>;

/** Refuses what is restricted already for at least as long. */
export function restrict(state: PlaneState, command: Restrict, meta: Meta): Decided {
  const noReason = badReason(meta.reason, 'a restriction');
  if (noReason !== undefined) return noReason;
  const bad = badSelector(command.selector) ?? badTools(command.tools);
  if (bad !== undefined) return refused('invalid', bad);
  if (command.expiresAtMs !== null && !(command.expiresAtMs > meta.nowMs)) return refused('invalid', 'the restriction would end before it begins: give a longer --ttl, or none');
  const same = [...state.restrictions.values()].find(({ restriction }) => covers(restriction, command));
  if (same !== undefined) return refused('already-done', `${same.restriction.id} restricts exactly this already`);
  const full = noPlace(state, command, meta);
  if (full !== undefined) return refused('limit', full);
  return recorded({
    type: 'RestrictionImposed',
    restriction: {
      id: `r-${state.size}`,
      selector: command.selector,
      scope: command.tools === null ? { kind: 'all' } : { kind: 'tools', globs: command.tools },
      readOnly: command.readOnly,
      reason: meta.reason ?? '',
      actor: meta.actor.id,
      imposedAtMs: meta.nowMs,
      expiresAtMs: command.expiresAtMs,
    },
  });
}

/** Lifting loosens, so it says why. Policies decided meanwhile are for the proxies to wait for (W6). */
export function lift(state: PlaneState, command: Extract<Command, { kind: 'lift' }>, meta: Meta): Decided {
  const no = unexpectedVersion(command.expected, state.version) ?? badReason(meta.reason, 'lifting a restriction');
  if (no !== undefined) return no;
  const ended = state.endedRestrictions.get(command.restriction);
  if (ended !== undefined) return refused('already-done', `${command.restriction} ${ended.how === 'lifted' ? 'was lifted' : 'ended by itself, when its time was over'}, as of version ${ended.seq}`);
  if (!state.restrictions.has(command.restriction)) return refused('not-found', `no restriction ${command.restriction} is active; it may have ended already: see portcullis status`);
  return recorded({ type: 'RestrictionLifted', restriction: command.restriction });
}

/** The plane's own command, once the time is over. Expiring what is gone already is no news. */
export function expire(state: PlaneState, command: Extract<Command, { kind: 'expire' }>, meta: Meta): Decided {
  const active = state.restrictions.get(command.restriction)?.restriction;
  if (active === undefined) return recorded();
  if (active.expiresAtMs === null || active.expiresAtMs > meta.nowMs) return refused('invalid', `the time of ${command.restriction} is not over; to end it now: portcullis lift ${command.restriction}`);
  return recorded({ type: 'RestrictionExpired', restriction: command.restriction });
}

/** Why there is no place for one more restriction of this actor; undefined where there is one. */
function noPlace(state: PlaneState, command: Restrict, { actor }: Meta): string | undefined {
  const lockdown = isLockdown(command.selector, command.tools === null, command.readOnly);
  const kind = lockdown ? 'lockdowns with an end' : 'restrictions';
  const always = 'What denies everything everywhere without an end is never refused: portcullis lockdown, without --server, --label or --ttl';
  if (lockdown && command.expiresAtMs === null) {
    return state.restrictions.size < MAX_RESTRICTIONS ? undefined : `${MAX_RESTRICTIONS} restrictions are active, as many as proxies take: lift what is no longer needed (portcullis status lists them)`;
  }
  if (state.operatorTokens.get(actor.id)?.role !== 'admin') {
    const most = lockdown ? MAX_LOCKDOWNS_OF_ONE : MAX_OF_ONE;
    if (countOf(state, actor.id, lockdown) >= most) return `${most} ${kind} of yours are active, as many as one operator may have who is no admin: impose a wider one, or have an admin lift what is no longer needed. ${always}`;
  }
  const most = lockdown ? MAX_RESTRICTIONS - 1 : MAX_RESTRICTIONS - RESERVED_FOR_LOCKDOWNS;
  if (state.restrictions.size >= most) return `${state.restrictions.size} restrictions are active, and the other places are kept: lift what is no longer needed, or impose a wider one. ${always}`;
  return undefined;
}

function countOf(state: PlaneState, actor: string, lockdowns: boolean): number {
  let count = 0;
  for (const { restriction } of state.restrictions.values()) {
    if (restriction.actor === actor && isLockdown(restriction.selector, restriction.scope.kind === 'all', restriction.readOnly) === lockdowns) count += 1;
  }
  return count;
}

/** Whether it denies everything to everybody. */
function isLockdown({ server, labels }: Restriction['selector'], everything: boolean, readOnly: boolean): boolean {
  return server.length === 0 && Object.keys(labels).length === 0 && everything && !readOnly;
}

function badTools(tools: readonly string[] | null): string | undefined {
  if (tools === null) return undefined;
  if (tools.length === 0) return 'a restriction of tools names at least one: give --tool, or leave it out to restrict everything';
  return badGlobs(tools, 'tools');
}

function covers(active: Restriction, asked: Restrict): boolean {
  const scope = active.scope.kind === 'all' ? null : active.scope.globs;
  const lasts = active.expiresAtMs === null || (asked.expiresAtMs !== null && asked.expiresAtMs <= active.expiresAtMs);
  return lasts && active.readOnly === asked.readOnly && spelled(active.selector, scope) === spelled(asked.selector, asked.tools);
}

function spelled({ server, labels }: Restriction['selector'], tools: readonly string[] | null): string {
  const byName = Object.entries(labels).map(([name, values]) => [name, [...values].sort()] as const);
  byName.sort(([a], [b]) => (a < b ? -1 : 1));
  return JSON.stringify([[...server].sort(), byName, tools === null ? null : [...tools].sort()]);
}

/**
 * Restrictions: imposing one works whatever else is broken, so it asks for a reason and nothing more, no version, no file,
 * no policy. It ends by an event only: somebody lifts it, or the plane records that its time has come.
 */
import type { Restriction } from '@portcullis/policy-core';
import type { Command, Meta } from '../command.ts';
import type { PlaneState } from '../state.ts';
import type { Decided } from './answer.ts';
import { badReason, recorded, refused, unexpectedVersion } from './answer.ts';
import { badGlobs, badSelector } from './limits.ts';

/** Restrictions at one time; every proxy checks each of its own on every call. An incident has a handful. */
export const MAX_RESTRICTIONS = 1_000;

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
  if (state.restrictions.size >= MAX_RESTRICTIONS) return refused('limit', `${MAX_RESTRICTIONS} restrictions are active: lift what is no longer needed, or impose a wider one`);
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

/** The plane's state as the API shows it: plain JSON, moments in milliseconds since 1970, no hashes of secrets. */
import { selects } from '@portcullis/policy-core';
import type { Problem, Restriction } from '@portcullis/policy-core';
import { ERASED } from '../domain/events.ts';
import type { Recorded } from '../domain/events.ts';
import type { BootRecord } from '../decisions/decisions.ts';
import type { Outstanding } from '../domain/outstanding.ts';
import type { HeldContent, Host, PlaneState, Refused } from '../domain/state.ts';
import type { Fleet, ProxyView, TurnedAway } from '../fleet/fleet.ts';
import type { Unrecorded } from '../offering.ts';
import type { Storage } from '../plane.ts';
import { verifierKeyText } from '../verifier-key.ts';
import type { ApiParts } from './parts.ts';

/** The newest boots that the status looks at for gaps; older ones are in the store. */
const BOOTS_LOOKED_AT = 200;

export interface StatusView {
  readonly log: string;
  /** With what the log's heads are checked now, as signed notes write it; auditors compare it with the one that they were given. */
  readonly verifierKey: string;
  readonly version: number;
  readonly versionAtMs: number | null;
  readonly size: number;
  readonly policiesVersion: number;
  readonly restrictionsVersion: number;
  readonly policies: readonly PolicyView[];
  readonly directory: string;
  readonly watch: { readonly state: 'starting' | 'watching' | 'failed'; readonly sinceMs: number; readonly lastScanAtMs: number | null; readonly problem: string | null };
  /** Whether the log can be written (null) or why not, and whether room is kept for restrictions on a full disk. */
  readonly storage: Storage;
  /** Changes of files that the log could not take; null where there are none. */
  readonly unrecorded: Unrecorded | null;
  readonly problems: readonly ProblemView[];
  readonly pendingRemovals: readonly PendingView[];
  readonly holds: readonly HoldView[];
  readonly restrictions: readonly RestrictionView[];
  readonly fleet: FleetCounts;
  /** Who wanted to connect as a proxy of late and was refused, with what to do. */
  readonly turnedAway: readonly TurnedAway[];
  /** Decisions that are not there: `lost` could not be stored by this plane, `gaps` never arrived, by boot of a proxy. */
  readonly decisions: { readonly lost: number; readonly gaps: readonly BootRecord[] };
  readonly startedAtMs: number;
}

export interface PolicyView {
  readonly policy: string;
  readonly since: number;
  readonly sinceMs: number;
  readonly textSha256: string;
}

/** A problem that keeps a document's newest content from being published. */
export interface ProblemView extends Problem {
  readonly why: Refused['why'];
  /** The event that recorded the refusal. */
  readonly seq: number;
  readonly sinceMs: number;
}

export interface PendingView {
  readonly change: string;
  readonly removes: readonly string[];
  /** Why it waits and what to do. */
  readonly message: string;
  readonly sinceMs: number;
  readonly seq: number;
}

/** Withdrawn content, and what its operator is called. */
export interface HoldView extends HeldContent {
  readonly byName: string | null;
  /** Documents that it keeps out now, by what their files hold or because they are gone; null before the directory has been read. */
  readonly keepsOut: readonly string[] | null;
}

export interface RestrictionView extends Restriction {
  readonly actorName: string | null;
  /** The version that imposed it. */
  readonly since: number;
  /** How many known proxies it is about. */
  readonly proxies: number;
}

export interface HostView extends Host {
  readonly proxies: number;
  readonly connected: number;
}

export type FleetCounts = Readonly<Record<ProxyView['state'] | 'proxies' | 'hosts', number>>;

export function statusView(parts: Pick<ApiParts, 'plane' | 'fleet' | 'decisions' | 'watch' | 'directory' | 'startedAtMs'>): StatusView {
  const state = parts.plane.state();
  const watch = parts.watch();
  return {
    log: state.log,
    verifierKey: verifierKeyText(state),
    version: state.version,
    versionAtMs: parts.plane.history.at(state.version)?.atMs ?? null,
    size: state.size,
    policiesVersion: state.policiesVersion,
    restrictionsVersion: state.restrictionsVersion,
    policies: [...state.policies.values()].map(({ policy, since, sinceMs, content }) => ({ policy, since, sinceMs, textSha256: content.textSha256 })),
    directory: parts.directory,
    watch: { state: watch.state, sinceMs: watch.since, lastScanAtMs: watch.lastScanAt, problem: watch.problem?.message ?? null },
    storage: parts.plane.storage(),
    unrecorded: watch.unrecorded ?? null,
    problems: problemViews(parts.plane.outstanding()),
    pendingRemovals: pendingViews(parts.plane.outstanding()),
    holds: holdViews(state, parts.plane.outstanding()),
    restrictions: restrictionViews(state, parts.fleet),
    fleet: fleetCounts(parts.fleet, state),
    turnedAway: parts.fleet.turnedAway(),
    decisions: { lost: parts.decisions.lost(), gaps: parts.decisions.boots({ limit: BOOTS_LOOKED_AT }).filter((boot) => boot.missing > 0) },
    startedAtMs: parts.startedAtMs,
  };
}

/** What keeps documents' newest content out of force; held content and waiting removals are told apart from these. */
export function problemViews({ refused }: Outstanding): readonly ProblemView[] {
  return refused.flatMap(({ why, problems, seq, atMs }) =>
    why === 'held' || why === 'removal' ? [] : problems.filter(({ severity }) => severity === 'error').map((problem) => ({ ...problem, why, seq, sinceMs: atMs })),
  );
}

export function pendingViews({ removals }: Outstanding): readonly PendingView[] {
  return removals.map(({ change, removes, message, seq, atMs }) => ({ change, removes, message, seq, sinceMs: atMs }));
}

export function restrictionViews(state: PlaneState, fleet: Fleet): readonly RestrictionView[] {
  const proxies = fleet.proxies();
  return [...state.restrictions.values()].map(({ restriction, since }) => ({ ...restriction, actorName: nameOf(state, restriction.actor), since, proxies: restricted(restriction, proxies).length }));
}

export function holdViews(state: PlaneState, { withheld }: Outstanding): readonly HoldView[] {
  return state.holds.map((hold) => {
    const kept = withheld?.filter(({ policy, content }) => content === hold.content && (content !== 'absent' || policy === hold.policy));
    return { ...hold, byName: nameOf(state, hold.by.id), keepsOut: kept?.map(({ policy }) => policy) ?? null };
  });
}

/** What people call an operator's token or a host; null where nobody named it, or the name was erased. */
export function nameOf(state: PlaneState, id: string): string | null {
  const name = state.operatorTokens.get(id)?.name ?? state.hosts.get(id)?.name ?? null;
  return name === ERASED ? null : name;
}

/** The names of those who did these, by their ids. */
export function namesIn(state: PlaneState, events: readonly Recorded[]): Readonly<Record<string, string>> {
  const named = new Map(events.flatMap(({ actor }) => {
    const name = nameOf(state, actor.id);
    return name === null ? [] : [[actor.id, name] as const];
  }));
  return Object.fromEntries(named);
}

export function hostViews(state: PlaneState, fleet: Fleet): readonly HostView[] {
  const proxies = fleet.proxies();
  return [...state.hosts.values()].map((host) => {
    const own = proxies.filter((proxy) => proxy.host === host.host);
    return { ...host, proxies: own.length, connected: own.filter((proxy) => proxy.connected).length };
  });
}

function fleetCounts(fleet: Fleet, state: PlaneState): FleetCounts {
  const counts = { proxies: 0, hosts: 0, current: 0, behind: 0, refused: 0, offline: 0 };
  for (const proxy of fleet.proxies()) {
    counts.proxies += 1;
    counts[proxy.state] += 1;
  }
  counts.hosts = [...state.hosts.values()].filter((host) => !host.revoked).length;
  return counts;
}

/** The proxies that a restriction is about. */
export function restricted(restriction: Restriction, proxies: readonly ProxyView[]): readonly ProxyView[] {
  return proxies.filter(({ server, labels }) => selects(restriction.selector, { server, labels }));
}

/** An event without the hashes of secrets, which help nobody who reads it. */
export function eventView(recorded: Recorded): object {
  const { event } = recorded;
  if (!('secretSha256' in event)) return recorded;
  const { secretSha256: _omitted, ...shown } = event;
  return { ...recorded, event: shown };
}

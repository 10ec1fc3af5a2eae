/** The plane's state as the API shows it: plain JSON, moments in milliseconds since 1970, no hashes of secrets. */
import { selects } from '@portcullis/policy-core';
import type { Problem, Restriction } from '@portcullis/policy-core';
import type { Recorded } from '../domain/events.ts';
import type { HeldContent, Host, PlaneState, RestrictionInForce } from '../domain/state.ts';
import type { Fleet, ProxyView } from '../fleet/fleet.ts';
import type { ApiParts } from './parts.ts';

export interface StatusView {
  readonly log: string;
  readonly version: number;
  readonly versionAtMs: number | null;
  readonly size: number;
  readonly policiesVersion: number;
  readonly restrictionsVersion: number;
  readonly policies: number;
  readonly directory: string;
  readonly watch: { readonly state: string; readonly sinceMs: number; readonly lastScanAtMs: number | null; readonly problem: string | null };
  readonly problems: readonly ProblemView[];
  readonly pendingRemovals: readonly PendingView[];
  readonly holds: readonly HeldContent[];
  readonly restrictions: readonly RestrictionInForce[];
  readonly fleet: Readonly<Record<ProxyView['state'] | 'proxies' | 'hosts', number>>;
  readonly startedAtMs: number;
}

/** Something that an author or operator should see to. */
export interface ProblemView {
  readonly policy: string;
  readonly why: string;
  readonly sinceMs: number;
  readonly seq: number;
  readonly problems: readonly Problem[];
}

export interface PendingView {
  readonly change: string;
  readonly removes: readonly string[];
  readonly sinceMs: number;
  readonly seq: number;
}

export interface HostView extends Host {
  readonly proxies: number;
  readonly connected: number;
}

export function statusView(parts: Pick<ApiParts, 'plane' | 'fleet' | 'watch' | 'directory' | 'startedAtMs'>): StatusView {
  const state = parts.plane.state();
  const watch = parts.watch();
  return {
    log: state.log,
    version: state.version,
    versionAtMs: parts.plane.history.at(state.version)?.atMs ?? null,
    size: state.size,
    policiesVersion: state.policiesVersion,
    restrictionsVersion: state.restrictionsVersion,
    policies: state.policies.size,
    directory: parts.directory,
    watch: { state: watch.state, sinceMs: watch.since, lastScanAtMs: watch.lastScanAt, problem: watch.problem?.message ?? null },
    problems: problemViews(state),
    pendingRemovals: pendingViews(state),
    holds: state.holds,
    restrictions: [...state.restrictions.values()],
    fleet: fleetCounts(parts.fleet, state),
    startedAtMs: parts.startedAtMs,
  };
}

/** What was refused and still is, by policy. */
export function problemViews(state: PlaneState): readonly ProblemView[] {
  return [...state.refused.values()].map(({ policy, why, problems, seq, atMs }) => ({ policy, why, problems, seq, sinceMs: atMs }));
}

export function pendingViews(state: PlaneState): readonly PendingView[] {
  return [...state.pendingRemovals.values()]
    .filter((pending) => !pending.confirmed)
    .map(({ change, removes, seq, atMs }) => ({ change, removes, seq, sinceMs: atMs }));
}

export function hostViews(state: PlaneState, fleet: Fleet): readonly HostView[] {
  const proxies = fleet.proxies();
  return [...state.hosts.values()].map((host) => {
    const own = proxies.filter((proxy) => proxy.host === host.host);
    return { ...host, proxies: own.length, connected: own.filter((proxy) => proxy.connected).length };
  });
}

function fleetCounts(fleet: Fleet, state: PlaneState): StatusView['fleet'] {
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

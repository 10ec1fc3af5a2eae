/** The fleet in the words that operators read: views and progress, worked out from sessions, ledger and state. */
import { PLANE_USER } from '@portcullis/policy-core';
import type { CloseReason, HelloHeader } from '@portcullis/policy-core';
import { enforces, refusal } from '../domain/link.ts';
import type { PlaneState } from '../domain/state.ts';
import type { Wanted } from './cuts.ts';
import type { Progress, ProxyView } from './fleet.ts';
import type { StoredProxy } from './ledger.ts';
import type { Session } from './session.ts';

/** Transient refusals before an operator is told: one or two are frames that crossed. */
const FAILURES_TO_TELL = 3;
/** Upstreams that are named when one server name stands for several. */
const UPSTREAMS_SHOWN = 3;

export interface Roster {
  readonly state: PlaneState;
  readonly sessions: Iterable<Session>;
  /** Proxies that were here before, one for each host and server. */
  readonly stored: readonly StoredProxy[];
  readonly wanted: (session: Session) => Wanted;
  readonly copied: (host: string) => boolean;
  /** What keeps this host from us. */
  readonly apart: (host: string) => Apart | null;
}

/** A host that follows another log, or has seen so many events of ours that are not these. */
export interface Apart {
  readonly log: string;
  /** Null where it is the log that is another. */
  readonly size: number | null;
}

/** What a proxy that was turned away for this reason says of its host; null where that is nothing of the kind. */
export function apartBy(reason: CloseReason, { log, checkpoint }: HelloHeader): Apart | null {
  if (reason === 'other-log') return { log, size: null };
  return reason === 'other-history' ? { log, size: checkpoint?.size ?? null } : null;
}

/** Every connected proxy, then those seen before whose host still belongs to the fleet. */
export function viewsOf(roster: Roster): readonly ProxyView[] {
  const sessions = [...roster.sessions];
  const upstreams = upstreamsByServer(sessions);
  const connected = sessions.map((session) => connectedView(session, roster, upstreams));
  return [...connected, ...offline(roster, sessions).map((proxy) => offlineView(proxy, roster))].sort(byName);
}

function connectedView(session: Session, roster: Roster, upstreams: ReadonlyMap<string, ReadonlySet<string>>): ProxyView {
  const { link, hello } = session;
  const wanted = roster.wanted(session);
  const refused = refusal(link, wanted);
  const current = enforces(link.held, wanted);
  return {
    ...named(session.key, roster),
    upstream: hello.upstream,
    connected: true,
    state: current ? 'current' : refused === null ? 'behind' : 'refused',
    policies: link.held.policies,
    restrictions: link.held.restrictions,
    since: session.sinceMs,
    lastSeen: session.lastHeardMs,
    problems: [...sessionProblems(session, refused), ...aheadProblems(session, roster), ...hostProblems(session.key.host, roster), ...upstreamProblems(hello.server, upstreams)],
    inFlight: link.held.inFlight,
  };
}

function offlineView(proxy: StoredProxy, roster: Roster): ProxyView {
  return {
    ...named(proxy, roster),
    upstream: proxy.upstream,
    connected: false,
    state: 'offline',
    policies: proxy.policies,
    restrictions: proxy.restrictions,
    since: proxy.sinceMs,
    lastSeen: proxy.lastSeenMs,
    problems: hostProblems(proxy.host, roster),
    inFlight: 0,
  };
}

/** How far version `version` has come. `tookMs` is what this process saw. */
export function progressOf(version: number, roster: Roster, tookMs: readonly number[]): Progress {
  const missing: { host: string; hostName: string; server: string; why: string }[] = [];
  const sessions = [...roster.sessions];
  for (const session of sessions) {
    const why = whyNot(session, version, roster.wanted(session));
    if (why !== null) missing.push({ ...who(session.key, roster), why });
  }
  const notReached = offline(roster, sessions)
    .filter(({ ended }) => !ended)
    .map((proxy) => ({ ...who(proxy, roster), lastSeen: proxy.lastSeenMs }));
  return { version, wanted: sessions.length, enforcing: sessions.length - missing.length, tookMs, missing, notReached };
}

/** Why a proxy does not enforce `version` or a later one; null where it does. */
function whyNot(session: Session, version: number, wanted: Wanted): string | null {
  if (session.enforced >= version) return null;
  if (wanted.version >= version && enforces(session.link.held, wanted)) return null;
  if (wanted.version < version) return `version ${version} has not been recorded`;
  const refused = refusal(session.link, wanted);
  if (refused !== null) return `refused (${refused.kind}): ${refused.problems[0] ?? 'no reason given'}`;
  return session.link.held.pending && session.link.held.restrictions !== null ? 'its policies have not arrived, so that nothing is lifted yet' : 'has not acknowledged it yet';
}

function offline({ state, stored }: Roster, sessions: readonly Session[]): readonly StoredProxy[] {
  const connected = new Set(sessions.map(({ key }) => JSON.stringify([key.host, key.server])));
  return stored.filter(({ host, server }) => !connected.has(JSON.stringify([host, server])) && state.hosts.get(host)?.revoked === false);
}

function sessionProblems({ link, linkProblem, hello }: Session, refused: ReturnType<typeof refusal>): readonly string[] {
  const problems = refused === null ? [] : refused.problems.map((problem) => `refused (${refused.kind}): ${problem}`);
  for (const retry of [link.retry.restrictions, link.retry.policies]) {
    if (retry !== null && retry.failures >= FAILURES_TO_TELL) problems.push(`could not take it ${retry.failures} times: ${retry.problems[0] ?? 'no reason given'}`);
  }
  if (hello.features.includes(PLANE_USER)) problems.push("runs under the plane's user: agents there can read the admin token. Run the plane under a user of its own");
  return linkProblem === null ? problems : [...problems, linkProblem];
}

function hostProblems(host: string, { copied, apart, state }: Roster): readonly string[] {
  const other = apart(host);
  return [
    ...(copied(host) ? ['the key of this host is in use twice: it was copied, or the host was restored from a backup. Revoke the host and join it again'] : []),
    ...(other === null ? [] : [other.size === null ? `follows the log ${other.log} and refuses this one. If this plane goes on from it, run on the host: portcullis-proxy trust ${state.log}` : otherHistory(other.size, state.size)]),
  ];
}

/** What is the matter where a proxy has seen what this log does not have, and what to do. */
export function otherHistory(seen: number, size: number): string {
  const what = seen > size ? `has seen ${seen} events of this log, which has ${size}` : `has seen a history of ${seen} events that this log does not begin with`;
  return `${what}, and refuses it: if this plane came back from a backup, stop it and run portcullis log restore; if it did not, its log was altered`;
}

/** What a proxy holds can only come from a plane that went further than this one. */
function aheadProblems({ link: { held } }: Session, { state }: Roster): readonly string[] {
  const highest = Math.max(held.policies?.version ?? -1, held.restrictions?.version ?? -1);
  if (highest < state.size) return [];
  return [`holds version ${highest}, which this log does not have: if this plane came back from a backup, stop it and run portcullis log restore`];
}

function upstreamsByServer(sessions: readonly Session[]): ReadonlyMap<string, ReadonlySet<string>> {
  const upstreams = new Map<string, Set<string>>();
  for (const { hello } of sessions) {
    const known = upstreams.get(hello.server) ?? new Set<string>();
    upstreams.set(hello.server, known.add(hello.upstream));
  }
  return upstreams;
}

function upstreamProblems(server: string, upstreams: ReadonlyMap<string, ReadonlySet<string>>): readonly string[] {
  const found = [...(upstreams.get(server) ?? [])].sort();
  if (found.length < 2) return [];
  const shown = found.slice(0, UPSTREAMS_SHOWN).map((upstream) => JSON.stringify(upstream.slice(0, 120)));
  const more = found.length > UPSTREAMS_SHOWN ? ` and ${found.length - UPSTREAMS_SHOWN} more` : '';
  return [`the name ${server} stands for ${found.length} upstreams: ${shown.join(', ')}${more}`];
}

function named(key: { readonly host: string; readonly server: string; readonly boot: string }, { state }: Roster) {
  const host = state.hosts.get(key.host);
  return { host: key.host, hostName: host?.name ?? key.host, labels: host?.labels ?? {}, server: key.server, boot: key.boot };
}

function who({ host, server }: { readonly host: string; readonly server: string }, { state }: Roster) {
  return { host, hostName: state.hosts.get(host)?.name ?? host, server };
}

function byName(a: ProxyView, b: ProxyView): number {
  return compare(a.hostName, b.hostName) || compare(a.server, b.server) || compare(a.boot, b.boot);
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** `portcullis-proxy status`: what is in force on this host, for which servers, read from what the proxies have stored. */
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Restriction } from '@portcullis/policy-core';
import { held } from './guard/guard.ts';
import { readEnrolment, type FoundEnrolment } from './host/enrolment.ts';
import { openFooting } from './link/footing.ts';
import { refusalAdvice } from './link/link-state.ts';
import type { LinkState } from './link/link-state.ts';
import { inForce } from './link/live.ts';
import { lastGoodRoot } from './store/last-good.ts';
import { readPresence, type Presence } from './store/presence.ts';

export interface HostStatus {
  readonly enrolment: { readonly host: string; readonly name: string; readonly url: string; readonly log: string } | null;
  /** What is wrong with the enrolment, or null. */
  readonly problem: string | null;
  readonly servers: readonly ServerStatus[];
}

export interface ServerStatus {
  readonly server: string;
  readonly policiesVersion: number | null;
  readonly restrictionsVersion: number | null;
  readonly policies: readonly string[];
  readonly restrictions: readonly { readonly id: string; readonly reason: string }[];
  /** Milliseconds since 1970 at which the newest part was stored. */
  readonly storedAt: number | null;
  /** For how long what is held had not been known to be current when it was written last. */
  readonly staleMs: number;
  readonly running: readonly Presence[];
  readonly problems: readonly string[];
}

export function readStatus(home: string, nowMs: number, isAlive: (pid: number) => boolean): HostStatus {
  const found = readEnrolment(home);
  if (found.kind !== 'enrolled') return { enrolment: null, problem: found.kind === 'broken' ? found.problem : null, servers: [] };
  const { host, name, url, log } = found.enrolment;
  const root = lastGoodRoot(home, log);
  const servers = foldersOf(root).flatMap((folder) => serverStatus(home, join(root, folder), found, nowMs, isAlive) ?? []);
  return { enrolment: { host, name, url, log }, problem: null, servers };
}

function serverStatus(home: string, directory: string, found: Extract<FoundEnrolment, { kind: 'enrolled' }>, nowMs: number, isAlive: (pid: number) => boolean): ServerStatus | null {
  const { server, running } = readPresence(directory, isAlive);
  const footing = server === null ? null : openFooting(home, found.enrolment, server);
  if (server === null || footing === null) return null;
  const { lastGood, state, problems } = footing;
  const marks = held(state);
  const last = inForce(footing, state);
  return {
    server,
    policiesVersion: marks.policies?.version ?? null,
    restrictionsVersion: marks.restrictions?.version ?? null,
    policies: last?.policies.map((policy) => policy.id) ?? [],
    restrictions: last?.restrictions.map((restriction: Restriction) => ({ id: restriction.id, reason: restriction.reason })) ?? [],
    storedAt: newest(directory),
    staleMs: lastGood.readStale(nowMs),
    running,
    problems,
  };
}

/** Lines for people. */
export function describeStatus(status: HostStatus, nowMs: number): string {
  if (status.enrolment === null) {
    return `${status.problem ?? 'This host is not enrolled: every call is denied. Enrol it with `portcullis-proxy join --local` on the plane\'s machine, or with --plane and --token-file.'}\n`;
  }
  const { host, name, url, log } = status.enrolment;
  const lines = [`Host ${name} (${host}) of ${url}, log ${log}`];
  if (status.servers.length === 0) lines.push('No proxy has run on this host yet.');
  for (const server of status.servers) lines.push('', ...describeServer(server, nowMs));
  return `${lines.join('\n')}\n`;
}

function describeServer(server: ServerStatus, nowMs: number): readonly string[] {
  const lines = [server.running.length === 0 ? `${server.server}: no proxy runs now` : `${server.server}: ${server.running.length === 1 ? 'one proxy runs' : `${server.running.length} proxies run`}`];
  lines.push(...server.running.flatMap((one) => describeProxy(one, nowMs)));
  if (server.policiesVersion === null) lines.push('  nothing stored: every call is denied until the plane has been reached');
  else {
    lines.push(`  policies of version ${server.policiesVersion}: ${server.policies.join(', ') || 'none selects it, every call is denied'}`);
    if (server.storedAt !== null) lines.push(`  stored ${ago(nowMs - server.storedAt)} ago`);
  }
  for (const restriction of server.restrictions) lines.push(`  restricted by ${restriction.id}: ${restriction.reason}`);
  for (const problem of server.problems) lines.push(`  problem: ${problem}`);
  return lines;
}

function describeProxy({ pid, upstream, link }: Presence, nowMs: number): readonly string[] {
  return [`  pid ${pid}, ${upstream}`, `    ${plain(describeLink(link, nowMs))}`];
}

function describeLink(link: LinkState, nowMs: number): string {
  const since = ago(nowMs - link.sinceMs);
  switch (link.kind) {
    case 'connected':
      return `linked to the plane for ${since}`;
    case 'connecting':
      return `NOT linked to the plane for ${since}${link.problem === null ? '' : ` (${link.problem})`}: what is in force stays, and it goes on trying`;
    case 'refused':
      return `REFUSED by the plane for ${since} (${link.reason}), what is in force stays: ${refusalAdvice(link.reason, link.planeLog)}`;
    default:
      return link satisfies never;
  }
}

/** Words of whoever answers at the plane's address move no cursor. */
function plain(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}]/gu, '\u{fffd}');
}

function ago(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000));
  if (seconds < 120) return `${seconds} s`;
  const minutes = Math.round(seconds / 60);
  return minutes < 120 ? `${minutes} min` : `${Math.round(minutes / 60)} h`;
}

function newest(directory: string): number | null {
  const times = foldersOf(directory).filter((name) => /^(policies|restrictions|head)-/.test(name)).map((name) => modified(join(directory, name)));
  return times.length === 0 ? null : Math.round(Math.max(...times));
}

function modified(file: string): number {
  try {
    return statSync(file).mtimeMs;
  } catch {
    return 0;
  }
}

function foldersOf(directory: string): readonly string[] {
  try {
    return readdirSync(directory).sort();
  } catch {
    return [];
  }
}

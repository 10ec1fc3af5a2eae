/** `portcullis-proxy status` in words. */
import type { AloneState } from './alone/alone-state.ts';
import { refusalAdvice } from './link/link-state.ts';
import type { LinkState } from './link/link-state.ts';
import type { AloneServer, HostStatus, ServerStatus } from './status.ts';
import type { Presence } from './store/presence.ts';

/** Lines for people; words of others move no cursor. */
export function describeStatus(status: HostStatus, nowMs: number): string {
  const lines = describeHost(status);
  for (const server of status.servers) lines.push('', ...describeServer(server, nowMs));
  for (const server of status.alone) lines.push('', ...describeAlone(server, nowMs));
  return lines.map((line) => `${line.replace(/[\p{Cc}\p{Cf}]/gu, '\u{fffd}')}\n`).join('');
}

function describeHost({ enrolment, problem, servers, alone }: HostStatus): string[] {
  if (enrolment !== null) {
    const { host, name, url, log } = enrolment;
    const head = `Host ${name} (${host}) of ${url}, log ${log}`;
    return servers.length === 0 ? [head, 'No proxy has run on this host yet.'] : [head];
  }
  if (problem !== null) return [problem];
  if (alone.length > 0) return ['This host is not enrolled. Its proxies run alone, under the policies that each is started with; any other proxy denies every call.'];
  return ['This host is not enrolled: every call is denied. Enrol it with `portcullis-proxy join --local` on the plane\'s machine, or with --plane and --token-file; or run a proxy alone with --policy.'];
}

function describeServer(server: ServerStatus, nowMs: number): readonly string[] {
  const lines = [heading(server.server, server.running), ...server.running.flatMap((one) => [processLine(one), ...(one.link === null ? [] : [`    ${describeLink(one.link, nowMs)}`])])];
  if (server.policiesVersion === null) lines.push('  nothing stored: every call is denied until the plane has been reached');
  else {
    lines.push(`  policies of version ${server.policiesVersion}: ${server.policies.join(', ') || 'none selects it, every call is denied'}`);
    if (server.storedAt !== null) lines.push(`  stored ${ago(nowMs - server.storedAt)} ago`);
  }
  for (const restriction of server.restrictions) lines.push(`  restricted by ${restriction.id}: ${restriction.reason}`);
  for (const problem of server.problems) lines.push(`  problem: ${problem}`);
  return lines;
}

function describeAlone({ server, running }: AloneServer, nowMs: number): readonly string[] {
  return [`${heading(server, running)}, alone`, ...running.flatMap((one) => [processLine(one), ...(one.alone === null ? [] : describeAloneState(one.alone, nowMs))])];
}

function describeAloneState({ path, sinceMs, policies, labelled, lostSinceMs, problems }: AloneState, nowMs: number): readonly string[] {
  const inForce = sinceMs === null ? 'nothing is in force yet: every call is denied' : policies.length === 0 ? 'none of its policies is for this server: every call is denied' : `in force for ${ago(nowMs - sinceMs)}: ${policies.join(', ')}`;
  const unselected = labelled.length === 0 ? [] : [`    not in force, because they select by labels, which only an enrolled host has: ${labelled.join(', ')}`];
  const lost = lostSinceMs === null ? [] : [`    NOT seen for ${ago(nowMs - lostSinceMs)}: what was in force stays`];
  return [`    policies in ${path}`, `    ${inForce}`, ...unselected, ...lost, ...problems.map((problem) => `    problem: ${problem}`)];
}

function heading(server: string, running: readonly Presence[]): string {
  const number = running.length === 0 ? 'no proxy runs now' : running.length === 1 ? 'one proxy runs' : `${running.length} proxies run`;
  return `${server}: ${number}`;
}

function processLine({ pid, upstream }: Presence): string {
  return `  pid ${pid}, ${upstream}`;
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

/** How long, to two digits or so. */
export function ago(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000));
  if (seconds < 120) return `${seconds} s`;
  const minutes = Math.round(seconds / 60);
  return minutes < 120 ? `${minutes} min` : `${Math.round(minutes / 60)} h`;
}

/** Whether what is in force for each server of this host is as it should be. */
import { refusalAdvice } from '../link/link-state.ts';
import type { HostStatus, ServerStatus } from '../status.ts';
import type { Presence } from '../store/presence.ts';
import { ok, warning, wrong } from './finding.ts';
import type { Finding } from './finding.ts';

/** Reads the status; asks nobody. */
export function examineServers(status: HostStatus): readonly Finding[] {
  const servers = status.servers.flatMap((server) => orWell(examineServer(server), `${server.server}: version ${server.policiesVersion ?? '-'} is stored, ${runs(server.running)}`));
  const alone = status.alone.flatMap(({ server, running }) => running.flatMap((one) => orWell(examineAlone(one, status.enrolment !== null), `${server}: pid ${one.pid} enforces ${one.alone?.policies.join(', ') ?? ''} alone`)));
  if (servers.length + alone.length > 0) return [...servers, ...alone];
  return [warning('server', 'no proxy has run on this host: put one in front of a server, portcullis-proxy --server NAME -- COMMAND …')];
}

function orWell(findings: readonly Finding[], well: string): readonly Finding[] {
  return findings.length === 0 ? [ok('server', well)] : findings;
}

function examineServer({ server, policiesVersion, policies, restrictions, running, problems }: ServerStatus): readonly Finding[] {
  const findings = problems.map((problem) => wrong('server', `${server}: ${problem}`));
  if (policiesVersion === null) findings.push(wrong('server', `${server}: nothing is stored, so every call is denied until the plane has been reached`));
  else if (policies.length === 0) findings.push(wrong('server', `${server}: no policy of version ${policiesVersion} is for this server, so every call is denied: write one, or start the proxy with the --server that policies speak about`));
  for (const { id, reason } of restrictions) findings.push(warning('server', `${server}: restricted by ${id}: ${reason}`));
  findings.push(...running.flatMap((one) => examineLink(server, one)));
  const upstreams = new Set(running.map(({ upstream }) => upstream));
  if (upstreams.size > 1) findings.push(warning('server', `${server}: proxies of this one name stand in front of different servers (${[...upstreams].join(' | ')}): give each a --server of its own, or hold them with match.upstream`));
  return findings;
}

function examineLink(server: string, { pid, link }: Presence): readonly Finding[] {
  switch (link?.kind) {
    case undefined:
    case 'connected':
      return [];
    case 'connecting':
      return [wrong('server', `${server}: pid ${pid} has no link to the plane (${link.problem ?? 'the first try is under way'}), and enforces what it had`)];
    case 'refused':
      return [wrong('server', `${server}: pid ${pid} is refused by the plane (${link.reason}), and enforces what it had: ${refusalAdvice(link.reason, link.planeLog)}`)];
  }
}

function examineAlone({ server, pid, alone }: Presence, enrolled: boolean): readonly Finding[] {
  if (alone === null) return [];
  const findings = alone.problems.map((problem) => wrong('server', `${server}: pid ${pid}: ${problem}`));
  if (enrolled) findings.push(wrong('server', `${server}: pid ${pid} was started with --policy before this host joined, and does not obey the plane: start it again without`));
  if (alone.labelled.length > 0) findings.push(warning('server', `${server}: pid ${pid} does not enforce ${alone.labelled.join(', ')}, which select by labels: only an enrolled host has any`));
  if (alone.sinceMs === null) findings.push(wrong('server', `${server}: pid ${pid} has nothing in force from ${alone.path}, so every call is denied`));
  else if (alone.policies.length === 0) findings.push(wrong('server', `${server}: pid ${pid}: none of the policies in ${alone.path} is for this server, so every call is denied`));
  return findings;
}

function runs(running: readonly Presence[]): string {
  if (running.length === 0) return 'no proxy runs now';
  return running.length === 1 ? 'one proxy is linked' : `${running.length} proxies are linked`;
}

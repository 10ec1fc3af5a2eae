/** `portcullis-proxy doctor`: everything on this host that keeps policies from being enforced as their authors think, with what to do. */
import { readEnrolment } from '../host/enrolment.ts';
import type { FoundEnrolment } from '../host/enrolment.ts';
import { readableAdminToken } from '../host/plane-user.ts';
import { readStatus } from '../status.ts';
import type { HostStatus } from '../status.ts';
import { examineCounters } from './counters.ts';
import { ok, warning, wrong } from './finding.ts';
import type { Finding } from './finding.ts';
import { examineFolder } from './folder.ts';
import { examinePlane } from './plane.ts';
import { examineServers } from './servers.ts';

export interface Diagnosis {
  /** Nothing is wrong; there may be warnings. */
  readonly ok: boolean;
  readonly findings: readonly Finding[];
}

/** Examines the host whose state is under `home`. Changes nothing that lasts. */
export async function diagnose(home: string, now: () => number, isAlive: (pid: number) => boolean): Promise<Diagnosis> {
  const found = readEnrolment(home);
  const status = readStatus(home, now(), isAlive);
  const folder = examineFolder(home);
  const findings: Finding[] = [...folder, examineEnrolment(found, status)];
  if (found.kind === 'enrolled') findings.push(...(await examinePlane(found.enrolment, now)), ...examineSeparation(home, found.enrolment.log));
  findings.push(...examineServers(status));
  const usable = folder.every(({ level }) => level !== 'wrong');
  if (usable) findings.push(...(await examineCounters(home, found.kind === 'enrolled' ? found.enrolment.log : null)));
  return { ok: findings.every(({ level }) => level !== 'wrong'), findings };
}

function examineEnrolment(found: FoundEnrolment, { alone }: HostStatus): Finding {
  switch (found.kind) {
    case 'enrolled':
      return ok('enrolment', `this is the host ${found.enrolment.name} (${found.enrolment.host}) of ${found.enrolment.url}`);
    case 'broken':
      return wrong('enrolment', `every call is denied: ${found.problem}`);
    case 'none':
      return alone.length > 0 ? ok('enrolment', 'this host is not enrolled, and proxies run alone here') : wrong('enrolment', 'this host is not enrolled, so every call is denied: run portcullis-proxy join, or start proxies with --policy');
  }
}

/** Agents run as the same user as their proxies. */
function examineSeparation(home: string, log: string): readonly Finding[] {
  const token = readableAdminToken(home, log);
  return token === null ? [] : [warning('separation', `the plane's admin token (${token}) can be read by this user, and so by the agents that run here: run the plane under a user of its own`)];
}

const MARKS = { ok: 'ok     ', warning: 'WARNING', wrong: 'WRONG  ' } as const;

/** One line for each finding, the worst last; words of others move no cursor. */
export function describeDiagnosis({ findings }: Diagnosis): string {
  const order = ['ok', 'warning', 'wrong'] as const;
  const lines = order.flatMap((level) => findings.filter((finding) => finding.level === level).map(({ check, message }) => `${MARKS[level]} ${check.padEnd(10)} ${message}`));
  return lines.map((line) => `${line.replace(/[\p{Cc}\p{Cf}]/gu, '\u{fffd}')}\n`).join('');
}

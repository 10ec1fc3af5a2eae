/** Waiting until a version is enforced, and telling it while it happens: how many, how fast, who is missing. */
import type { Progress } from '../fleet/fleet.ts';
import { isEnforced } from '../api/enforced.ts';
import { fail } from './command.ts';
import type { PlaneOptions } from './command.ts';
import type { Answered, Connection } from './connection.ts';
import { EXIT } from './exit.ts';
import type { ExitCode } from './exit.ts';
import { isLongGone } from './fleet-table.ts';
import { ago, counted, table } from './table.ts';
import type { Terminal } from './terminal.ts';

/** An incident's answer comes within seconds or not at all; whoever wants to wait longer says so. */
export const DEFAULT_TIMEOUT_MS = 10_000;
/** One question to the plane waits at most so long; then it is asked again. */
const ONE_WAIT_MS = 20_000;
/** Stragglers and offline proxies listed; a fleet's worth of lines helps nobody. */
const MAX_LISTED = 20;

/** Asks until all connected proxies enforce `version` or the time is up; the last progress either way. */
export async function waitUntilEnforced(plane: Connection, version: number, timeoutMs: number, terminal: Terminal): Promise<Answered<Progress>> {
  const end = terminal.now() + timeoutMs;
  let seen: number | undefined;
  for (;;) {
    const left = Math.max(0, end - terminal.now());
    const answered = await plane.get<Progress>('/v1/wait', { version, seen, timeoutMs: Math.min(left, ONE_WAIT_MS) });
    if (!answered.ok) return answered;
    terminal.progress(`enforced by ${answered.value.enforcing} of ${answered.value.wanted}`);
    if (isEnforced(answered.value) || terminal.now() >= end || terminal.signal.aborted) {
      terminal.progress('');
      return answered;
    }
    seen = answered.value.enforcing;
  }
}

/** The exit code of a command that waited: 0 only when every connected proxy enforces the version. */
export function enforcedExit(answered: Answered<Progress>, options: PlaneOptions, terminal: Terminal): ExitCode {
  if (!answered.ok) return fail(answered.failure, options, terminal);
  return isEnforced(answered.value) ? EXIT.ok : EXIT.no;
}

/** The progress as lines. */
export function progressLines(progress: Progress, nowMs: number): readonly string[] {
  const { wanted, enforcing, tookMs, missing, notReached } = progress;
  const lines = [wanted === 0 ? `No proxy is connected.${notReached.length === 0 ? '' : ' If the plane has just started: each comes back within 30 s, and --timeout 40s waits for it.'}` : `Enforced by ${enforcing} of ${wanted} connected ${wanted === 1 ? 'proxy' : 'proxies'}${times(tookMs)}.`];
  if (missing.length > 0) {
    lines.push('Not enforced yet by:');
    lines.push(...listed(missing, [{ title: 'host', cell: (one) => one.hostName, least: 12 }, { title: 'server', cell: (one) => one.server, least: 12 }, { title: 'why', cell: (one) => one.why, least: 20 }]));
  }
  const lately = notReached.filter(({ lastSeen }) => !isLongGone({ connected: false, lastSeen }, nowMs));
  if (notReached.length > 0) {
    lines.push('Not reached, because they are offline (they keep what they had; it applies as soon as they connect):');
    if (lately.length < notReached.length) lines.push(`  ${counted(notReached.length - lately.length, 'proxy', 'proxies')} not seen for over a day`);
    lines.push(...listed(lately, [{ title: 'host', cell: (one) => one.hostName, least: 12 }, { title: 'server', cell: (one) => one.server, least: 12 }, { title: 'last seen', cell: (one) => `${ago(one.lastSeen, nowMs)} ago` }]));
  }
  return lines;
}

function times(tookMs: readonly number[]): string {
  if (tookMs.length === 0) return '';
  const at = (share: number): string => `${Math.round(tookMs[Math.min(tookMs.length - 1, Math.ceil(share * tookMs.length) - 1)] ?? 0)} ms`;
  return `, p50 ${at(0.5)}, p99 ${at(0.99)}, last ${at(1)}`;
}

function listed<Row>(rows: readonly Row[], columns: Parameters<typeof table<Row>>[0]): readonly string[] {
  const more = rows.length - MAX_LISTED;
  return [...table(columns, rows.slice(0, MAX_LISTED)).map((line) => `  ${line}`), ...(more > 0 ? [`  and ${more} more`] : [])];
}

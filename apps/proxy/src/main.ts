/** `portcullis-proxy`: reads the command line, then wraps a server, enrols this host, or says what is in force. Logs go to stderr only. */
import { readFileSync } from 'node:fs';
import { constants } from 'node:os';
import { EXIT, HELP, readPlan, type Plan } from './config.ts';
import type { Upstream } from './endpoints.ts';
import { readEnrolment } from './host/enrolment.ts';
import { joinLocal, joinPlane, type JoinOutcome } from './host/join.ts';
import { trustLog } from './host/trust.ts';
import { lastGoodDirectory } from './store/last-good.ts';
import { startEnforcing, type Enforcing } from './link/enforce.ts';
import { closedGate } from './gate.ts';
import { DEFAULT_LIMITS } from './relay/limits.ts';
import { runStdioRelay } from './relay/stdio.ts';
import type { Gate } from './relay/gate.ts';
import { describeStatus, readStatus } from './status.ts';
import { announcePresence, type PresenceFile } from './store/presence.ts';
import type { ExitStatus } from './upstream/child.ts';
import { BUILD } from './build.ts';

/** A first start has nothing to enforce yet: an agent that asks once for its tools should not find them missing for want of a few milliseconds. */
const FIRST_SNAPSHOT_MS = 1_000;

/** A token file has about 400 characters. */
const MAX_TOKEN_BYTES = 16 * 1024;

process.exit(await perform(readPlan(process.argv.slice(2), process.env)));

async function perform(plan: Plan): Promise<number> {
  switch (plan.kind) {
    case 'wrap':
      return wrap(plan);
    case 'join':
      return join(plan);
    case 'join-local':
      return joined(await joinLocal(plan.home, plan.name));
    case 'trust': {
      const outcome = await trustLog(plan);
      if (outcome.ok) process.stdout.write(`${outcome.said}\n`);
      else process.stderr.write(`portcullis-proxy: ${outcome.problem}.\n`);
      return outcome.ok ? EXIT.ok : outcome.why === 'unreachable' ? EXIT.unreachable : EXIT.refused;
    }
    case 'status': {
      const status = readStatus(plan.home, Date.now(), isAlive);
      process.stdout.write(plan.json ? `${JSON.stringify(status)}\n` : describeStatus(status, Date.now()));
      return status.enrolment === null ? EXIT.refused : EXIT.ok;
    }
    case 'help':
      process.stdout.write(HELP);
      return EXIT.ok;
    case 'version':
      process.stdout.write(`portcullis-proxy ${BUILD}\n`);
      return EXIT.ok;
    case 'usage':
      process.stderr.write(`portcullis-proxy: ${plan.message}\nSee portcullis-proxy --help.\n`);
      return EXIT.usage;
  }
}

async function wrap(plan: Extract<Plan, { kind: 'wrap' }>): Promise<number> {
  const enforcing: { current: Enforcing | null } = { current: null };
  let absent = (): void => undefined;
  const gate = async (): Promise<Gate> => {
    const opened = await openGate(plan);
    enforcing.current = opened.enforcing;
    absent = opened.absent;
    return opened.gate;
  };
  const status = await runFront(plan.upstream, gate);
  absent();
  await enforcing.current?.close();
  if (status.code === 127 && plan.upstream.kind === 'child') tell(plan.claim.server, `\`${plan.upstream.command}\` cannot be started: is it installed, and in PATH?`);
  return status.signal === null ? status.code : 128 + constants.signals[status.signal];
}

/** Runs until the agent or the upstream is gone. `gate` makes the gate, once what takes longer is on its way. */
async function runFront(upstream: Upstream, gate: () => Promise<Gate>): Promise<ExitStatus> {
  const { stdin, stdout, stderr, env } = process;
  if (upstream.kind === 'child') return runStdioRelay({ command: upstream.command, args: upstream.args, gate, stdin, stdout, stderr, env, limits: DEFAULT_LIMITS });
  const { runHttpBridge } = await import('./http/bridge.ts');
  return runHttpBridge({ target: upstream.target, gate: await gate(), stdin, stdout, limits: DEFAULT_LIMITS });
}

/** What cannot be set up denies, and says on every call what to do: an agent's user sees that, where nobody reads stderr. */
async function openGate({ home, claim }: Extract<Plan, { kind: 'wrap' }>): Promise<{ readonly gate: Gate; readonly enforcing: Enforcing | null; readonly absent: () => void }> {
  const { server } = claim;
  const closed = (why: string): { readonly gate: Gate; readonly enforcing: null; readonly absent: () => void } => {
    tell(server, `${why}. Every call is denied.`);
    return { gate: closedGate(`${why}. Every call is denied.`), enforcing: null, absent: () => undefined };
  };
  const found = readEnrolment(home);
  if (found.kind === 'none') return closed('This host is not enrolled. Run `portcullis-proxy join --local` on the plane\'s machine, or `portcullis-proxy join --plane URL --token-file FILE` elsewhere');
  if (found.kind === 'broken') return closed(found.problem);
  try {
    const { enrolment, seed } = found;
    const startedAt = Date.now();
    let present: PresenceFile | null = null;
    const announce = (log: string, { boot, link }: Enforcing): void => {
      present?.remove();
      present = announcePresence(lastGoodDirectory(home, log, server), { server, upstream: claim.shown, pid: process.pid, boot, startedAt, link: link.status().state });
    };
    const enforcing: Enforcing = await startEnforcing({
      home, enrolment, seed, server, upstream: claim.upstream, shown: claim.shown, build: BUILD, tell: (line) => tell(server, line), onLog: (log) => announce(log, enforcing), onLinkState: (state) => present?.link(state),
    });
    announce(enrolment.log, enforcing);
    const absent = (): void => present?.remove();
    if (enforcing.link.status().policies === null) await enforcing.link.settled(FIRST_SNAPSHOT_MS);
    return { gate: enforcing.gate, enforcing, absent };
  } catch (problem) {
    return closed(`The state under ${home} cannot be used: ${problem instanceof Error ? problem.message : String(problem)}`);
  }
}

async function join(plan: Extract<Plan, { kind: 'join' }>): Promise<number> {
  let token: string;
  try {
    const bytes = readFileSync(plan.tokenFile === '-' ? 0 : plan.tokenFile);
    token = bytes.length > MAX_TOKEN_BYTES ? '' : bytes.toString('utf8').trim();
  } catch (problem) {
    process.stderr.write(`portcullis-proxy: the token file ${plan.tokenFile} cannot be read: ${problem instanceof Error ? problem.message : String(problem)}\n`);
    return EXIT.refused;
  }
  return joined(await joinPlane({ url: plan.url, token, home: plan.home, name: plan.name }));
}

function joined(outcome: JoinOutcome): number {
  if (outcome.ok) {
    process.stdout.write(`This host is enrolled as ${outcome.host} at ${outcome.url} (log ${outcome.log}).\nPut the proxy in front of a server: portcullis-proxy --server NAME -- COMMAND …\n`);
    return EXIT.ok;
  }
  process.stderr.write(`portcullis-proxy: not joined: ${outcome.problem}.\n`);
  return outcome.why === 'unreachable' ? EXIT.unreachable : EXIT.refused;
}

function tell(server: string, line: string): void {
  process.stderr.write(`portcullis-proxy[${server}]: ${line}\n`);
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (problem) {
    return (problem as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/**
 * `portcullis-proxy`: reads the command line, then wraps a server, enrols this host, or says what is in force. Logs go to stderr only. What is not needed
 * to start a server is loaded after that, while the server starts: an agent waits for both.
 */
import { readFileSync } from 'node:fs';
import { constants } from 'node:os';
import { BUILD } from './build.ts';
import { EXIT, HELP, readPlan, type Plan } from './config.ts';
import type { JoinOutcome } from './host/join.ts';
import type { OpenedGate } from './open-gate.ts';
import type { Gate } from './relay/gate.ts';
import { DEFAULT_LIMITS } from './relay/limits.ts';
import { runStdioRelay } from './relay/stdio.ts';
import type { ExitStatus } from './upstream/child.ts';

/** A token file has about 400 characters. */
const MAX_TOKEN_BYTES = 16 * 1024;

process.exit(await perform(readPlan(process.argv.slice(2), process.env)));

async function perform(plan: Plan): Promise<number> {
  switch (plan.kind) {
    case 'wrap':
      return wrap(plan);
    case 'join':
      return join(plan);
    case 'join-local': {
      const { joinLocal } = await import('./host/join.ts');
      return joined(await joinLocal(plan.home, plan.name));
    }
    case 'trust': {
      const { trustLog } = await import('./host/trust.ts');
      const outcome = await trustLog(plan);
      if (outcome.ok) process.stdout.write(`${outcome.said}\n`);
      else process.stderr.write(`portcullis-proxy: ${outcome.problem}.\n`);
      return outcome.ok ? EXIT.ok : outcome.why === 'unreachable' ? EXIT.unreachable : EXIT.refused;
    }
    case 'status': {
      const [{ readStatus }, { describeStatus }, { isAlive }] = await Promise.all([import('./status.ts'), import('./describe-status.ts'), import('./store/alive.ts')]);
      const status = readStatus(plan.home, Date.now(), isAlive);
      process.stdout.write(plan.json ? `${JSON.stringify(status)}\n` : describeStatus(status, Date.now()));
      return status.enrolment === null && status.alone.length === 0 ? EXIT.refused : EXIT.ok;
    }
    case 'doctor': {
      const [{ describeDiagnosis, diagnose }, { isAlive }] = await Promise.all([import('./doctor/doctor.ts'), import('./store/alive.ts')]);
      const diagnosis = await diagnose(plan.home, () => Date.now(), isAlive);
      process.stdout.write(plan.json ? `${JSON.stringify(diagnosis)}\n` : describeDiagnosis(diagnosis));
      return diagnosis.ok ? EXIT.ok : EXIT.refused;
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
  const { home, claim, policy, upstream } = plan;
  // P7: who may write a file here must not choose what an enrolled host enforces.
  if (policy !== null && (await isEnrolled(home))) {
    tell(claim.server, `--policy is refused: this host is enrolled (${home}), and its plane says what is enforced. Leave --policy out, or put the policy into the plane's directory`);
    return EXIT.refused;
  }
  const opened: { current: OpenedGate | null } = { current: null };
  const status = await runFront(plan, async () => {
    const { openGate } = await import('./open-gate.ts');
    opened.current = await openGate({ home, claim, policy, tell: (line) => tell(claim.server, line) });
    return opened.current.gate;
  });
  await opened.current?.close();
  if (status.code === 127 && upstream.kind === 'child') tell(claim.server, `\`${upstream.command}\` cannot be started: is it installed, and in PATH?`);
  return status.signal === null ? status.code : 128 + constants.signals[status.signal];
}

async function isEnrolled(home: string): Promise<boolean> {
  const { readEnrolment } = await import('./host/enrolment.ts');
  return readEnrolment(home).kind !== 'none';
}

/** Runs until the agent or the upstream is gone. `gate` makes the gate, once what takes longer is on its way. */
async function runFront({ upstream, listen, claim }: Extract<Plan, { kind: 'wrap' }>, gate: () => Promise<Gate>): Promise<ExitStatus> {
  const { stdin, stdout, stderr, env } = process;
  if (listen !== null) {
    const { runListener } = await import('./http/serve.ts');
    return runListener({ upstream, listen, gate: await gate(), env, stderr, limits: DEFAULT_LIMITS, tell: (line) => tell(claim.server, line) });
  }
  if (upstream.kind === 'child') return runStdioRelay({ command: upstream.command, args: upstream.args, gate, stdin, stdout, stderr, env, limits: DEFAULT_LIMITS });
  const { runHttpBridge } = await import('./http/bridge.ts');
  return runHttpBridge({ target: upstream.target, gate: await gate(), stdin, stdout, limits: DEFAULT_LIMITS });
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
  const { joinPlane } = await import('./host/join.ts');
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

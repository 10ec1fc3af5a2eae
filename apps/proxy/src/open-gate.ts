/**
 * The gate of one proxy: under its plane on an enrolled host, or alone under the policies that its command line names. What cannot be set up denies, and
 * says on every call what to do: an agent's user sees that, where nobody reads stderr.
 */
import { BUILD } from './build.ts';
import type { Claim } from './claim.ts';
import { closedGate } from './gate.ts';
import { readEnrolment, type FoundEnrolment } from './host/enrolment.ts';
import { startEnforcing, type Enforcing } from './link/enforce.ts';
import type { Gate } from './relay/gate.ts';
import { lastGoodDirectory } from './store/last-good.ts';
import { announcePresence, type Presence, type PresenceFile } from './store/presence.ts';

export interface OpenedGate {
  readonly gate: Gate;
  /** Sends or writes what is left, and says that this proxy is gone. */
  close(): Promise<void>;
}

export interface GateWanted {
  readonly home: string;
  readonly claim: Claim;
  /** The file or directory to run alone with; null = enforce what the plane says. */
  readonly policy: string | null;
  /** One line for whoever reads this proxy's standard error. */
  readonly tell: (line: string) => void;
}

/** A first start has nothing to enforce yet: an agent that asks once for its tools should not find them missing for want of a few milliseconds. */
const FIRST_SNAPSHOT_MS = 1_000;
/** Files that are being written when the proxy starts settle within this. */
const FIRST_LOOK_MS = 3_000;

/** Opens it; resolves once there is something to judge by, or that takes too long. */
export async function openGate(wanted: GateWanted): Promise<OpenedGate> {
  const { home, policy } = wanted;
  try {
    if (policy !== null) return await openAlone(wanted, policy);
    const found = readEnrolment(home);
    switch (found.kind) {
      case 'none':
        return closed(wanted, 'This host is not enrolled. Run `portcullis-proxy join --local` on the plane\'s machine, or `portcullis-proxy join --plane URL --token-file FILE` elsewhere');
      case 'broken':
        return closed(wanted, found.problem);
      case 'enrolled':
        return await openEnrolled(wanted, found);
    }
  } catch (problem) {
    return closed(wanted, `The state under ${home} cannot be used: ${problem instanceof Error ? problem.message : String(problem)}`);
  }
}

async function openEnrolled({ home, claim, tell }: GateWanted, { enrolment, seed }: Extract<FoundEnrolment, { kind: 'enrolled' }>): Promise<OpenedGate> {
  const { server, upstream, shown } = claim;
  const startedAt = Date.now();
  let present: PresenceFile | null = null;
  const announce = (log: string, { boot, link }: Enforcing): void => {
    present?.remove();
    present = announcePresence(lastGoodDirectory(home, log, server), { ...whoIs(claim, boot, startedAt), link: link.status().state, alone: null });
  };
  const enforcing: Enforcing = await startEnforcing({
    home, enrolment, seed, server, upstream, shown, build: BUILD, tell,
    onLog: (log) => announce(log, enforcing),
    onLinkState: (link) => present?.update({ link }),
  });
  announce(enrolment.log, enforcing);
  if (enforcing.link.status().policies === null) await enforcing.link.settled(FIRST_SNAPSHOT_MS);
  const close = async (): Promise<void> => {
    present?.remove();
    await enforcing.close();
  };
  return { gate: enforcing.gate, close };
}

async function openAlone({ home, claim, tell }: GateWanted, policy: string): Promise<OpenedGate> {
  const startedAt = Date.now();
  // Enrolled proxies never pay for the language and the watching.
  const { startAlone } = await import('./alone/alone.ts');
  // Called back from a later turn of the event loop, when there is something to update.
  const alone = startAlone({ home, policy, server: claim.server, upstream: claim.upstream, tell, onState: (state) => present.update({ alone: state }) });
  const present = announcePresence(alone.directory, { ...whoIs(claim, alone.boot, startedAt), link: null, alone: alone.state() });
  await Promise.race([alone.seen, new Promise((resolve) => setTimeout(resolve, FIRST_LOOK_MS).unref())]);
  const close = async (): Promise<void> => {
    present.remove();
    await alone.close();
  };
  return { gate: alone.gate, close };
}

function whoIs({ server, shown }: Claim, boot: string, startedAt: number): Omit<Presence, 'link' | 'alone'> {
  return { server, upstream: shown, pid: process.pid, boot, startedAt };
}

function closed({ tell }: GateWanted, why: string): OpenedGate {
  tell(`${why}. Every call is denied.`);
  return { gate: closedGate(`${why}. Every call is denied.`), close: () => Promise.resolve() };
}

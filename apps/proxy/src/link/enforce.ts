/**
 * Everything between the relay and the plane, put together: identity, what is on disk, the gate, the link. What was in force last is enforced
 * before the first packet is sent; without an enrolment there is nothing to enforce and every call is denied (P3).
 */
import { createHmac, randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { PLANE_USER, signerOf } from '@portcullis/policy-core';
import type { CounterStore, Restoration } from '@portcullis/policy-core';
import { createGate } from '../gate.ts';
import type { SwappableGate } from '../gate.ts';
import type { Clocks } from '../guard/freshness.ts';
import { drawCounter } from '../host/enrolment.ts';
import type { Enrolment } from '../host/enrolment.ts';
import { planeUrl } from '../host/plane-url.ts';
import { readableAdminToken } from '../host/plane-user.ts';
import { trustedPlane } from '../host/trusted-plane.ts';
import type { TrustedPlane } from '../host/trusted-plane.ts';
import { openOutbox } from '../store/outbox.ts';
import { countersFile, openFooting } from './footing.ts';
import type { Footing } from './footing.ts';
import { startLink } from './link.ts';
import type { LinkState } from './link-state.ts';
import type { Link } from './link.ts';
import { inForce } from './live.ts';

export interface EnforceOptions {
  readonly home: string;
  readonly enrolment: Enrolment;
  readonly seed: Uint8Array;
  readonly server: string;
  /** What is really started; never leaves the host. */
  readonly upstream: string;
  /** The same without secrets. */
  readonly shown: string;
  /** This program's version: what a build refuses is offered to the next one. */
  readonly build: string;
  readonly tell: (line: string) => void;
  /** The host follows its plane to another log. */
  readonly onLog?: (log: string) => void;
  /** How the proxy stands with its plane has changed. */
  readonly onLinkState?: (state: LinkState) => void;
}

export interface Enforcing {
  readonly gate: SwappableGate;
  readonly link: Link;
  readonly boot: string;
  /** Sends what is left and says goodbye; at most about half a second. */
  close(): Promise<void>;
}

/** What the last batch of decisions may take when the proxy ends. */
const LAST_BATCH_MS = 250;

/** Starts to enforce. Throws where the folder under `home` cannot be used: nothing could be remembered. */
export async function startEnforcing({ home, enrolment, seed, server, upstream, shown, build, tell, onLog, onLinkState }: EnforceOptions): Promise<Enforcing> {
  const first = stand(home, enrolment, server, tell);
  const [outbox, boot] = [openOutbox(join(first.directory, 'decisions'), () => Date.now()), randomUUID()];
  let closedBy: string | null = null;
  const gate: SwappableGate = createGate({
    boot,
    upstream,
    now: () => Date.now(),
    staleMs: () => current.link.staleMs(),
    keep: (row) => outbox.add(row),
    argumentsKey: createHmac('sha256', seed).update('portcullis/1/arguments\n').digest(),
    openCounters: () => openCounters(countersFile(first.directory)),
    get closedMessage() {
      return closedMessage(closedBy);
    },
  });
  closedBy = await enforceLast(gate, first, tell);
  const features = knownOfHere(home, enrolment.log, tell);

  const begin = (trusted: TrustedPlane, { lastGood, state, witnessed, before, link: url }: Standing): Link =>
    startLink({
      url,
      log: trusted.enrolment().log,
      host: enrolment.host,
      server,
      upstream: shown,
      boot,
      build,
      features,
      sign: signerOf(seed).sign,
      verify: trusted.verify,
      drawCounter: () => drawCounter(home),
      gate,
      lastGood,
      outbox,
      state,
      witnessed,
      planeKeys: () => [trusted.enrolment().planeKey],
      before,
      trust: { successor: trusted.successor, adopt: trusted.adopt, stray: (log, restorations) => stray(trusted, log, restorations) },
      clocks: ownClocks,
      tell, ...(onLinkState === undefined ? {} : { onState: onLinkState }),
    });
  /** The old link ends, and another goes on with what is in force. */
  const follow = async (next: Enrolment): Promise<void> => {
    const wasStaleMs = current.link.staleMs();
    const closed = current.link.close();
    const standing = stand(home, next, server, tell);
    standing.lastGood.writeStale(Math.max(wasStaleMs, standing.lastGood.readStale(Date.now())), Date.now());
    closedBy = await enforceLast(gate, standing, tell);
    current.link = begin(trustedPlane(home, next, tell), standing);
    onLog?.(next.log);
    await closed;
  };
  const stray = (trusted: TrustedPlane, log: string, restorations: readonly Restoration[]): boolean => {
    const next = trusted.follow(log, restorations);
    if (next === null) return false;
    follow(next).catch((error: unknown) => tell(`the plane's log ${log} cannot be followed: ${error instanceof Error ? error.message : String(error)}. Start this proxy again`));
    return true;
  };
  const current = { link: begin(trustedPlane(home, enrolment, tell), first) };
  return {
    gate,
    link: { staleMs: () => current.link.staleMs(), status: () => current.link.status(), settled: (withinMs) => current.link.settled(withinMs), close: () => current.link.close() },
    boot,
    close: async () => {
      gate.flush();
      await outbox.close(LAST_BATCH_MS);
      await current.link.close();
    },
  };
}

function ownClocks(): Clocks {
  return { monoMs: performance.now(), wallMs: Date.now() };
}

interface Standing extends Footing {
  /** Where the plane is. */
  readonly link: string;
}

function stand(home: string, enrolment: Enrolment, server: string, tell: (line: string) => void): Standing {
  const url = planeUrl(enrolment.url);
  const footing = openFooting(home, enrolment, server);
  if (footing === null || !url.ok) throw new Error(`${join(home, 'host.json')} names no usable plane: remove it and join again`);
  for (const problem of footing.problems) tell(problem);
  return { ...footing, link: url.link };
}

/** What the plane should know of where this runs. */
function knownOfHere(home: string, log: string, tell: (line: string) => void): readonly string[] {
  const token = readableAdminToken(home, log);
  if (token === null) return [];
  tell(`this proxy runs under the plane's user: agents that it guards can read ${token} and lift what operators impose. Run the plane under a user of its own`);
  return [PLANE_USER];
}

/** What was in force last, before anybody is asked. What was enforced once and cannot be now leaves the gate closed; returns why. */
async function enforceLast(gate: SwappableGate, standing: Standing, tell: (line: string) => void): Promise<string | null> {
  const last = inForce(standing, standing.state);
  if (last === null) return standing.closed;
  try {
    (await gate.prepare(last)).swap();
    return null;
  } catch (error) {
    const why = `what was in force last cannot be enforced by this build (${error instanceof Error ? error.message : String(error)})`;
    tell(`${why}: every call is denied until the plane has been reached`);
    return why;
  }
}

/** What the agent's user reads while there is nothing to judge by. */
function closedMessage(why: string | null): string {
  if (why === null) return 'No policy has reached this host yet, so every call is denied. Check with `portcullis-proxy status` that the plane can be reached.';
  return `Every call is denied until this host has reached its plane again: ${why}. See \`portcullis-proxy status\`.`;
}

/** Loaded only when something counts: most proxies never pay for SQLite. */
async function openCounters(path: string): Promise<CounterStore> {
  const { sqliteCounters } = await import('../store/counters.ts');
  return sqliteCounters(path);
}

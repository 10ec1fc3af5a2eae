/**
 * Everything between the relay and the plane, put together: identity, what is on disk, the gate, the link. What was in force last is enforced
 * before the first packet is sent; without an enrolment there is nothing to enforce and every call is denied (P3).
 */
import { createHmac, randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { signerOf, verifierOf } from '@portcullis/policy-core';
import type { CounterStore } from '@portcullis/policy-core';
import { createGate } from '../gate.ts';
import type { SwappableGate } from '../gate.ts';
import { effective } from '../guard/guard.ts';
import type { GuardState } from '../guard/guard.ts';
import { restore } from '../guard/restore.ts';
import { drawCounter } from '../host/enrolment.ts';
import type { Enrolment } from '../host/enrolment.ts';
import { planeUrl } from '../host/plane-url.ts';
import { lastGoodDirectory, openLastGood } from '../store/last-good.ts';
import { openOutbox } from '../store/outbox.ts';
import { startLink } from './link.ts';
import type { Link } from './link.ts';

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
export async function startEnforcing({ home, enrolment, seed, server, upstream, shown, build, tell }: EnforceOptions): Promise<Enforcing> {
  const verify = verifierOf(enrolment.planeKey);
  const url = planeUrl(enrolment.url);
  if (verify === null || !url.ok) throw new Error(`${join(home, 'host.json')} names no usable plane: remove it and join again`);
  const directory = lastGoodDirectory(home, enrolment.log, server);
  const lastGood = openLastGood(directory);
  const outbox = openOutbox(join(directory, 'decisions'), () => Date.now());
  const restored = restore(enrolment.log, server, lastGood.read(), verify);
  for (const problem of restored.problems) tell(problem);
  const boot = randomUUID();
  const gate: SwappableGate = createGate({
    boot,
    upstream,
    now: () => Date.now(),
    staleMs: () => link.staleMs(),
    keep: (row) => outbox.add(row),
    argumentsKey: createHmac('sha256', seed).update('portcullis/1/arguments\n').digest(),
    openCounters: () => openCounters(join(directory, 'counters.db')),
    closedMessage: 'No policy has reached this host yet, so every call is denied. Check with `portcullis-proxy status` that the plane can be reached.',
  });
  await enforceLast(gate, restored.state, tell);
  const link: Link = startLink({
    url: url.link,
    log: enrolment.log,
    host: enrolment.host,
    server,
    upstream: shown,
    boot,
    build,
    sign: signerOf(seed).sign,
    verify,
    drawCounter: () => drawCounter(home),
    gate,
    lastGood,
    outbox,
    state: restored.state,
    clocks: () => ({ monoMs: performance.now(), wallMs: Date.now() }),
    tell,
  });
  return {
    gate,
    link,
    boot,
    close: async () => {
      gate.flush();
      await outbox.close(LAST_BATCH_MS);
      await link.close();
    },
  };
}

/** What was in force last, before anybody is asked. What was enforced once and cannot be now leaves the gate closed. */
async function enforceLast(gate: SwappableGate, state: GuardState, tell: (line: string) => void): Promise<void> {
  const last = effective(state);
  if (last === null) return;
  try {
    (await gate.prepare(last)).swap();
  } catch (error) {
    tell(`what was in force last cannot be enforced by this build, every call is denied: ${error instanceof Error ? error.message : String(error)}`);
  }
}

/** Loaded only when something counts: most proxies never pay for SQLite. */
async function openCounters(path: string): Promise<CounterStore> {
  const { sqliteCounters } = await import('../store/counters.ts');
  return sqliteCounters(path);
}

/**
 * One proxy: the real gate, guard, link and last good records, on a machine with a disk that forgets. Put together as link/enforce.ts does,
 * with the world's clock, sockets and disk. A process ends without a word; the next one has the disk and nothing else.
 */
import { join } from 'node:path';
import { signerOf } from '@portcullis/policy-core';
import type { Call, DecisionRow, Held, Policy, SignBytes, Verify } from '@portcullis/policy-core';
import type { WebSocket } from 'ws';
import { createGate } from '../../apps/proxy/src/gate.ts';
import type { SwappableGate } from '../../apps/proxy/src/gate.ts';
import { effective } from '../../apps/proxy/src/guard/guard.ts';
import { restore } from '../../apps/proxy/src/guard/restore.ts';
import { restoreWitnessed } from '../../apps/proxy/src/guard/witness.ts';
import { startLink } from '../../apps/proxy/src/link/link.ts';
import type { Link } from '../../apps/proxy/src/link/link.ts';
import { openLastGood } from '../../apps/proxy/src/store/last-good.ts';
import type { Outbox } from '../../apps/proxy/src/store/outbox.ts';
import type { Random } from '../random.ts';
import type { SimDisk } from './disk.ts';
import type { Machine, Process } from './time.ts';

/** A host: a machine with a disk, a key, and a counter that its proxies draw from. */
export interface SimHost {
  readonly id: string;
  readonly machine: Machine;
  readonly disk: SimDisk;
  readonly sign: SignBytes;
  readonly publicKey: string;
  connects: number;
}

export interface SimProxy {
  readonly name: string;
  readonly host: SimHost;
  readonly server: string;
  readonly folder: string;
  /** What this build cannot enforce: a policy that names this tool. */
  readonly tooOldFor: string | null;
  running: RunningProxy | null;
  /** Between the start of its process and its first judgement. */
  starting: boolean;
  boots: number;
}

export interface RunningProxy {
  readonly process: Process;
  readonly boot: string;
  readonly gate: SwappableGate;
  readonly link: Link;
  readonly startedAt: number;
  /** Decisions made, and those that the plane has stored. */
  readonly rows: DecisionRow[];
  /** What restoring found wrong. */
  readonly problems: readonly string[];
  /** How often something was put in force. */
  readonly swaps: () => number;
}

export const TOOLS = ['a', 'b', 'c', 'd', 'e'] as const;

/** The client that only asks what is in force; its decisions are not kept. */
const PROBE = 'probe';

/** The calls that are tried; bit n of a mask is call n. */
const PROBES: readonly Call[] = [...TOOLS.map((name) => ({ kind: 'tool', name, arguments: {} }) as const), { kind: 'resource', method: 'resources/read', uri: 'repo://x' }];

export interface ProxyParts {
  readonly log: string;
  readonly verify: Verify;
  readonly planeKey: string;
  readonly random: Random;
  readonly randomBytes: (bytes: number) => Uint8Array;
  readonly connect: (process: Process, proxy: string) => WebSocket;
  readonly now: () => number;
}

export function makeHost(id: string, machine: Machine, disk: SimDisk, keySeed: number): SimHost {
  return { id, machine, disk, ...signerOf(new Uint8Array(32).fill(keySeed)), connects: 0 };
}

export function makeProxy(name: string, host: SimHost, server: string, tooOldFor: string | null): SimProxy {
  return { name, host, server, folder: `/home/last-good/${server}`, tooOldFor, running: null, starting: false, boots: 0 };
}

/** Starts a process of the proxy: what was in force last is enforced before anybody is asked. */
export async function bootProxy(proxy: SimProxy, parts: ProxyParts): Promise<void> {
  const { host, server } = proxy;
  const process = host.machine.start();
  proxy.boots += 1;
  const boot = `${proxy.name}-${proxy.boots}`;
  const disk = host.disk.seenBy(process);
  disk.makeFolder('/home');
  disk.makeFolder('/home/last-good');
  const lastGood = openLastGood(proxy.folder, disk);
  const restored = restore(parts.log, server, lastGood.read(), parts.verify);
  const rows: DecisionRow[] = [];
  const made = createGate({
    boot,
    upstream: `npx ${server}`,
    now: host.machine.wallMs,
    staleMs: () => link.staleMs(),
    keep: (row) => void (process.alive && row.client !== PROBE && rows.push(row)),
    argumentsKey: null,
    openCounters: () => Promise.reject(new Error('nothing counts in this world')),
    closedMessage: 'no snapshot',
  });
  let swaps = 0;
  const counted: SwappableGate = {
    ...made,
    prepare: async (next) => {
      const { swap } = await made.prepare(next);
      return {
        swap: () => {
          swaps += 1;
          swap();
        },
      };
    },
  };
  const gate = proxy.tooOldFor === null ? counted : tooOld(counted, proxy.tooOldFor);
  const last = effective(restored.state);
  if (last !== null) (await gate.prepare(last)).swap();
  const link: Link = startLink({
    url: 'ws://plane/v1/link',
    log: parts.log,
    host: host.id,
    server,
    upstream: `npx ${server}`,
    boot,
    build: '1',
    sign: host.sign,
    verify: parts.verify,
    drawCounter: () => (host.connects += 1),
    gate,
    lastGood,
    outbox: outboxOf(rows, process),
    state: restored.state,
    witnessed: restoreWitnessed(lastGood.checkpoints(), parts.log, [parts.planeKey]),
    planeKeys: () => [parts.planeKey],
    clocks: () => ({ monoMs: host.machine.monoMs(), wallMs: host.machine.wallMs() }),
    random: () => parts.random.below(1_000_000) / 1_000_000,
    randomBytes: parts.randomBytes,
    timers: { after: process.after, every: process.every },
    open: () => parts.connect(process, proxy.name),
    tell: () => undefined,
  });
  proxy.starting = false;
  proxy.running = { process, boot, gate, link, startedAt: parts.now(), rows, problems: restored.problems, swaps: () => swaps };
}

/** A build that does not know everything that policies may say. */
function tooOld(gate: SwappableGate, tool: string): SwappableGate {
  const names = (policy: Policy): boolean => policy.tools.some(({ pattern }) => pattern === tool);
  return { ...gate, prepare: (next) => (next.policies.some(names) ? Promise.reject(new Error(`this build does not know ${tool}`)) : gate.prepare(next)) };
}

/** How often what was decided is sent. */
const OUTBOX_TICK_MS = 3_000;
const ROWS_PER_BATCH = 100;

/** Decisions in memory, one batch unanswered at a time; they die with the process. */
function outboxOf(rows: DecisionRow[], process: Process): Outbox {
  let send: ((rows: readonly DecisionRow[]) => void) | null = null;
  let waitsFor: number | null = null;
  process.every(OUTBOX_TICK_MS, () => {
    if (send === null || waitsFor !== null || rows.length === 0) return;
    const batch = rows.slice(0, ROWS_PER_BATCH);
    waitsFor = batch.at(-1)!.n;
    send(batch);
  });
  return {
    add: () => undefined,
    connected: (to) => void (send = to),
    disconnected: () => void ([send, waitsFor] = [null, null]),
    acknowledged: (_boot, n) => {
      if (n !== waitsFor) return;
      rows.splice(0, rows.findIndex((row) => row.n === n) + 1);
      waitsFor = null;
    },
    close: () => Promise.resolve(),
    dropped: 0,
  };
}

/** Which of the probes the gate lets through now. */
export function maskOf({ gate }: Pick<RunningProxy, 'gate'>): number {
  return PROBES.reduce((mask, call, bit) => {
    const { decision, settle } = gate.judge(call, { name: PROBE });
    if (decision.decision !== 'allow') return mask;
    settle('ok');
    return mask | (1 << bit);
  }, 0);
}

/** What a judge of another kind says of the probes, as a mask. */
export function maskBy(allows: (call: Call) => boolean): number {
  return PROBES.reduce((mask, call, bit) => (allows(call) ? mask | (1 << bit) : mask), 0);
}

/**
 * What a process would find on the disk if the power went now, at worst. Restrictions count by themselves: beside policies that another process
 * stored and that nobody knows to belong to them, they are not lost, the gate is closed.
 */
export function durableMarks(proxy: SimProxy, process: Process, { log, verify }: ProxyParts): Pick<Held, 'policies' | 'restrictions'> {
  const stored = openLastGood(proxy.folder, proxy.host.disk.durable(process)).read();
  const { state } = restore(log, proxy.server, stored, verify);
  const alone = state.restrictions ?? restore(log, proxy.server, { ...stored, policies: [], head: [] }, verify).state.restrictions;
  return { policies: state.policies, restrictions: alone };
}

export function evidenceOf(proxy: SimProxy): readonly string[] {
  return proxy.host.disk.names(join(proxy.folder, 'evidence'));
}

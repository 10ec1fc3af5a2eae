/**
 * One world: a plane, three hosts, five proxies (two of them share a folder, one is an old build), a network with somebody in the middle, and
 * one seed that decides everything. A run lets things go wrong for a while, checks every law after every step, then lets nothing go
 * wrong any more and waits until everybody enforces the head.
 */
import { createHash } from 'node:crypto';
import { digestOf, linkLimits } from '@portcullis/policy-core';
import type { Held, UpFrame } from '@portcullis/policy-core';
import type { WebSocket } from 'ws';
import { random } from '../random.ts';
import type { Random } from '../random.ts';
import { makeDisk } from './disk.ts';
import { makeHistory } from './history.ts';
import type { History } from './history.ts';
import { acknowledged, blamed, checkProxy, givesUp, newRecord, newTalk, planeHears, planeSays } from './laws.ts';
import type { Record, Talk } from './laws.ts';
import { makeLiar } from './liar.ts';
import type { Liar } from './liar.ts';
import { makeNetwork } from './network.ts';
import type { Connection, Frame, Network } from './network.ts';
import { makePlane } from './plane.ts';
import type { SimPlane } from './plane.ts';
import { bootProxy, durableMarks, makeHost, makeProxy } from './proxy.ts';
import type { ProxyParts, SimHost, SimProxy } from './proxy.ts';
import { makeKeys, PLANE_KEY_SEED, THIEF_KEY_SEED } from './signing.ts';
import { makeMachine, makeTime } from './time.ts';
import type { Machine, Process, Time } from './time.ts';

export const LOG = 'portcullis.test/00000001';

export interface World {
  readonly seed: number;
  readonly random: Random;
  readonly time: Time;
  readonly network: Network;
  readonly plane: SimPlane;
  readonly planeMachine: Machine;
  readonly hosts: readonly SimHost[];
  readonly proxies: readonly SimProxy[];
  readonly history: History;
  readonly liar: Liar;
  /** How the network behaves now. */
  readonly weather: Weather;
  readonly record: (proxy: SimProxy) => Record;
  /** Somebody connects who is no proxy. */
  readonly intrude: () => void;
  /** Something happened: for coverage and for the story. */
  readonly saw: (what: string, detail?: string) => void;
  readonly boot: (proxy: SimProxy) => void;
  readonly kill: (proxy: SimProxy) => void;
  readonly broken: string | null;
  readonly breakLaw: (law: string) => void;
  readonly unanswered: () => string | null;
  readonly story: readonly string[];
  readonly hash: () => string;
  readonly coverage: ReadonlyMap<string, number>;
}

export interface Weather {
  /** Nothing goes wrong any more. */
  calm: boolean;
  calmSince: number;
  /** Chances per frame. */
  drop: number;
  delay: number;
  duplicate: number;
  lie: number;
  /** Snapshots never arrive. */
  withheld: boolean;
  /** Nothing that is to be enforced arrives; the connections stand. */
  lost: boolean;
  latencyMs: number;
  /** Machines that no packet reaches. */
  readonly cutOff: Set<Machine>;
}

/** What brings a head. */
const PUSH = /^\{"frame":"(snapshot|restrict|advance)"/;

/** As `ws` numbers it. */
const OPEN = 1;
/** Frames are on their way for up to two seconds each; and how long somebody who is no proxy tries. */
const INTRUDER_SLACK_MS = 5_000;
const INTRUDER_STAYS_MS = 35_000;

/** Lines of a story that are kept: what led to a broken law is in the last of them. */
const MAX_STORY = 400;

export function makeWorld(seed: number): World {
  const dice = random(seed);
  const time = makeTime();
  const history = makeHistory();
  const coverage = new Map<string, number>();
  const story: string[] = [];
  const digest = createHash('sha256');
  let broken: string | null = null;
  let askedAt = 0;
  const breakLaw = (law: string): void => void (broken ??= `seed ${seed} at ${Math.round(time.now())} ms: ${law}`);
  const tell = (line: string): void => {
    const whole = `${time.now().toFixed(0).padStart(7)} ${line}`;
    digest.update(whole);
    story.push(whole);
    if (story.length > MAX_STORY) story.shift();
  };
  const saw = (what: string, detail = ''): void => {
    coverage.set(what, (coverage.get(what) ?? 0) + 1);
    tell(`${what} ${detail}`);
  };
  // One run in sixteen has real signatures.
  const real = seed % 16 === 0;
  const [planeKeys, thief] = [makeKeys(PLANE_KEY_SEED, real), makeKeys(THIEF_KEY_SEED, real)];
  let counter = 0;
  const randomBytes = (bytes: number): Uint8Array => createHash('sha256').update(`${seed} ${counter++}`).digest().subarray(0, bytes);
  const weather: Weather = { calm: false, calmSince: Number.POSITIVE_INFINITY, drop: 0, delay: 0, duplicate: 0, lie: 0, withheld: false, lost: false, latencyMs: 10, cutOff: new Set() };
  const records = new Map<SimProxy, Record>();
  const record = (proxy: SimProxy): Record => records.get(proxy) ?? (records.set(proxy, newRecord()), records.get(proxy)!);
  const talks = new Map<Connection, Talk>();
  const refusals = new Map<string, Set<string>>();
  const scene = { history, now: time.now, record, rootAt: (size: number) => plane.tree.rootAt(size) };

  const planeMachine = makeMachine('plane', time, 0);
  const plane = makePlane({
    machine: planeMachine,
    keys: planeKeys,
    log: LOG,
    random: randomBytes,
    recorded: (state, policies) => history.note(state, policies, time.now()),
    ended: (process) => network.ended(process),
    decisions: { ingest: (_from, rows) => void coverage.set('decisions stored', (coverage.get('decisions stored') ?? 0) + rows.length) },
  });
  const liar = makeLiar({ random: dice, plane: planeKeys, thief, log: LOG, now: time.now });
  const network = makeNetwork({
    time,
    random: dice,
    reachable: (client) => !weather.cutOff.has(client.machine) && !weather.cutOff.has(planeMachine),
    plane: () => (plane.running === null ? null : { process: plane.running.process, greet: plane.running.fleet.greet }),
    latency: () => 1 + dice.below(weather.latencyMs),
    meddle: (connection, direction, frame) => meddle(connection, direction, frame),
    sent: (connection, direction, frame) => {
      if (direction === 'down') {
        const law = planeSays(connection, talkOf(connection), frame, time.now());
        if (law !== null) breakLaw(law);
        const proxy = proxyOf(connection);
        if (proxy !== undefined) liar.overhear(frame, proxy.server);
      } else heldSaid(connection, frame);
    },
    delivered: (connection, direction, frame) => {
      tell(`${direction} ${connection.id} ${connection.proxy ?? 'intruder'} ${digestOf(frame.text).slice(0, 6)} ${frame.text.slice(0, 22)}`);
      if (direction === 'up') return planeHears(talkOf(connection), frame);
      const proxy = proxyOf(connection);
      if (proxy !== undefined && frame.honest && (frame.text.startsWith('{"frame":"heartbeat"') || frame.text.startsWith('{"frame":"welcome"'))) told(proxy, frame);
    },
  });

  const proxyOf = (connection: Connection): SimProxy | undefined => proxies.find(({ name }) => name === connection.proxy);
  function talkOf(connection: Connection): Talk {
    const known = talks.get(connection);
    if (known !== undefined) return known;
    const who = `${proxyOf(connection)?.running?.boot ?? 'intruder'} ${planeBoot()}`;
    const barred = refusals.get(who) ?? new Set();
    refusals.set(who, barred);
    const made = newTalk(barred, planeBoot());
    talks.set(connection, made);
    return made;
  }
  const planeBoots: Process[] = [];
  function planeBoot(): number {
    const { running } = plane;
    if (running !== null && !planeBoots.includes(running.process)) planeBoots.push(running.process);
    return planeBoots.length;
  }

  function told(proxy: SimProxy, frame: Frame): void {
    const known = record(proxy);
    known.toldAt = Math.max(known.toldAt ?? 0, frame.sentAt);
    // What was said to a process before this one says nothing to it that it did not know.
    if (frame.sentAt >= (proxy.running?.startedAt ?? 0)) sharing(proxy, (one) => void (one.lastToldAt = Math.max(one.lastToldAt ?? 0, frame.sentAt)));
  }

  /** All proxies whose processes have one folder. */
  function sharing(proxy: SimProxy, apply: (known: Record) => void): void {
    for (const other of proxies) if (other.host === proxy.host && other.folder === proxy.folder) apply(record(other));
  }

  function heldSaid(connection: Connection, frame: Frame): void {
    const proxy = proxyOf(connection);
    if (proxy === undefined || proxy.running === null) return;
    const said = JSON.parse(frame.text) as UpFrame;
    if (said.frame === 'nack') saw(`nack ${said.kind}`, `${proxy.running.boot} ${said.problems[0] ?? ''}`);
    if (said.frame === 'nack') {
      const law = blamed(proxy, said.problems[0] ?? '', said.digest);
      if (law !== null) breakLaw(law);
    }
    if (said.frame !== 'ack' && said.frame !== 'heartbeat') return;
    const held: Held = said;
    if (said.frame === 'ack') saw('ack', `${proxy.running.boot} policies@${held.policies?.version ?? '-'} restrictions@${held.restrictions?.version ?? '-'}${held.pending ? ' pending' : ''}`);
    const law = acknowledged(proxy, held, said.frame, scene);
    if (law !== null) breakLaw(law);
    if (said.frame !== 'ack' || record(proxy).damaged) return;
    const marks = `${held.policies?.version ?? '-'} ${held.restrictions?.version ?? '-'}`;
    if (record(proxy).durable === marks) return;
    record(proxy).durable = marks;
    const kept = durableMarks(proxy, proxy.running.process, parts);
    for (const part of ['policies', 'restrictions'] as const) {
      if ((held[part]?.version ?? -1) > (kept[part]?.version ?? -1)) breakLaw(`[W9] ${proxy.running.boot} acknowledged ${part}@${held[part]?.version ?? '-'}, a power cut would leave ${part}@${kept[part]?.version ?? '-'}`);
    }
  }

  function meddle(connection: Connection, direction: 'down' | 'up', frame: Frame): readonly (Frame & { readonly delay: number })[] {
    const out: (Frame & { readonly delay: number })[] = [];
    const add = (one: Frame, delay = 0): void => void out.push({ ...one, delay });
    if (dice.chance(weather.drop) || (weather.withheld && frame.text.startsWith('{"frame":"snapshot"')) || (weather.lost && PUSH.test(frame.text))) {
      saw('drop', direction);
      connection.tampered = true;
    } else if (dice.chance(weather.delay)) {
      saw('reorder', direction);
      connection.tampered = true;
      add(frame, dice.below(4_000));
    } else add(frame);
    if (dice.chance(weather.duplicate)) {
      saw('duplicate', direction);
      connection.tampered = true;
      add(frame, dice.below(2_000));
    }
    const proxy = proxyOf(connection);
    if (direction === 'down' && proxy !== undefined && dice.chance(weather.lie)) {
      const lie = tellLie(proxy, frame);
      if (lie !== null) {
        connection.tampered = true;
        const how = dice.pick(['instead', 'before', 'after', 'later'] as const);
        if (how === 'instead') out.pop();
        if (how === 'before') out.unshift({ ...lie, delay: 0 });
        else add(lie, how === 'later' ? dice.below(1_000) : 0);
      }
    }
    return out;
  }

  function tellLie(proxy: SimProxy, instead: Frame): Frame | null {
    const kind = dice.pick(LIES_TOLD);
    const labels = plane.state().hosts.get(proxy.host.id)?.labels ?? {};
    const status = proxy.running?.link.status();
    const lie = liar.lie(kind, { server: proxy.server, cut: { server: proxy.server, labels: { ...labels } }, policies: status?.policies ?? null, restrictions: status?.restrictions ?? null, tree: status?.tree ?? null }, instead);
    if (lie !== null) saw(`lie: ${kind}`, `${proxy.name} ${digestOf(lie.text).slice(0, 6)}`);
    return lie;
  }

  const hosts = ['alpha', 'beta', 'gamma'].map((id, index) => makeHost(id, makeMachine(id, time, dice.below(20_000) - 10_000), makeDisk(dice), 10 + index));
  const [alpha, beta, gamma] = hosts as [SimHost, SimHost, SimHost];
  const proxies = [
    makeProxy('alpha/github', alpha, 'github', null),
    makeProxy('alpha/github#2', alpha, 'github', null),
    makeProxy('alpha/files', alpha, 'files', null),
    makeProxy('beta/github', beta, 'github', 'e'),
    makeProxy('gamma/files', gamma, 'files', null),
  ];
  const parts: ProxyParts = {
    log: LOG,
    verify: planeKeys.verify,
    planeKey: planeKeys.publicKey,
    random: dice,
    randomBytes,
    connect: (process, proxy) => network.connect(process, proxy) as unknown as WebSocket,
    now: time.now,
  };

  const world: World = {
    seed,
    random: dice,
    time,
    network,
    plane,
    planeMachine,
    hosts,
    proxies,
    history,
    liar,
    weather,
    record,
    saw,
    boot: (proxy) => {
      const known = record(proxy);
      if (proxy.running !== null || proxy.starting) return;
      proxy.starting = true;
      known.toldAt = null;
      // Set back since it was written down how stale this is: nobody can know, and what this process writes down is no better.
      if (proxy.host.machine.setBackAtMono > proxy.host.disk.namedAtMono(`${proxy.folder}/stale.json`)) sharing(proxy, (one) => void (one.lastToldAt = null));
      known.leftAt = known.lastToldAt;
      known.seen = { policies: -1, restrictions: -1, events: 0 };
      known.current = null;
      known.durable = '';
      if (known.damaged) known.floor = 0;
      void bootProxy(proxy, parts);
    },
    kill: (proxy) => {
      const { running } = proxy;
      if (running === null) return;
      proxy.running = null;
      running.process.kill();
      network.ended(running.process);
    },
    intrude: () => {
      const process = gamma.machine.start();
      const end = network.connect(process, null);
      end.on('error', () => undefined);
      const junk = dice.pick(['', '', '', '{}', '{"frame":"ack"}', '{"frame":"goodbye"}', 'x'.repeat(linkLimits.MAX_HELLO_BYTES + 1)]);
      if (junk !== '') process.after(200, () => end.send(junk));
      process.every(1_000, () => {
        const connection = [...network.connections].find(({ client, dead }) => client === end && !dead);
        if (connection === undefined || connection.plane.readyState !== OPEN || planeMachine.suspended) return;
        const ms = time.now() - Math.max(connection.openedAt, planeMachine.wokeAt);
        if (ms > linkLimits.HELLO_MS + INTRUDER_SLACK_MS) breakLaw(`[W1] somebody who said no hello is still connected after ${Math.round(ms)} ms`);
      });
      process.after(INTRUDER_STAYS_MS, () => {
        process.kill();
        network.ended(process);
      });
    },
    get broken() {
      return broken;
    },
    breakLaw,
    unanswered: () => {
      if (time.now() - askedAt < LOOK_EVERY_MS) return null;
      askedAt = time.now();
      const since = Math.max(planeMachine.wokeAt, planeMachine.suspended ? Number.POSITIVE_INFINITY : 0);
      const here = [...network.connections].filter((connection) => plane.running?.stopping === false && talks.get(connection)?.planeBoot === planeBoot());
      return here.map((connection) => givesUp(connection, talks.get(connection), { awakeSince: since, calmSince: weather.calmSince }, time.now())).find((law) => law !== null) ?? null;
    },
    story,
    hash: () => digest.copy().digest('hex'),
    coverage,
  };
  return world;
}

const LIES_TOLD = ['old', 'old', 'other-audience', 'forged', 'truncated', 'swapped', 'bit-flip', 'two-contents', 'other-log', 'other-kind', 'unknown', 'carried-over', 'other-history'] as const;

/** Lets everything that waits for nothing but its turn happen. */
export function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** Runs the next thing that happens, and checks every proxy that it may have touched. */
export async function step(world: World): Promise<void> {
  const stuck = world.unanswered();
  if (stuck !== null) return world.breakLaw(stuck);
  if (!world.time.step()) throw new Error('a world in which nothing happens any more');
  await settle();
  const scene = { history: world.history, now: world.time.now, record: world.record, rootAt: (size: number) => world.plane.tree.rootAt(size) };
  for (const proxy of world.proxies) {
    if (world.broken !== null) return;
    if (!isDue(world, proxy)) continue;
    const law = checkProxy(proxy, scene);
    if (law !== null) world.breakLaw(law);
  }
}

/** What a proxy permits changes when it puts something in force; all else, clocks and what the plane wants, is looked at so often. */
const LOOK_EVERY_MS = 250;

function isDue({ record, time, history }: World, proxy: SimProxy): boolean {
  const known = record(proxy);
  const looked = `${proxy.running?.boot ?? ''} ${proxy.running?.swaps() ?? 0} ${history.versions.length} ${known.floor}`;
  if (known.looked === looked && time.now() - known.lookedAt < LOOK_EVERY_MS) return false;
  known.looked = looked;
  known.lookedAt = time.now();
  return true;
}

/**
 * A command, or a saved file, until thousands of proxies enforce it; the plane's own part of that; what an idle proxy costs the plane; and a
 * plane that is killed and comes back to all of them at once. The plane is the real program in a process of its own, the proxies are in others,
 * over real sockets; beside it stands the floor of the same run and layout.
 *
 *   npm run bench:fleet [-- --proxies 10000 --rounds 5 --json]
 */
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readEnrolment } from '../../apps/proxy/src/host/enrolment.ts';
import { joinPlane } from '../../apps/proxy/src/host/join.ts';
import { saveByRename } from '../world/plane.ts';
import { cleanEnvironment, PORTCULLIS, until } from '../world/process.ts';
import type { Order, Weighed } from './fleet-proxies.ts';
import type { Sent } from './fleet-sends.ts';
import { JSON_ONLY, option, printTable, round, summarise, type Summary } from './table.ts';

const PROXIES = option('proxies', 10_000);
const ROUNDS = option('rounds', 5);
/** Proxies are shared out between so many processes: one that is busy with itself would measure itself. */
const PROCESSES = 2;
/** A host with more proxies than this is rare. */
const PROXIES_PER_HOST = 100;
/** A changed policy is as large as this, as it crosses the wire. */
const POLICY_TOOLS = 60;
const WAIT_MS = 120_000;

interface Pushed extends Summary {
  /** From the command, or the end of the save, to the last byte handed to a socket. */
  readonly ownMs: number;
  readonly bytes: number;
}

interface Progress {
  readonly wanted: number;
  readonly enforcing: number;
  readonly tookMs: readonly number[];
}

const directory = mkdtempSync(join(tmpdir(), 'portcullis-fleet-'));
const children: ChildProcess[] = [];
try {
  const report = await measure();
  if (JSON_ONLY) console.log(JSON.stringify(report));
  else print(report);
} finally {
  for (const child of children) child.kill('SIGKILL');
  rmSync(directory, { recursive: true, force: true });
}

type Report = Awaited<ReturnType<typeof measure>>;

async function measure() {
  const policies = join(directory, 'policies');
  mkdirSync(policies);
  saveByRename(join(policies, 'fleet.yaml'), policyText(0));
  let plane = await startPlane();
  const hosts = await enrol(Math.ceil(PROXIES / PROXIES_PER_HOST));
  const before = await ask<Sent>(plane, { count: 'none' });
  const fleet = Array.from({ length: PROCESSES }, () => child('fleet-proxies.ts'));
  const share = Math.ceil(PROXIES / PROCESSES);
  const { planeKey } = hosts[0] ?? { planeKey: '' };
  await Promise.all(fleet.map((process, at) => ask(process, { do: 'connect', url: url(), planeKey, hosts: hosts.filter((_, index) => index % PROCESSES === at), proxies: share } satisfies Order)));
  await arrived(await head());
  const idle = await ask<Sent>(plane, { count: 'none' });
  const memory = { rssBytes: (idle.rssBytes - before.rssBytes) / (share * PROCESSES), heapBytes: (idle.heapBytes - before.heapBytes) / (share * PROCESSES) };

  const lockdowns: Pushed[] = [];
  const publishes: Pushed[] = [];
  for (let turn = 0; turn < ROUNDS; turn += 1) {
    const [locked, restriction] = await lockdown(plane);
    lockdowns.push(locked);
    await arrived(await lift(restriction));
    publishes.push(await publish(plane, join(policies, 'fleet.yaml'), turn + 1));
  }
  const stalled = await withStalled(plane, fleet);
  for (const process of fleet) await ask<Weighed>(process, { do: 'weigh' } satisfies Order);
  plane.kill('SIGKILL');
  await once(plane, 'exit');
  const killed = Date.now();
  plane = await startPlane();
  await until('all are back at the head', async () => (await progress(await head(), 1_000)).enforcing >= share * PROCESSES, WAIT_MS, 50);
  const storm = { backAfterMs: Date.now() - killed, rssBytes: (await ask<Sent>(plane, { count: 'none' })).rssBytes };
  const weighed = (await Promise.all(fleet.map((process) => ask<Weighed>(process, { do: 'weigh' } satisfies Order)))).reduce((sum, one) => ({ connections: sum.connections + one.connections, upBytes: sum.upBytes + one.upBytes, downBytes: sum.downBytes + one.downBytes }));
  for (const one of [plane, ...fleet]) {
    one.kill('SIGKILL');
    await once(one, 'exit');
  }
  const floors = await measureFloors(lockdowns[0]?.bytes ?? 0, publishes[0]?.bytes ?? 0, share);
  return { proxies: share * PROCESSES, rounds: ROUNDS, memory, lockdown: lockdowns, publish: publishes, stalled, storm, reconnect: { upBytes: weighed.upBytes / weighed.connections, downBytes: weighed.downBytes / weighed.connections }, floors };
}

async function startPlane(): Promise<ChildProcess> {
  const node = ['--expose-gc', '--import', 'tsx', '--import', join(import.meta.dirname, 'fleet-sends.ts')];
  const args = ['serve', '--policies', join(directory, 'policies'), '--data', join(directory, 'data'), '--listen', listenAt()];
  const plane = fork(PORTCULLIS, args, { execArgv: node, env: cleanEnvironment({ PORTCULLIS_HOME: directory }), stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
  children.push(plane);
  await until('the plane to listen', async () => {
    if (plane.exitCode !== null) throw new Error('the plane ended at start');
    if (discovery()?.pid !== plane.pid) return undefined;
    return (await fetch(`${url()}/healthz`).catch(() => undefined))?.ok;
  }, WAIT_MS);
  return plane;
}

interface Discovery {
  readonly url: string;
  readonly pid: number;
  readonly tokens: { readonly admin: string };
}

function discovery(): Discovery | undefined {
  try {
    return JSON.parse(readFileSync(join(directory, 'plane.json'), 'utf8')) as Discovery;
  } catch {
    return undefined;
  }
}

function url(): string {
  return discovery()?.url ?? '';
}

/** A plane that is started again must be where its proxies look for it. */
function listenAt(): string {
  const known = discovery();
  return known === undefined ? '127.0.0.1:0' : new URL(known.url).host;
}

async function api<T>(method: string, path: string, body?: unknown): Promise<T> {
  const token = readFileSync(discovery()?.tokens.admin ?? '', 'utf8').trim();
  const response = await fetch(`${url()}${path}`, { method, headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' }, ...(body === undefined ? {} : { body: JSON.stringify(body) }) });
  const answer = (await response.json()) as T;
  if (!response.ok) throw new Error(`${method} ${path}: ${JSON.stringify(answer)}`);
  return answer;
}

async function enrol(count: number) {
  const hosts: { readonly id: string; readonly seed: string; readonly planeKey: string }[] = [];
  for (let n = 0; n < count; n += 1) {
    const home = join(directory, `host-${n}`);
    mkdirSync(home);
    const { token } = await api<{ readonly token: string }>('POST', '/v1/join-tokens', { labels: {}, ttlMs: 3_600_000 });
    const joined = await joinPlane({ url: url(), token, home, name: `host-${n}` });
    const found = readEnrolment(home);
    if (!joined.ok || found.kind !== 'enrolled') throw new Error(`host ${n} could not join: ${JSON.stringify(joined)}`);
    hosts.push({ id: found.enrolment.host, seed: Buffer.from(found.seed).toString('base64'), planeKey: found.enrolment.planeKey });
  }
  return hosts;
}

async function head(): Promise<number> {
  return (await api<{ readonly version: number }>('GET', '/v1/status')).version;
}

function progress(version: number, timeoutMs: number): Promise<Progress> {
  return api<Progress>('GET', `/v1/wait?version=${version}&timeoutMs=${timeoutMs}`);
}

async function arrived(version: number, but = 0): Promise<Progress> {
  return until(`all enforce ${version}`, async () => {
    const now = await progress(version, but === 0 ? 20_000 : 500);
    return now.wanted >= PROXIES - but && now.tookMs.length >= PROXIES - but && (now.enforcing === now.wanted || but > 0) ? now : undefined;
  }, WAIT_MS);
}

interface Recorded {
  readonly version: number;
  readonly recorded: readonly { readonly atMs: number }[];
}

/** From the command: the plane's clock and ours are the same machine's. */
async function lockdown(plane: ChildProcess, but = 0): Promise<readonly [Pushed, string]> {
  await ask<Sent>(plane, { count: 'restrict' });
  const began = Date.now();
  const made = await api<Recorded & { readonly restriction: { readonly id: string } }>('POST', '/v1/restrictions', { reason: 'a drill' });
  return [await pushed(plane, made.version, began, but), made.restriction.id];
}

async function lift(restriction: string): Promise<number> {
  return (await api<Recorded>('POST', `/v1/restrictions/${restriction}/lift`, { reason: 'the drill is over' })).version;
}

async function publish(plane: ChildProcess, path: string, edition: number): Promise<Pushed> {
  const before = await head();
  await ask<Sent>(plane, { count: 'snapshot' });
  saveByRename(path, policyText(edition));
  const began = Date.now();
  const version = await until('the publication', async () => {
    const now = await head();
    return now > before ? now : undefined;
  }, WAIT_MS);
  return pushed(plane, version, began, 0);
}

async function pushed(plane: ChildProcess, version: number, began: number, but: number): Promise<Pushed> {
  const { tookMs } = await arrived(version, but);
  const { events } = await api<{ readonly events: readonly { readonly seq: number; readonly atMs: number }[] }>('GET', `/v1/log?from=${version}&limit=1`);
  const committed = events.find(({ seq }) => seq === version)?.atMs ?? began;
  const sent = await ask<Sent>(plane, { count: 'none' });
  return { ...summarise(tookMs.map((took) => took + committed - began)), ownMs: sent.lastAtMs - began, bytes: Math.round(sent.bytes / Math.max(1, sent.frames)) };
}

/** One reader in a hundred does not read: how long the others take. */
async function withStalled(plane: ChildProcess, fleet: readonly ChildProcess[]): Promise<Pushed> {
  const each = Math.ceil(PROXIES / 100 / fleet.length);
  await Promise.all(fleet.map((process) => ask(process, { do: 'stall', proxies: each } satisfies Order)));
  const [took, restriction] = await lockdown(plane, each * fleet.length);
  await Promise.all(fleet.map((process) => ask(process, { do: 'stall', proxies: 0 } satisfies Order)));
  await arrived(await lift(restriction));
  return took;
}

async function measureFloors(lockdownBytes: number, publishBytes: number, share: number) {
  const server = child('fleet-floor.ts');
  const { url: at, key } = await ask<{ readonly url: string; readonly key: string }>(server, { do: 'listen' });
  const readers = Array.from({ length: PROCESSES }, () => child('fleet-proxies.ts'));
  await Promise.all(readers.map((process) => ask(process, { do: 'read', url: at, key, readers: share } satisfies Order)));
  const rounds = async (bytes: number): Promise<readonly Summary[]> => {
    const all: Summary[] = [];
    for (let turn = 0; turn < ROUNDS; turn += 1) all.push(summarise(await ask<readonly number[]>(server, { do: 'broadcast', bytes })));
    return all;
  };
  return { lockdown: await rounds(lockdownBytes), publish: await rounds(publishBytes) };
}

function child(file: string): ChildProcess {
  const process = fork(join(import.meta.dirname, file), { execArgv: ['--conditions=portcullis-source', '--import', 'tsx'], stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
  children.push(process);
  return process;
}

/** One question at a time. */
async function ask<T>(process: ChildProcess, question: unknown): Promise<T> {
  process.send(question as object);
  const [answer] = (await once(process, 'message')) as [T];
  return answer;
}

function policyText(edition: number): string {
  const tools = Array.from({ length: POLICY_TOOLS }, (_, n) => `  tool_${n}:\n    rules:\n      - name: small amounts only ${edition}\n        conditions: [{ path: args.amount, op: lte, value: ${100 + n} }]\n`);
  return `version: "1"\nmatch: { server: "s*" }\ntools:\n${tools.join('')}`;
}

function print({ proxies, memory, lockdown: lockdowns, publish: publishes, stalled, storm, reconnect, floors }: Report): void {
  console.log(`${proxies} proxies in ${PROCESSES} processes, ${ROUNDS} rounds; milliseconds from the command, or the end of the save, to the acknowledgement\n`);
  const middle = (of: readonly Summary[], what: (one: Summary) => number): number => summarise(of.map(what)).p50;
  const row = (name: string, of: readonly Pushed[], floor: readonly Summary[]): readonly string[] => [
    name,
    ...[middle(of, ({ p50 }) => p50), middle(of, ({ p99 }) => p99), middle(of, ({ max }) => max), summarise(of.map(({ ownMs }) => ownMs)).p50, middle(floor, ({ p50 }) => p50), middle(floor, ({ p99 }) => p99), middle(floor, ({ max }) => max), middle(of, ({ p99 }) => p99) / middle(floor, ({ p99 }) => p99)].map((value) => String(round(value))),
    String(of[0]?.bytes ?? 0),
  ];
  printTable(['push', 'p50', 'p99', 'last', 'own part', 'floor p50', 'floor p99', 'floor last', 'times floor', 'bytes'], [row('lockdown', lockdowns, floors.lockdown), row('lockdown, 1 % stalled', [stalled], floors.lockdown), row('policy', publishes, floors.publish)]);
  console.log(`\nThe plane's memory for each idle proxy: ${round(memory.heapBytes / 1024)} kB of heap, ${round(memory.rssBytes / 1024)} kB resident.`);
  console.log(`Killed and started again: all at the head after ${storm.backAfterMs} ms, ${round(storm.rssBytes / 2 ** 20)} MiB resident; a reconnect at the head: ${round(reconnect.upBytes)} bytes up, ${round(reconnect.downBytes)} down, HTTP's upgrade included.`);
}

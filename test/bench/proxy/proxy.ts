/**
 * What the proxy adds to a call, over stdio and Streamable HTTP, beside the floor of the same run: direct, a bare byte pipe, ours (a typical policy, decisions recorded by a
 * live plane), an SDK transport-to-transport pipe, and ours with a counter on the path. All processes live at once, and each round measures
 * them in random order; what is reported is the median of the differences within rounds, which a busy machine moves least.
 *
 *   npm run bench:proxy [-- --rounds 20 --starts 9 --json]
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { enrolHost } from '../../world/host.ts';
import { startPlane } from '../../world/plane.ts';
import { PORTCULLIS_PROXY, ROOT, until } from '../../world/process.ts';
import { JSON_ONLY, option, printTable, round } from '../table.ts';
import { openHttpPath, openPath, SMALL, type OpenPath, type PathCommand } from './path.ts';

const ROUNDS = option('rounds', 20);
const STARTS = option('starts', 9);
const SEQUENTIAL = 100;
const IN_FLIGHT = 32;
const CONCURRENT = 640;
/** Until then V8 still compiles. */
const WARM_UP = 3_000;
const BIG = { '1 MB': 1_000_000, '10 MB': 9_900_000 } as const;
const BIG_ROUNDS = 5;
const IDLE_MS = 2_000;

/** As people write them: some tools listed, some arguments held against conditions, one thing hidden. */
const TYPICAL = `version: "1"
default: deny
hide: ["delete_*"]
tools:
  echo:
    rules:
      - name: no secrets
        conditions: [{ path: args.text, op: not_contains, value: "BEGIN PRIVATE KEY" }, { path: args.text, op: max_length, value: 100000 }]
  big: { rules: [{ name: not too big, conditions: [{ path: args.bytes, op: lte, value: 100000000 }] }] }
  "get_*":
`;
const COUNTING = TYPICAL.replace('      - name: no secrets', '      - { name: many a day, rate_limit: 100000000/day }\n      - name: no secrets');

const here = (file: string): string => join(ROOT, 'test/bench/proxy', file);
const NODE = process.execPath;
const UPSTREAM = [NODE, here('upstream.js')];

interface Row {
  readonly name: string;
  readonly p50Ms: number;
  readonly addedUs: number;
  readonly callsPerSecond: number;
  readonly cpuUsPerCall: number;
  readonly bigMs: Readonly<Record<string, number>>;
  readonly startMs: number;
  /** Of the path's own process until the first answer: says more than the clock where the machine is busy. */
  readonly startCpuMs: number;
  readonly idleMb: number;
}

const directory = mkdtempSync(join(tmpdir(), 'portcullis-bench-'));
const plane = await startPlane(directory);
const open = new Set<OpenPath>();
try {
  plane.save('typical.yaml', TYPICAL);
  plane.save('counting.yaml', COUNTING);
  const { home } = await enrolHost(plane, 'host', {});
  const env = { PORTCULLIS_HOME: home };
  const overStdio = await overAll(openPath, stdioPaths(env));
  const together = await bothAtOnce(openPath, stdioPaths(env).at(-1));
  const upstream = await openHttpPath({ name: 'upstream', command: [NODE, here('http-upstream.js'), '{port}'], env: {} });
  open.add(upstream.path);
  const overHttp = await overAll(openHttpPath, httpPaths(env, upstream.port));
  if (JSON_ONLY) console.log(JSON.stringify({ rounds: ROUNDS, starts: STARTS, stdio: overStdio, http: overHttp, twoCountingProcessesCallsPerSecond: together }));
  else {
    print('stdio', overStdio);
    console.log(`\nTwo counting processes at once, on one SQLite file: ${together} calls/s together.\n`);
    print('Streamable HTTP', overHttp);
  }
} finally {
  await Promise.all([...open].map((path) => path.close()));
  await plane.stop();
  rmSync(directory, { recursive: true, force: true });
}

function stdioPaths(env: PathCommand['env']): readonly PathCommand[] {
  const ours = (name: string, server: string): PathCommand => ({ name, command: [NODE, PORTCULLIS_PROXY, '--server', server, '--', ...UPSTREAM], env });
  return [
    { name: 'direct', command: UPSTREAM, env: {} },
    { name: 'byte pipe', command: [NODE, here('byte-pipe.js'), ...UPSTREAM], env: {} },
    ours('portcullis', 'typical'),
    { name: 'SDK pipe', command: [NODE, here('sdk-pipe.js'), ...UPSTREAM], env: {} },
    ours('portcullis, counting', 'counting'),
  ];
}

/** All of them before one upstream, which is there already; direct is a second one of its kind. */
function httpPaths(env: PathCommand['env'], upstream: number): readonly PathCommand[] {
  const ours = (name: string, server: string): PathCommand => ({ name, command: [NODE, PORTCULLIS_PROXY, '--server', server, '--listen', '127.0.0.1:{port}', '--upstream', `http://127.0.0.1:${upstream}/mcp`], env });
  return [
    { name: 'direct', command: [NODE, here('http-upstream.js'), '{port}'], env: {} },
    { name: 'byte pipe', command: [NODE, here('http-pipe.js'), String(upstream), '{port}'], env: {} },
    ours('portcullis', 'typical'),
    { name: 'SDK pipe', command: [NODE, here('http-sdk-pipe.js'), String(upstream), '{port}'], env: {} },
    ours('portcullis, counting', 'counting'),
  ];
}

type Open = typeof openPath;

async function overAll(openOne: Open, commands: readonly PathCommand[]): Promise<readonly Row[]> {
  const paths: OpenPath[] = [];
  for (const command of commands) {
    const { path } = await openOne(command);
    paths.push(path);
    open.add(path);
  }
  await until('the policies', async () => (await Promise.all(paths.map((path) => path.call('echo', { text: SMALL }).then(() => true, () => false)))).every(Boolean), 20_000, 50);
  const rows = await measure(openOne, commands, paths);
  for (const path of paths) {
    await path.close();
    open.delete(path);
  }
  return rows;
}

async function measure(openOne: Open, commands: readonly PathCommand[], paths: readonly OpenPath[]): Promise<readonly Row[]> {
  await new Promise((resolve) => setTimeout(resolve, IDLE_MS));
  const idle = paths.map((path) => path.rssMb());
  const rounds = new Map(paths.map(({ name }) => [name, { p50: [] as number[], perSecond: [] as number[], cpu: [] as number[] }]));
  for (const path of paths) await inFlight(path, WARM_UP);
  for (let at = 0; at < ROUNDS; at += 1) {
    for (const path of shuffled(paths)) {
      const took = await oneRound(path);
      rounds.get(path.name)?.p50.push(took.p50);
      rounds.get(path.name)?.perSecond.push(took.perSecond);
      rounds.get(path.name)?.cpu.push(took.cpu);
    }
  }
  const big = await measureBig(paths);
  const starts = await measureStarts(openOne, commands);
  const direct = rounds.get('direct')?.p50 ?? [];
  return paths.map(({ name }, index) => {
    const mine = rounds.get(name) ?? { p50: [], perSecond: [], cpu: [] };
    return {
      name,
      p50Ms: median(mine.p50),
      addedUs: median(mine.p50.map((value, at) => (value - (direct[at] ?? 0)) * 1000)),
      callsPerSecond: Math.round(median(mine.perSecond)),
      cpuUsPerCall: median(mine.cpu),
      bigMs: Object.fromEntries(Object.keys(BIG).map((size) => [size, median(big.get(`${name} ${size}`) ?? [])])),
      startMs: median((starts.get(name) ?? []).map(({ ms }) => ms)),
      startCpuMs: median((starts.get(name) ?? []).map(({ cpuMs }) => cpuMs)),
      idleMb: idle[index] ?? Number.NaN,
    };
  });
}

async function oneRound(path: OpenPath): Promise<{ readonly p50: number; readonly perSecond: number; readonly cpu: number }> {
  const times: number[] = [];
  for (let n = 0; n < SEQUENTIAL; n += 1) {
    const at = performance.now();
    await path.call('echo', { text: SMALL });
    times.push(performance.now() - at);
  }
  const [cpuBefore, before] = [path.cpuUs(), performance.now()];
  await inFlight(path, CONCURRENT);
  const seconds = (performance.now() - before) / 1000;
  return { p50: median(times), perSecond: CONCURRENT / seconds, cpu: (path.cpuUs() - cpuBefore) / CONCURRENT };
}

async function inFlight(path: OpenPath, calls: number): Promise<void> {
  let left = calls;
  const worker = async (): Promise<void> => {
    while (left > 0) {
      left -= 1;
      await path.call('echo', { text: SMALL });
    }
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, worker));
}

async function measureBig(paths: readonly OpenPath[]): Promise<ReadonlyMap<string, readonly number[]>> {
  const times = new Map<string, number[]>();
  for (let at = -1; at < BIG_ROUNDS; at += 1) {
    for (const path of shuffled(paths)) {
      for (const [size, bytes] of Object.entries(BIG)) {
        const before = performance.now();
        await path.call('big', { bytes });
        const key = `${path.name} ${size}`;
        if (at >= 0) times.set(key, [...(times.get(key) ?? []), performance.now() - before]);
      }
    }
  }
  return times;
}

interface Start {
  readonly ms: number;
  readonly cpuMs: number;
}

async function measureStarts(openOne: Open, commands: readonly PathCommand[]): Promise<ReadonlyMap<string, readonly Start[]>> {
  const times = new Map<string, Start[]>();
  for (let at = 0; at < STARTS; at += 1) {
    for (const command of shuffled(commands)) {
      const { path, startMs } = await openOne(command);
      times.set(command.name, [...(times.get(command.name) ?? []), { ms: startMs, cpuMs: path.cpuUs() / 1000 }]);
      await path.close();
    }
  }
  return times;
}

/** Two processes that reserve from one SQLite file: calls a second of both together. */
async function bothAtOnce(openOne: Open, counting: PathCommand | undefined): Promise<number> {
  if (counting === undefined) return Number.NaN;
  const both = [(await openOne(counting)).path, (await openOne(counting)).path];
  for (const path of both) open.add(path);
  const rates: number[] = [];
  for (let at = 0; at < ROUNDS; at += 1) {
    const before = performance.now();
    await Promise.all(both.map((path) => inFlight(path, CONCURRENT)));
    rates.push((both.length * CONCURRENT) / ((performance.now() - before) / 1000));
  }
  return Math.round(median(rates));
}

function shuffled<T>(items: readonly T[]): readonly T[] {
  return items.map((item) => ({ item, by: Math.random() })).sort((a, b) => a.by - b.by).map(({ item }) => item);
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1 ? (sorted[middle] ?? Number.NaN) : ((sorted[middle - 1] ?? Number.NaN) + (sorted[middle] ?? Number.NaN)) / 2;
}

function print(transport: string, rows: readonly Row[]): void {
  const pipe = rows.find(({ name }) => name === 'byte pipe');
  const ratio = (value: number, floor: number | undefined): string => (floor === undefined ? '-' : `x${round(value / floor)}`);
  console.log(`${transport}; ${ROUNDS} rounds of ${SEQUENTIAL} calls one by one and ${CONCURRENT} with ${IN_FLIGHT} in flight; ratios are to the byte pipe\n`);
  printTable(
    ['path', 'p50 ms', 'added µs', 'ratio', 'calls/s', 'CPU µs/call', ...Object.keys(BIG).flatMap((size) => [`${size} ms`, 'ratio']), 'start ms', 'ratio', 'CPU ms', 'idle MB', 'ratio'],
    rows.map((row) => [
      row.name, row.p50Ms.toFixed(3), row.addedUs.toFixed(0), ratio(row.addedUs, pipe?.addedUs), String(row.callsPerSecond), row.cpuUsPerCall.toFixed(1),
      ...Object.keys(BIG).flatMap((size) => [(row.bigMs[size] ?? Number.NaN).toFixed(1), ratio(row.bigMs[size] ?? Number.NaN, pipe?.bigMs[size])]),
      row.startMs.toFixed(0), ratio(row.startMs, pipe?.startMs), row.startCpuMs.toFixed(0), row.idleMb.toFixed(0), ratio(row.idleMb, pipe?.idleMb),
    ]),
  );
}

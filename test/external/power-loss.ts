/**
 * Power that fails at any moment: the plane's system calls are traced, and each state that the disk may be in is put into a folder and opened.
 * Whatever was acknowledged before that moment must be there, under a tree and a signature that fit, in a database that is whole. The same
 * check must find losses where the log is opened with synchronous=NORMAL, or it proves nothing.
 */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import Database from 'better-sqlite3';
import { openPlane } from '../../apps/control-plane/src/plane.ts';
import { acknowledgements, NOTHING_KNOWN, readOn } from '../crash/acknowledged.ts';
import type { Acknowledgement } from '../crash/acknowledged.ts';
import { firstSeed, random } from '../domain/random.ts';
import type { Random } from '../domain/random.ts';
import { createDisk } from './lost-power.ts';
import type { DiskCall } from './system-calls.ts';
import { traced } from './system-calls.ts';

/** Distinct states that are opened with the durable log, at least; and with the other, of which a part shows the point. */
const STATES = Number(process.env.STATES ?? 1_000);
const STATES_OF_NORMAL = Math.ceil(STATES / 4);
/** Enough work for SQLite to move its write-ahead log into the database several times. */
const COMMANDS = 80;
const SCRIPT = join(import.meta.dirname, '..', 'crash', 'append-forever.js');

interface Verdicts {
  readonly states: number;
  /** Checks: a state is checked again after more was acknowledged. */
  readonly checks: number;
  /** States that lose what was acknowledged. */
  readonly losing: number;
  /** The most that one of them loses. */
  readonly most: number;
  /** States that do not open, or are not whole, without losing anything. */
  readonly broken: number;
  readonly acknowledged: number;
  readonly firstProblem: string | undefined;
}

export function powerLoss(): string {
  const seed = firstSeed();
  const full = crash(seed, 'full', STATES);
  if (full.losing + full.broken > 0) throw new Error(`of ${full.states} states, ${full.losing} lost what was acknowledged and ${full.broken} were not whole; seed ${seed}; the first: ${full.firstProblem ?? ''}`);
  if (full.states < STATES) throw new Error(`only ${full.states} distinct states were found, and ${STATES} are wanted`);
  const normal = crash(seed, 'normal', STATES_OF_NORMAL);
  if (normal.losing === 0) throw new Error(`with synchronous=NORMAL none of ${normal.states} states lost anything: this check finds nothing`);
  return (
    `${full.states} states (${full.checks} checks) of ${full.acknowledged} acknowledged events, 0 lost, 0 broken; with synchronous=NORMAL ${normal.losing} of ${normal.states} states lose up to ${normal.most} ` +
    `acknowledged events, as many as the syncs in the trace foretell (${normal.broken} more do not open); seed ${seed}`
  );
}

function crash(seed: number, durability: 'full' | 'normal', wanted: number): Verdicts {
  const place = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'portcullis-power-'));
  try {
    const dataDir = join(place, 'data');
    mkdirSync(dataDir);
    const calls = traced([process.execPath, SCRIPT, dataDir, String(COMMANDS)], join(place, 'trace'), { ...process.env, LESS_DURABLE: durability === 'normal' ? '1' : '0' });
    rmSync(join(place, 'trace'));
    return openEach(calls, dataDir, join(place, 'crashed'), random(seed), wanted);
  } finally {
    rmSync(place, { recursive: true, force: true });
  }
}

function openEach(calls: readonly DiskCall[], dataDir: string, crashed: string, dice: Random, wanted: number): Verdicts {
  const disk = createDisk(dataDir);
  const promised = createPromise(join(dataDir, 'log.db-wal'));
  /** By state: what had been acknowledged when it was checked. The same bytes are a loss once more was acknowledged. */
  const seen = new Map<string, number>();
  const [losing, broken] = [new Set<string>(), new Set<string>()];
  // Each moment beside a sync, and so many of the others that there are enough: right after a sync there is only one state.
  const beside = calls.filter((_, at) => isBesideSync(calls, at)).length;
  const share = Math.min(1, Math.max(0.01, (wanted - beside) / (calls.length - beside)));
  let [checks, most] = [0, 0];
  let firstProblem: string | undefined;
  const tryState = (state: ReadonlyMap<string, Buffer>, certain: boolean): void => {
    const name = digest(state);
    const acknowledged = promised.acknowledged();
    if (seen.get(name) === acknowledged.length) return;
    seen.set(name, acknowledged.length);
    checks += 1;
    put(state, dataDir, crashed);
    const { missing, problem } = verdictOn(crashed, acknowledged);
    rmSync(crashed, { recursive: true, force: true });
    const foretold = promised.atRisk();
    if (certain ? missing !== foretold : missing > foretold) throw new Error(`after ${acknowledged.length} acknowledgements, of which ${foretold} were not synced, ${missing} are missing: this check does not count right`);
    if (problem === undefined) return;
    (missing > 0 ? losing : broken).add(name);
    most = Math.max(most, missing);
    firstProblem ??= `after ${acknowledged.length} acknowledgements: ${problem}`;
  };
  calls.forEach((call, at) => {
    promised.call(call);
    disk.call(call);
    if (!isBesideSync(calls, at) && !dice.chance(share)) return;
    for (const which of ['certain', 'everything', dice, dice] as const) tryState(disk.survives(which), which === 'certain');
  });
  return { states: seen.size, checks, losing: losing.size, most, broken: [...broken].filter((name) => !losing.has(name)).length, acknowledged: promised.acknowledged().length, firstProblem };
}

function isBesideSync(calls: readonly DiskCall[], at: number): boolean {
  return calls[at]?.kind === 'sync' || calls[at + 1]?.kind === 'sync' || calls[at]?.kind === 'printed';
}

/**
 * What was acknowledged so far, and how much of it no sync vouches for: counted from the order of calls alone, so that what the opened
 * states are found to lose can be held against it.
 */
function createPromise(walPath: string) {
  const wals = new Set<number>();
  let printed = '';
  let synced = true;
  let certain = 0;
  const acknowledged = () => acknowledgements(printed);
  return {
    acknowledged,
    atRisk: () => acknowledged().length - certain,
    call(call: DiskCall): void {
      if (call.kind === 'open' && call.path === walPath) wals.add(call.fd);
      else if (call.kind === 'open' || call.kind === 'close') wals.delete(call.fd);
      else if (call.kind === 'write' && wals.has(call.fd)) synced = false;
      else if (call.kind === 'sync' && wals.has(call.fd)) synced = true;
      else if (call.kind === 'printed') printed += call.text;
      if (synced) certain = acknowledged().length;
    },
  };
}

function put(state: ReadonlyMap<string, Buffer>, from: string, to: string): void {
  for (const [path, bytes] of state) {
    const target = path.replace(from, to);
    mkdirSync(dirname(target), { recursive: true });
    writeFileSync(target, bytes);
  }
}

/** How many of the acknowledged events are missing, and what else is wrong with this state. */
function verdictOn(dataDir: string, acknowledged: readonly Acknowledgement[]): { readonly missing: number; readonly problem: string | undefined } {
  const opened = openPlane({ dataDir, now: () => 1, folds: { least: 50, segment: 512, every: 40 }, onBug: () => undefined });
  if (opened.ok) opened.plane.close();
  const { ids, integrity } = rowsOf(dataDir);
  const missing = acknowledged.filter(({ seq, id }) => ids.get(seq) !== id).length;
  if (!opened.ok) return { missing, problem: opened.problem };
  if (integrity !== 'ok') return { missing, problem: `not whole: ${integrity}` };
  try {
    readOn(dataDir, NOTHING_KNOWN, acknowledged);
    return { missing, problem: missing > 0 ? 'events are missing, and reading the log did not notice' : undefined };
  } catch (error) {
    return { missing, problem: error instanceof Error ? error.message : String(error) };
  }
}

/** Read without any code of the plane. */
function rowsOf(dataDir: string): { readonly ids: ReadonlyMap<number, string>; readonly integrity: string } {
  const path = join(dataDir, 'log.db');
  if (!existsSync(path)) return { ids: new Map(), integrity: 'missing' };
  const db = new Database(path);
  try {
    const integrity = String(db.pragma('integrity_check', { simple: true }));
    const made = db.prepare("SELECT 1 FROM sqlite_schema WHERE name = 'events'").get() !== undefined;
    const rows = made ? db.prepare<[], { seq: number; id: string }>("SELECT seq, json_extract(entry, '$.id') AS id FROM events").all() : [];
    return { ids: new Map(rows.map(({ seq, id }) => [seq, id])), integrity };
  } finally {
    db.close();
  }
}

function digest(state: ReadonlyMap<string, Buffer>): string {
  const hash = createHash('sha256');
  for (const [path, bytes] of [...state].sort(([a], [b]) => (a < b ? -1 : 1))) hash.update(`${path}\0${bytes.length}\0`).update(bytes);
  return hash.digest('hex');
}

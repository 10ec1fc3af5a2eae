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
  readonly lost: number;
  readonly corrupt: number;
  readonly acknowledged: number;
  readonly firstProblem: string | undefined;
}

export function powerLoss(): string {
  const seed = firstSeed();
  const full = crash(seed, 'full', STATES);
  if (full.lost + full.corrupt > 0) throw new Error(`of ${full.states} states, ${full.lost} lost what was acknowledged and ${full.corrupt} were not whole; seed ${seed}; the first: ${full.firstProblem ?? ''}`);
  if (full.states < STATES) throw new Error(`only ${full.states} distinct states were found, and ${STATES} are wanted`);
  const normal = crash(seed, 'normal', STATES_OF_NORMAL);
  if (normal.lost === 0) throw new Error(`with synchronous=NORMAL none of ${normal.states} states lost anything: this check finds nothing`);
  return `${full.states} states of ${full.acknowledged} acknowledged events, 0 lost, 0 broken; with synchronous=NORMAL ${normal.lost} of ${normal.states} lose acknowledged events, as they must; seed ${seed}`;
}

function crash(seed: number, durability: 'full' | 'normal', wanted: number): Verdicts {
  const place = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'portcullis-power-'));
  try {
    const dataDir = join(place, 'data');
    mkdirSync(dataDir);
    // The real one is 16 MiB, and means nothing here.
    writeFileSync(join(dataDir, 'ballast'), 'small');
    const calls = traced([process.execPath, SCRIPT, dataDir, String(COMMANDS)], join(place, 'trace'), { ...process.env, LESS_DURABLE: durability === 'normal' ? '1' : '0' });
    rmSync(join(place, 'trace'));
    return openEach(calls, dataDir, join(place, 'crashed'), random(seed), wanted);
  } finally {
    rmSync(place, { recursive: true, force: true });
  }
}

function openEach(calls: readonly DiskCall[], dataDir: string, crashed: string, dice: Random, wanted: number): Verdicts {
  const disk = createDisk(dataDir, new Map([[join(dataDir, 'ballast'), Buffer.from('small')]]));
  const seen = new Set<string>();
  // Each moment beside a sync, and so many of the others that there are enough: right after a sync there is only one state.
  const beside = calls.filter((_, at) => isBesideSync(calls, at)).length;
  const share = Math.min(1, Math.max(0.01, (wanted - beside) / (calls.length - beside)));
  let printed = '';
  let [lost, corrupt] = [0, 0];
  let firstProblem: string | undefined;
  const tryState = (state: ReadonlyMap<string, Buffer>): void => {
    const name = digest(state);
    if (seen.has(name)) return;
    seen.add(name);
    for (const [path, bytes] of state) {
      const target = path.replace(dataDir, crashed);
      mkdirSync(dirname(target), { recursive: true });
      writeFileSync(target, bytes);
    }
    const problem = problemOf(crashed, printed);
    rmSync(crashed, { recursive: true, force: true });
    if (problem === undefined) return;
    if (problem.startsWith('lost')) lost++;
    else corrupt++;
    firstProblem ??= problem;
  };
  calls.forEach((call, at) => {
    if (call.kind === 'printed') printed += call.text;
    disk.call(call);
    if (!isBesideSync(calls, at) && !dice.chance(share)) return;
    for (const which of ['certain', 'everything', dice, dice] as const) tryState(disk.survives(which));
  });
  return { states: seen.size, lost, corrupt, acknowledged: acknowledgements(printed).length, firstProblem };
}

function isBesideSync(calls: readonly DiskCall[], at: number): boolean {
  return calls[at]?.kind === 'sync' || calls[at + 1]?.kind === 'sync' || calls[at]?.kind === 'printed';
}

/** What is wrong with this state, given what had been printed. */
function problemOf(dataDir: string, printed: string): string | undefined {
  const acknowledged = acknowledgements(printed);
  const opened = openPlane({ dataDir, now: () => 1, folds: { least: 50, segment: 512, every: 40 }, onBug: () => undefined });
  if (!opened.ok) return `not whole after ${acknowledged.length} acknowledgements: ${opened.problem}`;
  opened.plane.close();
  try {
    readOn(dataDir, NOTHING_KNOWN, acknowledged);
  } catch (error) {
    return `lost after ${acknowledged.length} acknowledgements: ${error instanceof Error ? error.message : String(error)}`;
  }
  const db = new Database(join(dataDir, 'log.db'), { readonly: true });
  const integrity = db.pragma('integrity_check', { simple: true });
  db.close();
  return integrity === 'ok' ? undefined : `not whole: ${String(integrity)}`;
}

function digest(state: ReadonlyMap<string, Buffer>): string {
  const hash = createHash('sha256');
  for (const [path, bytes] of [...state].sort(([a], [b]) => (a < b ? -1 : 1))) hash.update(`${path}\0${bytes.length}\0`).update(bytes);
  return hash.digest('hex');
}

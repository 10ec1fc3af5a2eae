/**
 * Every call into the database fails once, one after the other: with a full disk, a failing disk, a file that somebody else holds. Calls of
 * SQLite's own into the system are failed in `npm run test:external` (test/external/failing-io.ts).
 */
import { cpSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openPlane } from '../../apps/control-plane/src/plane.ts';
import type { Executed, OpenedPlane, Plane } from '../../apps/control-plane/src/plane.ts';
import { NOTHING_KNOWN, readOn } from './acknowledged.ts';
import { workOnce } from './work.js';

const PACE = { least: 50, segment: 512, every: 5 };
/** Commands of one run; the base log is of such a length that they fill a tile. */
const COMMANDS = 6;
const BASE_SIZE = 252;
/** These faults are logical, so memory will do where the machine has a folder in it. */
const PLACE = existsSync('/dev/shm') ? '/dev/shm' : tmpdir();

let base = '';
let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(PLACE, 'portcullis-faults-'));
  base = join(folder, 'base');
  const { plane } = open(base);
  for (let n = 0; plane.state().size < BASE_SIZE; n++) workOnce(plane, n < 18 ? n : n % 2, n);
  plane.close();
  // The real ballast is 16 MiB, and copied often.
  writeFileSync(join(base, 'ballast'), 'small');
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

type Opened = Extract<OpenedPlane, { ok: true }>;

function open(dataDir: string, bugs: unknown[] = []): Opened {
  const opened = openPlane({ dataDir, now: () => 1, folds: PACE, onBug: (bug) => bugs.push(bug) });
  if (!opened.ok) throw new Error(opened.problem);
  return opened;
}

type When = 'before' | 'after';

/** Makes the n-th call into any database from now on fail, instead of being made (`before`) or, where it writes, although it was (`after`). */
function failCall(n: number, code: string, when: When): { readonly made: readonly string[]; readonly failed: () => string | undefined; readonly mend: () => void } {
  const probe = new Database(':memory:');
  const prototype = Object.getPrototypeOf(probe.prepare('SELECT 1')) as Record<string, (...args: unknown[]) => unknown>;
  probe.close();
  const names = when === 'before' ? (['run', 'get', 'all', 'iterate'] as const) : (['run'] as const);
  const real = names.map((name) => [name, prototype[name]!] as const);
  const made: string[] = [];
  let failed: string | undefined;
  for (const [name, call] of real) {
    prototype[name] = function failing(this: { readonly source: string }, ...args) {
      made.push(this.source);
      if (made.length !== n) return call.apply(this, args);
      failed = this.source;
      if (when === 'after') call.apply(this, args);
      throw new Database.SqliteError('a fault that the test made', code);
    };
  }
  return {
    made,
    failed: () => failed,
    mend: () => {
      for (const [name, call] of real) prototype[name] = call;
    },
  };
}

interface Run {
  readonly dataDir: string;
  readonly plane: Plane;
  readonly results: readonly Executed[];
  readonly told: readonly string[];
  /** The statement that failed; undefined where there were fewer calls. */
  readonly failed: string | undefined;
  readonly bugs: readonly unknown[];
  /** The statements of all calls, and at which of them each command began. */
  readonly made: readonly string[];
  readonly began: readonly number[];
}

function runWith(n: number, code: string, when: When): Run {
  const dataDir = join(folder, `${code}-${when}-${n}`);
  cpSync(base, dataDir, { recursive: true });
  const bugs: unknown[] = [];
  const { plane } = open(dataDir, bugs);
  const told: string[] = [];
  plane.onRecorded((recorded) => told.push(...recorded.map(({ id }) => id)));
  const fault = failCall(n, code, when);
  const results: Executed[] = [];
  const began: number[] = [];
  try {
    for (let command = 0; command < COMMANDS; command++) {
      began.push(fault.made.length);
      results.push(workOnce(plane, command, 1_000 + command));
    }
  } finally {
    fault.mend();
  }
  return { dataDir, plane, results, told, failed: fault.failed(), bugs, made: fault.made, began };
}

/** Where events are read one after the other, the same few statements come again: of each command's, the first so many of each are failed. */
const OF_ONE_STATEMENT = 8;

/** The calls to fail, from 1; the last one is never made. */
function callsOf(code: string, when: When): readonly number[] {
  const { made, began, plane, dataDir } = runWith(0, code, when);
  plane.close();
  rmSync(dataDir, { recursive: true, force: true });
  const seen = new Map<string, number>();
  const chosen = made.flatMap((source, call) => {
    if (began.includes(call)) seen.clear();
    const count = (seen.get(source) ?? 0) + 1;
    seen.set(source, count);
    return count <= OF_ONE_STATEMENT ? [call + 1] : [];
  });
  return [...chosen, made.length + 1];
}

/** What must hold whatever failed: what was acknowledged, and only that, was told; a restart has all of it. */
function checkRun(run: Run, name: string): { readonly unacknowledged: number } {
  const acknowledged = run.results.flatMap((result) => (result.ok ? result.recorded : []));
  expect(run.told, name).toEqual(acknowledged.map(({ id }) => id));
  const before = run.plane.state();
  run.plane.close();
  const { ids } = readOn(run.dataDir, NOTHING_KNOWN, []);
  for (const { seq, id } of acknowledged) expect(ids[seq], name).toBe(id);
  const again = open(run.dataDir).plane;
  const after = again.state();
  if (after.size === before.size) expect(after, name).toEqual(before);
  again.close();
  rmSync(run.dataDir, { recursive: true, force: true });
  return { unacknowledged: after.size - before.size };
}

const unavailable = (result: Executed): boolean => !result.ok && result.refusal.code === 'unavailable';

describe('a call into the database that fails', () => {
  it.each([['SQLITE_FULL', 'full'], ['SQLITE_BUSY', 'another program']])('[L2] with %s costs at most that command, and no restart', (code, says) => {
    const calls = callsOf(code, 'before');
    for (const n of calls) {
      const run = runWith(n, code, 'before');
      const name = `${code} at call ${n}: ${run.failed ?? 'none'}`;
      const refused = run.results.filter(unavailable);
      expect(refused.length, name).toBeLessThanOrEqual(1);
      expect(refused.every((result) => !result.ok && result.refusal.message.includes(says)), name).toBe(true);
      expect(run.bugs, name).toEqual([]);
      expect(checkRun(run, name).unacknowledged, name).toBe(0);
      expect(run.failed === undefined, name).toBe(n === calls.at(-1));
    }
    console.log(`${code}: ${calls.length - 1} calls, each failed once`);
    expect(calls.length).toBeGreaterThan(50);
  }, 120_000);

  it.each([['SQLITE_IOERR_WRITE', 'before'], ['SQLITE_IOERR_FSYNC', 'after']] as const)('[L2] with %s (%s the call) stops all recording, says so, and a restart has what was acknowledged', (code, when) => {
    const calls = callsOf(code, when);
    let indeterminate = 0;
    for (const n of calls) {
      const run = runWith(n, code, when);
      const name = `${code} ${when} call ${n}: ${run.failed ?? 'none'}`;
      const first = run.results.findIndex(unavailable);
      if (run.failed !== undefined && first >= 0) {
        expect(run.results.slice(first).every(unavailable), name).toBe(true);
        expect(run.bugs.map(String).join(), name).toMatch(/log cannot be written/);
      }
      const { unacknowledged } = checkRun(run, name);
      // Only a commit that reached the disk and was reported as failed may leave more than was acknowledged.
      expect(unacknowledged === 0 || (when === 'after' && run.failed === 'COMMIT'), name).toBe(true);
      if (unacknowledged > 0) indeterminate++;
    }
    console.log(`${code} ${when} the call: ${calls.length - 1} calls, each failed once; ${indeterminate} commits were found at the restart that nobody had been told of`);
    expect(calls.length).toBeGreaterThan(25);
    expect(indeterminate > 0).toBe(when === 'after');
  }, 120_000);

  it('[L2] while a plane opens leaves the log as it was', () => {
    for (const code of ['SQLITE_FULL', 'SQLITE_BUSY', 'SQLITE_IOERR_READ']) {
      let n = 1;
      for (; ; n++) {
        const dataDir = join(folder, `open-${code}-${n}`);
        cpSync(base, dataDir, { recursive: true });
        const fault = failCall(n, code, 'before');
        const opened = openPlane({ dataDir, now: () => 1, folds: PACE, onBug: () => undefined });
        const failed = fault.failed();
        fault.mend();
        if (opened.ok) opened.plane.close();
        else expect(opened.problem).toMatch(/cannot be used|in use|damaged|log\.db/);
        expect(readOn(dataDir, NOTHING_KNOWN, []).ids).toHaveLength(BASE_SIZE);
        rmSync(dataDir, { recursive: true, force: true });
        if (failed === undefined) break;
      }
      expect(n, code).toBeGreaterThan(3);
    }
  }, 60_000);
});

/** Each system call of the log fails once, in turn: no space, an I/O error, a file that somebody holds. Nothing that was acknowledged is lost. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openPlane } from '../../apps/control-plane/src/plane.ts';
import { workOnce } from '../crash/work.js';

const KINDS = ['full', 'busy', 'io'] as const;
type Kind = (typeof KINDS)[number];

interface Run {
  readonly n: number;
  readonly failed: boolean;
  readonly refused: number;
  readonly lastRefused: boolean;
  readonly toldAll: boolean;
  /** Whether what was acknowledged is there after a restart; a problem where the log does not open. */
  readonly found: boolean | string;
  /** Events that are there and were never told: of a commit that succeeded and was reported as failed. */
  readonly more: number;
}

export function failingIo(): string {
  const folder = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'portcullis-io-'));
  try {
    const shim = join(folder, 'failing-io.so');
    execFileSync('cc', ['-shared', '-fPIC', '-O1', '-o', shim, join(import.meta.dirname, 'failing-io.c'), '-ldl']);
    const base = join(folder, 'base');
    begin(base);
    return KINDS.map((kind) => failEach(kind, base, folder, shim)).join('; ');
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function begin(base: string): void {
  const opened = openPlane({ dataDir: base, now: () => 1 });
  if (!opened.ok) throw new Error(opened.problem);
  for (let n = 0; n < 12; n++) workOnce(opened.plane, n, n);
  opened.plane.close();
  writeFileSync(join(base, 'ballast'), 'small');
}

function failEach(kind: Kind, base: string, folder: string, shim: string): string {
  const script = join(import.meta.dirname, 'failing-io.js');
  const output = execFileSync(process.execPath, [script, base, kind, join(folder, 'copy'), '1', '1'], { encoding: 'utf8', env: { ...process.env, LD_PRELOAD: shim }, maxBuffer: 64 * 1024 * 1024 });
  const runs = output.split('\n').filter((line) => line !== '').map((line) => JSON.parse(line) as Run);
  for (const run of runs) {
    const wrong = wrongWith(kind, run);
    if (wrong !== undefined) throw new Error(`${kind} at call ${run.n}: ${wrong} (${JSON.stringify(run)})`);
  }
  const refused = runs.filter((run) => run.refused > 0).length;
  // A lock that is refused once is waited for.
  if (refused === 0 && kind !== 'busy') throw new Error(`${kind}: no failure was noticed, so this check finds nothing`);
  return `${kind}: ${runs.length - 1} calls, each failed once, ${refused} refused a command`;
}

function wrongWith(kind: Kind, run: Run): string | undefined {
  if (run.found !== true) return run.found === false ? 'an acknowledged event is lost' : run.found;
  if (!run.toldAll) return 'listeners were told something else than the callers';
  if (kind !== 'io') {
    if (run.more > 0) return 'a refused command was recorded all the same';
    return run.refused > 1 ? 'more than one command was refused' : undefined;
  }
  return run.refused > 0 && !run.lastRefused ? 'it went on after the disk had failed' : undefined;
}

/**
 * A plane that is killed with SIGKILL at random moments, while it opens and while it appends, again and again on one growing log. After each
 * death the log is read and checked. Needs the built plane. More cycles: CYCLES=1000 npm run test:crash.
 */
import { spawn } from 'node:child_process';
import type { ChildProcessByStdio } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { afterEach, describe, expect, it } from 'vitest';
import { openPlane } from '../../apps/control-plane/src/plane.ts';
import { firstSeed, random } from '../domain/random.ts';
import { acknowledgements, NOTHING_KNOWN, readOn } from './acknowledged.ts';
import type { Acknowledgement } from './acknowledged.ts';

const CYCLES = Number(process.env.CYCLES ?? 200);
const SCRIPT = join(import.meta.dirname, 'append-forever.js');
/** The longest that a process is left to write, after its first acknowledgement. */
const MAX_LIFE_MS = 100;
/** The longest that one is left after it began, where it is to die while it opens. */
const MAX_START_MS = 60;
/** Everything is read from the beginning so often; between, from where the last reading ended. */
const WHOLE_EVERY = 20;

let folder = '';
let next: Plane | undefined;
afterEach(() => next?.kill('SIGKILL'));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

type Plane = ChildProcessByStdio<Writable, Readable, Readable>;

/** A process that has loaded the plane and waits; most of the time of a cycle is loading. */
function waiting(dataDir: string): Plane {
  return spawn(process.execPath, [SCRIPT, dataDir], { env: { ...process.env, WAIT: '1' }, stdio: ['pipe', 'pipe', 'pipe'] });
}

/** Lets the process begin and kills it: so long after its beginning or its first acknowledgement, whichever is said. Gives what it had acknowledged. */
async function killed(child: Plane, since: 'beginning' | 'first', afterMs: number): Promise<readonly Acknowledgement[]> {
  let output = '';
  let complaint = '';
  const kill = (): unknown => setTimeout(() => child.kill('SIGKILL'), afterMs);
  child.stderr.on('data', (chunk: Buffer) => (complaint += chunk.toString()));
  child.stdout.on('data', (chunk: Buffer) => {
    if (output === '' && since === 'first') kill();
    output += chunk.toString();
  });
  child.stdin.on('error', () => undefined);
  child.stdin.write('x');
  if (since === 'beginning') kill();
  await new Promise((resolve) => child.on('close', resolve));
  if (child.signalCode !== 'SIGKILL') throw new Error(`the plane ended by itself: ${complaint}`);
  return acknowledgements(output);
}

describe('kill -9', () => {
  it(`[L1][L2][L5] loses, doubles or reorders nothing that was acknowledged (${CYCLES} cycles)`, async () => {
    const seed = firstSeed();
    const dice = random(seed);
    folder = mkdtempSync(join(tmpdir(), 'portcullis-kill-'));
    const all: Acknowledgement[] = [];
    let known = NOTHING_KNOWN;
    let early = 0;
    next = waiting(folder);
    for (let cycle = 0; cycle < CYCLES; cycle++) {
      const child = next;
      next = waiting(folder);
      const acknowledged = dice.chance(0.15) ? await killed(child, 'beginning', dice.int(MAX_START_MS)) : await killed(child, 'first', dice.int(MAX_LIFE_MS));
      if (acknowledged.length === 0) early++;
      all.push(...acknowledged);
      expect(acknowledged.every(({ seq }, i) => i === 0 || seq === acknowledged[i - 1]!.seq + 1), `cycle ${cycle} of seed ${seed}`).toBe(true);
      if (!existsSync(join(folder, 'log.db'))) continue;
      const whole = cycle % WHOLE_EVERY === WHOLE_EVERY - 1 || cycle === CYCLES - 1;
      try {
        known = whole ? readOn(folder, NOTHING_KNOWN, all) : readOn(folder, known, acknowledged);
      } catch (error) {
        throw new Error(`cycle ${cycle} of seed ${seed}: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
      }
    }
    // The fold that begins at a kept one is the fold of everything.
    const states = [true, false].map((keepFolds) => {
      if (!keepFolds) rmSync(join(folder, 'folds'), { recursive: true, force: true });
      const opened = openPlane({ dataDir: folder, now: () => 1, folds: { least: 50, segment: 512, every: 40 } });
      if (!opened.ok) throw new Error(opened.problem);
      const state = opened.plane.state();
      opened.plane.close();
      return state;
    });
    expect(states[0]).toEqual(states[1]);
    const acknowledged = new Set(all.map(({ seq }) => seq)).size;
    expect(acknowledged).toBeGreaterThan(CYCLES);
    console.log(`${CYCLES} kills (${early} before the first acknowledgement), ${acknowledged} acknowledged events, ${known.edge.size} in the log, none lost, doubled or reordered; seed ${seed}`);
  }, 20_000 + CYCLES * 5_000);
});

/** A plane that is killed again and again, on one growing log. Needs the built plane (`npm run build`). */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { openPlane } from '../../apps/control-plane/src/plane.ts';
import { firstSeed, random } from '../domain/random.ts';

const CYCLES = Number(process.env.CYCLES ?? 20);
const SCRIPT = join(import.meta.dirname, 'append-forever.js');
/** The longest that a killed process is left to write, after its first acknowledgement. */
const MAX_LIFE_MS = 60;

let folder = '';
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** Starts the script, kills it with SIGKILL after `lifeMs`, and gives what it had acknowledged. */
async function killedAfter(dataDir: string, lifeMs: number): Promise<readonly string[]> {
  const child = spawn(process.execPath, [SCRIPT, dataDir], { stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  let complaint = '';
  child.stderr.on('data', (chunk: Buffer) => (complaint += chunk.toString()));
  await new Promise<void>((resolve) => {
    child.stdout.on('data', (chunk: Buffer) => {
      if (output === '') setTimeout(() => child.kill('SIGKILL'), lifeMs);
      output += chunk.toString();
    });
    child.on('close', () => resolve());
  });
  if (child.signalCode !== 'SIGKILL') throw new Error(`the plane ended by itself: ${complaint}`);
  // A last line without its end was not read by anybody.
  return output.slice(0, output.lastIndexOf('\n')).split('\n').filter((line) => line !== '');
}

describe('kill -9', () => {
  it(`[L1][L2][L5] loses, doubles or reorders nothing that was acknowledged (${CYCLES} cycles)`, async () => {
    const seed = firstSeed();
    const dice = random(seed);
    folder = mkdtempSync(join(tmpdir(), 'portcullis-kill-'));
    const acknowledged = new Map<number, string>();
    let last = 0;
    for (let cycle = 0; cycle < CYCLES; cycle++) {
      for (const line of await killedAfter(folder, dice.int(MAX_LIFE_MS))) {
        const [seq, id] = line.split(' ') as [string, string];
        expect(Number(seq), `cycle ${cycle} of seed ${seed}`).toBeGreaterThan(last);
        last = Number(seq);
        acknowledged.set(last, id);
      }
      // Opening checks every leaf, the root and the signature.
      const opened = openPlane({ dataDir: folder, now: () => 1 });
      if (!opened.ok) throw new Error(`cycle ${cycle} of seed ${seed}: ${opened.problem}`);
      expect(opened.plane.state().size).toBeGreaterThan(last);
      last = opened.plane.state().size - 1;
      opened.plane.close();
    }
    const opened = openPlane({ dataDir: folder, now: () => 1 });
    if (!opened.ok) throw new Error(opened.problem);
    for (const [seq, id] of acknowledged) expect(opened.plane.history.at(seq)?.id).toBe(id);
    opened.plane.close();
    expect(acknowledged.size).toBeGreaterThan(CYCLES);
    console.log(`${CYCLES} cycles, ${acknowledged.size} acknowledged events, ${last + 1} in the log, none lost`);
  }, 20_000 + CYCLES * 5_000);
});

/** A disk that is really full: a small tmpfs. Where the machine does not let us mount one, the test says so and is skipped. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, rmSync, statfsSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openPlane } from '../../apps/control-plane/src/plane.ts';
import type { Command } from '../../apps/control-plane/src/domain/command.ts';
import { OPERATOR } from '../domain/story.ts';
import { until } from '../world/process.ts';

const disk = mkdtempSync(join(tmpdir(), 'portcullis-disk-'));
let mounted = false;
beforeAll(() => {
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=160m', 'tmpfs', disk], { stdio: 'ignore' });
    mounted = true;
  } catch {
    console.log('no tmpfs can be mounted here: the test of a full disk is skipped');
  }
});
afterAll(() => {
  if (mounted) execFileSync('umount', [disk]);
  rmSync(disk, { recursive: true, force: true });
});

const restrict = (server: string): Command => ({ kind: 'restrict', selector: { server: [server], labels: {} }, tools: null, readOnly: false, expiresAtMs: null });
const token = (n: number): Command => ({ kind: 'create-operator-token', token: `t${n}`, secretSha256: 'a'.repeat(64), name: 'x'.repeat(200), role: 'viewer' });

/** Leaves less than one page free. */
function fill(): void {
  const { bavail, bsize } = statfsSync(disk);
  try {
    writeFileSync(join(disk, 'filler'), Buffer.alloc(bavail * bsize), { flag: 'a' });
  } catch {
    // Full is what was wanted.
  }
}

describe('a full disk', () => {
  it('[L2] acknowledges nothing that it cannot keep, takes a restriction all the same, and goes on when there is room', async ({ skip }) => {
    if (!mounted) skip();
    const dataDir = join(disk, 'data');
    const opened = openPlane({ dataDir, now: () => 1, ballastMs: 20 });
    if (!opened.ok) throw new Error(opened.problem);
    const { plane } = opened;
    expect(plane.storage()).toEqual({ problem: null, ballast: true });
    expect(statSync(join(dataDir, 'ballast')).size).toBe(16 * 1024 * 1024);
    plane.execute(restrict('before'), OPERATOR);
    fill();

    const told: number[] = [];
    plane.onRecorded((recorded) => told.push(...recorded.map(({ seq }) => seq)));
    // The write-ahead log may have room of its own left; that is used up first.
    let acknowledged = plane.state().size;
    let refusals = 0;
    for (let n = 0; n < 3_000 && refusals < 20; n++) {
      const executed = plane.execute(token(n), OPERATOR);
      if (executed.ok) acknowledged++;
      else {
        expect(executed.refusal).toMatchObject({ code: 'unavailable', message: expect.stringMatching(/full.*restrictions are still accepted/) as string });
        refusals++;
      }
    }
    expect(refusals).toBe(20);
    expect(plane.state().size).toBe(acknowledged);
    expect(told.length).toBe(acknowledged - 2);

    expect(plane.execute(restrict('incident'), OPERATOR)).toMatchObject({ ok: true });
    expect(existsSync(join(dataDir, 'ballast'))).toBe(false);
    expect(plane.state().restrictions.size).toBe(2);
    expect(plane.storage()).toEqual({ problem: null, ballast: false });
    fill();
    let refused: unknown;
    for (let n = 0; n < 20_000 && refused === undefined; n++) {
      const executed = plane.execute(restrict(`more ${n}`), OPERATOR);
      if (!executed.ok) refused = executed.refusal;
    }
    expect(refused).toMatchObject({ code: 'unavailable', message: expect.stringMatching(/full.*no ballast left, so restrictions are refused as well/) as string });
    await new Promise((resolve) => setTimeout(resolve, 60));
    expect(readdirSync(dataDir).filter((name) => name.includes('ballast'))).toEqual([]);

    rmSync(join(disk, 'filler'));
    expect(plane.execute(token(9_999), OPERATOR)).toMatchObject({ ok: true });
    await until('the ballast to be laid again', () => plane.storage().ballast);
    expect(statSync(join(dataDir, 'ballast')).size).toBe(16 * 1024 * 1024);
    const before = plane.state();
    plane.close();
    const again = openPlane({ dataDir, now: () => 1 });
    if (!again.ok) throw new Error(again.problem);
    expect(again.plane.state()).toEqual(before);
    again.plane.close();
  });
});

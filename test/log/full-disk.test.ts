/** The log on a disk that is really full. */
import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { openPlane } from '../../apps/control-plane/src/plane.ts';
import type { Command } from '../../apps/control-plane/src/domain/command.ts';
import { OPERATOR } from '../domain/story.ts';
import { until } from '../world/process.ts';
import { mountSmallDisk } from '../world/small-disk.ts';

const disk = mountSmallDisk('160m');
afterAll(() => disk?.unmount());

const restrict = (server: string): Command => ({ kind: 'restrict', selector: { server: [server], labels: {} }, tools: null, readOnly: false, expiresAtMs: null });
const token = (n: number): Command => ({ kind: 'create-operator-token', token: `t${n}`, secretSha256: 'a'.repeat(64), name: 'x'.repeat(200), role: 'viewer' });

describe('a full disk', () => {
  it('[L2] acknowledges nothing that it cannot keep, takes a restriction all the same, and goes on when there is room', async ({ skip }) => {
    if (disk === undefined) return skip();
    const dataDir = join(disk.path, 'data');
    const opened = openPlane({ dataDir, now: () => 1, ballastMs: 20 });
    if (!opened.ok) throw new Error(opened.problem);
    const { plane } = opened;
    expect(plane.storage()).toEqual({ problem: null, ballast: true });
    expect(statSync(join(dataDir, 'ballast')).size).toBe(16 * 1024 * 1024);
    plane.execute(restrict('before'), OPERATOR);
    disk.fill();

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
    disk.fill();
    let refused: unknown;
    for (let n = 0; n < 20_000 && refused === undefined; n++) {
      const executed = plane.execute(restrict(`more ${n}`), OPERATOR);
      if (!executed.ok) refused = executed.refusal;
    }
    expect(refused).toMatchObject({ code: 'unavailable', message: expect.stringMatching(/full.*no ballast left, so restrictions are refused as well/) as string });
    await new Promise((resolve) => setTimeout(resolve, 60));
    expect(readdirSync(dataDir).filter((name) => name.includes('ballast'))).toEqual([]);

    disk.clear();
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

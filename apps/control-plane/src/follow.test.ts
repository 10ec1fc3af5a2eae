import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { until } from '../../../test/world/process.ts';
import { storageLines } from './cli/storage.ts';
import { followDirectory } from './follow.ts';
import type { Following } from './follow.ts';
import { openPlane } from './plane.ts';
import type { Plane } from './plane.ts';

const FULL = { ok: false, refusal: { code: 'unavailable', message: 'the disk is full' } } as const;

let folder: string;
let policies: string;
let plane: Plane;
let following: Following;
let full: boolean;
let said: string[];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'portcullis-follow-'));
  policies = join(folder, 'policies');
  mkdirSync(policies);
  const opened = openPlane({ dataDir: join(folder, 'data'), now: () => 1_000 });
  if (!opened.ok) throw new Error(opened.problem);
  ({ plane } = opened);
  full = false;
  said = [];
});
afterEach(async () => {
  await following.close();
  plane.close();
  rmSync(folder, { recursive: true, force: true });
});

function follow(): void {
  const filling: Plane = { ...plane, execute: (...asked) => (full ? FULL : plane.execute(...asked)) };
  following = followDirectory({ plane: filling, directory: policies, pollOnly: false, removals: 'wait', now: () => 5_000, complain: (text) => said.push(text), onBug: (error) => said.push(String(error)) });
}

const save = (name: string, text = 'version: "1"\n'): void => writeFileSync(join(policies, name), text);

describe('following a directory', () => {
  it('counts what the log could not take, with reason and time, until it has taken it', async () => {
    for (const name of ['a.yaml', 'b.yaml', 'c.yaml']) save(name);
    follow();
    await until('the first version', () => plane.policies().size === 3);
    expect(following.status().unrecorded).toBeUndefined();
    full = true;
    save('b.yaml', 'version: "1"\ndefault: deny\n');
    await until('the refusal', () => following.status().unrecorded);
    save('d.yaml');
    await until('the second one', () => following.status().unrecorded?.documents === 2);
    expect(following.status().unrecorded).toEqual({ documents: 2, sinceMs: 5_000, reason: 'the disk is full' });
    expect(said).toEqual(["The directory's change is not recorded: the disk is full"]);
    full = false;
    save('e.yaml');
    await until('all of it in force', () => plane.policies().size === 5);
    expect(following.status().unrecorded).toBeUndefined();
  });

  it('[F3] records that the directory cannot be seen, and that it can again, once the log takes it', async () => {
    follow();
    await until('the first look', () => following.status().state === 'watching');
    for (const [failed, change] of [[true, () => rmSync(policies, { recursive: true })], [false, () => mkdirSync(policies)]] as const) {
      full = true;
      change();
      await until('the refusal', () => said.at(-1)?.endsWith('not recorded: the disk is full') === true && said.length === (failed ? 1 : 2), 20_000);
      expect(plane.state().watch.failed).toBe(!failed);
      full = false;
      await until('it in the log', () => plane.state().watch.failed === failed, 20_000);
    }
    expect(said.map((line) => line.slice(0, 45))).toEqual(['That the directory cannot be watched is not r', 'That the directory is watched again is not re']);
  });

  it('does not count at a start what is in force already', async () => {
    for (const name of ['a.yaml', 'b.yaml']) save(name);
    follow();
    await until('the first version', () => plane.policies().size === 2);
    await following.close();
    save('c.yaml');
    full = true;
    follow();
    expect((await until('the refusal', () => following.status().unrecorded)).documents).toBe(1);
  });
});

describe('the lines about the disk', () => {
  it('are none where all is well', () => {
    expect(storageLines({ storage: { problem: null, ballast: true }, unrecorded: null }, 0)).toEqual([]);
  });

  it('name what is not in force, since when and why, and what is no longer possible', () => {
    const lines = storageLines({ storage: { problem: 'the log cannot be written', ballast: false }, unrecorded: { documents: 1, sinceMs: 0, reason: 'the disk is full' } }, 60_000);
    expect(lines).toEqual(['NOT RECORDING: the log cannot be written', expect.stringMatching(/^NOT IN FORCE: changes of 1 file, not recorded since .*: the disk is full$/), expect.stringMatching(/^No ballast: .*128 MiB/)]);
  });
});

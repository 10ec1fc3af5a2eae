/** The verifier key that an operator is told to write down is the one that an auditor then needs. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startPlane, type PlaneProcess } from '../world/plane.ts';

let directory: string;
let plane: PlaneProcess;
beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'portcullis-verifier-'));
  plane = await startPlane(directory);
});
afterAll(async () => {
  await plane.stop();
  rmSync(directory, { recursive: true, force: true });
});

/** One line by itself, as it is copied into a file. */
function keyIn(text: string): string {
  return /^\s*(?:verifier key )?(\S+\+[0-9a-f]{8}\+[A-Za-z0-9+/]+=*)$/m.exec(text)?.[1] ?? '';
}

it('[L4] is printed at the first start and never again, shown by status, and replaced with a word by key rotate; both verify', async () => {
  const first = keyIn(plane.running().output());
  expect(plane.running().output()).toContain('Write it down elsewhere');
  expect(keyIn((await plane.operate('status')).stdout)).toBe(first);

  const verify = async (key: string): Promise<number> => {
    const file = join(directory, 'key');
    writeFileSync(file, `${key}\n`);
    return (await plane.operate('log', 'verify', '--key', file)).code;
  };
  expect(await verify(first)).toBe(0);
  const rotated = await plane.operate('key', 'rotate', '--reason', 'drill', '--as', 'admin');
  const second = keyIn(rotated.stdout);
  expect([second === '', second === first]).toEqual([false, false]);
  expect(keyIn((await plane.operate('status')).stdout)).toBe(second);
  expect([await verify(first), await verify(second)]).toEqual([0, 0]);
  const byte = first.at(-10) === 'A' ? 'B' : 'A';
  expect(await verify(first.slice(0, -10) + byte + first.slice(-9))).toBe(1);

  await plane.stop();
  await plane.startAgain();
  expect(plane.running().output()).not.toContain('Write it down');
});

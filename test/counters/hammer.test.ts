/** Many processes on one file of counts: never beyond the limit, and nothing lost when one is killed. */
import { spawn } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it, vi } from 'vitest';
import { sqliteCounters } from '../../apps/proxy/src/store/counters.ts';

const folder = mkdtempSync(join(tmpdir(), 'portcullis-hammer-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const NOON = Date.UTC(2026, 0, 5, 12);
const KEY = { server: 's', policy: 'p.yaml', entry: 't', counter: 'c', window: 'day' } as const;
const PROCESSES = 6;
let spoken = 0;

describe('counters under many processes', () => {
  it('[E1] never exceed the limit, and take all of it', async () => {
    const path = join(folder, 'limit.db');
    const spenders = Array.from({ length: PROCESSES }, () => spend(path, { limit: '1000', amount: '1', attempts: 400 }));
    const taken = await Promise.all(spenders.map(({ done }) => done));
    expect(taken.reduce((sum, one) => sum + one, 0)).toBe(1000);
    expect(counted(path)).toBe('1000');
  });

  it('are exact in cents', async () => {
    const path = join(folder, 'cents.db');
    const taken = await Promise.all(Array.from({ length: PROCESSES }, () => spend(path, { limit: '10', amount: '0.07', attempts: 60 }).done));
    // 142 times 0.07 is 9.94; one more would be 10.01.
    expect(taken.reduce((sum, one) => sum + one, 0)).toBe(142);
    expect(counted(path)).toBe('9.94');
  });

  it('survive processes that are killed: what was taken stays taken, and the rest can go on', async () => {
    const path = join(folder, 'killed.db');
    const spenders = Array.from({ length: PROCESSES }, () => spend(path, { limit: '100000000', amount: '1', attempts: 100_000_000 }));
    await Promise.all(spenders.map(({ started }) => started()));
    for (const spender of spenders) spender.kill();
    const taken = (await Promise.all(spenders.map(({ done }) => done))).reduce((sum, one) => sum + one, 0);
    const count = Number(counted(path));
    // Each process may have been killed between counting and saying so.
    expect(count).toBeGreaterThanOrEqual(taken);
    expect(count - taken).toBeLessThanOrEqual(PROCESSES);
    expect(taken).toBeGreaterThan(0);
    const store = sqliteCounters(path);
    expect(store.reserve([{ key: KEY, amount: '1', limit: null }], NOON).ok).toBe(true);
    store.close();
  });
});

interface Spender {
  readonly started: () => Promise<void>;
  /** How often it said that it had taken something. */
  readonly done: Promise<number>;
  readonly kill: () => void;
}

function spend(path: string, { limit, amount, attempts }: { limit: string; amount: string; attempts: number }): Spender {
  const script = join(import.meta.dirname, 'spender.ts');
  const said = join(folder, `said-${spoken++}`);
  // A file rather than a pipe: what was written before a kill is there, and a write never has to wait.
  const output = openSync(said, 'w');
  const child = spawn(process.execPath, ['--import', 'tsx', '--conditions=portcullis-source', script, path, limit, amount, String(attempts), String(NOON)], {
    stdio: ['ignore', output, 'inherit'],
  });
  closeSync(output);
  const done = new Promise<number>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', () => resolve(statSync(said).size));
  });
  return {
    started: () => vi.waitFor(() => expect(statSync(said).size).toBeGreaterThan(0), { timeout: 30_000, interval: 20 }),
    done,
    kill: () => void child.kill('SIGKILL'),
  };
}

function counted(path: string): string {
  const store = sqliteCounters(path);
  const count = store.read(KEY, NOON);
  store.close();
  return count;
}

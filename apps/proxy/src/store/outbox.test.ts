import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { DecisionRow } from '@portcullis/policy-core';
import { openOutbox } from './outbox.ts';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'portcullis-outbox-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

function row(n: number, boot = 'b1'): DecisionRow {
  return {
    boot, n, atMs: 0, kind: 'tool', name: 'x', decision: 'allow', reason: 'allowed', rule: null, message: null, sources: [], observed: [], policiesVersion: 1, restrictionsVersion: 1, freshness: 'fresh',
    argumentsHmac: null, client: null,
  };
}

/** A plane that stores what it is sent, and answers unless it is told not to. */
function planeOf(outbox: ReturnType<typeof openOutbox>, answers = () => true) {
  const stored = new Set<string>();
  outbox.connected((rows) => {
    expect(new Set(rows.map(({ boot }) => boot)).size).toBe(1);
    expect(rows.length).toBeLessThanOrEqual(500);
    for (const { boot, n } of rows) stored.add(`${boot} ${n}`);
    const last = rows.at(-1);
    if (answers() && last !== undefined) setImmediate(() => outbox.acknowledged(last.boot, last.n));
  });
  return stored;
}

async function until(check: () => boolean): Promise<void> {
  for (let tries = 0; tries < 1000 && !check(); tries++) await new Promise((resolve) => setTimeout(resolve, 5));
  expect(check()).toBe(true);
}

describe('the outbox', () => {
  it('sends everything, in batches of one boot', async () => {
    const outbox = openOutbox(directory, Date.now);
    for (let n = 0; n < 1234; n++) outbox.add(row(n));
    const stored = planeOf(outbox);
    await until(() => stored.size === 1234);
    await outbox.close(100);
    expect(readdirSync(directory)).toEqual([]);
  });

  it('writes what no plane takes, and the next process sends it together with its own', async () => {
    const first = openOutbox(directory, Date.now);
    for (let n = 0; n < 700; n++) first.add(row(n));
    await first.close(0);
    const [name = ''] = readdirSync(directory);
    // The file of a process that is gone: no process has this id.
    const { renameSync } = await import('node:fs');
    renameSync(join(directory, name), join(directory, name.replace(`-${process.pid}-`, '-4194305-')));
    writeFileSync(join(directory, '000000000000001-4194305-9.jsonl'), `${JSON.stringify(row(7, 'b0'))}\n{"cut of`);
    const second = openOutbox(directory, Date.now);
    second.add(row(0, 'b2'));
    const stored = planeOf(second);
    await until(() => stored.size === 702);
    await second.close(100);
    expect(readdirSync(directory)).toEqual([]);
  });

  it('sends again what was not answered, also what was read from disk', async () => {
    const outbox = openOutbox(directory, Date.now);
    for (let n = 0; n < 600; n++) outbox.add(row(n));
    await new Promise((resolve) => setTimeout(resolve, 250));
    expect(readdirSync(directory)).toHaveLength(1);
    const lost = planeOf(outbox, () => false);
    await until(() => lost.size > 0);
    outbox.disconnected();
    const stored = planeOf(outbox);
    await until(() => stored.size === 600);
    await outbox.close(100);
  });

  it('gives up the oldest where memory is full, and says how many', async () => {
    const outbox = openOutbox(directory, Date.now);
    for (let n = 0; n < 20_010; n++) outbox.add(row(n));
    expect(outbox.dropped).toBe(10);
    await outbox.close(0);
  });
});

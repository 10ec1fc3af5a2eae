/** Both counter stores under one contract, and what only a file can do: be shared, be reopened, be broken. */
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { memoryCounters } from '@portcullis/policy-core';
import type { Reservation } from '@portcullis/policy-core';
import { afterAll, describe, expect, it } from 'vitest';
import { sqliteCounters } from '../apps/proxy/src/store/counters.ts';
import { describeCounterStore } from './counter-contract.ts';

const folder = mkdtempSync(join(tmpdir(), 'portcullis-counters-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

let files = 0;
function newFile(): string {
  return join(folder, `${files++}.db`);
}

describeCounterStore('memory', memoryCounters);
describeCounterStore('SQLite', () => sqliteCounters(newFile()));

describe('SQLite counters', () => {
  const NOON = Date.UTC(2026, 0, 5, 12);
  const one: Reservation = { key: { server: 's', policy: 'p.yaml', entry: 't', counter: 'c', window: 'hour' }, amount: '1', limit: '3' };

  it('are shared by every process that opens the file, and outlive them', () => {
    const path = newFile();
    const [first, second] = [sqliteCounters(path), sqliteCounters(path)];
    expect(first.reserve([one], NOON).ok && second.reserve([one], NOON).ok && first.reserve([one], NOON).ok).toBe(true);
    expect(second.reserve([one], NOON)).toEqual({ ok: false, failed: 0 });
    first.close();
    second.close();
    const third = sqliteCounters(path);
    expect(third.read(one.key, NOON)).toBe('3');
    third.close();
  });

  it('are readable by their owner only', () => {
    const path = newFile();
    sqliteCounters(path).close();
    expect(statSync(path).mode & 0o777).toBe(0o600);
  });

  it('refuse a file that is no database, or one of a later version', () => {
    const garbage = newFile();
    writeFileSync(garbage, 'not a database, and long enough to be looked at as one'.repeat(40));
    expect(() => sqliteCounters(garbage)).toThrow();
    const later = newFile();
    sqliteCounters(later).close();
    const db = new Database(later);
    db.pragma('user_version = 2');
    db.close();
    expect(() => sqliteCounters(later)).toThrow(/another version/);
  });
});

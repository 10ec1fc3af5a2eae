import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterEach, describe, expect, it } from 'vitest';
import { plainPayload, saltedPayload, storeContract, write } from '../../../../test/log/store-contract.ts';
import { openSqliteStore, prepareDatabase } from './sqlite-store.ts';
import type { LogStore } from './store.ts';

const cleanups: (() => void)[] = [];
afterEach(() => {
  for (const clean of cleanups.splice(0).reverse()) clean();
});

function freshPath(): string {
  const folder = mkdtempSync(join(tmpdir(), 'portcullis-log-'));
  cleanups.push(() => rmSync(folder, { recursive: true, force: true }));
  return join(folder, 'log.db');
}

function opened(path: string): LogStore {
  const store = openSqliteStore(path);
  cleanups.push(() => store.close());
  return store;
}

storeContract('SQLite', () => {
  const path = freshPath();
  const store = opened(path);
  return {
    store,
    reopen: () => {
      store.close();
      return opened(path);
    },
  };
});

/** A file with something in every table, and a plain connection to it, as an intruder or a mistake would have. */
function filled(): Database.Database {
  const path = freshPath();
  const store = openSqliteStore(path);
  store.append(0, (writer) => {
    write(writer, 0, { payload: plainPayload('p').sha256 });
    write(writer, 1, { idem: 'k' });
    writer.payload(plainPayload('p'));
    writer.payload(saltedPayload('s'));
    writer.tile(0, 0, Buffer.alloc(8192));
    writer.checkpoint(1, 'note');
  });
  store.close();
  const db = new Database(path);
  cleanups.push(() => db.close());
  return db;
}

describe('log.db', () => {
  it('[L2] is opened with synchronous=FULL the second time, too, where SQLite by itself would come back with less', () => {
    const path = freshPath();
    openSqliteStore(path).close();
    const careless = new Database(path);
    expect(careless.pragma('synchronous', { simple: true })).toBe(1);
    careless.close();
    const db = new Database(path);
    cleanups.push(() => db.close());
    prepareDatabase(db);
    expect(db.pragma('synchronous', { simple: true })).toBe(2);
    expect(db.pragma('journal_mode', { simple: true })).toBe('wal');
  });

  it.each([
    'UPDATE events SET leaf = zeroblob(32)',
    "UPDATE OR REPLACE events SET entry = '{\"seq\":0}' WHERE seq = 0",
    'UPDATE events SET seq = 7 WHERE seq = 1',
    'DELETE FROM events',
    'DELETE FROM events WHERE seq = 1',
    'INSERT OR REPLACE INTO events(seq, entry, leaf) SELECT seq, entry, zeroblob(32) FROM events WHERE seq = 1',
    'REPLACE INTO events(seq, entry, leaf) SELECT seq, entry, zeroblob(32) FROM events WHERE seq = 0',
    `INSERT OR REPLACE INTO events(seq, entry, leaf) VALUES (2, '{"seq":2,"id":"id-0","type":"T","actor":{"id":"a"},"payload_sha256":"x"}', zeroblob(32))`,
    `INSERT OR REPLACE INTO events(seq, entry, leaf) VALUES (2, '{"seq":2,"id":"id-2","type":"T","actor":{"id":"plane"},"payload_sha256":"x","idem":{"key":"k","n":0}}', zeroblob(32))`,
    "INSERT INTO events(seq, entry, leaf) VALUES (1, '{}', zeroblob(32)) ON CONFLICT(seq) DO UPDATE SET leaf = zeroblob(32)",
    "INSERT INTO events(seq, entry, leaf) VALUES (3, '{\"seq\":3}', zeroblob(32))",
    "UPDATE checkpoints SET note = 'x'",
    'DELETE FROM checkpoints',
    "INSERT OR REPLACE INTO checkpoints(size, note) VALUES (1, 'x')",
    'UPDATE tiles SET hashes = zeroblob(8192)',
    'DELETE FROM tiles',
    'INSERT OR REPLACE INTO tiles(level, n, hashes) VALUES (0, 0, zeroblob(8192))',
    "UPDATE payloads SET body = x'00'",
    'UPDATE payloads SET body = NULL WHERE salt IS NULL',
    "UPDATE payloads SET salt = NULL, body = x'00' WHERE salt IS NOT NULL",
    'DELETE FROM payloads',
    "INSERT OR REPLACE INTO payloads(sha256, salt, body) SELECT sha256, salt, x'00' FROM payloads",
  ])('[L3] refuses %s', (sql) => {
    const db = filled();
    const before = JSON.stringify([db.prepare('SELECT * FROM events').all(), db.prepare('SELECT * FROM payloads').all(), db.prepare('SELECT * FROM checkpoints').all()]);
    expect(() => db.exec(sql)).toThrow();
    expect(JSON.stringify([db.prepare('SELECT * FROM events').all(), db.prepare('SELECT * FROM payloads').all(), db.prepare('SELECT * FROM checkpoints').all()])).toBe(before);
  });

  it('is not opened by a version that does not know its tables', () => {
    const path = freshPath();
    openSqliteStore(path).close();
    const db = new Database(path);
    db.pragma('user_version = 99');
    db.close();
    expect(() => openSqliteStore(path)).toThrow(/version 99/);
  });
});

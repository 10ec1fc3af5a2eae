/**
 * Counts that survive the proxy and are shared, exactly, by all proxies of a server on this host: one SQLite file in WAL
 * mode. A reservation is one BEGIN IMMEDIATE transaction, so that two processes can never both take the last unit; a
 * killed process leaves what it counted, and nothing half counted. `synchronous=NORMAL`: power loss may lose the last
 * counts, never the file.
 */
import { closeSync, openSync } from 'node:fs';
import { readCount, releaseCounts, reserveCounts } from '@portcullis/policy-core';
import type { CounterKey, CounterRow, CounterRows, CounterStore } from '@portcullis/policy-core';
import Database from 'better-sqlite3';

export interface SqliteCounters extends CounterStore {
  /** Closes the file. The store cannot be used afterwards. */
  close(): void;
}

/**
 * How long a decision waits for other processes. A reservation holds the lock for less than a millisecond, so this is
 * reached only when a process hangs within one; the call is then denied.
 */
const BUSY_TIMEOUT_MS = 2_000;

/** Raised when the table changes its meaning; a file of another version is not touched. */
const SCHEMA_VERSION = 1;

/** Counters are as many as rules that count; this many are only reached where policies are replaced for years. */
const MAX_COUNTERS = 100_000;

/** After a crash of many readers the write-ahead log may be large; SQLite then shrinks it to this. */
const JOURNAL_SIZE_LIMIT = 4 * 1024 * 1024;

/** Opens or creates the counts. Throws where the file cannot be used; the caller denies what depends on counts. */
export function sqliteCounters(path: string): SqliteCounters {
  // Created with the mode it shall have: counts say how much an agent has spent.
  closeSync(openSync(path, 'a', 0o600));
  const db = new Database(path, { timeout: BUSY_TIMEOUT_MS });
  try {
    prepare(db);
    return storeOn(db);
  } catch (error) {
    db.close();
    throw error;
  }
}

function prepare(db: Database.Database): void {
  db.pragma('journal_mode = WAL');
  db.pragma('synchronous = NORMAL');
  db.pragma(`journal_size_limit = ${JOURNAL_SIZE_LIMIT}`);
  db.transaction(() => {
    const version = db.pragma('user_version', { simple: true });
    if (version === SCHEMA_VERSION) return;
    if (version !== 0) throw new Error(`${db.name} was written by another version (schema ${String(version)}, this build knows ${SCHEMA_VERSION}): update portcullis-proxy, or move the file away to count from zero`);
    db.exec(`
      CREATE TABLE counters (
        server TEXT NOT NULL, policy TEXT NOT NULL, entry TEXT NOT NULL, counter TEXT NOT NULL, span TEXT NOT NULL,
        window_start_ms INTEGER NOT NULL, value TEXT NOT NULL,
        PRIMARY KEY (server, policy, entry, counter, span)
      ) STRICT, WITHOUT ROWID;
      PRAGMA user_version = ${SCHEMA_VERSION};
    `);
  }).immediate();
}

type KeyColumns = [server: string, policy: string, entry: string, counter: string, span: string];

function storeOn(db: Database.Database): SqliteCounters {
  const where = 'WHERE server = ? AND policy = ? AND entry = ? AND counter = ? AND span = ?';
  const select = db.prepare<KeyColumns, CounterRow>(`SELECT window_start_ms AS windowStartMs, value FROM counters ${where}`);
  const update = db.prepare<[number, string, ...KeyColumns]>(`UPDATE counters SET window_start_ms = ?, value = ? ${where}`);
  const insert = db.prepare<[...KeyColumns, number, string]>('INSERT INTO counters VALUES (?, ?, ?, ?, ?, ?, ?)');
  const count = db.prepare<[], number>('SELECT count(*) FROM counters').pluck();
  const forget = db.prepare<[number]>(
    'DELETE FROM counters WHERE (server, policy, entry, counter, span) IN (SELECT server, policy, entry, counter, span FROM counters ORDER BY window_start_ms LIMIT ?)',
  );
  const rows: CounterRows = {
    get: (key) => select.get(...columns(key)) ?? null,
    put(key, { windowStartMs, value }) {
      if (update.run(windowStartMs, value, ...columns(key)).changes > 0) return;
      const excess = (count.get() ?? 0) + 1 - MAX_COUNTERS;
      if (excess > 0) forget.run(excess);
      insert.run(...columns(key), windowStartMs, value);
    },
  };
  const reserve = db.transaction((reservations: Parameters<CounterStore['reserve']>[0], nowMs: number) => reserveCounts(rows, reservations, nowMs));
  const release = db.transaction((receipt: Parameters<CounterStore['release']>[0]) => releaseCounts(rows, receipt));
  return {
    read: (key, nowMs) => readCount(rows, key, nowMs),
    reserve: (reservations, nowMs) => reserve.immediate(reservations, nowMs),
    release: (receipt) => release.immediate(receipt),
    close: () => void db.close(),
  };
}

function columns({ server, policy, entry, counter, window }: CounterKey): KeyColumns {
  return [server, policy, entry, counter, window];
}

/**
 * decisions.db: what proxies decided, at least once in, exactly once kept. It gives way before the log does: when the disk gets tight it
 * stops storing and counts what it lost, and its oldest rows go when it has too many.
 */
import { statfsSync } from 'node:fs';
import path from 'node:path';
import Database from 'better-sqlite3';
import type { DecisionRow } from '@portcullis/policy-core';
import type { BootRecord, DecisionQuery, DecisionStore, StoredDecision } from './decisions.ts';

/** About 4 GB; the oldest decisions go first. */
const MAX_ROWS = 10_000_000;
/** Rows dropped at a time, and rows taken in between two looks at how many there are. */
const PRUNE_ROWS = 50_000;
/** Below a tenth of the disk or 1 GiB free, whichever is less, the room that is left belongs to the log. */
const MIN_FREE_SHARE = 0.1;
const MIN_FREE_BYTES = 1024 ** 3;
/** How often the free space is looked at. */
const DISK_LOOK_MS = 5_000;
/** The most that one query returns. */
const MAX_LIMIT = 1_000;
const SCHEMA_VERSION = 1;

export interface DecisionStoreOptions {
  /** Free and total bytes of the disk; by default those of the file's directory. */
  readonly disk?: () => { readonly free: number; readonly total: number };
  readonly now?: () => number;
}

/** Opens or creates the store; `:memory:` is one that is forgotten. Throws where the file cannot be used. */
export function openDecisions(file: string, options: DecisionStoreOptions = {}): DecisionStore {
  const db = new Database(file);
  prepare(db);
  const statements = statementsOn(db);
  const roomy = makeDiskWatch(file, options);
  const listeners = new Set<(rows: readonly StoredDecision[]) => void>();
  let lost = 0;
  let sincePruning = 0;

  const insert = db.transaction((from: { readonly host: string; readonly server: string }, rows: readonly DecisionRow[]): readonly StoredDecision[] => {
    const stored: StoredDecision[] = [];
    for (const row of rows) {
      const { changes, lastInsertRowid } = statements.insert.run(parameters(from, row));
      if (changes === 1) stored.push({ ...row, ...from, id: Number(lastInsertRowid) });
    }
    const last = rows.at(-1);
    if (last !== undefined) {
      const highest = Math.max(...rows.map(({ n }) => n));
      statements.boot.run({ ...from, boot: last.boot, highest, stored: stored.length, atMs: last.atMs });
    }
    return stored;
  });

  function ingest(from: { readonly host: string; readonly server: string }, rows: readonly DecisionRow[]): void {
    if (!roomy()) {
      lost += rows.length;
      return;
    }
    let stored: readonly StoredDecision[];
    try {
      stored = insert(from, rows);
      sincePruning += stored.length;
      if (sincePruning >= PRUNE_ROWS) {
        sincePruning = 0;
        statements.prune.run(MAX_ROWS, PRUNE_ROWS);
      }
    } catch (error) {
      lost += rows.length;
      process.emitWarning(`decisions.db could not be written, ${rows.length} decisions are lost: ${error instanceof Error ? error.message : String(error)}`);
      return;
    }
    if (stored.length > 0) for (const listener of listeners) listener(stored);
  }

  return {
    ingest,
    query: (query) => readRows(db, query),
    boots: (query) => (statements.boots.all({ host: query.host ?? null, server: query.server ?? null, limit: Math.min(query.limit, MAX_LIMIT) }) as BootRow[]).map(bootRecord),
    lost: () => lost,
    onIngested: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    close: () => db.close(),
  };
}

function prepare(db: Database.Database): void {
  db.pragma('journal_mode = WAL');
  db.pragma('synchronous = NORMAL');
  const version = db.pragma('user_version', { simple: true });
  if (version === SCHEMA_VERSION) return;
  if (version !== 0) throw new Error(`${db.name} was written by another version (schema ${String(version)}, this build knows ${SCHEMA_VERSION}): update portcullis, or move the file away`);
  db.exec(`
    CREATE TABLE decisions (
      id INTEGER PRIMARY KEY, host TEXT NOT NULL, server TEXT NOT NULL, boot TEXT NOT NULL, n INTEGER NOT NULL, at_ms INTEGER NOT NULL,
      kind TEXT NOT NULL, name TEXT NOT NULL, decision TEXT NOT NULL, reason TEXT NOT NULL, rule TEXT, message TEXT, sources TEXT NOT NULL,
      observed TEXT NOT NULL, policies_version INTEGER, restrictions_version INTEGER, freshness TEXT NOT NULL, arguments_hmac TEXT, client TEXT,
      UNIQUE (host, boot, n)
    ) STRICT;
    CREATE INDEX decisions_by_time ON decisions (at_ms);
    CREATE TABLE boots (
      host TEXT NOT NULL, server TEXT NOT NULL, boot TEXT NOT NULL, highest INTEGER NOT NULL, stored INTEGER NOT NULL, last_ms INTEGER NOT NULL,
      PRIMARY KEY (host, boot)
    ) STRICT;
    PRAGMA user_version = ${SCHEMA_VERSION};
  `);
}

function statementsOn(db: Database.Database) {
  return {
    insert: db.prepare(
      `INSERT INTO decisions (host, server, boot, n, at_ms, kind, name, decision, reason, rule, message, sources, observed, policies_version,
         restrictions_version, freshness, arguments_hmac, client)
       VALUES (@host, @server, @boot, @n, @atMs, @kind, @name, @decision, @reason, @rule, @message, @sources, @observed, @policiesVersion,
         @restrictionsVersion, @freshness, @argumentsHmac, @client)
       ON CONFLICT DO NOTHING`,
    ),
    boot: db.prepare(
      `INSERT INTO boots VALUES (@host, @server, @boot, @highest, @stored, @atMs)
       ON CONFLICT DO UPDATE SET highest = max(highest, excluded.highest), stored = stored + excluded.stored, last_ms = max(last_ms, excluded.last_ms)`,
    ),
    boots: db.prepare(
      `SELECT host, server, boot, highest, stored, last_ms AS lastMs FROM boots
       WHERE (@host IS NULL OR host = @host) AND (@server IS NULL OR server = @server) ORDER BY last_ms DESC LIMIT @limit`,
    ),
    prune: db.prepare('DELETE FROM decisions WHERE id IN (SELECT id FROM decisions WHERE id <= (SELECT max(id) FROM decisions) - ? ORDER BY id LIMIT ?)'),
  };
}

function parameters(from: { readonly host: string; readonly server: string }, row: DecisionRow) {
  return { ...row, ...from, sources: JSON.stringify(row.sources), observed: JSON.stringify(row.observed) };
}

type BootRow = Omit<BootRecord, 'missing'>;

/** `n` begins at 0 and is gapless, so what is not there is lost. */
function bootRecord(row: BootRow): BootRecord {
  return { ...row, missing: row.highest + 1 - row.stored };
}

type Row = Omit<StoredDecision, 'sources' | 'observed'> & { readonly sources: string; readonly observed: string };

function readRows(db: Database.Database, query: DecisionQuery): readonly StoredDecision[] {
  const conditions: string[] = [];
  const values: (string | number)[] = [];
  const add = (condition: string, value: string | number | undefined): void => {
    if (value === undefined) return;
    conditions.push(condition);
    values.push(value);
  };
  add('id < ?', query.before);
  add('host = ?', query.host);
  add('server = ?', query.server);
  add("kind = 'tool' AND name = ?", query.tool);
  add('decision = ?', query.decision);
  add('at_ms >= ?', query.sinceMs);
  const where = conditions.length === 0 ? '' : `WHERE ${conditions.map((condition) => `(${condition})`).join(' AND ')}`;
  const limit = Math.max(0, Math.min(MAX_LIMIT, Math.trunc(query.limit)));
  const rows = db
    .prepare(
      `SELECT id, host, server, boot, n, at_ms AS atMs, kind, name, decision, reason, rule, message, sources, observed, policies_version AS policiesVersion,
         restrictions_version AS restrictionsVersion, freshness, arguments_hmac AS argumentsHmac, client
       FROM decisions ${where} ORDER BY id DESC LIMIT ?`,
    )
    .all(...values, limit) as Row[];
  return rows.map((row) => ({ ...row, sources: JSON.parse(row.sources) as string[], observed: JSON.parse(row.observed) as string[] }));
}

/** Whether there is room for decisions; looked up now and then, because asking the disk is not free. */
function makeDiskWatch(file: string, options: DecisionStoreOptions): () => boolean {
  const now = options.now ?? Date.now;
  const disk = options.disk ?? (file === ':memory:' ? null : () => diskOf(path.dirname(path.resolve(file))));
  let lookedAt = Number.NEGATIVE_INFINITY;
  let roomy = true;
  return () => {
    if (disk === null || now() - lookedAt < DISK_LOOK_MS) return roomy;
    lookedAt = now();
    try {
      const { free, total } = disk();
      roomy = free >= Math.min(total * MIN_FREE_SHARE, MIN_FREE_BYTES);
    } catch {
      // A disk that cannot be asked may still be written; if not, the write says so.
      roomy = true;
    }
    return roomy;
  };
}

function diskOf(directory: string): { readonly free: number; readonly total: number } {
  const { bavail, blocks, bsize } = statfsSync(directory);
  return { free: bavail * bsize, total: blocks * bsize };
}

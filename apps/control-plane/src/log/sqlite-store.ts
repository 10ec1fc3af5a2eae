/**
 * The log in one SQLite file with one writer. `synchronous` is set and asserted at every open: better-sqlite3 is built so that a
 * WAL database comes back with NORMAL at its second open, which loses acknowledged events when the power fails (L2).
 */
import Database from 'better-sqlite3';
import { watchFile } from './same-file.ts';
import type { EntryQuery, LogStore, LogWriter, StoredEntry } from './store.ts';
import { LogMoved } from './store.ts';
import { TABLES, TABLES_VERSION } from './tables.ts';

/** SQLite's number for FULL. */
const SYNCHRONOUS_FULL = 2;
/** While it is opened nobody is served yet, and a process that is ending may still hold the file. So may the plane beside a reader. */
const OPENING_TIMEOUT_MS = 5_000;
/**
 * The plane waits in its only thread, so that nobody is served meanwhile: as long as another connection's checkpoint or end takes, and no longer.
 * Nobody else should write at all; whoever holds the file for long is told of, and what was to be recorded is asked for again.
 */
const BUSY_TIMEOUT_MS = 30;

type Bytes = Buffer | null;

/** Opens or creates log.db. Throws where the file is no such database, was written by a newer version, or cannot be made durable. */
export function openSqliteStore(path: string): LogStore {
  const db = new Database(path, { timeout: OPENING_TIMEOUT_MS });
  try {
    prepareDatabase(db);
    db.pragma(`busy_timeout = ${BUSY_TIMEOUT_MS}`);
    return storeOf(db, watchFile(path));
  } catch (error) {
    db.close();
    throw error;
  }
}

export interface SqliteReader extends LogStore {
  /** From the next question until it is closed, what is seen is of one moment: nothing that is appended or erased meanwhile shows. */
  holdStill(): void;
  /** What lies in the tables and is not under the newest signed head, in words. Appended in one transaction with its head, nothing ever does by itself. */
  beyondHead(): readonly string[];
}

/** Opens log.db beside the plane that writes it, to read what is there now. Throws where there is none. */
export function openSqliteReader(path: string): SqliteReader {
  const db = new Database(path, { readonly: true, fileMustExist: true, timeout: OPENING_TIMEOUT_MS });
  try {
    db.pragma('trusted_schema = OFF');
    const version = db.pragma('user_version', { simple: true });
    if (version !== TABLES_VERSION) throw new Error(`${path} has tables of version ${String(version)}, and this version of Portcullis knows ${TABLES_VERSION}`);
    return { ...storeOf(db, () => undefined), holdStill: () => db.exec('BEGIN'), beyondHead: () => beyondHead(db) };
  } catch (error) {
    db.close();
    throw error;
  }
}

/** Sets what every connection to log.db needs, makes the tables of a new one, and throws where it would not be durable. */
export function prepareDatabase(db: Database.Database): void {
  db.pragma('journal_mode = WAL');
  db.pragma('synchronous = FULL');
  db.pragma('foreign_keys = ON');
  db.pragma('trusted_schema = OFF');
  db.pragma('cell_size_check = ON');
  // So that what is erased is overwritten, and not only unlinked.
  db.pragma('secure_delete = ON');
  // So that an INSERT OR REPLACE meets the delete triggers, too.
  db.pragma('recursive_triggers = ON');
  if (db.pragma('synchronous', { simple: true }) !== SYNCHRONOUS_FULL) throw new Error('log.db does not keep synchronous=FULL: what it acknowledges could be lost');
  if (db.pragma('journal_mode', { simple: true }) !== 'wal') throw new Error('log.db cannot use a write-ahead log here: put the data directory on a local disk');
  const version = db.pragma('user_version', { simple: true });
  if (version === TABLES_VERSION) return;
  if (version !== 0) throw new Error(`log.db has tables of version ${String(version)}, and this version of Portcullis knows ${TABLES_VERSION}: start the version that wrote it, or a newer one`);
  db.transaction(() => {
    db.exec(TABLES);
    db.pragma(`user_version = ${TABLES_VERSION}`);
  }).immediate();
}

/** A tile of a level and number is whole from a size on; a shift does not overflow. */
const BEYOND_HEAD = `
  WITH head(size) AS (SELECT ifnull(max(size), 0) FROM checkpoints)
  SELECT (SELECT count(*) FROM events, head WHERE events.seq < 0 OR events.seq >= head.size) AS events,
         (SELECT count(*) FROM tiles, head WHERE tiles.level < 0 OR tiles.n < 0 OR tiles.n >= (head.size >> (8 * (tiles.level + 1)))) AS tiles,
         (SELECT size FROM head) AS size`;

function beyondHead(db: Database.Database): readonly string[] {
  const found = db.prepare<[], { events: number; tiles: number; size: number }>(BEYOND_HEAD).get();
  if (found === undefined) return [];
  const said = (count: number, what: string): readonly string[] => (count === 0 ? [] : [`${count} ${what}${count === 1 ? '' : 's'} beyond the ${found.size} events that were signed`]);
  return [...said(found.events, 'event'), ...said(found.tiles, 'tile')];
}

/** `stillThere` throws where a commit would go nowhere. */
function storeOf(db: Database.Database, stillThere: () => void): LogStore {
  const size = db.prepare<[], number>('SELECT ifnull(max(seq), -1) + 1 FROM events').pluck();
  const payload = db.prepare<[string], { salt: Bytes; body: Bytes }>('SELECT salt, body FROM payloads WHERE sha256 = ?');
  const hasPayload = db.prepare<[string], number>('SELECT 1 FROM payloads WHERE sha256 = ?').pluck();
  const tile = db.prepare<[number, number], Buffer>('SELECT hashes FROM tiles WHERE level = ? AND n = ?').pluck();
  const checkpoint = db.prepare<[number], { size: number; note: string }>('SELECT size, note FROM checkpoints WHERE size = ?');
  const newest = db.prepare<[], { size: number; note: string }>('SELECT size, note FROM checkpoints ORDER BY size DESC LIMIT 1');
  const sizes = db.prepare<[], number>('SELECT size FROM checkpoints ORDER BY size').pluck();
  const erase = db.prepare<[string]>('UPDATE payloads SET salt = NULL, body = NULL WHERE sha256 = ? AND salt IS NOT NULL');
  const events = db.prepare<[number, number], StoredEntry>('SELECT seq, CAST(entry AS BLOB) AS entry, leaf FROM events WHERE seq >= ? AND seq < ? ORDER BY seq');
  const find = db
    .prepare<{ from: number; before: number; types: string | null; actor: string | null; limit: number }, number>(
      `SELECT seq FROM events WHERE seq >= @from AND seq < @before
         AND (@types IS NULL OR type IN (SELECT value FROM json_each(@types))) AND (@actor IS NULL OR actor_id = @actor)
       ORDER BY seq DESC LIMIT @limit`,
    )
    .pluck();
  const keyed = db.prepare<[string, string], number>('SELECT seq FROM events WHERE actor_id = ? AND idem_key = ? ORDER BY idem_n').pluck();
  let erased = false;
  const writer: LogWriter = {
    ...writerOf(db, hasPayload),
    erase: (sha256) => {
      erased = erase.run(sha256).changes > 0 || erased;
    },
  };
  const append = db.transaction((expectedSize: number, write: (writer: LogWriter) => void) => {
    const found = size.get();
    if (found !== expectedSize) throw new LogMoved(`the log has ${String(found)} entries and not ${expectedSize}: another writer has appended`);
    erased = false;
    write(writer);
    stillThere();
  });
  return {
    size: () => size.get() ?? 0,
    read: (from, to) => events.iterate(from, to),
    find: ({ types, ...query }: EntryQuery) => find.all({ ...query, types: types === null ? null : JSON.stringify(types) }),
    keyed: (actorId, idem) => keyed.all(actorId, idem),
    payload: (sha256) => payload.get(sha256),
    hasPayload: (sha256) => hasPayload.get(sha256) !== undefined,
    tile: (level, n) => tile.get(level, n),
    checkpoint: (at) => (at === undefined ? newest.get() : checkpoint.get(at)),
    checkpointSizes: () => sizes.all(),
    append: (expectedSize, write) => {
      append.immediate(expectedSize, write);
      if (erased) dropErased(db);
    },
    erase: (sha256) => {
      const gone = erase.run(sha256).changes > 0;
      if (gone) dropErased(db);
      return gone;
    },
    close: () => {
      db.close();
    },
  };
}

/**
 * The write-ahead log still holds the page as it was. Where a reader keeps it open just now, the next checkpoint drops it: what was
 * committed must not fail any more, nor wait.
 */
function dropErased(db: Database.Database): void {
  try {
    db.pragma('busy_timeout = 0');
    db.pragma('wal_checkpoint(TRUNCATE)');
  } catch {
    // A disk that fails here fails at the next append, which says so.
  } finally {
    db.pragma(`busy_timeout = ${BUSY_TIMEOUT_MS}`);
  }
}

function writerOf(db: Database.Database, hasPayload: Database.Statement<[string], number>): Omit<LogWriter, 'erase'> {
  const entry = db.prepare<[number, string, Uint8Array]>('INSERT INTO events(seq, entry, leaf) VALUES (?, ?, ?)');
  const payload = db.prepare<[string, Uint8Array | null, Uint8Array]>('INSERT INTO payloads(sha256, salt, body) VALUES (?, ?, ?)');
  const tile = db.prepare<[number, number, Uint8Array]>('INSERT INTO tiles(level, n, hashes) VALUES (?, ?, ?)');
  const checkpoint = db.prepare<[number, string]>('INSERT INTO checkpoints(size, note) VALUES (?, ?)');
  return {
    entry: (seq, bytes, leaf) => {
      entry.run(seq, Buffer.from(bytes).toString('utf8'), leaf);
    },
    payload: ({ sha256, salt, body }) => {
      if (hasPayload.get(sha256) === undefined) payload.run(sha256, salt, body);
    },
    tile: (level, n, bytes) => {
      tile.run(level, n, bytes);
    },
    checkpoint: (size, note) => {
      checkpoint.run(size, note);
    },
  };
}

/**
 * One plane for one data directory. The lock is the operating system's (an exclusive SQLite transaction on a file of its own), so
 * a killed process leaves nothing behind that somebody would have to remove.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';

export type Locked = { readonly ok: true; readonly release: () => void } | { readonly ok: false; readonly problem: string };

/** Takes the data directory, or says who has it. */
export function lockDataDirectory(dataDir: string): Locked {
  const db = new Database(join(dataDir, 'lock.db'), { timeout: 0 });
  try {
    db.pragma('journal_mode = DELETE');
    db.exec('BEGIN EXCLUSIVE');
  } catch (error) {
    db.close();
    if (!isBusy(error)) throw error;
    return { ok: false, problem: `the data directory ${dataDir} is in use by another plane${holder(dataDir)}: stop it, or choose another directory with --data` };
  }
  writeFileSync(join(dataDir, 'lock.pid'), `${process.pid}\n`);
  return {
    ok: true,
    release: () => {
      db.close();
    },
  };
}

/** Whether a plane has this data directory just now. Makes and changes nothing; what cannot be asked is held by nobody. */
export function isDataDirectoryLocked(dataDir: string): boolean {
  let db: Database.Database | undefined;
  try {
    db = new Database(join(dataDir, 'lock.db'), { readonly: true, fileMustExist: true, timeout: 0 });
    db.prepare('SELECT count(*) FROM sqlite_master').get();
    return false;
  } catch (error) {
    return isBusy(error);
  } finally {
    db?.close();
  }
}

function isBusy(error: unknown): boolean {
  return error instanceof Database.SqliteError && error.code.startsWith('SQLITE_BUSY');
}

/** Only a hint: the lock itself is what counts. */
function holder(dataDir: string): string {
  try {
    const pid = readFileSync(join(dataDir, 'lock.pid'), 'utf8').trim();
    return /^\d+$/.test(pid) ? ` (process ${pid})` : '';
  } catch {
    return '';
  }
}

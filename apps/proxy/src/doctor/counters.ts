/** Whether counts can be kept here: SQLite loads, and the files of the servers can be opened. What depends on counts is denied otherwise (E3). */
import { existsSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { countersFile } from '../link/footing.ts';
import { aloneRoot } from '../store/alone-set.ts';
import { lastGoodRoot } from '../store/last-good.ts';
import type { SqliteCounters } from '../store/counters.ts';
import { ok, warning, wrong } from './finding.ts';
import type { Finding } from './finding.ts';

/** Opens each file as a proxy does; `log` is the one that this host follows, if it is enrolled. */
export async function examineCounters(home: string, log: string | null): Promise<readonly Finding[]> {
  const folders = [...(log === null ? [] : below(lastGoodRoot(home, log))), ...below(aloneRoot(home)).flatMap(below)];
  const files = folders.map(countersFile).filter(existsSync);
  const opened = await trial(home);
  if (typeof opened === 'string') return [(files.length > 0 ? wrong : warning)('counters', `counts cannot be kept (${opened}): calls that policies count are denied`)];
  const broken = files.flatMap((file) => {
    const problem = problemOf(file, opened);
    return problem === null ? [] : [wrong('counters', `${file} cannot be used (${problem}): calls that policies count are denied. Move it away to count from zero`)];
  });
  return broken.length > 0 ? broken : [ok('counters', files.length === 0 ? 'counts can be kept; nothing has been counted yet' : `counts can be kept, in ${files.length === 1 ? 'one file' : `${files.length} files`}`)];
}

type Open = (path: string) => SqliteCounters;

/** The way to open counts, once a new file could be; or why not. */
async function trial(home: string): Promise<Open | string> {
  const file = join(home, `.doctor-${process.pid}.db`);
  try {
    const { sqliteCounters } = await import('../store/counters.ts');
    sqliteCounters(file).close();
    return sqliteCounters;
  } catch (error) {
    return error instanceof Error ? (error.message.split('\n')[0] ?? '') : String(error);
  } finally {
    for (const name of [file, `${file}-wal`, `${file}-shm`]) rmSync(name, { force: true });
  }
}

function problemOf(file: string, open: Open): string | null {
  try {
    const counters = open(file);
    try {
      counters.read({ server: '', policy: '', entry: '', counter: '', window: 'hour' }, 0);
      return null;
    } finally {
      counters.close();
    }
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

function below(folder: string): readonly string[] {
  try {
    return readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isDirectory()).map(({ name }) => join(folder, name)).sort();
  } catch {
    return [];
  }
}

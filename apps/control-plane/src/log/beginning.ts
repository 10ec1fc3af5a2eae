/**
 * Whether an empty log may begin. Beside the keys of a log that is gone it may not: a second history under the same name and key would look like
 * the first one to whoever follows it. A beginning that was cut short is told by a file that lies there until the first event is durable.
 */
import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { writeDurably } from './durable-file.ts';
import { nextKeyPath, planeKeyPath, recoveryKeyPath } from './keys.ts';

const MARKER_TEXT = 'A log is being begun in this directory. The plane removes this file when the first event is recorded.\n';
const MARKER_MODE = 0o600;

/** In one line, why no log may begin here and what to do; undefined where one may. Changes nothing. */
export function whyNotBegin(dataDir: string): string | undefined {
  if (existsSync(markerPath(dataDir))) return undefined;
  const left = [planeKeyPath(dataDir), nextKeyPath(dataDir), recoveryKeyPath(dataDir), join(dataDir, 'fleet.db'), join(dataDir, 'decisions.db'), join(dataDir, 'ballast')].filter(existsSync);
  const [first] = left;
  if (first === undefined) return undefined;
  return (
    `${join(dataDir, 'log.db')} is missing or empty, but a plane has run here (${first}): its log is lost. Nothing was changed. Bring log.db back from a backup, ` +
    'run `portcullis log restore` and start again; or begin a new log in another directory with --data, which each host has to be told to follow (`portcullis-proxy trust`)'
  );
}

/** Whether a log is here that holds events, without opening it: where its file is made, but the first event is not durable yet, the marker lies beside it. */
export function holdsLog(dataDir: string): boolean {
  return existsSync(join(dataDir, 'log.db')) && !existsSync(markerPath(dataDir));
}

/** To be called before anything of a new log is made. */
export function markBeginning(dataDir: string): void {
  writeDurably(markerPath(dataDir), MARKER_TEXT, MARKER_MODE);
}

/** The log has events. */
export function hasBegun(dataDir: string): void {
  rmSync(markerPath(dataDir), { force: true });
}

function markerPath(dataDir: string): string {
  return join(dataDir, 'beginning');
}

/**
 * Folders, made one at a time. Node's `recursive` asks for ever where a file system has no place for a folder and says ENOENT (as /proc does),
 * and the process no longer hears a signal.
 */
import { existsSync, mkdirSync, statSync } from 'node:fs';
import path from 'node:path';

/** Makes a folder where it is missing, in one that is there. Gives what is in the way, as the end of a sentence about the folder. */
export function makeFolder(folder: string, mode: number): string | undefined {
  try {
    const parent = path.dirname(folder);
    if (!existsSync(parent)) return `cannot be made, because ${parent} is not there: make that first`;
    makeOne(folder, mode);
    return statSync(folder).isDirectory() ? undefined : 'is a file and no directory';
  } catch (error) {
    return `cannot be made: ${error instanceof Error ? error.message : String(error)}`;
  }
}

/** Makes a folder and those above it, where they are missing. Throws where one cannot be made. */
export function makeFolders(folder: string, mode: number): void {
  const missing: string[] = [];
  for (let at = folder; !existsSync(at); at = path.dirname(at)) missing.push(at);
  for (const at of missing.reverse()) makeOne(at, mode);
}

function makeOne(folder: string, mode: number): void {
  try {
    mkdirSync(folder, { mode });
  } catch (error) {
    // Another process may have made it since.
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
}

/**
 * Asking about many plain files in a row without leaving the thread for each: from the kernel's memory that takes 3 microseconds, through libuv's
 * threads, three at a time, 20 and more. It is given up for the rest of a look as soon as the answers are slow, because they then come over a network
 * and would hold up the whole plane.
 */
import { lstatSync } from 'node:fs';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { fileSighting } from './see.ts';
import type { FileSighting } from './sighting.ts';

/** After so many questions the time they took is judged, and others get their turn. */
const BATCH = 128;
/** Ten times what a local file system takes for a batch, also on a loaded machine. */
const SLOW_BATCH_MS = 8;

export interface QuickLook {
  /** The sighting of a regular file; undefined where it must be asked for in the ordinary way. */
  readonly at: (path: string) => FileSighting | undefined | Promise<FileSighting | undefined>;
}

/** For one look at the directory. */
export function quickLook(): QuickLook {
  let isSlow = false;
  let asked = 0;
  let began = 0;
  const ask = (path: string): FileSighting | undefined => {
    try {
      const found = lstatSync(path, { bigint: true, throwIfNoEntry: false });
      return found?.isFile() === true ? fileSighting(found, path) : undefined;
    } catch {
      return undefined; // asked again, with its reason, in the ordinary way
    }
  };
  return {
    at: (path) => {
      if (isSlow) return undefined;
      if (asked === 0) began = performance.now();
      const sighting = ask(path);
      asked = (asked + 1) % BATCH;
      if (asked > 0) return sighting;
      isSlow = performance.now() - began > SLOW_BATCH_MS;
      return nextTurn(sighting);
    },
  };
}

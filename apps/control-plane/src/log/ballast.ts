/** Space kept for the worst day: when the disk is full, it is given up so that a restriction can still be recorded. */
import { existsSync, rmSync, statfsSync } from 'node:fs';
import { join } from 'node:path';
import { writeDurably } from './durable-file.ts';

/** Room for thousands of restrictions, and too little for anybody to miss. */
export const BALLAST_BYTES = 16 * 1024 * 1024;
/** It is taken only where this much is free, so that it never fills a disk itself. */
export const WANTED_FREE_BYTES = 8 * BALLAST_BYTES;

export interface Ballast {
  readonly lies: () => boolean;
  /** Puts it in place where there is room; does nothing where there is not, or where it lies already. */
  readonly lay: () => void;
  /** Gives it up. False where there is none. */
  readonly drop: () => boolean;
}

/** The ballast of a data directory, as it is. */
export function ballastOf(dataDir: string, random: (bytes: number) => Uint8Array): Ballast {
  const path = join(dataDir, 'ballast');
  const lies = (): boolean => existsSync(path);
  return {
    lies,
    lay: () => {
      try {
        const { bavail, bsize } = statfsSync(dataDir);
        if (lies() || bavail * bsize < WANTED_FREE_BYTES) return;
        // Random, because file systems may store zeros in no space at all.
        writeDurably(path, random(BALLAST_BYTES), 0o600);
      } catch {
        // A plane without ballast works, and says so in its status; it must not fail to start for want of it.
      }
    },
    drop: () => {
      if (!lies()) return false;
      rmSync(path, { force: true });
      return true;
    },
  };
}

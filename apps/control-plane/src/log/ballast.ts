/** Space kept for the worst day: when the disk is full, it is given up so that a restriction can still be recorded. */
import { existsSync, rmSync, statfsSync } from 'node:fs';
import { join } from 'node:path';
import { writeDurably } from './durable-file.ts';

/** Room for thousands of restrictions, and too little for anybody to miss. */
export const BALLAST_BYTES = 16 * 1024 * 1024;
/** It is taken only where this much is free, so that it never fills a disk itself. */
const WANTED_FREE_BYTES = 8 * BALLAST_BYTES;

/** Puts the ballast in place where there is room; does nothing where there is not, or where it lies already. */
export function layBallast(dataDir: string, random: (bytes: number) => Uint8Array): void {
  const path = join(dataDir, 'ballast');
  try {
    const { bavail, bsize } = statfsSync(dataDir);
    if (existsSync(path) || bavail * bsize < WANTED_FREE_BYTES) return;
    // Random, because file systems may store zeros in no space at all.
    writeDurably(path, random(BALLAST_BYTES), 0o600);
  } catch {
    // A plane without ballast works; it must not fail to start for want of it.
    rmSync(path, { force: true });
  }
}

/** Gives the ballast up. False where there is none. */
export function dropBallast(dataDir: string): boolean {
  const path = join(dataDir, 'ballast');
  if (!existsSync(path)) return false;
  rmSync(path, { force: true });
  return true;
}

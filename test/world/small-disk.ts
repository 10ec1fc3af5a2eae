/** A disk that can really be filled: a small tmpfs of its own. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface SmallDisk {
  readonly path: string;
  /** Leaves less than one page free, but for this many bytes. */
  fill(butBytes?: number): void;
  /** Makes room again. */
  clear(): void;
  unmount(): void;
}

/** `size` as tmpfs takes it. Undefined, and said so, where the machine lets us mount none: the test is then to be skipped. */
export function mountSmallDisk(size: string): SmallDisk | undefined {
  const path = mkdtempSync(join(tmpdir(), 'portcullis-disk-'));
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${size}`, 'tmpfs', path], { stdio: 'ignore' });
  } catch {
    console.log('no tmpfs can be mounted here: tests of a full disk are skipped');
    rmSync(path, { recursive: true, force: true });
    return undefined;
  }
  const filler = join(path, 'filler');
  return {
    path,
    fill: (butBytes = 0) => {
      const { bavail, bsize } = statfsSync(path);
      try {
        writeFileSync(filler, Buffer.alloc(Math.max(0, bavail * bsize - butBytes)), { flag: 'a' });
      } catch {
        // Full is what was wanted.
      }
    },
    clear: () => rmSync(filler, { force: true }),
    unmount: () => {
      execFileSync('umount', [path]);
      rmSync(path, { recursive: true, force: true });
    },
  };
}

/**
 * Whether log.db is still the file that was opened. A process goes on writing into a file that was deleted or moved away, and what it
 * writes there is gone with it: nothing of that may be acknowledged (L2).
 */
import { statSync } from 'node:fs';

/** log.db, or what was written beside it and not taken into it yet, is not where it was opened. */
export class LogGone extends Error {
  override readonly name = 'LogGone';
}

/** Nothing more is recorded until a restart; the message says why and what to do. */
export class LogUnavailable extends Error {
  override readonly name = 'LogUnavailable';
}

/** Remembers the file at `path` and its write-ahead log; what it gives throws LogGone when one of them is no longer there, or another one is. */
export function watchFile(path: string): () => void {
  const known = [path, `${path}-wal`].map((file) => ({ file, was: identityOf(file) }));
  return () => {
    for (const one of known) {
      const is = identityOf(one.file);
      // The write-ahead log is made with the first write.
      one.was ??= is;
      if (is !== one.was) throw new LogGone(`${one.file} is not the file that this plane opened: it was ${is === undefined ? 'deleted or moved' : 'replaced'}`);
    }
  };
}

/** Undefined where there is no file, or none that may be seen. */
function identityOf(file: string): string | undefined {
  try {
    const { dev, ino } = statSync(file, { bigint: true });
    return `${dev} ${ino}`;
  } catch {
    return undefined;
  }
}

/** Where the policies of a proxy that runs alone are: a directory, or one file of one. */
import { realpathSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';

export interface Place {
  /** To be watched. */
  readonly directory: string;
  /** The one file in it that counts; null = all. */
  readonly only: string | null;
  /** What was named, the links of its directory resolved: the same for everybody who names the same. */
  readonly path: string;
}

/** Takes an absolute path. What does not exist yet is told by its name. */
export function placeOf(policy: string): Place {
  const found = statSync(policy, { throwIfNoEntry: false });
  const isFile = found === undefined ? /\.ya?ml$/.test(policy) : !found.isDirectory();
  if (!isFile) return { directory: policy, only: null, path: real(policy) };
  const directory = dirname(policy);
  return { directory, only: basename(policy), path: join(real(directory), basename(policy)) };
}

function real(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return path;
  }
}

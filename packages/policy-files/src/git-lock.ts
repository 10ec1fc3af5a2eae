/** Whether git is at work in the checkout that the policy directory is part of: its `index.lock` is there from before the first file until after the last. */
import { lstat, readFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { placeOf, reasonOf } from './see.ts';

/** The policy directory is the checkout, or lies a few levels below its top. */
export const MAX_ANCESTORS = 8;
/** A worktree's or submodule's `.git` file is one line with one path. */
const MAX_POINTER_BYTES = 8 * 1024;

/** The name of the lock that is held now, different for each lock ever taken; null when there is none, or no checkout. */
export async function findGitLock(directory: string): Promise<string | null> {
  let at = resolve(directory);
  for (let level = 0; level <= MAX_ANCESTORS; level++) {
    const git = await gitDirectory(join(at, '.git'));
    if (git !== null) return lockIn(git);
    const above = dirname(at);
    if (above === at) return null;
    at = above;
  }
  return null;
}

async function gitDirectory(path: string): Promise<string | null> {
  try {
    const found = await lstat(path);
    if (found.isDirectory() || found.isSymbolicLink()) return path;
    if (!found.isFile() || found.size > MAX_POINTER_BYTES) return null;
    const pointer = /^gitdir: (.+?)\s*$/.exec(await readFile(path, 'utf8'))?.[1];
    return pointer === undefined ? null : resolve(dirname(path), pointer);
  } catch (error) {
    reasonOf(error);
    return null;
  }
}

async function lockIn(git: string): Promise<string | null> {
  try {
    const found = await lstat(join(git, 'index.lock'), { bigint: true });
    return placeOf(found);
  } catch (error) {
    reasonOf(error);
    return null;
  }
}

/** One entry of the policy directory, seen through its links: a file, a directory, or a problem with the name of who must mend it. */
import { lstat, realpath, stat } from 'node:fs/promises';
import type { BigIntStats } from 'node:fs';
import { sep } from 'node:path';
import type { Problem } from '@portcullis/policy-core';
import { fileProblem } from './offer.ts';
import type { FileSighting } from './sighting.ts';

/** The policy directory itself, its own links resolved. */
export interface Root {
  readonly path: string;
  readonly identity: string;
}

export type Seen =
  | { readonly kind: 'file'; readonly sighting: FileSighting; readonly linked: boolean }
  | { readonly kind: 'directory'; readonly path: string; readonly identity: string; readonly linked: boolean }
  | { readonly kind: 'problem'; readonly problem: Problem };

/**
 * Looks at `path`. `undefined`: it is not there, or it is neither a policy (`isPolicy`, by its name) nor a directory. A link out of `root`, a dangling or
 * circular one, a device and a refusal are problems of a policy; of other names only a link to a directory outside is one.
 */
export async function see(root: Root, path: string, id: string, isPolicy: boolean): Promise<Seen | undefined> {
  try {
    const found = await lstat(path, { bigint: true });
    if (found.isSymbolicLink()) return await seeThrough(root, path, id, isPolicy);
    return whatIs(found, path, id, isPolicy, false);
  } catch (error) {
    const reason = reasonOf(error);
    // Node replaces what is not UTF-8 in a name, so the name as we have it finds nothing.
    if (reason === 'ENOENT' && !id.includes('\ufffd')) return undefined;
    if (!isPolicy) return undefined;
    return unreadable(id, reason === 'ENOENT' ? 'its name is not UTF-8; rename it' : `cannot be read (${reason}); let the plane's user read it`);
  }
}

async function seeThrough(root: Root, path: string, id: string, isPolicy: boolean): Promise<Seen | undefined> {
  try {
    const target = await realpath(path);
    const found = await stat(target, { bigint: true });
    if (target === root.path || target.startsWith(root.path.endsWith(sep) ? root.path : root.path + sep)) return whatIs(found, target, id, isPolicy, true);
    if (found.isDirectory()) return outside(`${id}/`);
    return isPolicy ? outside(id) : undefined;
  } catch (error) {
    if (!isPolicy) return undefined;
    const reason = reasonOf(error);
    if (reason === 'ENOENT' || reason === 'ENOTDIR') return unreadable(id, 'is a symbolic link to something that does not exist; put the file back or remove the link');
    if (reason === 'ELOOP') return unreadable(id, 'is a symbolic link that leads back to itself; remove it');
    return unreadable(id, `is a symbolic link that cannot be followed (${reason}); let the plane's user read what it leads to`);
  }
}

function whatIs(found: BigIntStats, path: string, id: string, isPolicy: boolean, linked: boolean): Seen | undefined {
  if (found.isDirectory()) return { kind: 'directory', path, identity: placeOf(found), linked };
  if (!isPolicy) return undefined;
  if (found.isFile()) return { kind: 'file', sighting: fileSighting(found, path), linked };
  return unreadable(id, 'is not a regular file; a policy is a file that can be read twice');
}

/** The sighting of a regular file from its numbers. */
export function fileSighting(found: BigIntStats, path: string): FileSighting {
  const inode = identityOf(found);
  const stamp = `${inode}:${found.size}:${found.mtimeNs}:${found.ctimeNs}`;
  return { kind: 'file', path, stamp, inode, size: Number(found.size), movedIn: found.ctimeNs > found.mtimeNs };
}

/** Device and inode: what a hard link shares and a rename keeps. */
export function identityOf(found: BigIntStats): string {
  return `${found.dev}:${found.ino}`;
}

/** The same for a directory, with its birth: ext4 gives a new directory the number of the one just removed. */
export function placeOf(found: BigIntStats): string {
  return `${identityOf(found)}:${found.birthtimeNs}`;
}

/** The system's code of a failed call, such as `EACCES`. What is no answer of the file system is a bug and is thrown on. */
export function reasonOf(error: unknown): string {
  if (error instanceof Error && 'code' in error && typeof error.code === 'string' && 'syscall' in error) return error.code;
  throw error;
}

function unreadable(id: string, message: string): Seen {
  return { kind: 'problem', problem: fileProblem(id, 'FILE_UNREADABLE', message) };
}

function outside(id: string): Seen {
  return { kind: 'problem', problem: fileProblem(id, 'FILE_OUTSIDE', 'is a symbolic link out of the policy directory; put the files inside it, where who may change policies is decided') };
}

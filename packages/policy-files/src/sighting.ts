/** What one look at one id in the policy directory found, without reading it. */
import type { Problem } from '@portcullis/policy-core';

export type Sighting = FileSighting | { readonly kind: 'problem'; readonly problem: Problem };

export interface FileSighting {
  readonly kind: 'file';
  /** The real path to read, links resolved. */
  readonly path: string;
  /** Device, inode, size, mtime and ctime in nanoseconds: while it is equal, nothing was written that the file system can show. */
  readonly stamp: string;
  /** Device and inode alone. */
  readonly inode: string;
  readonly size: number;
  /** The inode changed after its last write: it was renamed, linked or given its mode as a finished file. */
  readonly movedIn: boolean;
}

/** Whether nothing was done to an id between two looks; `undefined` = absent. */
export function sameSighting(a: Sighting | undefined, b: Sighting | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  if (a.kind === 'file') return b.kind === 'file' && a.stamp === b.stamp && a.path === b.path;
  return b.kind === 'problem' && a.problem.code === b.problem.code && a.problem.message === b.problem.message;
}

/**
 * What the watcher tells the rest of the plane: the whole policy directory as one settled change-set (F1), and what is wrong when the directory
 * itself cannot be known (F3).
 */
import type { Problem } from '@portcullis/policy-core';

/** One document as it was read, or why it could not be. Unchanged content keeps the same object from offer to offer. */
export type OfferedFile =
  | { readonly kind: 'content'; readonly bytes: Buffer; readonly sha256: string /* lower-case hex of bytes */ }
  | { readonly kind: 'unreadable'; readonly problem: Problem };

export interface Offer {
  /** Milliseconds since 1970 at which everything in it had been quiet for as long as it must be. */
  readonly at: number;
  /** Milliseconds between the last change that was observed in it and `at`. */
  readonly settledFor: number;
  /** Every document of the directory by policy id, in the ids' code unit order. */
  readonly documents: ReadonlyMap<string, OfferedFile>;
  /** Ids whose content, or whose problem, differs from the previous offer; new ids included. */
  readonly changed: ReadonlySet<string>;
  /** Ids of the previous offer that are gone. */
  readonly removed: ReadonlySet<string>;
  /**
   * Directories (as id prefixes with a final `/`) whose entries cannot be known, and why. Documents below them that were known before are
   * `unreadable` in `documents`; a reader that remembers others below such a prefix, from before a restart, must not take them for removed.
   */
  readonly unlisted: ReadonlyMap<string, Problem>;
}

export const WATCH_PROBLEM_CODES = ['DIRECTORY_MISSING', 'DIRECTORY_UNREADABLE', 'NOT_A_DIRECTORY', 'TOO_MANY_FILES', 'TOO_MANY_ENTRIES', 'TOO_MANY_BYTES'] as const;

/** Why the directory as a whole cannot be known. Everything in force stays in force meanwhile. */
export interface WatchProblem {
  readonly code: (typeof WATCH_PROBLEM_CODES)[number];
  readonly directory: string;
  /** What happened and what to do. */
  readonly message: string;
}

/** A document's problem as a whole file: position 1:1, no frame. */
export function fileProblem(id: string, code: 'FILE_UNREADABLE' | 'FILE_TOO_LARGE' | 'FILE_NOT_UTF8' | 'FILE_OUTSIDE', message: string): Problem {
  return { file: id, line: 1, column: 1, code, severity: 'error', message, frame: null };
}

/** Whether two documents say the same: equal bytes, or the same problem. */
export function sameFile(a: OfferedFile | undefined, b: OfferedFile | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  if (a.kind === 'content') return b.kind === 'content' && a.sha256 === b.sha256;
  return b.kind === 'unreadable' && a.problem.code === b.problem.code && a.problem.message === b.problem.message;
}

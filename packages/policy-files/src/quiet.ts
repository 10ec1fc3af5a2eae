/**
 * How long a change must have been quiet before it is believed whole (F4). No file system says that a writer has finished; what can be seen is how the
 * file was changed and whether what it now holds looks cut off. All times are milliseconds.
 */
import type { FileSighting, Sighting } from './sighting.ts';

/** A new name for a finished file needs no doubt about its content; this long gathers what was saved together with it. */
export const RENAMED_MS = 20;
/** A file written in place: `writeFile` and editors pause less than 5 ms between the truncation and the last byte; a loaded machine, some 20. */
export const REWRITTEN_MS = 40;
/** Above this a file is written in several calls, between which a writer can lose its turn. */
export const LARGE_BYTES = 64 * 1024;
export const REWRITTEN_LARGE_MS = 75;
/** Empty, without a final newline, or smaller than what is in force: perhaps the first part of a slow save. */
export const DOUBTFUL_MS = 250;
/** Editors and deployment tools take a file away before they put its successor there; losing a policy is also what harms most if it is wrong. */
export const REMOVED_MS = 500;
/** After the directory itself was gone it is probably being filled again, file by file. */
export const REMOVED_AFTER_FAILURE_MS = 2_000;
/** How long after such a recovery an absent file is still judged so. */
export const RECOVERY_MS = 5_000;

/** What file events said since the file was last settled: only that the name changed hands, or that something was written under it. */
export type Evidence = 'moved' | 'written' | undefined;

export interface Change {
  /** What the look before this one found under this id, or else what was settled. */
  readonly before: Sighting | undefined;
  readonly now: Sighting | undefined;
  readonly evidence: Evidence;
  /** Size of what is in force under this id or of what the file last held, whichever is more. */
  readonly knownBytes: number | undefined;
  /** Whether the directory as a whole has just come back. */
  readonly afterFailure: boolean;
}

/** How long this change must stay as it is. The final newline is judged later, when the file has been read: `quietOfText`. */
export function quietOf(change: Change): number {
  const { now } = change;
  if (now === undefined) return change.afterFailure ? REMOVED_AFTER_FAILURE_MS : REMOVED_MS;
  if (now.kind === 'problem') return REMOVED_MS;
  if (now.size === 0) return DOUBTFUL_MS;
  if (isMovedIn(change, now)) return RENAMED_MS;
  if (change.knownBytes !== undefined && now.size < change.knownBytes) return DOUBTFUL_MS;
  return now.size > LARGE_BYTES ? REWRITTEN_LARGE_MS : REWRITTEN_MS;
}

/** The same, once the bytes are known. */
export function quietOfText(quiet: number, bytes: Uint8Array): number {
  return bytes.at(-1) === 0x0a ? quiet : Math.max(quiet, DOUBTFUL_MS);
}

/**
 * A file of another inode that got its name after its last write was finished before: it was renamed or linked into place (or had its mode set last, as
 * `cp -p` and vim do). Either its times show it, or the events named it without ever reporting a write. Such a file may be smaller.
 */
function isMovedIn({ before, evidence }: Change, now: FileSighting): boolean {
  if (before?.kind === 'file' && before.inode === now.inode) return false;
  return now.movedIn || evidence === 'moved';
}

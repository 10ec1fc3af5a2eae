/**
 * `rollback --write-back`: the files on disk say again what is in force. Each is replaced by rename, and only where it still
 * holds exactly what the rollback withdrew: whatever somebody wrote since is theirs, and left alone.
 */
import { createHash, randomBytes } from 'node:crypto';
import { closeSync, fsyncSync, lstatSync, mkdirSync, openSync, readFileSync, realpathSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { RolledBack } from '../domain/events.ts';
import type { History } from '../plane.ts';

export interface FileOutcome {
  readonly policy: string;
  readonly did: 'restored' | 'set-aside' | 'left';
  /** Where a file that the rollback took away lies now, or why one was left as it is. */
  readonly detail: string | null;
}

/** Of a policy file that is not there any more: readable by all, as editors make them; the umask takes from it. */
const NEW_FILE_MODE = 0o644;

export type WriteBack = (event: RolledBack) => readonly FileOutcome[];

/** Writes back into `directory`; texts come from `history`. */
export function createWriteBack(directory: string, history: Pick<History, 'text'>): WriteBack {
  return (event) => {
    const withdrawn = new Map<string, Set<string>>();
    for (const { policy, content } of event.holds) withdrawn.set(policy, (withdrawn.get(policy) ?? new Set()).add(content));
    return event.changes.map((change) => {
      const mayReplace = withdrawn.get(change.policy) ?? new Set<string>();
      try {
        if (change.kind === 'removed') return setAside(directory, change.policy, mayReplace);
        const text = history.text(change.content.textSha256);
        if (text === undefined) return left(change.policy, 'its text is not in the log');
        return restore(directory, change.policy, text, mayReplace);
      } catch (error) {
        return left(change.policy, `it could not be written, and is as it was: ${error instanceof Error ? error.message : String(error)}`);
      }
    });
  };
}

function restore(directory: string, policy: string, text: Buffer, mayReplace: ReadonlySet<string>): FileOutcome {
  const target = targetOf(directory, policy);
  if (target === undefined) return left(policy, 'its path leaves the policy directory');
  const now = contentOf(target);
  if (now.kind === 'other') return left(policy, 'it is a symbolic link or no plain file');
  if (now.kind === 'file' && !mayReplace.has(now.sha256)) return left(policy, 'the file holds something else than what was withdrawn');
  const parent = path.dirname(target);
  mkdirSync(parent, { recursive: true });
  if (!isWithin(realpathSync(parent), realpathSync(directory))) return left(policy, 'its folder is a link that leaves the policy directory');
  replace(target, text, now.kind === 'file' ? now.mode : NEW_FILE_MODE);
  return { policy, did: 'restored', detail: null };
}

/** In one step, by a file that is whole and on disk before it takes the name. */
function replace(target: string, text: Buffer, mode: number): void {
  const parent = path.dirname(target);
  const temporary = path.join(parent, `.portcullis-${randomBytes(6).toString('hex')}.tmp`);
  try {
    const file = openSync(temporary, 'wx', mode);
    try {
      // Goes on after a short write, which one writeSync does not: on a full disk it throws and does not cut the text.
      writeFileSync(file, text);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    renameSync(temporary, target);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
}

function setAside(directory: string, policy: string, mayReplace: ReadonlySet<string>): FileOutcome {
  const target = targetOf(directory, policy);
  const now = target === undefined ? undefined : contentOf(target);
  if (target === undefined || now === undefined || now.kind === 'absent') return left(policy, 'there is no such file');
  if (now.kind === 'other') return left(policy, 'it is a symbolic link or no plain file');
  if (!mayReplace.has(now.sha256)) return left(policy, 'the file holds something else than what was withdrawn');
  renameSync(target, `${target}.withdrawn`);
  return { policy, did: 'set-aside', detail: `${policy}.withdrawn` };
}

function targetOf(directory: string, policy: string): string | undefined {
  const target = path.resolve(directory, ...policy.split('/'));
  return isWithin(target, directory) ? target : undefined;
}

function isWithin(target: string, root: string): boolean {
  const relative = path.relative(root, target);
  return relative === '' || (!relative.startsWith('..') && !path.isAbsolute(relative));
}

type OnDisk = { readonly kind: 'absent' } | { readonly kind: 'other' } | { readonly kind: 'file'; readonly sha256: string; readonly mode: number };

function contentOf(target: string): OnDisk {
  const stats = lstatSync(target, { throwIfNoEntry: false });
  if (stats === undefined) return { kind: 'absent' };
  if (!stats.isFile()) return { kind: 'other' };
  return { kind: 'file', sha256: createHash('sha256').update(readFileSync(target)).digest('hex'), mode: stats.mode & 0o777 };
}

function left(policy: string, detail: string): FileOutcome {
  return { policy, did: 'left', detail };
}

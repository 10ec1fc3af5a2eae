/**
 * `rollback --write-back`: the files on disk say again what is in force. Each is replaced by rename, and only where it still
 * holds exactly what a rollback withdrew: whatever somebody wrote since is theirs, and left alone.
 */
import { createHash, randomBytes } from 'node:crypto';
import { closeSync, fsyncSync, lstatSync, mkdirSync, openSync, readFileSync, realpathSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { MAX_POLICY_BYTES } from '@portcullis/policy-core';
import type { History, Plane } from '../plane.ts';

export interface FileOutcome {
  readonly policy: string;
  readonly did: 'restored' | 'set-aside' | 'left';
  /** Where a file that the rollback took away lies now, or why one was left as it is. */
  readonly detail: string | null;
}

/** Of a policy file that is not there any more: readable by all, as editors make them; the umask takes from it. */
const NEW_FILE_MODE = 0o644;

/** Withdrawn versions of one file that lie beside it: more is a folder that nobody looks at. */
const MOST_SET_ASIDE = 100;

/**
 * Makes the files say what is in force now. `changed` are the policies that the rollback changed, and each of them is answered for;
 * of the others, those that an earlier rollback holds are, where there was something to do.
 */
export type WriteBack = (changed: readonly string[]) => readonly FileOutcome[];

/** What it needs of the plane. */
interface WrittenBack extends Pick<Plane, 'state' | 'outstanding'> {
  readonly history: Pick<History, 'text'>;
}

/** Writes back into `directory` what `plane` has in force. */
export function createWriteBack(directory: string, plane: WrittenBack): WriteBack {
  return (changed) => {
    const { policies, holds } = plane.state();
    // As a hold is: content under any id, an absence under its own.
    const withdrawn = new Set(holds.map(({ content }) => content));
    const answered = new Set(changed);
    const restoredIfAbsent = new Set([...changed, ...holds.filter(({ content }) => content === 'absent').map(({ policy }) => policy)]);
    const held = [...holds, ...(plane.outstanding().withheld ?? [])].map(({ policy }) => policy).sort();
    return [...new Set([...answered, ...held])].flatMap((policy) => {
      const outcome = settle(directory, {
        policy,
        inForce: policies.get(policy)?.content.textSha256,
        text: (sha256) => plane.history.text(sha256),
        mayReplace: (sha256) => withdrawn.has(sha256),
        mayRestore: restoredIfAbsent.has(policy),
      });
      if (outcome.did !== 'nothing') return [outcome];
      return answered.has(policy) ? [left(policy, outcome.detail)] : [];
    });
  };
}

interface Asked {
  readonly policy: string;
  /** SHA-256 of the text that is in force; undefined where the policy is not. */
  readonly inForce: string | undefined;
  readonly text: (sha256: string) => Buffer | undefined;
  readonly mayReplace: (sha256: string) => boolean;
  readonly mayRestore: boolean;
}

/** There was nothing to be done, and why. */
interface Nothing {
  readonly did: 'nothing';
  readonly detail: string;
}

function settle(directory: string, { policy, inForce, text, mayReplace, mayRestore }: Asked): FileOutcome | Nothing {
  try {
    const target = path.resolve(directory, ...policy.split('/'));
    if (!staysWithin(directory, target)) return nothing('its path leaves the policy directory');
    const now = contentOf(target);
    if (now.kind === 'other') return nothing('it is a symbolic link or no plain file');
    if (now.kind === 'file' && now.sha256 === inForce) return nothing('the file says already what is in force');
    if (now.kind === 'file' && (now.sha256 === null || !mayReplace(now.sha256))) return nothing('the file holds something else than what was withdrawn');
    if (now.kind === 'absent' && (inForce === undefined || !mayRestore)) return nothing('there is no such file');
    if (inForce === undefined) return { policy, did: 'set-aside', detail: `${policy}${setAside(target)}` };
    const restored = text(inForce);
    if (restored === undefined) return left(policy, 'its text is not in the log');
    mkdirSync(path.dirname(target), { recursive: true });
    replace(target, restored, now.kind === 'file' ? now.mode : NEW_FILE_MODE);
    return { policy, did: 'restored', detail: null };
  } catch (error) {
    return left(policy, `it could not be changed, and is as it was: ${error instanceof Error ? error.message : String(error)}`);
  }
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

/** Gives the end of the name under which it lies now. */
function setAside(target: string): string {
  for (let n = 1; n <= MOST_SET_ASIDE; n++) {
    const end = n === 1 ? '.withdrawn' : `.withdrawn.${n}`;
    if (!takesName(`${target}${end}`)) continue;
    try {
      renameSync(target, `${target}${end}`);
      return end;
    } catch (error) {
      rmSync(`${target}${end}`, { force: true });
      throw error;
    }
  }
  throw new Error(`${MOST_SET_ASIDE} files were set aside under its name already: remove those that nobody needs`);
}

/** Whether the name was free, and is ours now: whoever holds a file by it keeps that. The rename then replaces our own empty file only. */
function takesName(file: string): boolean {
  try {
    closeSync(openSync(file, 'wx'));
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

/** Whether a path lies in the directory, by its name and by what its folders are. Makes none of them. */
function staysWithin(directory: string, target: string): boolean {
  if (!isWithin(target, path.resolve(directory))) return false;
  let folder = path.dirname(target);
  while (lstatSync(folder, { throwIfNoEntry: false }) === undefined) folder = path.dirname(folder);
  return isWithin(realpathSync(folder), realpathSync(directory));
}

function isWithin(target: string, root: string): boolean {
  const relative = path.relative(root, target);
  return relative !== '..' && !relative.startsWith(`..${path.sep}`) && !path.isAbsolute(relative);
}

type OnDisk = { readonly kind: 'absent' } | { readonly kind: 'other' } | { readonly kind: 'file'; readonly sha256: string | null; readonly mode: number };

/** What is larger than any policy is not read: no policy ever held it, and its hash is null. */
function contentOf(target: string): OnDisk {
  const stats = lstatSync(target, { throwIfNoEntry: false });
  if (stats === undefined) return { kind: 'absent' };
  if (!stats.isFile()) return { kind: 'other' };
  const sha256 = stats.size > MAX_POLICY_BYTES ? null : createHash('sha256').update(readFileSync(target)).digest('hex');
  return { kind: 'file', sha256, mode: stats.mode & 0o777 };
}

function left(policy: string, detail: string): FileOutcome {
  return { policy, did: 'left', detail };
}

function nothing(detail: string): Nothing {
  return { did: 'nothing', detail };
}

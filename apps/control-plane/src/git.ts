/**
 * What git says about a change-set: the commit whose files these are. It is claimed only where every changed file is, byte for
 * byte, the commit's own; and who wrote it is what the commit claims. A checkout is foreign input: no hook, monitor, signature
 * program or transport that its configuration names is ever run.
 */
import { execFile } from 'node:child_process';
import type { ExecFileException } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, realpathSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import type { GitFacts } from './domain/events.ts';

/** A local look-up takes milliseconds; publishing does not wait for a stuck disk or a lock. */
const TIMEOUT_MS = 2_000;
/** The list of 5,000 files with long paths takes less than a megabyte. */
const MAX_OUTPUT_BYTES = 8 * 1024 * 1024;
/** What people write in a first line, and more. */
const MAX_LINE_LENGTH = 500;

/** The files of a change-set, by their paths below the directory; null = gone. */
export type ChangedFiles = ReadonlyMap<string, Uint8Array | null>;

/**
 * The facts, or null where the directory is no checkout, where a file differs from its commit, or where git does not answer; `unanswered`
 * is then told why, in one line.
 */
export async function gitFacts(directory: string, changed: ChangedFiles, unanswered: (why: string) => void = () => undefined): Promise<GitFacts | null> {
  const top = changed.size === 0 ? undefined : topLevel(directory);
  if (top === undefined) return null;
  try {
    const ask = (args: readonly string[], input = ''): Promise<Buffer> => git({ directory, top }, args, input);
    const [commit, branch, files] = await Promise.all([
      ask(['cat-file', '--batch'], 'HEAD\n'),
      ask(['symbolic-ref', '--quiet', '--short', 'HEAD']).catch(() => Buffer.alloc(0)),
      // Before the first commit there is no tree, and that is no news.
      ask(['ls-tree', '-r', '-z', 'HEAD', '--', '.']).catch((error: unknown) => (error instanceof Error ? error : new Error(String(error)))),
    ]);
    const read = readCommit(commit);
    if (read === undefined) return null;
    if (files instanceof Error) throw files;
    if (!isOf(changed, readTree(files))) return null;
    const name = firstLine(branch.toString('utf8'));
    return { ...read, branch: name === '' ? null : name };
  } catch (error) {
    unanswered(error instanceof Error ? error.message : String(error));
    return null;
  }
}

/** The nearest folder, from this one upwards, that has a `.git`; undefined where none has, which spares everybody else a process. */
function topLevel(directory: string): string | undefined {
  for (let folder = resolve(directory); ; folder = dirname(folder)) {
    if (existsSync(join(folder, '.git'))) return folder;
    if (folder === dirname(folder)) return undefined;
  }
}

const SAFE_CONFIG = ['core.hooksPath=/dev/null', 'core.fsmonitor=false', 'core.pager=cat', 'core.alternateRefsCommand=false', 'gpg.program=false', 'log.showSignature=false'];

interface Checkout {
  readonly directory: string;
  readonly top: string;
}

function git({ directory, top }: Checkout, args: readonly string[], input: string): Promise<Buffer> {
  // Nothing of our own environment, and nothing of the user's or the machine's configuration.
  const env = { PATH: process.env.PATH, LC_ALL: 'C', GIT_CONFIG_NOSYSTEM: '1', GIT_CONFIG_GLOBAL: '/dev/null', GIT_OPTIONAL_LOCKS: '0', GIT_TERMINAL_PROMPT: '0', GIT_ALLOW_PROTOCOL: 'none', GIT_NO_LAZY_FETCH: '1' };
  return new Promise((done, fail) => {
    // A plane with a user of its own reads a checkout that is somebody else's: git refuses that for what its configuration might run, and nothing of it is run here.
    const config = [...SAFE_CONFIG, `safe.directory=${realpathSync(top)}`].flatMap((setting) => ['-c', setting]);
    const child = execFile('git', [...config, ...args], { cwd: directory, env, timeout: TIMEOUT_MS, killSignal: 'SIGKILL', maxBuffer: MAX_OUTPUT_BYTES, encoding: 'buffer' }, (error, stdout, stderr) => {
      if (error === null) done(stdout);
      else fail(new Error(whyNot(error, stderr), { cause: error }));
    });
    // Git may be gone before it has read its input; its exit status says what matters.
    child.stdin?.on('error', () => undefined).end(input);
  });
}

function whyNot({ code, killed, message }: ExecFileException, stderr: Buffer): string {
  if (code === 'ENOENT') return 'no git is installed';
  const said = firstLine(stderr.toString('utf8'));
  if (said !== '') return said;
  return killed === true ? `it did not answer within ${TIMEOUT_MS} ms` : firstLine(message);
}

/** `<id> commit <size>` and the commit itself: headers, a blank line, the message. */
function readCommit(output: Buffer): Omit<GitFacts, 'branch'> | undefined {
  const text = output.toString('utf8');
  const commit = /^([0-9a-f]{40}|[0-9a-f]{64}) commit \d+\n/.exec(text)?.[1];
  const end = text.indexOf('\n\n');
  if (commit === undefined || end === -1) return undefined;
  const author = /^author (.*) \d+ [+-]\d{4}$/m.exec(text.slice(0, end))?.[1];
  if (author === undefined) return undefined;
  return { commit, claimedAuthor: author.slice(0, MAX_LINE_LENGTH), subject: firstLine(text.slice(end + 2)) };
}

/** Object ids of regular files by path, as `ls-tree -z` prints them: `<mode> blob <id>` tab path. */
function readTree(output: Buffer): ReadonlyMap<string, string> {
  const files = new Map<string, string>();
  for (const line of output.toString('utf8').split('\0')) {
    const [, id, path] = /^\d+ blob ([0-9a-f]+)\t([^]*)$/.exec(line) ?? [];
    if (id !== undefined && path !== undefined) files.set(path, id);
  }
  return files;
}

function isOf(changed: ChangedFiles, tree: ReadonlyMap<string, string>): boolean {
  for (const [path, bytes] of changed) {
    const id = tree.get(path);
    if (bytes === null ? id !== undefined : id === undefined || blobId(bytes, id) !== id) return false;
  }
  return true;
}

function blobId(bytes: Uint8Array, like: string): string {
  const hash = createHash(like.length === 40 ? 'sha1' : 'sha256');
  return hash.update(`blob ${bytes.length}\0`).update(bytes).digest('hex');
}

function firstLine(text: string): string {
  return (text.split('\n', 1)[0] ?? '').trim().slice(0, MAX_LINE_LENGTH);
}

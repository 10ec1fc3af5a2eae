/**
 * The policy documents that a command line names. A directory is one set, as `serve` would enforce it; the files named one
 * by one are another. Nothing is skipped silently: what cannot be read is a problem.
 */
import { readFileSync, readdirSync, realpathSync, statSync } from 'node:fs';
import path from 'node:path';
import type { Problem, ProblemCode, Severity } from '@portcullis/policy-core';
import { isAlmostPolicyName, isHiddenName, isPolicyName, RENAME_HINT } from '@portcullis/policy-files';

/** The policy language's own limit for one text; what is larger is not read. */
const MAX_DOCUMENT_BYTES = 1024 * 1024;
/** Deeper than any tree that people keep by hand; ends what a loop of mounts could make endless. */
const MAX_DEPTH = 32;

export interface Document {
  /** What `serve` would call it: the path below the named directory; below the directory that holds all of them, where files are named one by one. */
  readonly id: string;
  /** The path by which the person knows it: as named, or below the directory as named. */
  readonly shown: string;
  readonly absolute: string;
}

export interface DocumentSet {
  readonly documents: readonly Document[];
  readonly problems: readonly Problem[];
}

/** Finds the documents behind the named files and directories, relative to `cwd`, in a stable order. */
export function findDocuments(named: readonly string[], cwd: string): readonly DocumentSet[] {
  const loose = new Map<string, string>();
  const looseProblems: Problem[] = [];
  const sets: DocumentSet[] = [];
  for (const name of named) {
    const absolute = path.resolve(cwd, name);
    const found = kindOf(absolute);
    if (found === 'directory') sets.push(walk(absolute, name));
    else if (found === 'file') loose.set(absolute, slashes(name));
    else looseProblems.push(fileProblem(slashes(name), 'FILE_UNREADABLE', `cannot be read: ${found.error}`));
  }
  return loose.size + looseProblems.length === 0 ? sets : [{ documents: looseDocuments(loose), problems: looseProblems }, ...sets];
}

/** Files named one by one, each once, by absolute path. */
function looseDocuments(shown: ReadonlyMap<string, string>): readonly Document[] {
  const above = commonDirectory([...shown.keys()]);
  return [...shown].map(([absolute, name]) => ({ id: slashes(path.relative(above, absolute)), shown: name, absolute }));
}

/** The deepest directory that holds all of the files. */
function commonDirectory([first, ...others]: readonly string[]): string {
  let above = path.dirname(first ?? '');
  while (!others.every((file) => within(file, above))) above = path.dirname(above);
  return above;
}

/** The bytes of one document, or the problem with it. */
export function readDocument(document: Omit<Document, 'id'>): { readonly ok: true; readonly bytes: Uint8Array } | { readonly ok: false; readonly problem: Problem } {
  try {
    const { size } = statSync(document.absolute);
    if (size > MAX_DOCUMENT_BYTES) {
      return { ok: false, problem: fileProblem(document.shown, 'FILE_TOO_LARGE', `has ${size} bytes; a policy text may have ${MAX_DOCUMENT_BYTES}. Split it into several files.`) };
    }
    return { ok: true, bytes: readFileSync(document.absolute) };
  } catch (error) {
    return { ok: false, problem: fileProblem(document.shown, 'FILE_UNREADABLE', `cannot be read: ${reasonOf(error)}`) };
  }
}

/** What tells one state of a document from another without reading it. */
export function stampOf({ absolute, shown }: Document): string {
  try {
    const { ino, size, mtimeNs, ctimeNs } = statSync(absolute, { bigint: true });
    return `${shown} ${ino} ${size} ${mtimeNs} ${ctimeNs}`;
  } catch (error) {
    return `${shown} ${reasonOf(error)}`;
  }
}

function walk(root: string, shownRoot: string): DocumentSet {
  const documents: Document[] = [];
  const problems: Problem[] = [];
  const realRoot = realpathSync(root);
  const visit = (directory: string, shown: string, prefix: string, above: readonly string[]): void => {
    const real = realpathSync(directory);
    if (above.includes(real) || above.length > MAX_DEPTH) return;
    for (const name of readdirSync(directory).sort(byBytes)) {
      if (isHiddenName(name)) continue;
      const absolute = path.join(directory, name);
      const entry = { id: prefix + name, shown: `${shown}/${name}`, absolute };
      const found = kindOf(absolute);
      if (found === 'directory') visitDirectory(entry, [...above, real]);
      else if (isAlmostPolicyName(name)) problems.push(almostPolicy(entry.shown));
      else if (!isPolicyName(name)) continue;
      else if (found !== 'file') problems.push(fileProblem(entry.shown, 'FILE_UNREADABLE', `cannot be read: ${found.error}`));
      else if (!within(realpathSync(absolute), realRoot)) problems.push(outside(entry.shown));
      else documents.push(entry);
    }
  };
  const visitDirectory = (entry: Document, above: readonly string[]): void => {
    if (!within(realpathSync(entry.absolute), realRoot)) return;
    try {
      visit(entry.absolute, entry.shown, `${entry.id}/`, above);
    } catch (error) {
      problems.push(fileProblem(entry.shown, 'FILE_UNREADABLE', `cannot be listed: ${reasonOf(error)}`));
    }
  };
  visit(root, slashes(shownRoot).replace(/\/+$/, ''), '', []);
  return { documents, problems };
}

function kindOf(absolute: string): 'file' | 'directory' | { readonly error: string } {
  try {
    const stats = statSync(absolute);
    return stats.isDirectory() ? 'directory' : stats.isFile() ? 'file' : { error: 'it is neither a file nor a directory' };
  } catch (error) {
    return { error: reasonOf(error) };
  }
}

function within(target: string, root: string): boolean {
  return target.startsWith(root.endsWith(path.sep) ? root : root + path.sep);
}

function outside(shown: string): Problem {
  return fileProblem(shown, 'FILE_OUTSIDE', 'is a symbolic link that leaves the policy directory. Copy the file into it.');
}

/** Legal, and surely wrong: what is in it is not in force. */
function almostPolicy(shown: string): Problem {
  return fileProblem(shown, 'POLICY_ID', `is no policy by its name, and is ignored: ${RENAME_HINT}`, 'warning');
}

function fileProblem(file: string, code: ProblemCode, message: string, severity: Severity = 'error'): Problem {
  return { file, line: 1, column: 1, code, severity, message, frame: null };
}

/** What the operating system says, without the path, which the reader has already. */
export function reasonOf(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  const known: Readonly<Record<string, string>> = { ENOENT: 'there is no such file', EACCES: 'permission denied', EPERM: 'permission denied', ELOOP: 'its symbolic links form a loop', ENOTDIR: 'a part of its path is not a directory' };
  if (Object.hasOwn(known, code)) return `${known[code] ?? ''} (${code})`;
  return error instanceof Error ? error.message : String(error);
}

function slashes(name: string): string {
  return name.split(path.sep).join('/');
}

function byBytes(left: string, right: string): number {
  return Buffer.compare(Buffer.from(left), Buffer.from(right));
}

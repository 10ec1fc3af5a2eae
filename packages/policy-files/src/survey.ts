/**
 * One look at the whole policy directory: every policy's sighting, without reading it. What cannot be known is said, never left out (F3): a directory
 * that cannot be listed stands in the result under its prefix, and a root that cannot be seen, or that grew past a limit, is a `WatchProblem`.
 * Symbolic links are followed inside the directory only. Few files are asked about at once, so that a hung network mount holds some of libuv's four
 * threads and never all: the rest of the plane keeps its file system. Plain files of a directory that has just been listed are asked about directly
 * (`quick-look.ts`), which is five times faster, for as long as the answers come from memory.
 */
import { readdir, realpath, stat } from 'node:fs/promises';
import type { Dirent } from 'node:fs';
import { join } from 'node:path';
import { isAlmostPolicyName, isHiddenName, isPolicyName } from './names.ts';
import { fileProblem } from './offer.ts';
import type { WatchProblem } from './offer.ts';
import { quickLook } from './quick-look.ts';
import type { QuickLook } from './quick-look.ts';
import { placeOf, reasonOf, see } from './see.ts';
import type { Root } from './see.ts';
import type { Sighting } from './sighting.ts';

/** Ten times the largest fleet's directory that we know of; a look at so many takes some 20 ms. */
export const MAX_FILES = 5_000;
/** Directories count with every path by which links reach them: two links in each of 32 levels would be four thousand million. */
export const MAX_DIRECTORIES = 5_000;
/** Files that are no policies cost a name each; a directory with more is not a policy directory. */
export const MAX_ENTRIES = 100_000;
/** The content of every policy is kept in memory. */
export const MAX_TOTAL_BYTES = 256 * 1024 * 1024;
/** Deeper than anyone sorts policies, shallower than path length limits. */
export const MAX_DEPTH = 32;
/** Ignored files that are named: the first ones tell what is the matter. */
const MAX_ALMOST = 20;
/** Of libuv's four threads. */
export const AT_ONCE = 3;

export interface Survey {
  readonly root: Root;
  /** By policy id; by prefix with a final `/` for directories that cannot be listed. */
  readonly sightings: ReadonlyMap<string, Sighting>;
  /** Every directory that was listed, by id prefix ('' or with a final `/`). */
  readonly directories: ReadonlyMap<string, Place>;
  /** Whether any link was followed: then a change in one place may show in another. */
  readonly links: boolean;
  /** Files that are ignored and were most likely meant as policies, by what would be their id: the first few. */
  readonly almost: ReadonlySet<string>;
}

export interface Place {
  readonly path: string;
  readonly identity: string;
}

export type Surveyed = { readonly ok: true; readonly survey: Survey } | { readonly ok: false; readonly problem: WatchProblem };

/** A directory that is exchanged as a whole while it is looked at is looked at again, so often. */
const ATTEMPTS = 3;

/** Looks at everything below `directory`, or at the file called `only` in it. Never throws for what a file system can answer. */
export async function surveyDirectory(directory: string, only: string | null = null): Promise<Surveyed> {
  for (let attempt = 1; ; attempt++) {
    const result = await surveyOnce(directory, only);
    if (result !== 'replaced') return result;
    if (attempt === ATTEMPTS) return { ok: false, problem: replaced(directory) };
  }
}

async function surveyOnce(directory: string, only: string | null): Promise<Surveyed | 'replaced'> {
  const start = await findRoot(directory);
  if ('code' in start) return { ok: false, problem: start };
  const walk: Walk = { directory, only, root: start, sightings: new Map(), directories: new Map(), links: false, almost: new Set(), entries: 0, bytes: 0, quick: quickLook() };
  let level: Branch[] = [{ ...start, prefix: '', depth: 0, above: null }];
  while (level.length > 0) {
    const listed: Entry[][] = [];
    await each(level, async (branch, index) => void (listed[index] = await list(walk, branch)));
    const below: Branch[] = [];
    const rest: Entry[] = [];
    for (const entry of listed.flat()) if (!(await noteQuickly(walk, entry))) rest.push(entry);
    await each(rest, (entry) => note(walk, entry, below));
    const problem = crossed(walk, below.length);
    if (problem !== null) return { ok: false, problem };
    level = below;
  }
  const end = await findRoot(directory);
  if ('code' in end) return { ok: false, problem: end };
  if (end.identity !== start.identity || end.path !== start.path) return 'replaced';
  if (walk.lost !== undefined) return { ok: false, problem: walk.lost };
  return { ok: true, survey: walk };
}

interface Walk extends Survey {
  readonly directory: string;
  readonly only: string | null;
  readonly sightings: Map<string, Sighting>;
  readonly directories: Map<string, Place>;
  links: boolean;
  readonly almost: Set<string>;
  entries: number;
  bytes: number;
  readonly quick: QuickLook;
  lost?: WatchProblem;
}

interface Branch extends Place {
  readonly prefix: string;
  readonly depth: number;
  readonly above: Branch | null;
}

interface Entry {
  readonly branch: Branch;
  readonly name: string;
  readonly plain: boolean;
}

async function findRoot(directory: string): Promise<Root | WatchProblem> {
  try {
    const path = await realpath(directory);
    const found = await stat(path, { bigint: true });
    if (found.isDirectory()) return { path, identity: placeOf(found) };
    return { code: 'NOT_A_DIRECTORY', directory, message: `${directory} is not a directory; serve takes the directory that holds the policies` };
  } catch (error) {
    return rootProblem(directory, error);
  }
}

function rootProblem(directory: string, error: unknown): WatchProblem {
  const reason = reasonOf(error);
  if (reason === 'ENOENT') {
    return { code: 'DIRECTORY_MISSING', directory, message: `${directory} does not exist; what is in force stays in force until it is back. Create it, or point --policies elsewhere` };
  }
  return { code: 'DIRECTORY_UNREADABLE', directory, message: `${directory} cannot be read (${reason}); what is in force stays in force. Let the plane's user list and enter it` };
}

function replaced(directory: string): WatchProblem {
  return { code: 'DIRECTORY_MISSING', directory, message: `${directory} is being replaced again and again; what is in force stays in force until it rests` };
}

/** The entries of one directory that may matter. A directory that vanished has none; one that refuses is noted. */
async function list(walk: Walk, branch: Branch): Promise<Entry[]> {
  if (walk.only !== null) {
    walk.directories.set(branch.prefix, { path: branch.path, identity: branch.identity });
    return [{ branch, name: walk.only, plain: false }];
  }
  let found: Dirent[];
  try {
    found = await readdir(branch.path, { withFileTypes: true });
  } catch (error) {
    const reason = reasonOf(error);
    if (branch.prefix === '') walk.lost = rootProblem(walk.directory, error);
    else if (reason !== 'ENOENT') noteUnlisted(walk, branch.prefix, `cannot be listed (${reason}); let the plane's user list and enter it`);
    return [];
  }
  walk.directories.set(branch.prefix, { path: branch.path, identity: branch.identity });
  walk.entries += found.length;
  if (walk.entries > MAX_ENTRIES) return [];
  for (const entry of found) if (walk.almost.size < MAX_ALMOST && isAlmostPolicyName(entry.name) && !entry.isDirectory()) walk.almost.add(branch.prefix + entry.name);
  return found.filter(mayMatter).map((entry) => ({ branch, name: entry.name, plain: entry.isFile() }));
}

/** Some file systems do not say what an entry is; then it must be looked at. */
function mayMatter(entry: Dirent): boolean {
  if (isHiddenName(entry.name)) return false;
  return isPolicyName(entry.name) || !entry.isFile();
}

/** False where this entry needs more than one question. */
async function noteQuickly(walk: Walk, { branch, name, plain }: Entry): Promise<boolean> {
  if (!plain || walk.sightings.size > MAX_FILES) return false;
  const looking = walk.quick.at(join(branch.path, name));
  const sighting = looking instanceof Promise ? await looking : looking;
  if (sighting === undefined) return false;
  walk.bytes += Math.min(sighting.size, MAX_TOTAL_BYTES);
  walk.sightings.set(branch.prefix + name, sighting);
  return true;
}

async function note(walk: Walk, { branch, name }: Entry, below: Branch[]): Promise<void> {
  if (walk.sightings.size > MAX_FILES) return;
  const id = branch.prefix + name;
  const seen = await see(walk.root, join(branch.path, name), id, isPolicyName(name));
  if (seen === undefined) return;
  if (seen.kind !== 'problem' && seen.linked) walk.links = true;
  switch (seen.kind) {
    case 'file':
      walk.bytes += Math.min(seen.sighting.size, MAX_TOTAL_BYTES);
      walk.sightings.set(id, seen.sighting);
      return;
    case 'problem':
      walk.sightings.set(seen.problem.file, { kind: 'problem', problem: seen.problem });
      return;
    case 'directory': {
      if (walk.only !== null) return;
      if (isAbove(branch, seen.identity)) return; // a link back up: everything below it is already there
      if (branch.depth >= MAX_DEPTH) return noteUnlisted(walk, `${id}/`, `is deeper than ${MAX_DEPTH} directories; move its policies up`);
      below.push({ path: seen.path, identity: seen.identity, prefix: `${id}/`, depth: branch.depth + 1, above: branch });
    }
  }
}

function isAbove(branch: Branch | null, identity: string): boolean {
  for (let at = branch; at !== null; at = at.above) if (at.identity === identity) return true;
  return false;
}

function noteUnlisted(walk: Walk, prefix: string, message: string): void {
  walk.sightings.set(prefix, { kind: 'problem', problem: fileProblem(prefix, 'FILE_UNREADABLE', message) });
}

function crossed(walk: Walk, more: number): WatchProblem | null {
  const { directory } = walk;
  const kept = 'nothing of it is taken over and what is in force stays in force';
  if (walk.sightings.size > MAX_FILES) {
    return { code: 'TOO_MANY_FILES', directory, message: `${directory} holds more than ${MAX_FILES} policies; ${kept}. Is it the right directory? Otherwise join policies` };
  }
  if (walk.directories.size + more > MAX_DIRECTORIES || walk.entries > MAX_ENTRIES) {
    return { code: 'TOO_MANY_ENTRIES', directory, message: `${directory} holds more than ${MAX_DIRECTORIES} directories or ${MAX_ENTRIES} entries; ${kept}. Point --policies at the policies alone, and look for links in circles` };
  }
  if (walk.bytes > MAX_TOTAL_BYTES) {
    return { code: 'TOO_MANY_BYTES', directory, message: `${directory} holds policies of more than ${MAX_TOTAL_BYTES} bytes together; ${kept}. Remove what is not a policy` };
  }
  return null;
}

/** Runs `work` over all items, a few at once. */
export async function each<T>(items: readonly T[], work: (item: T, index: number) => Promise<void>): Promise<void> {
  let next = 0;
  const worker = async () => {
    for (let index = next++; index < items.length; index = next++) {
      const item = items[index];
      if (item !== undefined) await work(item, index);
    }
  };
  await Promise.all(Array.from({ length: Math.min(AT_ONCE, items.length) }, worker));
}

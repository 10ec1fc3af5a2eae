/** The steps that ask the file system: each does what `next.ts` asked for and reports it to the memory. */
import { basename, dirname, join } from 'node:path';
import { findGitLock } from './git-lock.ts';
import type { Hints } from './hints.ts';
import { isPolicyName } from './names.ts';
import { readPolicy } from './read.ts';
import { see } from './see.ts';
import { failed, glimpsed, looked, lookSoon, probed, took } from './settle.ts';
import type { InForce, SettleState, Taken } from './settle.ts';
import type { FileSighting, Sighting } from './sighting.ts';
import { each, surveyDirectory } from './survey.ts';
import type { Survey } from './survey.ts';

/** What the watcher holds: its memory, and what the last look at the directory found. */
export interface World {
  readonly directory: string;
  /** The one name that is looked at; null = all. */
  readonly only: string | null;
  readonly rescanMs: number;
  readonly hints: Hints | null;
  readonly inForce: InForce;
  readonly monotonic: () => number;
  state: SettleState;
  survey: Survey | null;
}

/** A look follows when new directories are listened to; not at once, because listening that fails each time must not become looking without end. */
const AFTER_LISTENING_MS = 100;

/** Sees the whole directory. */
export async function look(world: World, regular: boolean): Promise<void> {
  const began = world.monotonic();
  const result = await surveyDirectory(world.directory, world.only);
  const ended = world.monotonic();
  const lookBy = ended + world.rescanMs;
  if (!result.ok) {
    world.hints?.lost();
    world.state = failed(world.state, result.problem, { began, ended, lookBy });
    return;
  }
  world.survey = result.survey;
  const isNew = world.hints?.follow(result.survey) === true;
  const state = looked(world.state, { began, ended, lookBy, regular, sightings: result.survey.sightings }, world.inForce);
  // What happened between the listing and the listening, nobody told us.
  world.state = isNew ? lookSoon(state, ended + AFTER_LISTENING_MS) : state;
}

/** Looks at the ids that events named. One that is no file, or whose directory is not known, needs a look at the whole. */
export async function glimpse(world: World, ids: readonly string[]): Promise<void> {
  const { survey } = world;
  const found = new Map<string, Sighting | undefined>();
  const elsewhere = new Set<string>();
  await each(ids, async (id) => {
    const place = survey?.directories.get(id.slice(0, id.lastIndexOf('/') + 1));
    const name = basename(id);
    const seen = survey === null || place === undefined ? null : await see(survey.root, join(place.path, name), id, isPolicyName(name));
    if (seen?.kind === 'file') found.set(id, seen.sighting);
    else if (seen?.kind === 'problem' && seen.problem.file === id) found.set(id, seen);
    else found.set(id, undefined);
    if (seen !== undefined && found.get(id) === undefined) elsewhere.add(id);
  });
  const state = glimpsed(world.state, found, world.monotonic(), world.inForce);
  world.state = elsewhere.size > 0 ? lookSoon(state, world.monotonic()) : state;
}

/** Asks whether git is at work in this checkout. */
export async function probe(world: World): Promise<void> {
  const began = world.monotonic();
  const lock = await findGitLock(world.survey?.root.path ?? dirname(world.directory));
  world.state = probed(world.state, lock, began);
}

/** Reads the files that have been quiet for long enough. */
export async function read(world: World, files: ReadonlyMap<string, FileSighting>): Promise<void> {
  const results = new Map<string, { readonly sighting: Sighting; readonly taken: Taken }>();
  await each([...files], async ([id, sighting]) => {
    results.set(id, { sighting, taken: await readPolicy(id, sighting) });
  });
  world.state = took(world.state, results, world.monotonic());
}

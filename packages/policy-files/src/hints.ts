/**
 * The operating system's file events, as hints of where to look and when: never as facts. They are lost when a queue overflows, when a directory is
 * replaced, on network mounts; the regular look finds what they miss. Each directory that a look has listed is listened to by itself, and its
 * identity tells when it is another one of the same name. (chokidar is not used: among 1,000 files it spends 40 ms of CPU on each save, because it
 * lists the directory and asks about every file, where one event costs 1 ms.)
 */
import { watch } from 'node:fs';
import type { FSWatcher } from 'node:fs';
import { basename, dirname } from 'node:path';
import { reasonOf } from './see.ts';
import type { Survey } from './survey.ts';

export interface HintListener {
  /** Something happened to the entry `name` of a directory that is known under these id prefixes. */
  readonly onEntry: (prefixes: readonly string[], name: string, moved: boolean) => void;
  /** Something happened that has no name here. */
  readonly onUnknown: () => void;
}

export interface Hints {
  /** Listens to the directories of this survey from now on. True where any is new: what happened before is not known. */
  readonly follow: (survey: Survey) => boolean;
  /** The directory is lost: listens only for its return. */
  readonly lost: () => void;
  /** Whether every directory is listened to. */
  readonly complete: () => boolean;
  readonly close: () => void;
}

interface Ear {
  readonly identity: string;
  readonly watcher: FSWatcher;
  prefixes: readonly string[];
}

/** Listens on behalf of the policy directory `directory`. */
export function listenForHints(directory: string, listener: HintListener): Hints {
  const ears = new Map<string, Ear>();
  const parents = new Map<string, FSWatcher>();
  let root = '';
  let missing = true;

  const drop = (path: string) => {
    ears.get(path)?.watcher.close();
    ears.delete(path);
  };
  const listen = (path: string, identity: string, prefixes: readonly string[]) => {
    const watcher = open(path, (event, name) => {
      const ear = ears.get(path);
      if (name === null || ear === undefined) listener.onUnknown();
      else listener.onEntry(ear.prefixes, name, isMove(event));
    }, () => drop(path));
    if (watcher === null) missing = true;
    else ears.set(path, { identity, watcher, prefixes });
    return watcher !== null;
  };
  const listenAbove = (...paths: readonly string[]) => {
    for (const path of paths) {
      const [above, own] = [dirname(path), basename(path)];
      if (own === '' || parents.has(path)) continue;
      const watcher = open(above, (_event, name) => {
        if (name === null || name === own) listener.onUnknown();
      }, () => parents.delete(path));
      if (watcher !== null) parents.set(path, watcher);
    }
  };
  const dropParents = () => {
    for (const watcher of parents.values()) watcher.close();
    parents.clear();
  };

  return {
    follow: (survey) => {
      const identity = `${survey.root.path} ${survey.root.identity}`;
      if (identity !== root) dropParents();
      root = identity;
      listenAbove(directory, survey.root.path);
      const wanted = placesOf(survey);
      for (const [path, ear] of ears) if (wanted.get(path)?.identity !== ear.identity) drop(path);
      missing = false;
      let opened = false;
      for (const [path, { identity: place, prefixes }] of wanted) {
        const ear = ears.get(path);
        if (ear !== undefined) ear.prefixes = prefixes;
        else if (listen(path, place, prefixes)) opened = true;
      }
      return opened;
    },
    lost: () => {
      for (const path of ears.keys()) drop(path);
      missing = true;
      listenAbove(directory);
    },
    complete: () => !missing,
    close: () => {
      for (const path of ears.keys()) drop(path);
      dropParents();
    },
  };
}

/** On Linux a `rename` event is a name that came, went or was linked, and every write is a `change`; elsewhere the two are mixed. */
function isMove(event: string): boolean {
  return process.platform === 'linux' && event === 'rename';
}

function open(path: string, onEvent: (event: string, name: string | null) => void, onError: () => void): FSWatcher | null {
  try {
    const watcher = watch(path, { persistent: false }, onEvent);
    watcher.on('error', () => {
      watcher.close();
      onError();
    });
    return watcher;
  } catch (error) {
    reasonOf(error); // out of watches, out of rights, just removed: the regular look remains
    return null;
  }
}

/** The listed directories by real path, each with every prefix under which links reach it. */
function placesOf(survey: Survey): Map<string, { readonly identity: string; readonly prefixes: string[] }> {
  const places = new Map<string, { readonly identity: string; readonly prefixes: string[] }>();
  for (const [prefix, { path, identity }] of survey.directories) {
    const place = places.get(path);
    if (place === undefined) places.set(path, { identity, prefixes: [prefix] });
    else place.prefixes.push(prefix);
  }
  return places;
}

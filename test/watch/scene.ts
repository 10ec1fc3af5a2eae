/** A policy directory on the real file system with a watcher over it, and everything that the watcher said. */
import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { watchPolicies } from '../../packages/policy-files/src/watch.ts';
import type { Offer, Watcher, WatchOptions, WatchProblem } from '../../packages/policy-files/src/watch.ts';

export interface Scene {
  /** The policy directory, and a directory beside it that belongs to the test. */
  readonly directory: string;
  readonly beside: string;
  readonly watcher: Watcher;
  readonly offers: readonly Offer[];
  readonly said: readonly ('failed' | 'recovered' | 'offer')[];
  readonly problems: readonly WatchProblem[];
  readonly write: (id: string, text: string | Buffer) => void;
  readonly path: (id: string) => string;
  /** The texts of the last offer; a problem's code in its place. */
  readonly texts: () => Record<string, string>;
  /** Waits until `condition` holds; fails after `withinMs`. */
  readonly until: (what: string, condition: () => boolean, withinMs?: number) => Promise<void>;
  /** Resolves when the directory has been quiet and seen for long enough that everything must have been offered. */
  readonly rest: (ms?: number) => Promise<void>;
  readonly end: () => Promise<void>;
}

export interface SceneOptions {
  readonly pollOnly?: boolean;
  readonly before?: (directory: string) => void;
  readonly watch?: Partial<WatchOptions>;
  /** Does not wait for the first offer. */
  readonly impatient?: boolean;
}

/** Polling, so that tests need not wait two seconds for each look. */
const POLL_MS = 100;

export async function openScene(options: SceneOptions = {}): Promise<Scene> {
  const beside = realpathSync(mkdtempSync(join(tmpdir(), 'portcullis-watch-')));
  const directory = join(beside, 'policies');
  mkdirSync(directory);
  const path = (id: string) => join(directory, id);
  const write = (id: string, text: string | Buffer) => {
    mkdirSync(dirname(path(id)), { recursive: true });
    writeFileSync(path(id), text);
  };
  options.before?.(directory);
  const offers: Offer[] = [];
  const said: ('failed' | 'recovered' | 'offer')[] = [];
  const problems: WatchProblem[] = [];
  const watcher = watchPolicies({
    directory,
    pollOnly: options.pollOnly ?? false,
    ...(options.pollOnly === true ? { rescanMs: POLL_MS } : {}),
    // What was offered last is in force, as with a plane that accepts everything.
    inForce: (id) => {
      const file = offers.at(-1)?.documents.get(id);
      return file?.kind === 'content' ? { bytes: file.bytes.length } : undefined;
    },
    onOffer: (offer) => {
      offers.push(offer);
      said.push('offer');
    },
    onFailed: (problem) => {
      problems.push(problem);
      said.push('failed');
    },
    onRecovered: () => said.push('recovered'),
    onAlmost: () => undefined,
    ...options.watch,
  });
  const until = async (what: string, condition: () => boolean, withinMs = 10_000) => {
    const end = performance.now() + withinMs;
    while (!condition()) {
      if (performance.now() > end) throw new Error(`not within ${withinMs} ms: ${what}; said ${said.join(', ')}; last offer ${JSON.stringify(texts())}`);
      await pause(2);
    }
  };
  const texts = () => {
    const last = offers.at(-1);
    const entries = [...(last?.documents ?? [])].map(([id, file]) => [id, file.kind === 'content' ? file.bytes.toString() : file.problem.code] as const);
    return Object.fromEntries(entries);
  };
  const scene: Scene = {
    directory, beside, watcher, offers, said, problems, write, path, texts, until,
    rest: async (ms = 600) => {
      await pause(ms);
      await watcher.scanNow();
      await until('nothing unsettled', () => watcher.status().unsettled === 0);
    },
    end: async () => {
      await watcher.close();
      rmSync(beside, { recursive: true, force: true });
    },
  };
  if (options.impatient !== true) await until('the first offer', () => offers.length > 0);
  return scene;
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

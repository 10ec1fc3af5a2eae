/**
 * Watches the policy directory and offers it, as a whole, whenever it has settled into something else (F1 to F4). This is the shell: it listens, sleeps
 * and calls back; what to do next is decided by `next.ts` from the memory in `settle.ts`. One loop does one thing at a time, so that nothing is seen
 * in two states at once. A listener that throws ends the loop with an unhandled rejection: the plane must not go on with a watcher that is dead.
 */
import { glimpse, look, probe, read } from './carry-out.ts';
import type { World } from './carry-out.ts';
import { changeSet } from './change-set.ts';
import { listenForHints } from './hints.ts';
import { isHiddenName, isPolicyName } from './names.ts';
import { GATHER_MS, nextStep, offered } from './next.ts';
import type { OfferStep, Step } from './next.ts';
import type { Offer, WatchProblem } from './offer.ts';
import { RENAMED_MS } from './quiet.ts';
import { EMPTY, hinted, lookSoon, reported } from './settle.ts';
import type { Hint, InForce } from './settle.ts';
import { sleeper } from './sleeper.ts';
import type { Sleeper } from './sleeper.ts';
import { MAX_FILES } from './survey.ts';

export type { Offer, OfferedFile, WatchProblem } from './offer.ts';

/** How often the whole directory is looked at whatever the events say: what they miss is found within this. */
export const RESCAN_MS = 2_000;
/** Names that are no policies (swap files, directories) cause a look, but not more often than this. */
const UNKNOWN_SPACING_MS = 100;

export interface WatchOptions {
  /** The policy directory. It may be missing; then that is the first problem. */
  readonly directory: string;
  /** The one file of the directory that is a policy here; nothing else in it or below it is looked at. Without it, all are. */
  readonly only?: string;
  /** Use no file events: for mounts where they never arrive. */
  readonly pollOnly: boolean;
  /** What is in force under a policy id: a file that is suddenly smaller is doubted for longer. */
  readonly inForce: InForce;
  /** The whole directory, settled: first what it is at the start, then every time that it differs. */
  readonly onOffer: (offer: Offer) => void;
  /** The directory as a whole cannot be known; once for each kind of problem. No offer comes until `onRecovered`. */
  readonly onFailed: (problem: WatchProblem) => void;
  readonly onRecovered: () => void;
  /** A file is ignored that was most likely meant as a policy; once for each name while it is there. */
  readonly onAlmost: (id: string) => void;
  readonly clock?: WatchClock;
  /** Milliseconds between regular looks; `RESCAN_MS` unless told. */
  readonly rescanMs?: number;
}

export interface WatchClock {
  /** Milliseconds since 1970. */
  readonly wall: () => number;
  /** Milliseconds that never go back. */
  readonly monotonic: () => number;
}

export interface WatchStatus {
  readonly state: 'starting' | 'watching' | 'failed';
  /** Milliseconds since 1970 at which this state began, and at which the whole directory was last seen (null: never). */
  readonly since: number;
  readonly lastScanAt: number | null;
  /** Documents in the last offer. */
  readonly documents: number;
  /** Documents that have changed and not settled yet. */
  readonly unsettled: number;
  /** Whether file events reach every directory; otherwise changes are found by the regular look. */
  readonly hints: boolean;
  readonly problem?: WatchProblem;
}

export interface Watcher {
  /** Looks at the whole directory now; resolves when that look has been taken into account. What it found still has to settle. */
  readonly scanNow: () => Promise<void>;
  readonly status: () => WatchStatus;
  /** Ends the watching. No callback comes once this has been called. */
  readonly close: () => Promise<void>;
}

/** Starts watching. Callbacks are called one at a time, from a later turn of the event loop. */
export function watchPolicies(options: WatchOptions): Watcher {
  const clock = options.clock ?? { wall: () => Date.now(), monotonic: () => performance.now() };
  const sleep = sleeper(clock.monotonic);
  const post = inbox(clock, sleep, () => world);
  const hints = options.pollOnly ? null : listenForHints(options.directory, post);
  const { directory, only = null, inForce, rescanMs = RESCAN_MS } = options;
  const world: World = { directory, only, inForce, rescanMs, hints, monotonic: clock.monotonic, state: EMPTY, survey: null };
  const run: Run = { options, clock, sleep, post, world, closed: false, scans: [], stage: { state: 'starting', since: clock.wall() }, lastScanAt: null, documents: 0, almost: new Set() };
  const running = loop(run);
  return {
    scanNow: () =>
      new Promise((done) => {
        if (run.closed) return done();
        run.scans.push(done);
        sleep.wake();
      }),
    status: () => ({ ...run.stage, lastScanAt: run.lastScanAt, documents: run.documents, unsettled: world.state.pending.size, hints: hints?.complete() ?? false }),
    close: async () => {
      run.closed = true;
      sleep.wake();
      await running;
    },
  };
}

interface Run {
  readonly options: WatchOptions;
  readonly clock: WatchClock;
  readonly sleep: Sleeper;
  readonly post: Inbox;
  readonly world: World;
  closed: boolean;
  /** Who waits for the next look at the whole directory. */
  scans: (() => void)[];
  stage: Pick<WatchStatus, 'state' | 'since' | 'problem'>;
  lastScanAt: number | null;
  documents: number;
  almost: ReadonlySet<string>;
}

async function loop(run: Run): Promise<void> {
  const { world, clock, sleep } = run;
  while (!run.closed) {
    run.post.empty();
    if (run.scans.length > 0) {
      await lookAtAll(run, true);
      continue;
    }
    const step = nextStep(world.state, clock.monotonic());
    if (step.do === 'wait') await sleep.until(step.until);
    else await carryOut(run, step);
  }
  world.hints?.close();
  for (const done of run.scans) done();
}

async function carryOut(run: Run, step: Exclude<Step, { do: 'wait' }>): Promise<void> {
  const { world } = run;
  switch (step.do) {
    case 'look':
      return lookAtAll(run, step.regular);
    case 'glimpse':
      return glimpse(world, step.ids);
    case 'probe':
      return probe(world);
    case 'read':
      return read(world, step.files);
    case 'offer':
      return offer(run, step);
    case 'report':
      world.state = reported(world.state);
      run.stage = { state: 'failed', since: run.clock.wall(), problem: step.problem };
      return run.options.onFailed(step.problem);
  }
}

async function lookAtAll(run: Run, regular: boolean): Promise<void> {
  const waiting = run.scans;
  run.scans = [];
  const wasReported = run.world.state.failure?.reported === true;
  await look(run.world, regular);
  for (const done of waiting) done();
  if (run.world.state.failure !== null) return;
  run.lastScanAt = run.clock.wall();
  tellAlmost(run);
  if (!wasReported || run.closed) return;
  run.stage = { state: run.world.state.started ? 'watching' : 'starting', since: run.lastScanAt };
  run.options.onRecovered();
}

function tellAlmost(run: Run): void {
  const almost = run.world.survey?.almost ?? new Set();
  for (const id of almost) if (!run.almost.has(id) && !run.closed) run.options.onAlmost(id);
  run.almost = almost;
}

function offer(run: Run, step: OfferStep): void {
  const { world, clock } = run;
  const before = world.state;
  world.state = offered(before, step, clock.monotonic());
  const { differs, ...what } = changeSet(before.settled, world.state.settled);
  if (before.started && !differs) return;
  const at = clock.wall();
  if (!before.started) run.stage = { state: 'watching', since: at };
  run.documents = what.documents.size;
  run.options.onOffer({ at, settledFor: step.settledFor, ...what });
}

interface Inbox {
  readonly onEntry: (prefixes: readonly string[], name: string, moved: boolean) => void;
  readonly onUnknown: () => void;
  /** Hands what has come in to the memory. */
  readonly empty: () => void;
}

/** Where events wait for the loop, each with its time. They shorten its sleep to when something can first be done about them. */
function inbox(clock: WatchClock, sleep: Sleeper, world: () => World): Inbox {
  const named = new Map<string, Hint>();
  let unknownAt: number | null = null;
  const onUnknown = () => {
    unknownAt ??= Math.max(clock.monotonic() + RENAMED_MS, world().state.lookedAt + UNKNOWN_SPACING_MS);
    sleep.noLaterThan(unknownAt);
  };
  return {
    onEntry: (prefixes, name, moved) => {
      const isPolicy = isPolicyName(name);
      const mayBeLinked = world().survey?.links !== false;
      if (isHiddenName(name) && !mayBeLinked) return;
      const { only } = world();
      if (only !== null && name !== only && !mayBeLinked) return;
      // Through links a file can also be seen elsewhere; and a flood of names is cheaper to look at as a whole.
      if (!isPolicy || mayBeLinked || named.size > MAX_FILES) onUnknown();
      if (!isPolicy || named.size > MAX_FILES || (only !== null && name !== only)) return;
      const at = clock.monotonic();
      for (const prefix of prefixes) named.set(prefix + name, { at, moved: moved && named.get(prefix + name)?.moved !== false });
      sleep.noLaterThan(at + GATHER_MS);
    },
    onUnknown,
    empty: () => {
      const { state } = world();
      const withNames = hinted(state, named);
      world().state = unknownAt === null ? withNames : lookSoon(withNames, unknownAt);
      named.clear();
      unknownAt = null;
    },
  };
}

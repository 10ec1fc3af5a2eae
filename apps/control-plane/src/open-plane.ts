/**
 * Opening a data directory: one process at a time, keys that fit the log, a log that is what was signed, and the fold of it. What is
 * wrong is one clear line, because the plane does not start on a log that it cannot trust.
 */
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Policy } from '@portcullis/policy-core';
import type { Edge } from '@portcullis/tlog';
import type { PlaneState } from './domain/state.ts';
import { eventId } from './event-id.ts';
import { makeFolder } from './folder.ts';
import type { FoldPace } from './fold-keeper.ts';
import { createFoldKeeper, FOLD_PACE } from './fold-keeper.ts';
import type { FoldShelf, KeptFold } from './fold-shelf.ts';
import { openFoldShelf } from './fold-shelf.ts';
import type { Recollection } from './history.ts';
import { recollect } from './history.ts';
import { ballastOf } from './log/ballast.ts';
import { hasBegun, markBeginning, whyNotBegin } from './log/beginning.ts';
import { DamagedLog } from './log/codec.ts';
import { createKeyring, publicKeyText } from './log/keyring.ts';
import type { Keyring } from './log/keyring.ts';
import type { PlaneKeys } from './log/keys.ts';
import { makeKeys, readKeys, recoveryKeyPath } from './log/keys.ts';
import { lockDataDirectory } from './log/lock.ts';
import type { Log } from './log/log.ts';
import { edgeAt, openLog, rootBefore } from './log/log.ts';
import { openSqliteStore } from './log/sqlite-store.ts';
import type { LogStore } from './log/store.ts';
import type { Plane } from './plane.ts';
import { pooledRandom } from './pooled-random.ts';
import type { Recheck } from './recheck.ts';
import { createRecheck } from './recheck.ts';
import { createWriter } from './writer.ts';

/** The data directory holds secrets. */
const DATA_MODE = 0o700;
/** A disk that was full is seldom full again within the minute. */
const BALLAST_MS = 60_000;

export interface PlaneOptions {
  readonly dataDir: string;
  /** Milliseconds since 1970; used for the first event only, commands carry their own. */
  readonly now: () => number;
  readonly random?: (bytes: number) => Uint8Array;
  /** Told of a listener that threw, of a disk that fails and of a log that turns out to be damaged. By default a process warning. */
  readonly onBug?: (error: unknown) => void;
  /** How often folds are kept. Tests keep them often. */
  readonly folds?: FoldPace;
  /** How often it is seen to that there is ballast. */
  readonly ballastMs?: number;
}

export type OpenedPlane =
  | {
      readonly ok: true;
      readonly plane: Plane;
      /** Signs with the plane's key: snapshots, leases. Base64 of the 32 raw bytes names it. */
      readonly keys: { readonly publicKey: string; readonly sign: (bytes: Uint8Array) => Uint8Array };
      /** Set at the very first start: where the recovery key lies, to be moved off this machine. */
      readonly initialised: { readonly recoveryKeyPath: string } | null;
    }
  | { readonly ok: false; readonly problem: string };

/** Opens the plane, or says in one line what is in the way. Begins a new log in an empty directory. */
export function openPlane(options: PlaneOptions): OpenedPlane {
  const dataDir = resolve(options.dataDir);
  const random = options.random ?? pooledRandom();
  const undo: (() => void)[] = [];
  const give = (problem: string): OpenedPlane => {
    for (const step of undo.reverse()) step();
    return { ok: false, problem };
  };
  try {
    const inTheWay = makeFolder(dataDir, DATA_MODE);
    if (inTheWay !== undefined) return give(`the data directory ${dataDir} ${inTheWay}`);
    const locked = lockDataDirectory(dataDir);
    if (!locked.ok) return locked;
    undo.push(locked.release);
    const path = join(dataDir, 'log.db');
    // Asked before SQLite makes the file, or clears away what is left beside a lost one.
    const lost = existsSync(path) ? undefined : whyNotBegin(dataDir);
    if (lost !== undefined) return give(lost);
    const store = openSqliteStore(path);
    undo.push(() => { store.close(); });
    const isNew = store.size() === 0;
    const emptied = isNew ? whyNotBegin(dataDir) : undefined;
    if (emptied !== undefined) return give(emptied);
    if (isNew) markBeginning(dataDir);
    const read = isNew ? makeKeys(dataDir, random) : readKeys(dataDir);
    if (!read.ok) return give(read.problem);
    const shelf = openFoldShelf(dataDir, read.keys.signer);
    const keyring = createKeyring(dataDir, read.keys.signer, random);
    const opened = recall(store, keyring, shelf, { random, pace: options.folds ?? FOLD_PACE });
    undo.push(() => opened.check?.stop());
    const state = isNew ? initialise(opened, read.keys, options.now(), random) : opened.state;
    hasBegun(dataDir);
    if (!keyring.settle(state.log, state.publicKey)) return give(`the key in keys/plane.key is not the one of the log ${state.log}: bring the right one back from where it is kept`);
    const ballast = ballastOf(dataDir, random);
    ballast.lay();
    const upkeep = setInterval(ballast.lay, options.ballastMs ?? BALLAST_MS).unref();
    undo.push(() => clearInterval(upkeep));
    const onBug = options.onBug ?? ((error: unknown) => process.emitWarning(error instanceof Error ? error : String(error)));
    const writer = createWriter({
      log: opened.log,
      history: opened.history,
      keyring,
      state,
      policies: loadPolicies(state, opened.history),
      random,
      ballast,
      onBug,
      close: once(() => {
        clearInterval(upkeep);
        opened.check?.stop();
        opened.history.settle();
        store.close();
        locked.release();
      }),
    });
    opened.check?.start((finding) => {
      if (finding === undefined) return;
      // So that the next start reads everything, and does not begin on a damaged log.
      shelf.discard();
      const problem = `${join(dataDir, 'log.db')}: ${finding.problem}${finding.of === 'log' ? '' : '; the kept folds were deleted'}`;
      if (finding.of !== 'text') writer.distrust(`${problem}. Nothing more is recorded: compare the log with a copy (portcullis log verify), then restart the plane`);
      onBug(new DamagedLog(problem));
    });
    return { ok: true, plane: writer, keys: planeSigner(keyring), initialised: isNew ? { recoveryKeyPath: recoveryKeyPath(dataDir) } : null };
  } catch (error) {
    if (error instanceof DamagedLog) return give(`${join(dataDir, 'log.db')}: ${error.message}. Nothing was changed; compare the log with a copy: portcullis log verify`);
    const what = error instanceof Error ? error.message : String(error);
    if (isDamaged(error)) return give(`${join(dataDir, 'log.db')} is damaged (${what}). Mend the disk and bring log.db back from a backup; then run \`portcullis log restore\` and start the plane again. Proxies go on with what they have`);
    return give(`the data directory ${dataDir} cannot be used: ${what}`);
  }
}

interface Recalled {
  readonly log: Log;
  /** Of what a quick start did not read. */
  readonly check: Recheck | null;
  readonly history: Recollection;
  readonly state: PlaneState;
}

/**
 * Reads the log from its beginning; where it is long, from the newest kept fold that fits the tree, and what is before it is checked
 * while the plane runs.
 */
function recall(store: LogStore, keyring: Keyring, shelf: FoldShelf, { random, pace }: { readonly random: (bytes: number) => Uint8Array; readonly pace: FoldPace }): Recalled {
  const begin = store.size() < pace.least ? undefined : newestThatFits(store, shelf.folds());
  const { log, events } = openLog(store, keyring, random, begin?.edge);
  const keeper = createFoldKeeper(log, shelf, pace, begin?.folds ?? []);
  const recollected = recollect(log, events, keeper);
  const known = begin?.folds.at(-1);
  return { log, ...recollected, check: known === undefined ? null : createRecheck(store, known) };
}

/** The chain of folds up to the newest one, if each is of this very log. */
function newestThatFits(store: LogStore, folds: readonly KeptFold[]): { readonly edge: Edge; readonly folds: readonly KeptFold[] } | undefined {
  const fitting = folds.filter(({ size }) => size <= store.size());
  const newest = fitting.at(-1);
  if (newest === undefined || fitting.slice(0, -1).some(({ size, root }) => rootBefore(store, size) !== root)) return undefined;
  const edge = edgeAt(store, newest.size, newest.root);
  return edge === undefined ? undefined : { edge, folds: fitting };
}

/** The first event: which log this is and whose keys speak for it. */
function initialise({ log, history }: Recalled, keys: PlaneKeys, nowMs: number, random: (bytes: number) => Uint8Array): PlaneState {
  const recoveryKeySha256 = keys.recoverySha256;
  if (recoveryKeySha256 === null) throw new Error('a new log was begun without a recovery key');
  const event = { type: 'PlaneInitialised', log: keys.signer.verifierKey.name, publicKey: publicKeyText(keys.signer.verifierKey), recoveryKeySha256 } as const;
  const plane = { kind: 'plane', id: 'plane' } as const;
  const recorded = log.append(
    [{ id: eventId(nowMs, random(10)), atMs: nowMs, actor: plane, auth: { method: 'none', ref: null }, reason: null, idem: null, commandSha256: null, cause: null, event, n: 0 }],
    [],
  );
  return history.note(recorded);
}

/** The key that is in use whenever something is to be signed. */
function planeSigner(keyring: Keyring): { readonly publicKey: string; readonly sign: (bytes: Uint8Array) => Uint8Array } {
  return {
    get publicKey() {
      return publicKeyText(keyring.current().verifierKey);
    },
    sign: (bytes) => keyring.current().sign(bytes),
  };
}

/** From the stored models, so that a restart never parses a policy again. */
function loadPolicies(state: PlaneState, history: Recollection): ReadonlyMap<string, Policy> {
  const policies = new Map<string, Policy>();
  for (const { policy, content } of state.policies.values()) {
    const model = history.model(content.modelSha256);
    if (model === undefined) throw new DamagedLog(`the model of ${policy} is missing (${content.modelSha256})`);
    policies.set(policy, model);
  }
  return policies;
}

/** Whether SQLite itself cannot make sense of the file. */
function isDamaged(error: unknown): boolean {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' && /^SQLITE_(CORRUPT|NOTADB)/.test(error.code);
}

function once(action: () => void): () => void {
  let done = false;
  return () => {
    if (done) return;
    done = true;
    action();
  };
}

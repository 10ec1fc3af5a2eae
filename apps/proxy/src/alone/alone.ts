/**
 * A proxy without a plane: `--policy FILE|DIR` is watched as the plane watches its directory, and what has settled and is valid is swapped in. Without
 * anything valid every call is denied (P3). Nobody is told of decisions but this host: they are kept in files, the oldest of which go.
 */
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { selectPolicies } from '@portcullis/policy-core';
import type { CounterStore } from '@portcullis/policy-core';
import { watchPolicies } from '@portcullis/policy-files';
import type { Offer } from '@portcullis/policy-files';
import { createGate } from '../gate.ts';
import type { SwappableGate } from '../gate.ts';
import { aloneDirectory, readAloneSet, writeAloneSet } from '../store/alone-set.ts';
import { openOutbox } from '../store/outbox.ts';
import type { Outbox } from '../store/outbox.ts';
import type { AloneState } from './alone-state.ts';
import { placeOf } from './place.ts';
import { afterOffer, NOTHING, problemsInBrief, restoredSet } from './policy-set.ts';
import type { AloneSet } from './policy-set.ts';

export interface AloneOptions {
  readonly home: string;
  /** The file or directory that was named. */
  readonly policy: string;
  readonly server: string;
  /** What is really started; `match.upstream` is held against it. */
  readonly upstream: string;
  readonly tell: (line: string) => void;
  /** What is in force, or what is wrong with the files, has changed. */
  readonly onState: (state: AloneState) => void;
}

export interface Alone {
  readonly gate: SwappableGate;
  readonly boot: string;
  readonly state: () => AloneState;
  /** Where its processes, counts and decisions are kept. */
  readonly directory: string;
  /** Resolves when the files have been seen once, whatever was found. */
  readonly seen: Promise<void>;
  close(): Promise<void>;
}

const LAST_BATCH_MS = 250;
/** Problems that are named; the rest is counted. */
const MAX_TOLD = 5;

/** Starts to enforce what is there. Throws where the folder under `home` cannot be used. */
export function startAlone({ home, policy, server, upstream, tell, onState }: AloneOptions): Alone {
  const { directory: watched, only, path } = placeOf(policy);
  const directory = aloneDirectory(home, path, server);
  const outbox = openOutbox(join(directory, 'decisions'), () => Date.now());
  const boot = randomUUID();
  const texts = readAloneSet(home, path);
  const restored = texts === null ? NOTHING : restoredSet(texts);
  let set: AloneSet = restored;
  let state: AloneState = { path, sinceMs: null, version: 0, policies: [], labelled: [], lostSinceMs: null, problems: [] };
  const gate = gateOf({ boot, upstream, directory, outbox, state: () => state });
  const change = (next: Partial<AloneState>): void => {
    const before = state;
    state = { ...state, ...next };
    for (const problem of state.problems) if (!before.problems.includes(problem)) tell(problem);
    if (before.problems.length > 0 && state.problems.length === 0) tell('the policy files are in order again');
    onState(state);
  };
  const swapIn = async ({ inForce }: AloneSet): Promise<void> => {
    if (inForce === null) return;
    const policies = [...inForce.values()].map((one) => one.policy);
    const version = state.version + 1;
    (await gate.prepare({ cut: { server, labels: {} }, policies, restrictions: [], policiesVersion: version, restrictionsVersion: version })).swap();
    const selecting = selectPolicies(policies, { server, labels: {} }).map(({ id }) => id);
    const labelled = policies.filter(({ match }) => Object.keys(match.labels).length > 0).map(({ id }) => id);
    for (const line of inForceLines(path, server, selecting, labelled)) tell(line);
    change({ sinceMs: Date.now(), version, policies: selecting, labelled });
  };
  const take = async (offer: Offer): Promise<void> => {
    const next = afterOffer(set, offer, only);
    const isNews = state.version === 0 || !sameContent(set, next);
    try {
      if (isNews) await swapIn(next);
      set = next;
      change({ problems: problemsInBrief(set.problems, MAX_TOLD), lostSinceMs: null });
    } catch (error) {
      // The set before stays in force; this one is looked at again when it changes.
      change({ problems: [`the policies in ${path} cannot be enforced: ${error instanceof Error ? error.message : String(error)}`] });
    }
    if (set.inForce === null || !isNews || set !== next) return;
    const kept = new Map([...set.inForce].map(([id, { text }]) => [id, text]));
    await writeAloneSet(home, path, kept).catch((error: unknown) => tell(`what is in force could not be kept for the next start: ${error instanceof Error ? error.message : String(error)}`));
  };
  const lost = async (message: string): Promise<void> => {
    change({ lostSinceMs: state.lostSinceMs ?? Date.now(), problems: [message] });
    // What was in force last, where the files cannot be seen at all (F3).
    if (state.version === 0) await swapIn(restored).catch(() => undefined);
  };
  const work = inOrder();
  const watcher = watchPolicies({
    directory: watched, ...(only === null ? {} : { only }), pollOnly: false,
    inForce: (id) => {
      const known = set.inForce?.get(id);
      return known === undefined ? undefined : { bytes: Buffer.byteLength(known.text) };
    },
    onOffer: (offer) => work.do(() => take(offer)),
    onFailed: ({ message }) => work.do(() => lost(message)),
    onRecovered: () => work.do(() => Promise.resolve(change({ lostSinceMs: null, problems: problemsInBrief(set.problems, MAX_TOLD) }))),
    onAlmost: (id) => tell(`${id} is no policy by its name, and is ignored`),
  });
  return {
    gate,
    boot,
    state: () => state,
    directory,
    seen: work.first,
    close: async () => {
      await watcher.close();
      gate.flush();
      await outbox.close(LAST_BATCH_MS);
    },
  };
}

interface GateParts {
  readonly boot: string;
  readonly upstream: string;
  readonly directory: string;
  readonly outbox: Outbox;
  readonly state: () => AloneState;
}

function gateOf({ boot, upstream, directory, outbox, state }: GateParts): SwappableGate {
  return createGate({
    boot,
    upstream,
    now: () => Date.now(),
    // What is in force is as fresh as the last look at the files.
    staleMs: () => {
      const { lostSinceMs } = state();
      return lostSinceMs === null ? 0 : Math.max(1, Date.now() - lostSinceMs);
    },
    keep: (row) => outbox.add(row),
    // Names of arguments are compared by operators of a plane; here is none.
    argumentsKey: null,
    openCounters: () => openCounters(join(directory, 'counters.db')),
    get closedMessage() {
      return closedMessage(state());
    },
  });
}

function inForceLines(path: string, server: string, selecting: readonly string[], labelled: readonly string[]): readonly string[] {
  const inForce = selecting.length === 0 ? `none of the policies in ${path} is for the server ${server}: every call is denied` : `in force: ${selecting.join(', ')}`;
  return labelled.length === 0 ? [inForce] : [inForce, `not in force here, because they select by labels, which only an enrolled host has: ${labelled.join(', ')}`];
}

function sameContent(a: AloneSet, b: AloneSet): boolean {
  if (a.inForce === null || b.inForce === null) return a.inForce === b.inForce;
  const other = b.inForce;
  return a.inForce.size === other.size && [...a.inForce].every(([id, { text }]) => other.get(id)?.text === text);
}

/** What the agent's user reads while nothing is in force. */
function closedMessage({ path, problems }: AloneState): string {
  const why = problems.length === 0 ? `the policies in ${path} have not been read yet` : `no valid policies have been found in ${path}: ${problems.join('; ')}`;
  return `Every call is denied: ${why}. See \`portcullis-proxy status\`.`;
}

/** One thing after the other; `first` resolves when the first is done. */
function inOrder(): { readonly do: (work: () => Promise<void>) => void; readonly first: Promise<void> } {
  let last = Promise.resolve();
  let done: () => void = () => undefined;
  const first = new Promise<void>((resolve) => (done = resolve));
  return {
    first,
    do: (work) => {
      last = last.then(work).then(done);
    },
  };
}

/** Loaded only when something counts: most proxies never pay for SQLite. */
async function openCounters(path: string): Promise<CounterStore> {
  const { sqliteCounters } = await import('../store/counters.ts');
  return sqliteCounters(path);
}

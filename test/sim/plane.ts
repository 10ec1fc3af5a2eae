/**
 * The plane: the real commands, fold, cuts and live fleet, over a log that is an array. What is appended is durable; a process that is killed
 * between the append and the telling has told nobody, and its successor folds the log again.
 */
import { canonicalJson, digestOf } from '@portcullis/policy-core';
import type { Policy } from '@portcullis/policy-core';
import type { Command, OfferedDocument } from '../../apps/control-plane/src/domain/command.ts';
import type { OfferCommand } from '../../apps/control-plane/src/domain/commands/answer.ts';
import { decide } from '../../apps/control-plane/src/domain/commands/decide.ts';
import { VERSION_EVENTS } from '../../apps/control-plane/src/domain/events.ts';
import type { PlaneEvent, Recorded } from '../../apps/control-plane/src/domain/events.ts';
import { fold, NOTHING } from '../../apps/control-plane/src/domain/fold.ts';
import type { PlaneState } from '../../apps/control-plane/src/domain/state.ts';
import type { DecisionStore } from '../../apps/control-plane/src/decisions/decisions.ts';
import { createFleet } from '../../apps/control-plane/src/fleet/create.ts';
import type { FleetOptions, LiveFleet } from '../../apps/control-plane/src/fleet/create.ts';
import { openLedger } from '../../apps/control-plane/src/fleet/ledger.ts';
import { PLANE_KEY_SEED } from './signing.ts';
import type { Keys } from './signing.ts';
import type { Machine, Process } from './time.ts';
import { makeTree } from './tree.ts';
import type { Tree } from './tree.ts';

export interface SimPlane {
  /** What is durable, folded. */
  state(): PlaneState;
  policies(): ReadonlyMap<string, Policy>;
  readonly tree: Tree;
  /** Null while it is down. */
  readonly running: Running | null;
  start(): void;
  kill(): void;
  /** Says goodbye first. */
  stop(): Promise<void>;
  /** Decides and appends; `crash` = killed before anybody was told. False where nothing was recorded. */
  execute(command: Command, then?: 'tell' | 'crash'): boolean;
}

export interface Running {
  readonly process: Process;
  readonly fleet: LiveFleet;
  /** It has said goodbye and takes nobody in any more. */
  stopping: boolean;
}

export interface PlaneParts {
  readonly machine: Machine;
  readonly keys: Keys;
  readonly log: string;
  readonly random: (bytes: number) => Uint8Array;
  /** A version event was made durable. */
  readonly recorded: (state: PlaneState, policies: ReadonlyMap<string, Policy>) => void;
  /** The process ends: whoever was connected hears of it, or not. */
  readonly ended: (process: Process) => void;
  readonly decisions: Pick<DecisionStore, 'ingest'>;
}

export function makePlane(parts: PlaneParts): SimPlane {
  const { machine, keys, log: name } = parts;
  const log: Recorded[] = [];
  const tree = makeTree(name, PLANE_KEY_SEED);
  const models = new Map<string, Policy>();
  let state = NOTHING;
  let policies: ReadonlyMap<string, Policy> = new Map();
  let offered: OfferCommand | null = null;
  let running: Running | null = null;
  let listeners = new Set<(recorded: readonly Recorded[], state: PlaneState) => void>();

  function append(event: PlaneEvent): Recorded {
    const operator = { actor: { kind: 'operator', id: 'op' }, auth: { method: 'token', ref: 'op' } } as const;
    const recorded: Recorded = { seq: log.length, id: `e${log.length}`, atMs: machine.wallMs(), ...operator, reason: 'because', reasonErased: false, idem: null, commandSha256: null, cause: null, event };
    log.push(recorded);
    tree.append(canonicalJson({ seq: recorded.seq, atMs: recorded.atMs, type: event.type }));
    state = fold(state, [recorded]);
    if (event.type === 'PolicySetPublished' || event.type === 'RolledBack') policies = policiesOf(state);
    if (VERSION_EVENTS.has(event.type)) parts.recorded(state, policies);
    return recorded;
  }

  function policiesOf(of: PlaneState): ReadonlyMap<string, Policy> {
    return new Map([...of.policies.values()].map(({ policy, content }) => [policy, models.get(content.modelSha256)!] as const));
  }

  function past(seq: number) {
    const version = log.slice(0, seq + 1).findLast(({ event }) => VERSION_EVENTS.has(event.type))?.seq;
    return version === undefined ? undefined : { version, policies: fold(NOTHING, log.slice(0, version + 1)).policies };
  }

  function execute(command: Command, then: 'tell' | 'crash' = 'tell'): boolean {
    if (command.kind === 'offer') {
      offered = command;
      for (const document of command.documents.values()) if (document.kind === 'valid') models.set(document.modelSha256, document.policy);
    }
    const meta = { nowMs: machine.wallMs(), actor: { kind: 'operator', id: 'op' }, auth: { method: 'token', ref: 'op' }, reason: 'because', idem: null, cause: null } as const;
    const decided = decide(state, command, meta, { policies, offered, past });
    if (!decided.ok || decided.events.length === 0) return false;
    const recorded = decided.events.map(({ event }) => append(event));
    if (then === 'crash') kill();
    else for (const listener of listeners) listener(recorded, state);
    return true;
  }

  function start(): void {
    // Only the log is left of what was.
    state = fold(NOTHING, log);
    policies = policiesOf(state);
    listeners = new Set();
    const process = machine.start();
    const plane: FleetOptions['plane'] = {
      history: tree,
      state: () => state,
      policies: () => policies,
      onRecorded: (listener) => {
        listeners.add(listener);
        return () => listeners.delete(listener);
      },
    };
    const timers = { after: process.after, every: process.every, idly: process.after, soon: (action: () => void) => void process.after(0, action) };
    const store = { ...parts.decisions, query: () => [], boots: () => [], lost: () => 0, onIngested: () => () => undefined, close: () => undefined };
    const fleet = createFleet({ plane, keys, decisions: store, dataDir: '', now: machine.wallMs, ticks: machine.monoMs, random: parts.random, timers, ledger: openLedger(':memory:') });
    running = { process, fleet, stopping: false };
  }

  function kill(): void {
    if (running === null) return;
    const { process } = running;
    running = null;
    listeners.clear();
    process.kill();
    parts.ended(process);
  }

  append({ type: 'PlaneInitialised', log: name, publicKey: keys.publicKey, recoveryKeySha256: '0'.repeat(64) });
  return {
    tree,
    state: () => state,
    policies: () => policies,
    get running() {
      return running;
    },
    start,
    kill,
    stop: async () => {
      const leaving = running;
      if (leaving === null || leaving.stopping) return;
      leaving.stopping = true;
      await leaving.fleet.close();
      if (running === leaving) kill();
    },
    execute,
  };
}

/** A file of the directory as the plane reads it. */
export function documentOf(policy: Policy): OfferedDocument {
  const model = canonicalJson(policy);
  const text = `# ${model}`;
  return { kind: 'valid', textSha256: digestOf(text), textBytes: text.length, modelSha256: digestOf(model), modelBytes: model.length, policy };
}

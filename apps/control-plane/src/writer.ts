/**
 * The one writer: decide, append, and only then fold and tell (L2). Whatever fails before the commit leaves everything as it was;
 * what is in force stays served from memory, whatever becomes of the disk.
 */
import type { Policy } from '@portcullis/policy-core';
import type { Drafted, Known, OfferCommand } from './domain/commands/answer.ts';
import { decide } from './domain/commands/decide.ts';
import type { Command, Meta } from './domain/command.ts';
import type { PlaneEvent, PolicyChange, Recorded } from './domain/events.ts';
import { remembered } from './domain/idempotency.ts';
import { outstanding } from './domain/outstanding.ts';
import type { PlaneState } from './domain/state.ts';
import type { Recollection } from './history.ts';
import type { Ballast } from './log/ballast.ts';
import { payloadHash } from './log/codec.ts';
import type { Payload, Unsealed } from './log/codec.ts';
import type { Keyring } from './log/keyring.ts';
import type { Log } from './log/log.ts';
import { LogUnavailable } from './log/same-file.ts';
import { isBusy, isFull } from './log/store.ts';
import type { Contents, Executed, Plane } from './plane.ts';
import { eventId } from './event-id.ts';
import { replaceKey } from './replace-key.ts';

export interface WriterParts {
  readonly log: Log;
  readonly history: Recollection;
  readonly keyring: Keyring;
  readonly state: PlaneState;
  readonly policies: ReadonlyMap<string, Policy>;
  readonly random: (bytes: number) => Uint8Array;
  /** Given up when the disk is full. */
  readonly ballast: Pick<Ballast, 'lies' | 'drop'>;
  /** Told of a listener that threw, which must not keep others from learning, and of a disk that failed. */
  readonly onBug: (error: unknown) => void;
  readonly close: () => void;
}

type Listener = (recorded: readonly Recorded[], state: PlaneState) => void;

/** A plane that can be told that its log is not to be trusted: from then on it records nothing. */
export interface Writer extends Plane {
  readonly distrust: (problem: string) => void;
}

export function createWriter({ log, history, keyring, random, ballast, onBug, close, ...initial }: WriterParts): Writer {
  let { state, policies } = initial;
  let offered: OfferCommand | null = null;
  let contents: Contents = new Map();
  let broken: string | undefined;
  const listeners = new Set<Listener>();
  const notify = inOrder(listeners, onBug);

  const past: Known['past'] = (seq) => {
    const version = history.versionAt(seq);
    return version === undefined ? undefined : { version, policies: history.stateAt(version).policies };
  };

  const record = (drafted: readonly Drafted[], meta: Meta, commandSha256: string | null): readonly Recorded[] => {
    const events = unseal(drafted, meta, commandSha256, random);
    const needed = contentsOf(drafted, log, contents);
    // All that reads comes before the commit: after it nothing may fail.
    const after = policiesAfter(policies, drafted, offered, history);
    const erased = drafted.flatMap(({ event }) => (event.type === 'TextErased' ? event.seqs.flatMap((seq) => log.erasable(seq)) : []));
    const recorded = log.append(events, needed, erased);
    // Whoever is told of the new key is told with the new key.
    if (recorded.some(({ event }) => event.type === 'KeyRotated')) keyring.adopt();
    state = history.note(recorded);
    if (erased.length > 0) history.forget();
    policies = after;
    return recorded;
  };

  const carryOut = (command: Command, meta: Meta): Executed => {
    const before = remembered(state, command, meta, history.outcome);
    if (before.kind === 'refused') return { ok: false, refusal: before.refusal };
    if (before.kind === 'replay') return { ok: true, recorded: before.seqs.flatMap((seq) => history.at(seq) ?? []), state, replayed: true };
    const decided = decide(state, command, meta, { policies, offered, past });
    if (!decided.ok) return decided;
    if (decided.events.length === 0) return { ok: true, recorded: [], state, replayed: false };
    const recorded = withRoom(command, ballast.drop, () => record(decided.events, meta, before.commandSha256));
    const after = state;
    notify(recorded, after);
    return { ok: true, recorded, state: after, replayed: false };
  };

  const execute = (command: Command, meta: Meta, given?: Contents): Executed => {
    if (broken !== undefined) return unavailable(broken);
    if (command.kind === 'offer') {
      offered = command;
      contents = given ?? new Map();
    }
    try {
      return carryOut(command, meta);
    } catch (error) {
      if (isFull(error)) return unavailable(`the disk of the data directory is full, so nothing was recorded: make room and ask again; ${ballast.lies() ? 'restrictions are still accepted' : 'there is no ballast left, so restrictions are refused as well'}`);
      if (isBusy(error)) return { ok: false, refusal: { code: 'unavailable', message: 'another program holds log.db (a backup, perhaps), so nothing was recorded: ask again', soon: true } };
      if (!isDiskFailure(error)) throw error;
      // A page that failed to reach the disk may read back as if it had: only a restart finds out what is there.
      broken = `the log cannot be written (${error instanceof Error ? error.message : String(error)}): what is in force stays in force; put that right and restart the plane`;
      onBug(new LogUnavailable(broken, { cause: error }));
      return unavailable(broken);
    }
  };

  return {
    state: () => state,
    policies: () => policies,
    outstanding: () => outstanding(state, offered),
    storage: () => ({ problem: broken ?? null, ballast: ballast.lies() }),
    execute,
    rotateKey: (meta) => (broken === undefined ? replaceKey(keyring, state.log, (command) => execute(command, meta), () => broken === undefined) : unavailable(broken)),
    onRecorded(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    history,
    distrust: (problem) => (broken ??= problem),
    close,
  };
}

/** A restriction must be possible on the worst day: the ballast is given up for it. */
function withRoom<T>(command: Command, makeRoom: () => boolean, attempt: () => T): T {
  try {
    return attempt();
  } catch (error) {
    if (command.kind !== 'restrict' || !isFull(error) || !makeRoom()) throw error;
    return attempt();
  }
}

function unavailable(message: string): Executed {
  return { ok: false, refusal: { code: 'unavailable', message } };
}

function isDiskFailure(error: unknown): boolean {
  return error instanceof Error && (error.name === 'LogMoved' || error.name === 'LogGone' || ('code' in error && typeof error.code === 'string' && /^SQLITE_(IOERR|CORRUPT|READONLY|NOTADB|CANTOPEN)/.test(error.code)));
}

function unseal(drafted: readonly Drafted[], meta: Meta, commandSha256: string | null, random: (bytes: number) => Uint8Array): readonly Unsealed[] {
  const ids = drafted.map(() => eventId(meta.nowMs, random(10)));
  return drafted.map(({ event, causedBy }, n) => ({
    id: ids[n] ?? '',
    atMs: meta.nowMs,
    actor: meta.actor,
    auth: meta.auth,
    reason: meta.reason,
    idem: meta.idem,
    commandSha256,
    cause: (causedBy === null ? undefined : ids[causedBy]) ?? meta.cause,
    event,
    n,
  }));
}

function changesOf(event: PlaneEvent): readonly PolicyChange[] {
  return event.type === 'PolicySetPublished' || event.type === 'RolledBack' ? event.changes : [];
}

/** Texts and models that these events name and the log does not have yet. That they are at hand is the caller's promise. */
function contentsOf(drafted: readonly Drafted[], log: Log, contents: Contents): readonly Payload[] {
  const payloads = new Map<string, Payload>();
  for (const change of drafted.flatMap(({ event }) => changesOf(event))) {
    if (change.kind === 'removed') continue;
    for (const sha256 of [change.content.textSha256, change.content.modelSha256]) {
      if (payloads.has(sha256) || log.store.hasPayload(sha256)) continue;
      const body = contents.get(sha256);
      if (body === undefined) throw new Error(`the content ${sha256} of ${change.policy} was offered without its bytes`);
      if (payloadHash(null, body) !== sha256) throw new Error(`the content offered as ${sha256} of ${change.policy} is something else`);
      payloads.set(sha256, { sha256, salt: null, body });
    }
  }
  return [...payloads.values()];
}

/** The policies in force after these events; those that did not change stay the same objects. */
function policiesAfter(policies: ReadonlyMap<string, Policy>, drafted: readonly Drafted[], offered: OfferCommand | null, history: Recollection): ReadonlyMap<string, Policy> {
  const changes = drafted.flatMap(({ event }) => changesOf(event));
  if (changes.length === 0) return policies;
  const after = new Map(policies);
  for (const change of changes) {
    if (change.kind === 'removed') {
      after.delete(change.policy);
      continue;
    }
    const document = offered?.documents.get(change.policy);
    const fresh = document?.kind === 'valid' && document.modelSha256 === change.content.modelSha256 ? document.policy : undefined;
    const policy = fresh ?? history.model(change.content.modelSha256);
    if (policy === undefined) throw new Error(`the log has no model ${change.content.modelSha256} of ${change.policy}`);
    after.set(change.policy, policy);
  }
  return after;
}

/** Tells listeners of commits in the order of the log, also when a listener asks for the next one. */
function inOrder(listeners: ReadonlySet<Listener>, onBug: (error: unknown) => void): Listener {
  const waiting: (readonly [readonly Recorded[], PlaneState])[] = [];
  let telling = false;
  return (recorded, state) => {
    waiting.push([recorded, state]);
    if (telling) return;
    telling = true;
    try {
      for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
        for (const listener of [...listeners]) {
          try {
            listener(...next);
          } catch (error) {
            onBug(error);
          }
        }
      }
    } finally {
      telling = false;
    }
  };
}

/** The plane's core without a shell: commands in, events folded at once, everything kept in memory. For tests of the domain. */
import { canonicalJson, digestOf, parsePolicy } from '@portcullis/policy-core';
import type { Policy } from '@portcullis/policy-core';
import type { Decided, OfferCommand } from '../../apps/control-plane/src/domain/commands/answer.ts';
import { decide } from '../../apps/control-plane/src/domain/commands/decide.ts';
import type { Command, Meta, OfferedDocument, RefusalCode } from '../../apps/control-plane/src/domain/command.ts';
import type { PlaneEvent, Recorded } from '../../apps/control-plane/src/domain/events.ts';
import { VERSION_EVENTS } from '../../apps/control-plane/src/domain/events.ts';
import { evolve, fold, NOTHING } from '../../apps/control-plane/src/domain/fold.ts';
import type { PlaneState } from '../../apps/control-plane/src/domain/state.ts';

export const OPERATOR: Meta = {
  nowMs: 1_000_000,
  actor: { kind: 'operator', id: 'op-1' },
  auth: { method: 'token', ref: 'op-1' },
  reason: 'because',
  idem: null,
  cause: null,
};

/** A file of the directory: text, or something that cannot be read. */
export type File = string | { readonly unreadable: string };
export type Files = Readonly<Record<string, File>>;

export interface Story {
  state(): PlaneState;
  log(): readonly Recorded[];
  /** Gives the events that the command recorded, or the refusal's code. */
  do(command: Command, meta?: Partial<Meta>): readonly PlaneEvent[] | RefusalCode;
  offer(files: Files, options?: { removals?: 'wait' | 'accept' }): readonly PlaneEvent[];
  /** Text in force by id. */
  inForce(): Readonly<Record<string, string>>;
  /** The plane stops and starts: only the log is left. */
  restart(): void;
}

const models = new Map<string, Policy>();
const texts = new Map<string, string>();
const documents = new Map<string, OfferedDocument>();

export function documentOf(id: string, file: File): OfferedDocument {
  if (typeof file !== 'string') {
    return { kind: 'unreadable', problem: { file: id, line: 1, column: 1, code: 'FILE_UNREADABLE', severity: 'error', message: file.unreadable, frame: null } };
  }
  const key = `${id}\n${file}`;
  const known = documents.get(key);
  if (known !== undefined) return known;
  const bytes = Buffer.from(file);
  const textSha256 = digestOf(bytes);
  texts.set(textSha256, file);
  const parsed = parsePolicy({ id, bytes });
  let document: OfferedDocument = { kind: 'invalid', textSha256, problems: parsed.problems };
  if (parsed.ok) {
    const model = canonicalJson(parsed.policy);
    const modelSha256 = digestOf(model);
    models.set(modelSha256, parsed.policy);
    document = { kind: 'valid', textSha256, textBytes: bytes.length, modelSha256, modelBytes: model.length, policy: parsed.policy };
  }
  documents.set(key, document);
  return document;
}

export function story(): Story {
  let state = NOTHING;
  let offered: OfferCommand | null = null;
  const log: Recorded[] = [];

  const append = (event: PlaneEvent, meta: Meta): void => {
    const { nowMs: atMs, actor, auth, reason, idem, cause } = meta;
    const recorded: Recorded = { seq: log.length, id: `e${log.length}`, atMs, actor, auth, reason, reasonErased: false, idem, commandSha256: null, cause, event };
    log.push(recorded);
    state = evolve(state, recorded);
  };
  append({ type: 'PlaneInitialised', log: 'portcullis.local/test', publicKey: 'key', recoveryKeySha256: 'hash' }, { ...OPERATOR, actor: { kind: 'plane', id: 'plane' } });

  const policies = (): ReadonlyMap<string, Policy> =>
    new Map([...state.policies.values()].map(({ policy, content }) => [policy, models.get(content.modelSha256)!] as const));
  const past = (seq: number) => {
    if (seq < 0 || seq >= log.length) return undefined;
    const version = log.slice(0, seq + 1).findLast(({ event }) => VERSION_EVENTS.has(event.type))!.seq;
    return { version, policies: fold(NOTHING, log.slice(0, version + 1)).policies };
  };
  const ask = (command: Command, meta: Meta): Decided => decide(state, command, meta, { policies: policies(), offered, past });

  const act = (command: Command, meta: Partial<Meta> = {}): readonly PlaneEvent[] | RefusalCode => {
    const whole = { ...OPERATOR, ...meta };
    if (command.kind === 'offer') offered = command;
    const decided = ask(command, whole);
    if (!decided.ok) return decided.refusal.code;
    for (const { event } of decided.events) append(event, whole);
    return decided.events.map(({ event }) => event);
  };

  return {
    state: () => state,
    log: () => log,
    do: act,
    offer(files, { removals = 'wait' } = {}) {
      const entries = Object.entries(files).map(([id, file]) => [id, documentOf(id, file)] as const);
      const events = act({ kind: 'offer', documents: new Map(entries), git: null, removals }, { actor: { kind: 'files', id: 'directory' }, reason: null });
      if (typeof events === 'string') throw new Error(`an offer was refused: ${events}`);
      return events;
    },
    inForce: () => Object.fromEntries([...state.policies.values()].map(({ policy, content }) => [policy, texts.get(content.textSha256)!])),
    restart() {
      state = fold(NOTHING, log);
      offered = null;
    },
  };
}

/** A valid policy for one server, or for several; `n` tells contents apart. */
export function policyFor(server: string | readonly string[], n: number | string = 1): string {
  return `version: "1"\ndescription: "${n}"\nmatch: { server: ${JSON.stringify(server)} }\ndefault: deny\ntools:\n  get_thing: {}\n`;
}

export const INVALID = 'version: "1"\ntools: [\n';

/** Types of events, for a story's outline. */
export function types(events: readonly PlaneEvent[] | RefusalCode): readonly string[] {
  return typeof events === 'string' ? [`refused ${events}`] : events.map((event) => (event.type === 'ChangeRefused' ? `ChangeRefused ${event.why}` : event.type));
}

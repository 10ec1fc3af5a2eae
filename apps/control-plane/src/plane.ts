/**
 * The plane's one writer: a command becomes events, the events become durable, and only then does anybody learn of them (L2).
 */
import type { Policy } from '@portcullis/policy-core';
import type { Command, Meta, Refusal } from './domain/command.ts';
import type { Recorded } from './domain/events.ts';
import type { PlaneState } from './domain/state.ts';

export interface Plane {
  state(): PlaneState;
  /** The policies in force, by id; the same objects until they change. */
  policies(): ReadonlyMap<string, Policy>;
  /** Appends and commits before it returns; listeners have run when it returns. */
  execute(command: Command, meta: Meta): Executed;
  /** Called after each commit, in order, with what was recorded and the state after it. */
  onRecorded(listener: (recorded: readonly Recorded[], state: PlaneState) => void): () => void;
  readonly history: History;
  close(): void;
}

export type Executed =
  | { readonly ok: true; readonly recorded: readonly Recorded[]; readonly state: PlaneState; readonly replayed: boolean }
  | { readonly ok: false; readonly refusal: Refusal };

/** Questions about the past. */
export interface History {
  /** Newest first; `before` is exclusive. */
  read(query: HistoryQuery): readonly Recorded[];
  at(seq: number): Recorded | undefined;
  /** The state as it was right after `seq`. */
  stateAt(seq: number): PlaneState;
  /** The bytes of a policy text; undefined where no such payload exists. */
  text(sha256: string): Buffer | undefined;
  /** The normalised policy. */
  model(sha256: string): Policy | undefined;
  /** The newest signed checkpoint (a C2SP signed note). */
  checkpoint(): string;
}

export interface HistoryQuery {
  readonly limit: number;
  readonly before?: number;
  readonly from?: number;
  readonly types?: readonly string[];
  readonly policy?: string;
  readonly actor?: string;
}

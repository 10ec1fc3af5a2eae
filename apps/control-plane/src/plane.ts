/**
 * The plane's one writer: a command becomes events, the events become durable, and only then does anybody learn of them (L2).
 */
import type { Policy } from '@portcullis/policy-core';
import type { Command, Meta, Refusal } from './domain/command.ts';
import type { Recorded } from './domain/events.ts';
import type { Outstanding } from './domain/outstanding.ts';
import type { PlaneState } from './domain/state.ts';

export { openPlane } from './open-plane.ts';
export type { OpenedPlane, PlaneOptions } from './open-plane.ts';

export interface Plane {
  state(): PlaneState;
  /** The policies in force, by id; the same objects until they change. */
  policies(): ReadonlyMap<string, Policy>;
  /** What of the refusals and waiting removals still stands, as the newest offer has it; what people are to be shown. */
  outstanding(): Outstanding;
  /**
   * Appends and commits before it returns; listeners have run when it returns. `contents` goes with an offer: the bytes of every
   * text and model in it that is not in force yet.
   */
  execute(command: Command, meta: Meta, contents?: Contents): Executed;
  /** Makes a new signing key and records it, signed by the old and the new one; what is signed afterwards is signed with it. */
  rotateKey(meta: Meta): Executed;
  /** Called after each commit, in order, with what was recorded and the state after it. */
  onRecorded(listener: (recorded: readonly Recorded[], state: PlaneState) => void): () => void;
  /** Whether it can record: why not any more (null: it can), and whether there is room kept for restrictions on a full disk. */
  storage(): Storage;
  readonly history: History;
  close(): void;
}

export interface Storage {
  readonly problem: string | null;
  readonly ballast: boolean;
}

/** Bytes by their SHA-256 (hex). A Map is one. */
export interface Contents {
  get(sha256: string): Uint8Array | undefined;
}

export type Executed =
  | { readonly ok: true; readonly recorded: readonly Recorded[]; readonly state: PlaneState; readonly replayed: boolean }
  | { readonly ok: false; readonly refusal: Refusal };

/** Questions about the past. */
export interface History {
  /** Newest first; `before` is exclusive. At most 1,000 at a time. */
  read(query: HistoryQuery): readonly Recorded[];
  at(seq: number): Recorded | undefined;
  /** The state as it was right after `seq`. Throws for a seq that the log does not have. */
  stateAt(seq: number): PlaneState;
  /** The last version at or before `seq`; undefined where the log does not reach. */
  versionAt(seq: number): number | undefined;
  /** The bytes of a policy text; undefined where no such payload exists. */
  text(sha256: string): Buffer | undefined;
  /** The normalised policy. */
  model(sha256: string): Policy | undefined;
  /** The newest signed checkpoint (a C2SP signed note). */
  checkpoint(): string;
  /** Base64 hashes showing that the log of `older` events is the beginning of the present one (RFC 6962); undefined for an impossible size. */
  consistency(older: number): readonly string[] | undefined;
  /** Root (base64) over the first `size` events; undefined for an impossible size. */
  rootAt(size: number): string | undefined;
}

export interface HistoryQuery {
  readonly limit: number;
  readonly before?: number;
  readonly from?: number;
  readonly types?: readonly string[];
  readonly policy?: string;
  readonly actor?: string;
}

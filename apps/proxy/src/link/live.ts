/** What the link is made of: one record for the link, one for each connection. */
import { canonicalJson, plainFrame } from '@portcullis/policy-core';
import type { Read, Report, Restoration, Rotation, SignBytes, UpFrame, Verify } from '@portcullis/policy-core';
import type { WebSocket } from 'ws';
import type { SwappableGate } from '../gate.ts';
import { holding, staleMs } from '../guard/freshness.ts';
import type { Clocks, Freshness } from '../guard/freshness.ts';
import { coherentVersion, effective, held } from '../guard/guard.ts';
import type { Effective, GuardState } from '../guard/guard.ts';
import type { Witnessed } from '../guard/witness.ts';
import type { LastGood } from '../store/last-good.ts';
import type { Outbox } from '../store/outbox.ts';
import type { Stop, Timers } from '../timers.ts';
import type { Backoff } from './backoff.ts';
import type { LinkState } from './link-state.ts';

export interface LinkOptions {
  /** `ws://127.0.0.1:7420/v1/link` or `wss://…`. */
  readonly url: string;
  readonly log: string;
  readonly host: string;
  readonly server: string;
  /** What the plane is told of the upstream: no secrets. */
  readonly upstream: string;
  readonly boot: string;
  readonly build: string;
  /** What the plane is told of this process, in words that both know. */
  readonly features?: readonly string[];
  readonly sign: SignBytes;
  readonly verify: Verify;
  /** The next connect counter of this host. */
  readonly drawCounter: () => number;
  readonly gate: SwappableGate;
  readonly lastGood: LastGood;
  readonly outbox: Outbox;
  /** What was found on disk. */
  readonly state: GuardState;
  readonly witnessed: Witnessed | null;
  /** The keys, in base64, that the log's heads may be signed with. */
  readonly planeKeys: () => readonly string[];
  /** What is in force from a log that this one goes on from: it stays until something of this log is. */
  readonly before?: Effective | null;
  /** How trust moves to another key or log; without it, it never does. */
  readonly trust?: LinkTrust;
  readonly clocks: () => Clocks;
  /** From 0 to 1. */
  readonly random?: () => number;
  readonly randomBytes?: (bytes: number) => Uint8Array;
  readonly timers?: Timers;
  /** Opens a socket to the plane. */
  readonly open?: (url: string) => WebSocket;
  /** One line for stderr, when something changes that an operator would want to know. */
  readonly tell: (line: string) => void;
  /** How the proxy stands with its plane, whenever that changes. */
  readonly onState?: (state: LinkState) => void;
}

export interface LinkTrust {
  /** The verifier of the last of these keys, where it follows on the one that is trusted. */
  readonly successor: (rotations: readonly Rotation[]) => Read<Verify>;
  /** A welcome under that key has come: it is the trusted one from now on. */
  readonly adopt: (rotations: readonly Rotation[]) => void;
  /** The plane speaks for another log. True where this host follows it there; then another link takes over, and this one ends. */
  readonly stray: (log: string, restorations: readonly Restoration[]) => boolean;
}

/** The link's own record. */
export interface Live {
  readonly options: LinkOptions;
  verify: Verify;
  readonly timers: Timers;
  readonly backoff: Backoff;
  guard: GuardState;
  witnessed: Witnessed | null;
  /** The newest head of the tree is being stored. */
  remembering: Promise<void>;
  freshness: Freshness;
  connection: Connection | null;
  state: LinkState;
  retry: Stop | null;
  closed: boolean;
  /** Frames are taken one after the other, those of a new connection after what an old one has begun: both write the same guard. */
  work: Promise<void>;
  readonly waiting: Set<() => void>;
}

export interface Connection {
  readonly socket: WebSocket;
  phase: 'challenge' | 'welcome' | 'linked' | 'over';
  readonly answer: string;
  asked: Clocks;
  lastHeardMs: number;
  /** The newest lease that was taken, with everything before it. */
  heard: number | null;
  /** Since when, on the monotonic clock, versions are spoken of that no tree which was shown has in it. */
  unshownSince: number | null;
  /** Frames that wait to be taken. */
  pending: number;
  /** What went wrong with it, where that is known; and the log that the other end speaks for. */
  problem: string | null;
  planeLog: string | null;
}

/** What the proxy holds, as acks and heartbeats say it. */
export function report(live: Live): Report {
  return { ...held(live.guard), inFlight: live.options.gate.inFlight(), heard: live.connection?.heard ?? null };
}

/** Tells the plane what is held now. */
export function sayHeld(live: Live, connection: Connection): void {
  say(connection, { frame: 'heartbeat', freshness: staleNow(live) === 0 ? 'fresh' : 'stale', ...report(live) });
}

/**
 * What is to be enforced in this state; null where nothing is known. Between two logs that is what the former left in force, under what the
 * new one restricts.
 */
export function inForce({ before = null }: Pick<LinkOptions, 'before'>, state: GuardState): Effective | null {
  const now = effective(state);
  if (now !== null || before === null) return now;
  const { restrictions } = state;
  return restrictions === null ? before : { ...before, restrictions: [...before.restrictions, ...restrictions.set, ...restrictions.carried] };
}

/** Says how the proxy stands with its plane, where that is news. */
export function noteState(live: Live, state: LinkState): void {
  const news = canonicalJson(state) !== canonicalJson(live.state);
  live.state = state;
  if (news) live.options.onState?.(state);
}

/** To be called whenever what is held, or what is known of the head, has changed. */
export function noteHeld(live: Live): void {
  live.freshness = holding(live.freshness, coherentVersion(live.guard));
  if (staleNow(live) === 0) for (const resolve of live.waiting) resolve();
}

/** For how long what is held has not been known to be current; 0 = fresh. */
export function staleNow(live: Live): number {
  return staleMs(live.freshness, live.options.clocks());
}

/** `readyState` of an open WebSocket (WHATWG). */
const OPEN = 1;

/** Sends a frame, if there is still somebody to hear it. */
export function say(connection: Connection, frame: Exclude<UpFrame, { frame: 'hello' }>): void {
  if (connection.socket.readyState === OPEN) connection.socket.send(plainFrame(frame));
}

/** What the link is made of: one record for the link, one for each connection. */
import { plainFrame } from '@portcullis/policy-core';
import type { CloseReason, Held, SignBytes, UpFrame, Verify } from '@portcullis/policy-core';
import { WebSocket } from 'ws';
import type { SwappableGate } from '../gate.ts';
import { holding, staleMs } from '../guard/freshness.ts';
import type { Clocks, Freshness } from '../guard/freshness.ts';
import { coherentVersion, held } from '../guard/guard.ts';
import type { GuardState } from '../guard/guard.ts';
import type { LastGood } from '../store/last-good.ts';
import type { Outbox } from '../store/outbox.ts';
import type { Stop, Timers } from '../timers.ts';
import type { Backoff } from './backoff.ts';

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
  readonly sign: SignBytes;
  readonly verify: Verify;
  /** The next connect counter of this host. */
  readonly drawCounter: () => number;
  readonly gate: SwappableGate;
  readonly lastGood: LastGood;
  readonly outbox: Outbox;
  /** What was found on disk. */
  readonly state: GuardState;
  readonly clocks: () => Clocks;
  /** From 0 to 1. */
  readonly random?: () => number;
  readonly randomBytes?: (bytes: number) => Uint8Array;
  readonly timers?: Timers;
  /** Opens a socket to the plane. */
  readonly open?: (url: string) => WebSocket;
  /** One line for stderr, when something changes that an operator would want to know. */
  readonly tell: (line: string) => void;
}

/** The link's own record. */
export interface Live {
  readonly options: LinkOptions;
  readonly timers: Timers;
  readonly backoff: Backoff;
  guard: GuardState;
  freshness: Freshness;
  connection: Connection | null;
  refusedBy: CloseReason | null;
  retry: Stop | null;
  closed: boolean;
  readonly waiting: Set<() => void>;
}

export interface Connection {
  readonly socket: WebSocket;
  phase: 'challenge' | 'welcome' | 'linked';
  readonly answer: string;
  asked: Clocks;
  lastHeardMs: number;
  /** Frames are taken one after the other. */
  work: Promise<void>;
  pending: number;
}

/** What the proxy holds, as acks and heartbeats say it. */
export function report(live: Live): Held {
  return { ...held(live.guard), inFlight: live.options.gate.inFlight() };
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

/** Sends a frame, if there is still somebody to hear it. */
export function say(connection: Connection, frame: Exclude<UpFrame, { frame: 'hello' }>): void {
  if (connection.socket.readyState === WebSocket.OPEN) connection.socket.send(plainFrame(frame));
}

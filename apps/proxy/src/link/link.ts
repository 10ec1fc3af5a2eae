/**
 * The proxy's end of the link: connects for ever, takes what the guard takes, and enforces it in the order of W9 (verify, persist, swap,
 * acknowledge). Whatever happens here, the gate keeps what it has.
 */
import { randomBytes } from 'node:crypto';
import { closeReason, linkLimits } from '@portcullis/policy-core';
import type { CloseReason, Mark, TreeMark } from '@portcullis/policy-core';
import type { RawData, WebSocket } from 'ws';
import { startStale, ticked } from '../guard/freshness.ts';
import { held } from '../guard/guard.ts';
import { eventLoop } from '../timers.ts';
import { makeBackoff } from './backoff.ts';
import { afterLoss, SLOW_REASONS } from './link-state.ts';
import type { LinkState } from './link-state.ts';
import { inForce, noteState, say, sayHeld, staleNow } from './live.ts';
import type { Connection, LinkOptions, Live } from './live.ts';
import { take } from './take.ts';
import { refuseHistory } from './tree.ts';

export interface Link {
  /** For how long what is held has not been known to be current; 0 = fresh. */
  staleMs(): number;
  status(): LinkStatus;
  /** Resolves once a welcome has come and nothing is left to adopt, or after `withinMs`. */
  settled(withinMs: number): Promise<boolean>;
  /** Says goodbye. */
  close(): Promise<void>;
}

export interface LinkStatus {
  readonly connected: boolean;
  readonly policies: Mark | null;
  readonly restrictions: Mark | null;
  readonly staleMs: number;
  /** The log's tree as far as this proxy was shown it. */
  readonly tree: TreeMark | null;
  readonly state: LinkState;
}

/** How often the link looks at itself: its own heartbeat, the other end's silence. */
const BEAT_MS = linkLimits.HEARTBEAT_MS;
/** How often the stale time is written, so that a restart does not begin it anew. */
const STALE_WRITE_MS = 30_000;
/** A connection that lasts this long ends the growing of waits. */
const STABLE_MS = 60_000;
/** About as long as a server takes to start and to answer `initialize`. */
const LOAD_AFTER_MS = 100;
/** What the welcome must repeat: nobody guesses it, nobody sees it twice. */
const NONCE_BYTES = 32;
/** Frames that may wait while one is being stored, before no more is read. */
const MAX_PENDING = 32;
/** Whoever was turned away for what it is comes back slowly. */
const SLOW_RETRY_MS = [20_000, 30_000] as const;

/** Starts the link; it tries for ever until it is closed. */
export function startLink(options: LinkOptions): Link {
  const now = options.clocks();
  const timers = options.timers ?? eventLoop;
  const live: Live = {
    options,
    verify: options.verify,
    timers,
    backoff: makeBackoff(options.random ?? Math.random),
    guard: options.state,
    witnessed: options.witnessed,
    remembering: Promise.resolve(),
    freshness: startStale(options.lastGood.readStale(now.wallMs), now),
    connection: null,
    state: { kind: 'connecting', sinceMs: now.wallMs, problem: null },
    retry: null,
    closed: false,
    work: Promise.resolve(),
    waiting: new Set(),
  };
  // Whoever starts after this process was killed counts from here.
  writeStale(live);
  const beats = [timers.every(BEAT_MS, () => beat(live)), timers.every(STALE_WRITE_MS, () => writeStale(live))];
  // Where something is in force already, the agent's first calls need not wait until a socket is loaded.
  if (options.open === undefined && inForce(options, options.state) !== null) live.retry = timers.after(LOAD_AFTER_MS, () => connect(live));
  else connect(live);
  return {
    staleMs: () => staleNow(live),
    status: () => {
      const { policies, restrictions } = held(live.guard);
      return { connected: live.connection?.phase === 'linked', policies, restrictions, staleMs: staleNow(live), tree: live.witnessed === null ? null : { size: live.witnessed.size, root: live.witnessed.root }, state: live.state };
    },
    settled: (withinMs) => settled(live, withinMs),
    close: async () => {
      live.closed = true;
      for (const stop of beats) stop();
      live.retry?.();
      writeStale(live);
      await Promise.all([farewell(live), live.remembering]);
    },
  };
}

/** The socket, with HTTP and TLS behind it, is half of what a start loads: it comes when it is needed, and the agent's first calls do not wait for it. */
function connect(live: Live): void {
  const { open, clocks } = live.options;
  if (open !== undefined) return openOne(live, open);
  import('./socket.ts').then(
    ({ openSocket }) => {
      if (!live.closed) openOne(live, openSocket);
    },
    (error: unknown) => {
      if (live.closed) return;
      noteState(live, afterLoss(live.state, { reason: null, problem: `this program is damaged or being replaced: ${error instanceof Error ? error.message : String(error)}`, planeLog: null }, clocks().wallMs));
      live.retry = live.timers.after(live.backoff.next(), () => connect(live));
    },
  );
}

function openOne(live: Live, open: (url: string) => WebSocket): void {
  const { options } = live;
  const socket = open(options.url);
  const asked = options.clocks();
  const nonce = Buffer.from((options.randomBytes ?? randomBytes)(NONCE_BYTES));
  const connection: Connection = { socket, phase: 'challenge', answer: nonce.toString('base64url'), asked, lastHeardMs: asked.monoMs, heard: null, unshownSince: null, pending: 0, problem: null, planeLog: null };
  live.connection = connection;
  socket.on('message', (data, binary) => receive(live, connection, data, binary));
  // `close` always follows.
  socket.on('error', (error: Error) => {
    connection.problem ??= error.message;
  });
  socket.on('close', (code, reason) => lost(live, connection, closeReason(code, reason.toString())));
}

function lost(live: Live, connection: Connection, reason: CloseReason | null): void {
  if (live.connection !== connection) return;
  live.connection = null;
  const { options } = live;
  if (connection.phase === 'linked') options.outbox.disconnected();
  if (live.closed) return;
  if (options.clocks().monoMs - connection.asked.monoMs > STABLE_MS) live.backoff.reset();
  if (reason !== null && SLOW_REASONS.has(reason)) {
    if (live.state.kind !== 'refused' || live.state.reason !== reason) options.tell(`the plane does not speak with this host (${reason}): what was in force last stays in force`);
    live.backoff.atLeast(SLOW_RETRY_MS);
  }
  noteState(live, afterLoss(live.state, { reason, problem: connection.problem, planeLog: connection.planeLog }, options.clocks().wallMs));
  live.retry = live.timers.after(live.backoff.next(), () => connect(live));
}

function receive(live: Live, connection: Connection, data: RawData, binary: boolean): void {
  const { socket } = connection;
  connection.lastHeardMs = live.options.clocks().monoMs;
  if (binary) return socket.terminate();
  const text = textOf(data);
  connection.pending += 1;
  if (connection.pending > MAX_PENDING) socket.pause();
  live.work = live.work.then(async () => {
    // What an abandoned connection still had to say is said again on the next one.
    if (live.connection === connection && connection.phase !== 'over') await take(live, connection, text);
    connection.pending -= 1;
    if (connection.pending === 0 && socket.isPaused) socket.resume();
  });
}

function beat(live: Live): void {
  const now = live.options.clocks();
  live.freshness = ticked(live.freshness, now);
  const { connection } = live;
  if (connection === null) return;
  if (now.monoMs - connection.lastHeardMs > linkLimits.SILENCE_MS) return connection.socket.terminate();
  if (connection.unshownSince !== null && now.monoMs - connection.unshownSince > linkLimits.SHOWN_WITHIN_MS) return refuseHistory(live, connection, 'the plane speaks of versions, and does not show that its log goes on with them');
  if (connection.phase === 'linked') sayHeld(live, connection);
}

function writeStale(live: Live): void {
  live.options.lastGood.writeStale(staleNow(live), live.options.clocks().wallMs);
}

function settled(live: Live, withinMs: number): Promise<boolean> {
  if (staleNow(live) === 0) return Promise.resolve(true);
  return new Promise((resolve) => {
    const done = (fresh: boolean) => (): void => {
      stop();
      live.waiting.delete(yes);
      resolve(fresh);
    };
    const yes = done(true);
    const stop = live.timers.after(withinMs, done(false));
    live.waiting.add(yes);
  });
}

/** Long enough for a goodbye to leave; the agent waits for nothing. */
const FAREWELL_MS = 300;

async function farewell({ connection, timers }: Live): Promise<void> {
  if (connection === null) return;
  const { socket } = connection;
  const gone = new Promise<void>((resolve) => socket.once('close', () => resolve()));
  if (connection.phase === 'linked') say(connection, { frame: 'goodbye' });
  else socket.terminate();
  const stop = timers.after(FAREWELL_MS, () => socket.terminate());
  await gone;
  stop();
}

function textOf(data: RawData): string {
  if (Array.isArray(data)) return Buffer.concat(data).toString('utf8');
  return data instanceof ArrayBuffer ? Buffer.from(data).toString('utf8') : data.toString('utf8');
}

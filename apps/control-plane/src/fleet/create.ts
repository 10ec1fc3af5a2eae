/**
 * The live fleet: hears what the log recorded, tells every proxy, and knows who enforces what. Order and urgency are W6's: a restriction
 * reaches every socket before the first snapshot reaches any; heartbeats find whatever was lost (W7).
 */
import type { Server } from 'node:http';
import { randomBytes } from 'node:crypto';
import path from 'node:path';
import { canonicalJson, linkLimits, plainFrame, signedFrame, signHeader } from '@portcullis/policy-core';
import type { Held, HelloHeader, LeaseHeader, ShownHead, SignBytes } from '@portcullis/policy-core';
import type { WebSocket } from 'ws';
import type { DecisionStore } from '../decisions/decisions.ts';
import type { Recorded } from '../domain/events.ts';
import { enforces, isSlow, relabelled } from '../domain/link.ts';
import type { Refused } from '../domain/link.ts';
import type { Host, PlaneState } from '../domain/state.ts';
import type { Plane } from '../plane.ts';
import { eventLoop } from '../timers.ts';
import type { Timers } from '../timers.ts';
import { makeCuts } from './cuts.ts';
import type { Cuts } from './cuts.ts';
import { closeSocket, makeDoor } from './door.ts';
import type { Fleet, TurnedAway } from './fleet.ts';
import { openLedger } from './ledger.ts';
import type { Ledger } from './ledger.ts';
import { makeNotary } from './notary.ts';
import type { Notary } from './notary.ts';
import { makeChanges, makeQueue } from './pace.ts';
import type { Changes, Queue } from './pace.ts';
import { makeProgress } from './progress.ts';
import type { ProgressClock } from './progress.ts';
import { drop, listen, makeSession, pushTo, welcome } from './session.ts';
import type { Moment, Session } from './session.ts';
import { turnedAwayBook } from './turned-away.ts';
import type { Knock, TurnedAwayBook } from './turned-away.ts';
import { apartBy, progressOf, viewsOf } from './view.ts';
import type { Apart, Roster } from './view.ts';

export interface FleetOptions {
  readonly plane: Pick<Plane, 'state' | 'policies' | 'onRecorded'> & { readonly history: Pick<Plane['history'], 'checkpoint' | 'consistency' | 'rootAt'> };
  readonly keys: { readonly sign: SignBytes };
  readonly decisions: DecisionStore;
  /** Holds fleet.db. */
  readonly dataDir: string;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** Milliseconds by a clock that nobody sets; the process's own by default. A wall clock that is set back would wait for silent proxies as long. */
  readonly ticks?: () => number;
  readonly random?: (bytes: number) => Uint8Array;
  readonly heartbeatMs?: number;
  /** How often connected proxies are shown the log's tree. */
  readonly checkpointMs?: number;
  readonly timers?: Timers;
  /** Instead of fleet.db. */
  readonly ledger?: Ledger;
}

export interface LiveFleet extends Fleet {
  /** Serves /v1/link on the server's upgrades. */
  attach(server: Server): void;
  /** Serves a socket that is open already, as `attach` does with each one that it accepts. */
  greet(socket: WebSocket): void;
  /** Lets nobody in any more and says goodbye to every proxy, spread over a few seconds of return. Questions are still answered. */
  leave(): Promise<void>;
  /** Leaves, and stops. */
  close(): Promise<void>;
}

/** A host runs one proxy per agent session and server; a copied key must not use up the plane. */
const MAX_PROXIES_PER_HOST = 1_000;
const FLUSH_MS = 1_000;
/** What proxies begin to enforce is durable after this: long enough for the answers to one change to be written together. */
const BEGUN_FLUSH_MS = 200;
/** Proxies come back within this range after the plane went away (full jitter on top is theirs). */
const RETURN_MS = [200, 3_000] as const;
/** Sockets that have not closed by then are cut. */
const FAREWELL_MS = 1_000;
/** What refused content is remembered of proxies that are away. */
const MAX_REMEMBERED = 10_000;

/** Everything that the live fleet consists of. */
interface Live {
  readonly options: FleetOptions;
  readonly moment: () => Moment;
  readonly timers: Timers;
  readonly ledger: Ledger;
  readonly cuts: Cuts;
  readonly notary: Notary;
  readonly sessions: Map<string, Session>;
  /** What proxies that are away have refused for good, by proxy and build. */
  readonly barred: Map<string, ReadonlyMap<string, Refused>>;
  readonly progress: ProgressClock;
  readonly changes: Changes;
  /** Proxies that began to enforce something else. */
  readonly begun: Changes;
  readonly queue: Queue<Session>;
  /** Hosts of ours that follow another log, or have seen another history of this one, by host. */
  readonly apart: Map<string, Apart>;
  readonly turnedAway: TurnedAwayBook;
  /** The version that `cuts` is at. */
  head: number;
}

/** Starts the fleet of a plane. Nothing is served before `attach`. */
export function createFleet(options: FleetOptions): LiveFleet {
  const { plane, keys } = options;
  const ledger = options.ledger ?? openLedger(path.join(options.dataDir, 'fleet.db'));
  const timers = options.timers ?? eventLoop;
  const ticks = options.ticks ?? (() => performance.now());
  const moment = (): Moment => ({ nowMs: options.now(), ticks: ticks() });
  const live: Live = {
    options,
    moment,
    timers,
    ledger,
    cuts: makeCuts(keys.sign, plane.state(), plane.policies()),
    notary: makeNotary(plane.history, () => plane.state().size),
    sessions: new Map(),
    barred: new Map(),
    progress: makeProgress(),
    changes: makeChanges(timers),
    begun: makeChanges(timers, BEGUN_FLUSH_MS),
    queue: makeQueue((session) => {
      if (isHere(live, session)) pushTo(session, live.cuts.of(session.identity), moment(), 'everything');
    }, timers),
    apart: new Map(),
    turnedAway: turnedAwayBook(),
    head: plane.state().version,
  };
  live.begun.listen(() => flushQuietly(ledger));
  const door = makeDoor({ state: () => plane.state(), random: options.random ?? randomBytes, timers, onProxy: (proxy) => admit(live, proxy), onRefused: (knock) => refused(live, knock) });
  const stopHearing = plane.onRecorded((events, state) => recorded(live, events, state));
  const beats = [timers.every(options.heartbeatMs ?? linkLimits.HEARTBEAT_MS, () => beat(live)), timers.every(options.checkpointMs ?? linkLimits.CHECKPOINT_MS, () => showTrees(live)), timers.every(FLUSH_MS, () => flushQuietly(ledger))];
  let left: Promise<void> | undefined;
  const leave = (): Promise<void> => {
    if (left !== undefined) return left;
    door.shut();
    stopHearing();
    for (const stop of beats) stop();
    live.queue.stop();
    left = farewell([...live.sessions.values()], timers);
    return left;
  };
  return {
    proxies: () => viewsOf(rosterOf(live)),
    progress: (version) => progressOf(version, rosterOf(live), live.progress.tookMs(version)),
    turnedAway: () => turnedAway(live),
    onChange: live.changes.listen,
    enforced: (query) => ledger.enforced(query),
    attach: (server) => door.attach(server),
    greet: (socket) => door.greet(socket),
    leave,
    close: async () => {
      await leave();
      live.changes.stop();
      live.begun.stop();
      ledger.close();
    },
  };
}

/** What the log recorded, told at once: restrictions to every socket in this very turn, the rest as the turns allow. */
function recorded(live: Live, events: readonly Recorded[], state: PlaneState): void {
  catchUp(live, state);
  for (const { seq, event } of events) {
    // Before anything is sent that only the new key signs.
    if (event.type === 'KeyRotated') for (const session of live.sessions.values()) greet(live, session, state);
    if (event.type === 'HostRevoked') for (const session of sessionsOf(live, event.host)) drop(session, 'revoked');
    if (event.type === 'HostRelabelled') for (const session of sessionsOf(live, event.host)) relabel(live, session, state, seq);
  }
  push(live);
  live.changes.note();
}

/** Moves to the head; a heartbeat does it too, in case nobody told us (W7). */
function catchUp(live: Live, state: PlaneState): void {
  if (state.version === live.head) return;
  live.head = state.version;
  live.progress.recorded(state.version);
  live.cuts.update(state, live.options.plane.policies());
}

function push(live: Live): void {
  const at = live.moment();
  for (const session of live.sessions.values()) pushTo(session, live.cuts.of(session.identity), at, 'restrictions-only');
  live.queue.add(live.sessions.values());
}

function relabel(live: Live, session: Session, state: PlaneState, seq: number): void {
  session.identity = { server: session.key.server, labels: state.hosts.get(session.key.host)?.labels ?? {} };
  session.link = relabelled(session.link, seq);
  greet(live, session, state);
}

/** False where this log does not go on from what the proxy has seen of it; then it is sent away. */
function greet(live: Live, session: Session, state: PlaneState): boolean {
  const { options, notary, cuts } = live;
  const made = notary.show(session.tree);
  if (!made.ok) {
    refused(live, { reason: 'other-history', hello: session.hello, proved: true, from: null });
    drop(session, 'other-history');
    return false;
  }
  session.tree = made.head;
  welcome(session, { state, wanted: cuts.of(session.identity), shown: made.shown, sign: options.keys.sign, nowMs: options.now() });
  return true;
}

/** Those who stay connected are shown the tree as it grows, so that a log that is rewritten behind them is found without a new connection. */
function showTrees(live: Live): void {
  const { notary, options } = live;
  const frames = new Map<ShownHead, string>();
  for (const session of live.sessions.values()) {
    if (session.tree?.size === options.plane.state().size) continue;
    const made = notary.show(session.tree);
    if (!made.ok) continue;
    const frame = frames.get(made.shown) ?? plainFrame({ frame: 'checkpoint', ...made.shown });
    frames.set(made.shown, frame);
    session.tree = made.head;
    session.socket.send(frame);
  }
}

function admit(live: Live, { socket, hello, host }: { readonly socket: WebSocket; readonly hello: HelloHeader; readonly host: Host }): void {
  const { plane, decisions, now } = live.options;
  const at = now();
  const name = nameOf(hello);
  const before = live.sessions.get(name);
  const barred = before?.link.barred ?? live.barred.get(`${name} ${hello.build}`) ?? new Map<string, Refused>();
  if (before !== undefined) drop(before, 'replaced');
  else if (sessionsOf(live, hello.host).length >= MAX_PROXIES_PER_HOST) {
    refused(live, { reason: 'too-many', hello, proved: true, from: null });
    return closeSocket(socket, 'too-many', live.timers);
  }
  live.ledger.takeCounter(hello.host, hello.counter, at);
  const session = makeSession({ socket, hello, host, barred, at: live.moment(), timers: live.timers });
  socket.on('error', () => socket.terminate());
  if (!greet(live, session, plane.state())) return;
  live.apart.delete(hello.host);
  live.turnedAway.admitted(hello);
  live.sessions.set(name, session);
  live.ledger.seen({ ...session.key, upstream: hello.upstream, atMs: at });
  socket.once('close', () => gone(live, session));
  hold(live, session, session.link.held);
  pushTo(session, live.cuts.of(session.identity), live.moment(), 'everything');
  listen(session, { decisions, now: live.moment, onHeld: (from, held) => hold(live, from, held), onChange: live.changes.note });
}

/** Somebody was not let in. Whoever is apart is proved, so that there are no more of them than enrolled hosts. */
function refused(live: Live, knock: Knock): void {
  const { proved, hello } = knock;
  const apart = proved && hello !== null ? apartBy(knock.reason, hello) : null;
  const before = hello === null ? undefined : live.apart.get(hello.host);
  if (apart !== null && hello !== null) live.apart.set(hello.host, apart);
  const news = live.turnedAway.note(knock, live.options.now());
  if (news || (apart !== null && (before?.log !== apart.log || before.size !== apart.size))) live.changes.note();
}

function turnedAway(live: Live): readonly TurnedAway[] {
  const { log, size, hosts } = live.options.plane.state();
  return live.turnedAway.list({ log, size, nameOf: (host) => hosts.get(host)?.name ?? null }, live.options.now());
}

function gone(live: Live, session: Session): void {
  if (!isHere(live, session)) return;
  const name = nameOf(session.key);
  live.sessions.delete(name);
  if (session.link.barred.size > 0) remember(live.barred, `${name} ${session.hello.build}`, session.link.barred);
  live.ledger.gone(session.key, live.options.now(), session.ended);
  live.changes.note();
}

/** A proxy says what it holds: which version is that, since when, and is there more to send? */
function hold(live: Live, session: Session, held: Held): void {
  const { policies, restrictions } = held;
  const at = live.options.now();
  if (policies !== null && restrictions !== null && live.ledger.holds(session.key, { policies, restrictions }, at, session.offeredMs ?? at)) live.begun.note();
  if (Object.values(session.link.sent).every((sent) => sent === null)) session.offeredMs = null;
  const wanted = live.cuts.of(session.identity);
  const met = enforces(held, wanted) ? wanted : session.wants.findLast((want) => enforces(held, want));
  if (met !== undefined && met.version > session.enforced) {
    live.progress.enforced(session.enforced, met.version);
    session.enforced = met.version;
    session.sinceMs = at;
  }
  live.queue.add([session]);
  live.changes.note();
}

/** Once in a while: the lease, signed once for all, and a look at who is silent or slow. */
function beat(live: Live): void {
  const { plane, keys, now } = live.options;
  const state = plane.state();
  catchUp(live, state);
  const at = now();
  const header = canonicalJson({ log: state.log, version: state.version, time: at } satisfies LeaseHeader);
  const frame = Buffer.from(signedFrame('heartbeat', header, signHeader(keys.sign, 'lease', header)));
  const { ticks } = live.moment();
  for (const session of live.sessions.values()) {
    if (ticks - session.lastHeardTicks > linkLimits.SILENCE_MS) drop(session, 'silent');
    else if (isSlow(session.link, ticks)) drop(session, 'slow');
    else {
      session.leased = { time: at, ticks };
      session.socket.send(frame, { binary: false });
    }
  }
  push(live);
}

function isHere(live: Live, session: Session): boolean {
  return live.sessions.get(nameOf(session.key)) === session;
}

function sessionsOf(live: Live, host: string): readonly Session[] {
  return [...live.sessions.values()].filter(({ key }) => key.host === host);
}

function rosterOf(live: Live): Roster {
  return {
    state: live.options.plane.state(),
    sessions: live.sessions.values(),
    stored: live.ledger.proxies(),
    wanted: (session) => live.cuts.of(session.identity),
    copied: (host) => live.ledger.copied(host),
    apart: (host) => live.apart.get(host) ?? null,
  };
}

function nameOf({ host, server, boot }: { readonly host: string; readonly server: string; readonly boot: string }): string {
  return JSON.stringify([host, server, boot]);
}

/** A full disk costs history, never enforcement. */
function flushQuietly(ledger: Ledger): void {
  try {
    ledger.flush();
  } catch (error) {
    process.emitWarning(`fleet.db could not be written, what proxies enforced meanwhile is not kept: ${error instanceof Error ? error.message : String(error)}`);
  }
}

function remember(barred: Map<string, ReadonlyMap<string, Refused>>, name: string, refused: ReadonlyMap<string, Refused>): void {
  barred.delete(name);
  barred.set(name, refused);
  for (const oldest of barred.keys()) if (barred.size > MAX_REMEMBERED) barred.delete(oldest);
}

/** Tells every proxy that the plane goes away and when to come back; waits a moment for the sockets to close. */
async function farewell(sessions: readonly Session[], timers: Timers): Promise<void> {
  const goodbye = Buffer.from(plainFrame({ frame: 'goodbye', reason: 'the plane is going away', retryAfterMs: RETURN_MS }));
  const closed = sessions.map((session) => {
    session.socket.send(goodbye, { binary: false });
    const waiting = new Promise<void>((resolve) => session.socket.once('close', () => resolve()));
    drop(session, 'going-away');
    return waiting;
  });
  await Promise.race([Promise.all(closed), new Promise<void>((resolve) => timers.after(FAREWELL_MS, resolve))]);
  for (const session of sessions) session.socket.terminate();
}


/** One proxy's socket: frames in, frames out. What to send is the link's (domain/link.ts) to say. */
import { canonicalJson, linkLimits, plainFrame, readUp, signHeader, welcomeFrame } from '@portcullis/policy-core';
import type { CloseReason, Held, HelloHeader, ProxyIdentity, ShownHead, SignBytes, TreeMark, UpFrame, WelcomeHeader } from '@portcullis/policy-core';
import type { WebSocket } from 'ws';
import type { DecisionStore } from '../decisions/decisions.ts';
import { acknowledged, missed, openLink, plan, refused } from '../domain/link.ts';
import type { Link, Refused, Urgency, Want } from '../domain/link.ts';
import type { Host, PlaneState } from '../domain/state.ts';
import type { Timers } from '../timers.ts';
import type { Wanted } from './cuts.ts';
import { closeSocket, textOf } from './door.ts';
import type { ProxyKey } from './ledger.ts';

/** A proxy that is here. The shell's own record: replaced fields, no hidden state. */
export interface Session {
  readonly socket: WebSocket;
  readonly timers: Timers;
  readonly key: ProxyKey;
  readonly hello: HelloHeader;
  /** The same object until the host's labels change. */
  identity: ProxyIdentity;
  link: Link;
  /** By the wall clock, for people. */
  lastHeardMs: number;
  /** By the clock that nobody sets. */
  lastHeardTicks: number;
  /** The head of the log's tree that it was shown last. */
  tree: TreeMark | null;
  /** The last lease that it was sent, and when by that clock. */
  leased: { readonly time: number; readonly ticks: number } | null;
  /** The highest version that it is known to have enforced. */
  enforced: number;
  /** When it first acknowledged what it holds now. */
  sinceMs: number | null;
  /** What it was wanted to enforce lately, newest last: an answer may be to one before the last. */
  wants: readonly Want[];
  /** When it was first sent something that it has not answered for: until then it had what it said last. */
  offeredMs: number | null;
  linkProblem: string | null;
  ended: boolean;
  /** Decision frames that it may still send in this second. */
  credit: number;
}

/** One moment by two clocks: the wall clock, which people read, and one that nobody sets, which says how long something takes. */
export interface Moment {
  readonly nowMs: number;
  readonly ticks: number;
}

/** A proxy that has proved its host's key, and what it refused before. */
export interface Arrival {
  readonly socket: WebSocket;
  readonly hello: HelloHeader;
  readonly host: Host;
  readonly barred: ReadonlyMap<string, Refused>;
  readonly at: Moment;
  readonly timers: Timers;
}

/** Wants remembered per proxy: more changes than this within one round trip are answered by the newest anyway. */
const MAX_WANTS = 8;
/** What may wait in a socket's buffer besides one snapshot before its proxy counts as one that does not read. */
const MAX_WAITING_BYTES = 2 * 1024 * 1024;
/** Decision frames a second: ten thousand decisions. */
const DECISION_FRAMES_PER_SECOND = 20;

export function makeSession({ socket, hello, host, barred, at, timers }: Arrival): Session {
  const held = { policies: hello.policies, restrictions: hello.restrictions, pending: hello.pending, inFlight: 0 };
  return {
    socket,
    timers,
    key: { host: hello.host, server: hello.server, boot: hello.boot },
    hello,
    identity: { server: hello.server, labels: host.labels },
    link: openLink(held, host.since, barred),
    lastHeardMs: at.nowMs,
    lastHeardTicks: at.ticks,
    tree: hello.checkpoint,
    leased: null,
    enforced: -1,
    sinceMs: null,
    wants: [],
    offeredMs: null,
    linkProblem: null,
    ended: false,
    credit: DECISION_FRAMES_PER_SECOND,
  };
}

/** Sends what the link wants sent now; false where the proxy does not read and has been dropped. */
export function pushTo(session: Session, wanted: Wanted, at: Moment, urgency: Urgency): boolean {
  const { link, send } = plan(session.link, wanted, at.ticks, urgency);
  session.link = link;
  if (session.wants.at(-1)?.version !== wanted.version) {
    const { version, policies, restrictions, restrictionsVersion } = wanted;
    session.wants = [...session.wants, { version, policies, restrictions, restrictionsVersion }].slice(-MAX_WANTS);
  }
  if (send.length > 0) session.offeredMs ??= at.nowMs;
  for (const lane of send) {
    const frame = wanted.frame(lane);
    if (session.socket.bufferedAmount > MAX_WAITING_BYTES + (link.sent.snapshot === null ? 0 : linkLimits.MAX_DOWN_BYTES)) {
      drop(session, 'slow');
      return false;
    }
    session.socket.send(frame, { binary: false });
  }
  return true;
}

/** Greets a proxy with what only it can be told: the answer to its nonce. */
export function welcome(session: Session, { state, wanted, shown, sign, nowMs }: Greeting): void {
  const { hello, identity } = session;
  const header = canonicalJson({
    log: state.log,
    host: hello.host,
    server: hello.server,
    boot: hello.boot,
    nonce: hello.answer,
    labels: identity.labels,
    version: wanted.version,
    policies: wanted.policies,
    restrictions: wanted.restrictions,
    time: nowMs,
  } satisfies WelcomeHeader);
  session.socket.send(welcomeFrame(header, signHeader(sign, 'welcome', header), shown, state.rotations));
}

export interface Greeting {
  readonly state: PlaneState;
  readonly wanted: Wanted;
  readonly shown: ShownHead;
  readonly sign: SignBytes;
  readonly nowMs: number;
}

export function drop(session: Session, reason: CloseReason): void {
  closeSocket(session.socket, reason, session.timers);
  // A proxy that does not read would keep what was sent to it in memory until the close is answered.
  if (reason === 'slow' || reason === 'silent') session.socket.terminate();
}

export interface Hearing {
  readonly decisions: DecisionStore;
  readonly now: () => Moment;
  /** The proxy said what it holds. */
  readonly onHeld: (session: Session, held: Held) => void;
  /** Something that operators see has changed. */
  readonly onChange: () => void;
}

/** Starts to listen. */
export function listen(session: Session, hearing: Hearing): void {
  const { socket } = session;
  socket.on('message', (data, binary) => {
    const at = hearing.now();
    session.lastHeardMs = at.nowMs;
    session.lastHeardTicks = at.ticks;
    const frame = binary ? null : readUp(textOf(data));
    if (frame?.ok !== true || frame.value.frame === 'hello') {
      session.linkProblem = frame === null || frame.ok ? 'sent a frame that has no place there' : `sent a frame that cannot be read: ${frame.message}`;
      drop(session, 'bad-frame');
      return;
    }
    hear(session, frame.value, hearing);
  });
  socket.resume();
}

function hear(session: Session, frame: Exclude<UpFrame, { frame: 'hello' }>, hearing: Hearing): void {
  switch (frame.frame) {
    case 'ack':
    case 'heartbeat':
      session.credit = DECISION_FRAMES_PER_SECOND * HEARTBEAT_SECONDS;
      session.link = acknowledged(session.link, { policies: frame.policies, restrictions: frame.restrictions, pending: frame.pending, inFlight: frame.inFlight });
      if (session.leased !== null && frame.heard === session.leased.time) session.link = missed(session.link, session.leased.ticks);
      hearing.onHeld(session, session.link.held);
      return;
    case 'nack':
      session.linkProblem = frame.part === 'link' ? (frame.problems[0] ?? null) : session.linkProblem;
      if (frame.part !== 'link') session.link = refused(session.link, frame, hearing.now().ticks);
      hearing.onChange();
      return;
    case 'decisions':
      takeDecisions(session, frame.rows, hearing);
      return;
    case 'goodbye':
      session.ended = true;
      session.socket.close(1000);
      return;
  }
}

/** A proxy says that it is alive about as often as the plane does. */
const HEARTBEAT_SECONDS = linkLimits.HEARTBEAT_MS / 1000;

function takeDecisions(session: Session, rows: Extract<UpFrame, { frame: 'decisions' }>['rows'], { decisions }: Hearing): void {
  const last = rows.at(-1);
  if (last === undefined) return;
  session.credit -= 1;
  if (session.credit < 0 || rows.some(({ boot }) => boot !== last.boot)) {
    session.linkProblem = session.credit < 0 ? 'sends decisions faster than they are taken' : 'mixed the decisions of two boots';
    drop(session, session.credit < 0 ? 'too-many' : 'bad-frame');
    return;
  }
  decisions.ingest({ host: session.key.host, server: session.key.server }, rows);
  session.socket.send(plainFrame({ frame: 'decisions-ack', boot: last.boot, n: last.n }));
}

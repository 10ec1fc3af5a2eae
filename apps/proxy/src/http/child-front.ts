/**
 * The listener in front of child processes. Up to 2025-11-25 every session has a child of its own, from `initialize` to DELETE or
 * until it has been idle for long. From 2026-07-28 on there are no sessions: each request has a child to itself while it lasts, and
 * a child is used again only by the client (by its credentials and what it calls itself) that it was started for.
 */
import { createHash, randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { failure } from '../relay/answers.ts';
import { CLIENT_CAPABILITIES_KEY, CLIENT_INFO_KEY, PROTOCOL_VERSION_KEY } from '../relay/era.ts';
import type { Gate } from '../relay/gate.ts';
import type { RelayLimits } from '../relay/limits.ts';
import { INVALID_PARAMS, INVALID_REQUEST, isObject, own } from '../relay/message.ts';
import type { Message } from '../relay/message.ts';
import type { Known, Vet } from '../relay/state.ts';
import { createConversation } from './conversation.ts';
import type { Front } from './listener.ts';
import { HEADER_MISMATCH, mismatchOf } from './mcp-headers.ts';
import { createParamHeaders } from './param-headers.ts';
import type { ParamHeaders } from './param-headers.ts';
import type { Reply } from './reply.ts';
import { createSeat } from './seat.ts';
import type { Seat, SeatCommand } from './seat.ts';

export interface ChildFrontOptions extends SeatCommand {
  readonly gate: Gate;
  readonly limits: RelayLimits;
  readonly idle: IdleLimits;
}

/** How long a child is kept for nobody. */
export interface IdleLimits {
  readonly sessionMs: number;
  readonly requestMs: number;
}

/** A person may leave an agent for lunch; a child that serves single requests is soon started again. */
export const DEFAULT_IDLE: IdleLimits = { sessionMs: 60 * 60_000, requestMs: 5 * 60_000 };

/** Children at once, and so sessions: each is a process of some 50 MB. */
const MAX_CHILDREN = 256;
/** Between the end of a child's input and SIGTERM. */
const STOP_GRACE_MS = 2_000;
/** The same when the listener itself ends. */
const CLOSE_GRACE_MS = 300;
/** A longer answer is no error that has a status of its own. */
const MAX_ERROR_BYTES = 64 * 1024;
const PATH = '/mcp';
/** JSON-RPC errors that 2026-07-28 gives an HTTP status of their own. */
const STATUS_OF: ReadonlyMap<number, number> = new Map([[-32601, 404], [HEADER_MISMATCH, 400], [-32021, 400], [-32022, 400]]);

interface ChildFront extends ChildFrontOptions {
  readonly sessions: Map<string, Seat>;
  /** Free children of 2026-07-28, the one used last at the end. */
  readonly free: Map<string, Pooled[]>;
  readonly children: Set<Seat>;
  /** On their way out. */
  readonly retiring: Set<Seat>;
}

interface Pooled {
  readonly seat: Seat;
  readonly params: ParamHeaders;
}

export function createChildFront(options: ChildFrontOptions): Front {
  const timer = setInterval(() => endIdle(front), Math.max(10, Math.min(options.idle.sessionMs, options.idle.requestMs) / 4));
  const front: ChildFront = { ...options, sessions: new Map(), free: new Map(), children: new Set(), retiring: new Set() };
  return {
    path: PATH,
    post: (line, request, reply) => post(front, line, request, reply),
    get(request, reply) {
      const seat = front.sessions.get(header(request, 'mcp-session-id') ?? '');
      if (seat === undefined) noSession(reply, request);
      else if (!(request.headers.accept ?? '').includes('text/event-stream')) reply.endWith(406, {}, null);
      else if (seat.conversation.own() !== null) reply.endWith(409, { 'content-type': 'application/json' }, Buffer.from(failure(null, INVALID_REQUEST, 'This session has a stream already')));
      else seat.listen(reply);
      return Promise.resolve();
    },
    end(request, reply) {
      const seat = front.sessions.get(header(request, 'mcp-session-id') ?? '');
      if (seat === undefined) noSession(reply, request);
      else {
        retire(front, seat);
        reply.endWith(200, {}, null);
      }
      return Promise.resolve();
    },
    other: () => Promise.resolve(false),
    async close() {
      clearInterval(timer);
      const all = [...front.children, ...front.retiring];
      for (const seat of all) seat.stop(CLOSE_GRACE_MS);
      await Promise.all(all.map(({ ended }) => ended));
    },
  };
}

async function post(front: ChildFront, line: Buffer, request: IncomingMessage, reply: Reply): Promise<void> {
  const sessionId = header(request, 'mcp-session-id');
  const glance = glanceAt(line);
  if (glance.kind === 'modern') return serveOne(front, line, request, reply, glance.client);
  if (sessionId !== null) {
    const seat = front.sessions.get(sessionId);
    if (seat === undefined) return refuse(front, line, reply, 404, 'the session is not known here, or over: begin another one');
    return seat.ask(line, reply, vetFor(request, reply, null, seat.conversation.session.revision()));
  }
  if (glance.kind !== 'initialize') return refuse(front, line, reply, 400, 'a message outside a session: begin with initialize, or say the protocol version in _meta', INVALID_PARAMS);
  const seat = take(front, {});
  if (seat === null) return refuse(front, line, reply, 503, `${MAX_CHILDREN} sessions are open, and none is idle`);
  const id = randomUUID();
  front.sessions.set(id, seat);
  void seat.ended.then(() => front.sessions.delete(id));
  reply.head({ headers: { 'mcp-session-id': id } });
  await seat.ask(line, reply, vetFor(request, reply, null, null));
}

/** One request, with a child to itself until it is answered. A child whose request was given up is not used again: it may still speak of it. */
async function serveOne(front: ChildFront, line: Buffer, request: IncomingMessage, reply: Reply, client: string): Promise<void> {
  const key = createHash('sha256').update(JSON.stringify([request.headers.authorization ?? '', client])).digest('base64');
  const pooled = front.free.get(key)?.pop() ?? pool(front);
  if (pooled === null) return refuse(front, line, reply, 503, `${MAX_CHILDREN} requests are open`);
  const { seat, params } = pooled;
  reply.head({ status: statusOfError });
  reply.onClose(() => {
    seat.conversation.setOwn(null);
    if (seat.busy()) seat.stop(STOP_GRACE_MS);
    else if (front.children.has(seat)) front.free.set(key, [...(front.free.get(key) ?? []), pooled]);
  });
  // A subscription is told of changes in its own answer.
  seat.conversation.setOwn(reply);
  await seat.ask(line, reply, vetFor(request, reply, params, null));
}

function pool(front: ChildFront): Pooled | null {
  const params = createParamHeaders();
  const seat = take(front, { learnTools: params.learn });
  return seat === null ? null : { seat, params };
}

/** Starts a child. Where there are too many, the one that has been idle longest ends; null where none is idle. */
function take(front: ChildFront, known: Known): Seat | null {
  if (front.children.size >= MAX_CHILDREN) {
    const idle = [...front.children].filter((seat) => !seat.busy()).sort((a, b) => a.idleSince() - b.idleSince())[0];
    if (idle === undefined) return null;
    retire(front, idle);
  }
  const seat = createSeat(front, front.gate, front.limits, known);
  front.children.add(seat);
  void seat.ended.then(() => leave(front, seat));
  return seat;
}

function retire(front: ChildFront, seat: Seat): void {
  leave(front, seat);
  for (const [id, one] of front.sessions) if (one === seat) front.sessions.delete(id);
  front.retiring.add(seat);
  void seat.ended.then(() => front.retiring.delete(seat));
  seat.stop(STOP_GRACE_MS);
}

function leave(front: ChildFront, seat: Seat): void {
  front.children.delete(seat);
  for (const [key, pooled] of front.free) {
    const left = pooled.filter((one) => one.seat !== seat);
    if (left.length === 0) front.free.delete(key);
    else if (left.length < pooled.length) front.free.set(key, left);
  }
}

function endIdle(front: ChildFront): void {
  const now = performance.now();
  const sessions = new Set(front.sessions.values());
  for (const seat of front.children) {
    const patience = sessions.has(seat) ? front.idle.sessionMs : front.idle.requestMs;
    if (!seat.busy() && now - seat.idleSince() > patience) retire(front, seat);
  }
}

/* What is against a message before policy is asked */

/** `params` is given where the upstream has no eyes for headers, and must be told everything by the body. */
function vetFor(request: IncomingMessage, reply: Reply, params: ParamHeaders | null, revision: string | null): Vet {
  return (message) => {
    const said = header(request, 'mcp-protocol-version');
    const mismatch = mismatchOf(message, (name) => header(request, name), params ?? NO_PARAMS, params !== null);
    const other = params === null && said !== null && revision !== null && said !== revision;
    const bare = params !== null && lacksCapabilities(message);
    if (mismatch === null && !other && !bare) return null;
    reply.head({ status: () => 400 });
    if (bare) return { code: INVALID_PARAMS, detail: `_meta has no ${CLIENT_CAPABILITIES_KEY}` };
    return mismatch === null ? { code: INVALID_REQUEST, detail: `MCP-Protocol-Version is ${JSON.stringify(said)}, and the session agreed on ${JSON.stringify(revision)}` } : { code: HEADER_MISMATCH, detail: mismatch };
  };
}

/** Over HTTP this is said with a status of its own, which a process cannot give. */
function lacksCapabilities(message: Message): boolean {
  const meta = message.kind === 'request' ? own(message.params, '_meta') : undefined;
  return isObject(meta) && !isObject(own(meta, CLIENT_CAPABILITIES_KEY));
}

const NO_PARAMS = createParamHeaders();

/** Answers what reaches no child: with what is wrong with it as a message, if it is none, else with what is wrong with where it came. */
function refuse(front: ChildFront, line: Buffer, reply: Reply, status: number, detail: string, code = INVALID_REQUEST): void {
  const stray = createConversation(front.gate, front.limits);
  stray.fromAgent(line, reply, () => {
    reply.head({ status: () => status });
    return { code, detail };
  });
  reply.end();
  stray.close();
}

function noSession(reply: Reply, request: IncomingMessage): void {
  const [status, detail] = header(request, 'mcp-session-id') === null ? [405, 'a session begins with a POST of initialize'] : [404, 'the session is not known here, or over'];
  reply.endWith(status, { 'content-type': 'application/json' }, Buffer.from(failure(null, INVALID_REQUEST, detail)));
}

function statusOfError(line: Buffer | string): number | null {
  if (line.length > MAX_ERROR_BYTES) return null;
  try {
    const { error } = JSON.parse(line.toString()) as { readonly error?: { readonly code?: unknown } };
    return typeof error?.code === 'number' ? (STATUS_OF.get(error.code) ?? null) : null;
  } catch {
    return null;
  }
}

type Glance = { readonly kind: 'modern'; readonly client: string } | { readonly kind: 'initialize' | 'other' };

/** Which child a body is for. It is judged by the session that it then comes to, which reads it anew and strictly. */
function glanceAt(line: Buffer): Glance {
  try {
    const { method, params } = JSON.parse(line.toString('utf8')) as { readonly method?: unknown; readonly params?: { readonly _meta?: Readonly<Record<string, unknown>> } };
    const meta = params?._meta;
    if (typeof meta?.[PROTOCOL_VERSION_KEY] === 'string') return { kind: 'modern', client: JSON.stringify(meta[CLIENT_INFO_KEY] ?? null) };
    return { kind: method === 'initialize' ? 'initialize' : 'other' };
  } catch {
    return { kind: 'other' };
  }
}

/** Headers that may not be repeated were refused at the door. */
function header(request: IncomingMessage, name: string): string | null {
  const value = request.headers[name];
  return typeof value === 'string' ? value : null;
}

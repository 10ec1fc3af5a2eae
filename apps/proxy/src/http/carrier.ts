/**
 * Carries a session's messages to a Streamable HTTP upstream and its answers back: one POST a message, in order; a request that
 * waits holds up only itself. What differs between the eras stands in upstream-session.ts and mcp-headers.ts.
 */
import type { IncomingMessage } from 'node:http';
import type { JsonObject } from '@portcullis/policy-core';
import { content } from '../relay/framing.ts';
import type { RelayLimits } from '../relay/limits.ts';
import { isObject, own } from '../relay/message.ts';
import type { Id, Message, Request } from '../relay/message.ts';
import type { Session } from '../relay/session.ts';
import type { Exchange, Remote } from '../upstream/remote.ts';
import { bodyKind, readEvents, readWhole } from './answer.ts';
import { HEADER_MISMATCH, headersFor, revisionOf } from './mcp-headers.ts';
import type { ParamHeaders } from './param-headers.ts';
import { createUpstreamSession, POST_HEADERS } from './upstream-session.ts';
import type { StreamEnd, UpstreamSession } from './upstream-session.ts';

export interface Carrier {
  /** Takes one line for the upstream. Resolves when the next one may go. */
  carry(line: Buffer, messages: readonly Message[]): Promise<void>;
  /** To be told of every line that goes to the agent. */
  answered(messages: readonly Message[]): void;
  /** Ends everything that is open, and the session at the upstream. */
  stop(graceMs: number): Promise<void>;
}

export interface CarrierOptions {
  readonly remote: Remote;
  readonly limits: RelayLimits;
  readonly session: () => Session;
  readonly params: ParamHeaders;
  /** Records what is not passed on. */
  readonly refuse: (what: string, detail: string) => void;
  /** Waits until the agent's side takes more. */
  readonly room: () => Promise<void> | null;
}

/** One POST, and the requests in it that have no answer yet. */
interface Posted {
  readonly body: Buffer;
  readonly messages: readonly Message[];
  readonly modern: boolean;
  readonly waiting: Set<Id>;
  exchange: Exchange;
  /** The session that it was sent in. */
  sessionId: string | null;
  /** Called when nothing waits any more. */
  settled: () => void;
}

/** A notification is taken at once or not at all; what stands behind it waits no longer than this. */
const ACCEPT_MS = 10_000;
/** Resumptions of one answer that fail one after another. */
const MAX_FAILED_RESUMPTIONS = 5;

export function createCarrier(options: CarrierOptions): Carrier {
  const carriage: Carriage = { ...options, upstream: createUpstreamSession(options.remote, () => options.session().revision()), owners: new Map(), open: new Set(), stopped: false };
  return {
    carry(line, messages) {
      if (carriage.stopped || messages.some((message) => cancel(carriage, message))) return Promise.resolve();
      return new Promise((resolve) => {
        const begins = messages.some((message) => message.kind === 'request' && message.method === 'initialize');
        const asks = messages.some((message) => message.kind === 'request');
        const posted = post(carriage, content(line), messages, () => {
          if (asks && !begins) resolve();
        });
        posted.settled = resolve;
        if (!asks) setTimeout(resolve, ACCEPT_MS).unref();
        void follow(carriage, posted, true);
      });
    },
    answered(messages) {
      for (const message of messages) {
        if (message.kind !== 'response' || message.id === null) continue;
        const posted = carriage.owners.get(message.id);
        carriage.owners.delete(message.id);
        posted?.waiting.delete(message.id);
        if (posted?.waiting.size === 0) posted.settled();
      }
    },
    async stop(graceMs) {
      carriage.stopped = true;
      await carriage.upstream.stop(graceMs);
      for (const posted of carriage.open) posted.exchange.abort();
      options.remote.close();
    },
  };
}

interface Carriage extends CarrierOptions {
  readonly upstream: UpstreamSession;
  /** The POST that each request without an answer went out with. */
  readonly owners: Map<Id, Posted>;
  readonly open: Set<Posted>;
  stopped: boolean;
}

function post(carriage: Carriage, body: Buffer, messages: readonly Message[], onSent: () => void): Posted {
  const requests = messages.filter((message): message is Request => message.kind === 'request');
  const modern = messages.some((message) => revisionOf(message) !== null);
  const exchange = send(carriage, body, messages, modern, onSent);
  const posted: Posted = { body, messages, modern, waiting: new Set(requests.map(({ id }) => id)), exchange, sessionId: carriage.upstream.id(), settled: () => undefined };
  for (const { id } of requests) carriage.owners.set(id, posted);
  carriage.open.add(posted);
  return posted;
}

function send({ remote, session, params, upstream }: Carriage, body: Buffer, messages: readonly Message[], modern: boolean, onSent: () => void): Exchange {
  const begins = messages.some((message) => message.kind === 'request' && message.method === 'initialize');
  const own = begins || modern ? {} : upstream.headers(session().revision());
  return remote.send({ method: 'POST', headers: { ...POST_HEADERS, ...own, ...(messages[0] === undefined ? {} : headersFor(messages[0], params)) }, body, onSent });
}

async function follow(carriage: Carriage, posted: Posted, mayRetry: boolean): Promise<void> {
  const { upstream } = carriage;
  const { sessionId } = posted;
  const answer = await posted.exchange.answer;
  if (!answer.ok) return giveUp(carriage, posted, answer.problem);
  const { status, message } = answer;
  if (mayRetry && status === 404 && sessionId !== null && !posted.modern) {
    message.resume();
    if (await upstream.renew(sessionId)) return again(carriage, posted);
    return giveUp(carriage, posted, 'The upstream has forgotten the session and begins no other');
  }
  noteProgress(carriage, posted, message);
  if (status >= 300 && status < 400) {
    message.destroy();
    return giveUp(carriage, posted, `The upstream answers with a redirect (HTTP ${status}) to ${shown(message.headers.location)}, which is not followed: give the URL where it really is`);
  }
  const taken = await take(carriage, posted, message, mayRetry);
  if (taken.again) return again(carriage, posted);
  giveUp(carriage, posted, `The upstream answered HTTP ${status}${status === 401 ? ' (it wants credentials; give them with --header)' : ''}${taken.said === null ? ' and no message' : `: ${taken.said}`}`);
}

function again(carriage: Carriage, posted: Posted): Promise<void> {
  if (carriage.stopped) return Promise.resolve();
  posted.exchange = send(carriage, posted.body, posted.messages, posted.modern, () => undefined);
  return follow(carriage, posted, false);
}

/** Up to 2025-11-25 two messages begin a session, and the second one opens the upstream's own stream. */
function noteProgress(carriage: Carriage, { body, messages, modern }: Posted, answer: IncomingMessage): void {
  const status = answer.statusCode ?? 0;
  if (modern || status < 200 || status >= 300) return;
  for (const sent of messages) {
    if (sent.kind === 'request' && sent.method === 'initialize') {
      carriage.upstream.begun(answer);
      carriage.upstream.remember('initialize', body);
    }
    if (sent.kind === 'notification' && sent.method === 'notifications/initialized') {
      carriage.upstream.remember('initialized', body);
      carriage.upstream.listen((message) => events(carriage, message, () => false));
    }
  }
}

interface Taken {
  /** The request should be sent once more. */
  readonly again: boolean;
  /** What the upstream said to nobody in particular. */
  readonly said: string | null;
}

const TAKEN: Taken = { again: false, said: null };

/** Reads the answer into the session. */
async function take(carriage: Carriage, posted: Posted, message: IncomingMessage, mayRetry: boolean): Promise<Taken> {
  switch (bodyKind(message)) {
    case 'json': {
      const line = await readWhole(message, carriage.limits.maxLineBytes);
      if (line === null || line.length <= 1) return TAKEN;
      const failed = (message.statusCode ?? 0) >= 400;
      const error = failed ? errorIn(line) : null;
      if (error !== null && mayRetry && posted.modern && error.code === HEADER_MISMATCH && (await relearn(carriage, posted))) return { again: true, said: null };
      // An error without id is told to the request that it is about: on this transport nobody else knows whose it is.
      if (error?.hasId === false) return { again: false, said: error.message };
      if (posted.waiting.size > 0) carriage.session().server.line(line);
      return TAKEN;
    }
    case 'events':
      await resumed(carriage, posted, await events(carriage, message, () => posted.waiting.size === 0));
      return TAKEN;
    case 'other':
    case 'unreadable':
      // What is neither is no message; it is read to its end so that the connection can be used again.
      message.resume();
      return TAKEN;
  }
}

/** An answer that breaks off may go on under the same event ids, up to 2025-11-25. */
async function resumed(carriage: Carriage, posted: Posted, first: StreamEnd): Promise<void> {
  let end = first;
  for (let failures = 0; !carriage.stopped && !posted.modern && posted.waiting.size > 0 && end.lastEventId !== null && failures < MAX_FAILED_RESUMPTIONS; ) {
    await new Promise((resolve) => setTimeout(resolve, end.retryMs ?? 1_000));
    const message = await carriage.upstream.resume(end.lastEventId);
    const next = message === null ? null : await events(carriage, message, () => posted.waiting.size === 0);
    failures = next === null || next.lastEventId === null ? failures + 1 : 0;
    end = { lastEventId: next?.lastEventId ?? end.lastEventId, retryMs: next?.retryMs ?? end.retryMs };
  }
}

async function events({ session, limits, refuse, room }: Carriage, message: IncomingMessage, done: () => boolean): Promise<StreamEnd> {
  const end: { lastEventId: string | null; retryMs: number | null } = { lastEventId: null, retryMs: null };
  const { server } = session();
  await readEvents(message, limits.maxLineBytes, {
    event(event) {
      if (event.id !== null) end.lastEventId = event.id;
      if (event.retryMs !== null) end.retryMs = event.retryMs;
      if (event.data === null) return;
      if (event.type !== '' && event.type !== 'message') refuse('event from the upstream', `of the type ${JSON.stringify(event.type)}`);
      else server.line(event.data);
    },
    comment: () => undefined,
    tooLong: server.tooLong,
  }, () => {
    if (done()) message.destroy();
    return room();
  });
  return end;
}

/** The upstream wants headers that the list of tools would have told us to send. */
async function relearn({ remote, params, limits }: Carriage, posted: Posted): Promise<boolean> {
  const call = posted.messages.find((message): message is Request => message.kind === 'request' && message.method === 'tools/call');
  const meta = call === undefined ? undefined : own(call.params, '_meta');
  if (call === undefined || !isObject(meta)) return false;
  const body = Buffer.from(JSON.stringify({ jsonrpc: '2.0', id: 'portcullis-list', method: 'tools/list', params: { _meta: meta } }));
  const list: Request = { kind: 'request', id: 'portcullis-list', method: 'tools/list', params: { _meta: meta } };
  const answer = await remote.send({ method: 'POST', headers: { ...POST_HEADERS, ...headersFor(list, params) }, body }).answer;
  if (!answer.ok) return false;
  const line = bodyKind(answer.message) === 'json' ? await readWhole(answer.message, limits.maxLineBytes) : await firstEvent(answer.message, limits.maxLineBytes);
  const result = line === null ? undefined : own(parsed(line), 'result');
  const tools = isObject(result) ? own(result, 'tools') : undefined;
  if (!Array.isArray(tools)) return false;
  params.learn(tools as readonly JsonObject[]);
  return true;
}

function giveUp(carriage: Carriage, posted: Posted, why: string): void {
  carriage.open.delete(posted);
  for (const id of [...posted.waiting]) {
    if (carriage.owners.get(id) === posted) carriage.session().abandon(id, why);
  }
  posted.waiting.clear();
  posted.settled();
}

function cancel({ owners }: Carriage, message: Message): boolean {
  const id = message.kind === 'notification' && message.method === 'notifications/cancelled' ? own(message.params, 'requestId') : undefined;
  const posted = typeof id === 'string' || typeof id === 'number' ? owners.get(id) : undefined;
  if (posted?.modern !== true) return false;
  // Closing the stream is how 2026-07-28 cancels over HTTP.
  for (const waiting of posted.waiting) owners.delete(waiting);
  posted.waiting.clear();
  posted.exchange.abort();
  return true;
}

async function firstEvent(message: IncomingMessage, maxBytes: number): Promise<Buffer | null> {
  let found: Buffer | null = null;
  await readEvents(message, maxBytes, { event: ({ data }) => (found ??= data), comment: () => undefined, tooLong: () => undefined }, () => null);
  return found;
}

const MAX_SAID_CHARACTERS = 300;

function errorIn(line: Buffer): { readonly code: number; readonly message: string; readonly hasId: boolean } | null {
  const message = parsed(line);
  const error = own(message, 'error');
  if (!isObject(error)) return null;
  const [code, text] = [own(error, 'code'), own(error, 'message')];
  const hasId = (own(message, 'id') ?? null) !== null;
  return { code: typeof code === 'number' ? code : 0, message: typeof text === 'string' ? text.slice(0, MAX_SAID_CHARACTERS) : 'an error', hasId };
}

/** Of our own exchanges with the upstream, which never reach the agent. */
function parsed(line: Buffer): JsonObject {
  try {
    const value = JSON.parse(line.toString('utf8')) as unknown;
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as JsonObject) : {};
  } catch {
    return {};
  }
}

/** A location is the upstream's own text: cut, and without what could be a secret. */
function shown(location: string | undefined): string {
  return JSON.stringify((location ?? 'nowhere').split('?', 1)[0]?.slice(0, 200) ?? '');
}

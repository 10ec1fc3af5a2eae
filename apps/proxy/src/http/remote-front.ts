/**
 * The listener in front of a Streamable HTTP upstream: a reverse proxy whose messages go through relay sessions. Sessions are the
 * upstream's; from 2026-07-28 on, and where an upstream has none, every POST stands alone. Credentials and the discovery of an
 * authorization server are the upstream's and the agent's affair and pass as they are.
 */
import { createHash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { Gate } from '../relay/gate.ts';
import type { Handshake } from '../relay/legacy.ts';
import type { RelayLimits } from '../relay/limits.ts';
import type { Message } from '../relay/message.ts';
import { createRoster } from '../relay/roster.ts';
import type { Roster } from '../relay/roster.ts';
import { createRemote } from '../upstream/remote.ts';
import type { RemoteTarget } from '../upstream/remote.ts';
import { bodyKind } from './answer.ts';
import { createConversation } from './conversation.ts';
import type { Conversation } from './conversation.ts';
import type { Front } from './listener.ts';
import { HEADER_MISMATCH, mismatchOf, revisionOf } from './mcp-headers.ts';
import { createParamHeaders } from './param-headers.ts';
import type { ParamHeaders } from './param-headers.ts';
import { requestHeaders } from './pass-headers.ts';
import { readPost } from './post-body.ts';
import { passAnswer, passRaw, pathAt, tell } from './remote-exchange.ts';
import type { Exchange, Upstream } from './remote-exchange.ts';
import type { Reply } from './reply.ts';

export interface RemoteFrontOptions {
  readonly target: RemoteTarget;
  readonly gate: Gate;
  readonly limits: RelayLimits;
  /** The agent's Authorization is for us, and not to be sent on. */
  readonly ownToken: boolean;
}

interface RemoteFront extends Upstream {
  readonly sessions: Map<string, Conversation>;
  readonly kept: Set<Conversation>;
  readonly clients: Map<string, Client>;
}

/** What is known of the lists that were shown to whoever has certain credentials. */
interface Client {
  readonly roster: Roster;
  readonly params: ParamHeaders;
}

/** Sessions that are remembered; the one used longest ago is forgotten first, and goes on without its handshake. */
const MAX_SESSIONS = 4096;
const MAX_CLIENTS = 1024;
const MAX_SESSION_ID_CHARACTERS = 4096;
/** Where an authorization server is described, or is. Nothing there is an MCP endpoint. */
const OPEN_PATH = /^\/(\.well-known(\/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)+|authorize|token|register|revoke)\/?$/;
/** Comments on a stream of our own, so that nobody on the way takes it for dead. */
const KEEP_ALIVE_MS = 25_000;
/** A session that began before us: its agent is ready, and has been promised nothing that it would miss. */
const BEGUN_EARLIER: Handshake = { clientName: null, revision: null, lists: { tools: true, resources: true, prompts: true }, ready: true };

export function createRemoteFront({ target, gate, limits, ownToken }: RemoteFrontOptions): Front {
  const without = new Set([...Object.keys(target.headers), ...(ownToken ? ['authorization'] : [])]);
  const front: RemoteFront = { remote: createRemote(target), gate, limits, without, sessions: new Map(), kept: new Set(), clients: new Map() };
  return {
    path: target.url.pathname,
    post: (line, request, reply) => post(front, line, request, reply),
    get: (request, reply) => get(front, request, reply),
    end: (request, reply) => end(front, request, reply),
    other: (request, reply) => other(front, request, reply),
    close() {
      for (const conversation of front.kept) conversation.close();
      front.remote.close();
      return Promise.resolve();
    },
  };
}

async function post(front: RemoteFront, line: Buffer, request: IncomingMessage, reply: Reply): Promise<void> {
  const sessionId = header(request, 'mcp-session-id');
  const client = clientOf(front, request);
  const conversation = conversationOf(front, sessionId, client);
  let status: number | undefined;
  const heard = conversation.fromAgent(line, reply, (message) => {
    const detail = mismatchOf(message, (name) => header(request, name), client.params, false);
    if (detail === null) return null;
    status = 400;
    return { code: HEADER_MISMATCH, detail };
  });
  for (const own of heard.own) tell(front, request, own);
  if (heard.forward === null) reply.end(status);
  else await forward(front, heard.forward.line, heard.forward.messages, { request, reply, conversation, sessionId });
  // A conversation that is no session's ends with its exchange.
  if (!front.kept.has(conversation)) conversation.close();
}

interface Posted {
  readonly request: IncomingMessage;
  readonly reply: Reply;
  readonly conversation: Conversation;
  readonly sessionId: string | null;
}

async function forward(front: RemoteFront, body: Buffer, messages: readonly Message[], { request, reply, conversation, sessionId }: Posted): Promise<void> {
  const modern = messages.some((message) => revisionOf(message) !== null);
  const exchange: Exchange = { request, reply, conversation, ids: messages.flatMap((message) => (message.kind === 'request' ? [message.id] : [])), resumable: !modern && sessionId !== null };
  // A subscription is told of changes in its own answer.
  if (modern) conversation.setOwn(reply);
  const sent = front.remote.send({ method: 'POST', path: pathAt(front, request), headers: requestHeaders(request, front.without), body });
  reply.onClose(sent.abort);
  const answer = await sent.answer;
  if (answer.ok && answer.status < 300 && !modern) {
    const begins = messages.some((message) => message.kind === 'request' && message.method === 'initialize');
    const id = begins ? (answer.message.headers['mcp-session-id'] ?? null) : sessionId;
    if (typeof id === 'string') keep(front, id, conversation);
  }
  if (answer.ok && answer.status === 404 && sessionId !== null && !modern) forget(front, sessionId);
  await passAnswer(front, exchange, answer);
}

async function get(front: RemoteFront, request: IncomingMessage, reply: Reply): Promise<void> {
  const sessionId = header(request, 'mcp-session-id');
  const conversation = (sessionId === null ? undefined : front.sessions.get(sessionId)) ?? createConversation(front.gate, front.limits, { handshake: BEGUN_EARLIER });
  const exchange: Exchange = { request, reply, conversation, ids: [], resumable: true };
  const sent = front.remote.send({ method: 'GET', path: pathAt(front, request), headers: requestHeaders(request, front.without) });
  reply.onClose(sent.abort);
  const answer = await sent.answer;
  if (!answer.ok) await passAnswer(front, exchange, answer);
  else if (answer.status === 200 && bodyKind(answer.message) === 'events') {
    conversation.setOwn(reply);
    // The head is the upstream's; the events are judged.
    await passAnswer(front, exchange, answer);
  } else if (answer.status === 405 && header(request, 'last-event-id') === null && (request.headers.accept ?? '').includes('text/event-stream')) {
    answer.message.resume();
    await ownStream(conversation, reply);
  } else if (answer.status >= 300 && answer.status < 400) await passAnswer(front, exchange, answer);
  else await passRaw(front, exchange, answer.message);
  if (conversation.own() === reply) conversation.setOwn(null);
  if (!front.kept.has(conversation)) conversation.close();
}

/** The upstream has nothing to say on its own account; we have, when a policy swap changes its lists. */
async function ownStream(conversation: Conversation, reply: Reply): Promise<void> {
  conversation.setOwn(reply);
  reply.beginEvents();
  const timer = setInterval(() => reply.write(':\n\n'), KEEP_ALIVE_MS);
  await new Promise<void>((resolve) => reply.onClose(resolve));
  clearInterval(timer);
}

async function end(front: RemoteFront, request: IncomingMessage, reply: Reply): Promise<void> {
  const sessionId = header(request, 'mcp-session-id');
  const answer = await front.remote.send({ method: 'DELETE', path: pathAt(front, request), headers: requestHeaders(request, front.without) }).answer;
  if (answer.ok && (answer.status < 300 || answer.status === 404) && sessionId !== null) forget(front, sessionId);
  await passOn(front, request, reply, answer);
}

async function other(front: RemoteFront, request: IncomingMessage, reply: Reply): Promise<boolean> {
  const [path = '', query] = (request.url ?? '').split('?', 2);
  const preflight = request.method === 'OPTIONS' && path === front.remote.target.url.pathname;
  if (!preflight && !OPEN_PATH.test(path)) return false;
  const body = await readPost(request, front.limits.maxLineBytes);
  if (!body.ok) {
    reply.endWith(body.status, { 'content-type': 'text/plain; charset=utf-8' }, Buffer.from(`${body.detail}\n`));
    return true;
  }
  const sent = front.remote.send({
    method: request.method ?? 'GET',
    path: preflight ? pathAt(front, request) : query === undefined ? path : `${path}?${query}`,
    headers: requestHeaders(request, front.without),
    ...(body.line.length === 0 ? {} : { body: body.line }),
  });
  await passOn(front, request, reply, await sent.answer);
  return true;
}

/** An answer that belongs to no message. */
async function passOn(front: RemoteFront, request: IncomingMessage, reply: Reply, answer: Awaited<ReturnType<RemoteFront['remote']['send']>['answer']>): Promise<void> {
  if (!answer.ok) return reply.endWith(502, { 'content-type': 'text/plain; charset=utf-8' }, Buffer.from(`${answer.problem}\n`));
  const conversation = createConversation(front.gate, front.limits);
  await passRaw(front, { request, reply, conversation, ids: [], resumable: false }, answer.message);
  conversation.close();
}

/* Sessions and clients */

function conversationOf(front: RemoteFront, sessionId: string | null, client: Client): Conversation {
  if (sessionId === null) return createConversation(front.gate, front.limits, { roster: client.roster, learnTools: client.params.learn });
  const known = front.sessions.get(sessionId);
  if (known === undefined) return createConversation(front.gate, front.limits, { handshake: BEGUN_EARLIER });
  // Used last, so forgotten last.
  front.sessions.delete(sessionId);
  front.sessions.set(sessionId, known);
  return known;
}

/** Only a session that the upstream knows is remembered: an agent that makes ids up fills nothing. */
function keep(front: RemoteFront, sessionId: string, conversation: Conversation): void {
  if (front.sessions.has(sessionId) || sessionId.length > MAX_SESSION_ID_CHARACTERS) return;
  front.sessions.set(sessionId, conversation);
  front.kept.add(conversation);
  const oldest = front.sessions.keys().next();
  if (front.sessions.size > MAX_SESSIONS && oldest.done !== true) forget(front, oldest.value);
}

function forget(front: RemoteFront, sessionId: string): void {
  const conversation = front.sessions.get(sessionId);
  front.sessions.delete(sessionId);
  if (conversation === undefined) return;
  front.kept.delete(conversation);
  conversation.close();
}

function clientOf(front: RemoteFront, request: IncomingMessage): Client {
  const key = createHash('sha256').update(request.headers.authorization ?? '').digest('base64');
  const known = front.clients.get(key) ?? { roster: createRoster(), params: createParamHeaders() };
  front.clients.delete(key);
  front.clients.set(key, known);
  const oldest = front.clients.keys().next();
  if (front.clients.size > MAX_CLIENTS && oldest.done !== true) front.clients.delete(oldest.value);
  return known;
}

/** Headers that may not be repeated were refused at the door. */
function header(request: IncomingMessage, name: string): string | null {
  const value = request.headers[name];
  return typeof value === 'string' ? value : null;
}

/**
 * One exchange between an agent and a Streamable HTTP upstream: the request as it was judged, and the answer through the session.
 * Status and headers are the upstream's; a body is passed on where it is a message that may pass, or can be taken for none.
 */
import type { IncomingMessage } from 'node:http';
import { findDisguise } from '../relay/fold.ts';
import type { Gate } from '../relay/gate.ts';
import type { RelayLimits } from '../relay/limits.ts';
import { ENVELOPE } from '../relay/message.ts';
import type { Id } from '../relay/message.ts';
import type { Remote, RemoteAnswer } from '../upstream/remote.ts';
import { bodyKind, readEvents, readWhole } from './answer.ts';
import type { Conversation, Outgoing } from './conversation.ts';
import { requestHeaders, responseHeaders } from './pass-headers.ts';
import type { Reply } from './reply.ts';

/** Where exchanges go. */
export interface Upstream {
  readonly remote: Remote;
  readonly gate: Gate;
  readonly limits: RelayLimits;
  /** Headers of the agent that are not sent on. */
  readonly without: ReadonlySet<string>;
}

export interface Exchange {
  readonly request: IncomingMessage;
  readonly reply: Reply;
  readonly conversation: Conversation;
  /** Requests of the agent that went upstream in it. */
  readonly ids: readonly Id[];
  /** An answer that breaks off under an event id may go on elsewhere (up to 2025-11-25). */
  readonly resumable: boolean;
}

/** Bodies that are no message: pages, error descriptions, metadata. */
const MAX_RAW_BYTES = 1024 * 1024;
/** Headers of a POST that are about its message. */
const ABOUT_MESSAGE = ['mcp-method', 'mcp-name', 'last-event-id'] as const;

/** Path and query at the upstream. Its own query (keys stand there, too) is kept, else the agent's passes. */
export function pathAt({ remote: { target } }: Upstream, request: IncomingMessage): string {
  const query = (request.url ?? '').indexOf('?');
  return `${target.url.pathname}${target.url.search !== '' || query < 0 ? target.url.search : (request.url ?? '').slice(query)}`;
}

/** What the relay itself tells the upstream: the answer to one of its requests, in the session of the agent's request. */
export function tell(upstream: Upstream, request: IncomingMessage, { line }: Outgoing): void {
  const headers = { ...requestHeaders(request, new Set([...upstream.without, ...ABOUT_MESSAGE])), 'content-type': 'application/json', 'accept': 'application/json, text/event-stream' };
  const sent = upstream.remote.send({ method: 'POST', path: pathAt(upstream, request), headers, body: line.subarray(0, line.length - 1) });
  void sent.answer.then((answer) => {
    if (answer.ok) answer.message.destroy();
  });
}

/** Passes the upstream's answer to a POST on. Resolves when the agent's answer is complete. */
export async function passAnswer(upstream: Upstream, exchange: Exchange, answer: RemoteAnswer): Promise<void> {
  if (!answer.ok) return giveUp(exchange, answer.problem);
  const { status, message } = answer;
  if (status >= 300 && status < 400) {
    message.destroy();
    return giveUp(exchange, `The upstream answers with a redirect (HTTP ${status}), which is not passed on: give --upstream the URL where it really is`);
  }
  if (status >= 300) return passFailure(upstream, exchange, message);
  switch (bodyKind(message)) {
    case 'json': {
      const line = await readWhole(message, upstream.limits.maxLineBytes);
      if (line === null) return giveUp(exchange, 'The answer of the upstream breaks off, or is too long');
      if (exchange.ids.length > 0) toAgent(upstream, exchange, line, '');
      return finish(exchange, message, 'The upstream answered with another message');
    }
    case 'events': {
      exchange.reply.beginEvents(responseHeaders(message));
      const { resumable } = await passEvents(upstream, exchange, message);
      return resumable && exchange.resumable ? exchange.reply.end() : finish(exchange, message, 'The upstream ended its answer early');
    }
    case 'other':
    case 'unreadable':
      message.resume();
      return finish(exchange, message, 'The upstream answered with neither JSON nor events');
  }
}

/** Events as they come. `resumable`: one of them had an id. */
export async function passEvents(upstream: Upstream, exchange: Exchange, message: IncomingMessage): Promise<{ readonly resumable: boolean }> {
  const { reply, conversation } = exchange;
  let resumable = false;
  await readEvents(message, upstream.limits.maxLineBytes, {
    event({ fields, type, id, data }) {
      resumable ||= id !== null;
      if (data === null) reply.write(`${fields}data:\n\n`);
      else if (type === '' || type === 'message') toAgent(upstream, exchange, data, fields);
      else upstream.gate.refuse({ what: 'event from the upstream', detail: `of the type ${JSON.stringify(type)}` });
    },
    comment: (line) => reply.write(line),
    tooLong: (ends) => conversation.tooLong(ends, reply),
  }, () => reply.room());
  return { resumable };
}

/** An answer that is no message, as it is; one that could be taken for a message goes through the session first. */
export async function passRaw(upstream: Upstream, { request, reply, conversation, ids, resumable }: Exchange, message: IncomingMessage): Promise<void> {
  const line = bodyKind(message) === 'unreadable' ? null : await readWhole(message, MAX_RAW_BYTES);
  if (line === null) return reply.endWith(502, {}, null);
  const status = message.statusCode ?? 502;
  if (isNoMessage(line)) return reply.endWith(status, responseHeaders(message), status === 204 || status === 304 ? null : line.subarray(0, line.length - 1));
  toAgent(upstream, { request, reply, conversation, ids, resumable }, line, '');
  reply.end(status, responseHeaders(message));
}

async function passFailure(upstream: Upstream, exchange: Exchange, message: IncomingMessage): Promise<void> {
  await passRaw(upstream, exchange, message);
  // The agent has heard it by the status.
  for (const id of exchange.ids) exchange.conversation.session.abandon(id, null);
}

function toAgent(upstream: Upstream, { request, reply, conversation }: Exchange, line: Buffer, fields: string): void {
  for (const own of conversation.fromUpstream(line, reply, fields)) tell(upstream, request, own);
}

/** Completes the answer; requests that the upstream has not answered in it are told why. */
function finish({ reply, conversation, ids }: Exchange, message: IncomingMessage, why: string): void {
  leaveUnanswered(reply, conversation, ids, why);
  reply.end(message.statusCode, responseHeaders(message));
}

function giveUp({ reply, conversation, ids }: Exchange, why: string): void {
  leaveUnanswered(reply, conversation, ids, why);
  // A request hears of it in a message; what is no request has only the status.
  if (ids.length > 0) reply.end();
  else reply.endWith(502, { 'content-type': 'text/plain; charset=utf-8' }, Buffer.from(`${why}\n`));
}

function leaveUnanswered(reply: Reply, conversation: Conversation, ids: readonly Id[], why: string): void {
  for (const id of ids) {
    if (reply.answered(id)) continue;
    // It was the agent that went: what it has set going stays counted.
    if (reply.over()) conversation.session.cancel(id);
    else conversation.during(reply, (session) => session.abandon(id, why));
  }
}

/** True where no client can take the body for a result, a request or a notification. Errors are passed on as they are everywhere. */
function isNoMessage(line: Buffer): boolean {
  let value: unknown;
  try {
    value = JSON.parse(line.toString('utf8'));
  } catch {
    return true;
  }
  if (typeof value !== 'object' || value === null) return true;
  const keys = Object.keys(value);
  return !Array.isArray(value) && findDisguise(keys, ENVELOPE) === null && !keys.some((key) => key === 'result' || key === 'method' || key === 'params');
}

/** One message from the agent: forward it, answer it, or both in no case. */
import type { Decision, JsonValue, Reason } from '@portcullis/policy-core';
import { askedBy, BAD_UPSTREAM, denial, failure, refusal, TOO_MANY_REQUESTS, unknownTool } from './answers.ts';
import { clientNameOf } from './era.ts';
import { greeted } from './legacy.ts';
import { INVALID_PARAMS, INVALID_REQUEST, own, readMessage } from './message.ts';
import type { Message, Notification, Request, Response, Unclear } from './message.ts';
import { judgeAll, record, rememberAnswered, settleAll } from './state.ts';
import type { SessionState } from './state.ts';
import { subjectOf } from './subject.ts';

export interface Passage {
  /** What is forwarded; null: nothing. */
  readonly forward: Message | null;
  /** What to say to the agent, if anything. */
  readonly answer: string | null;
  /** What to say to the upstream, which would wait for ever for an answer that is not forwarded. */
  readonly toServer: string | null;
}

const DROP: Passage = { forward: null, answer: null, toServer: null };

function forward(message: Message): Passage {
  return { forward: message, answer: null, toServer: null };
}

/** `bytes` are those of this message alone; `alone` is false inside a batch. */
export function considerClientMessage(state: SessionState, value: JsonValue, bytes: Buffer, alone: boolean): Passage {
  const read = readMessage(value, bytes);
  if (!read.ok) return refuseUnclear(state, 'message from the agent', read.unclear);
  const fault = state.vet(read.message);
  if (fault !== null) return refuseUnclear(state, 'message from the agent', addressed(read.message, fault));
  switch (read.message.kind) {
    case 'request':
      return considerRequest(state, read.message, alone);
    case 'notification':
      return considerNotification(state, read.message);
    case 'response':
      return considerResponse(state, read.message);
  }
}

function addressed(message: Message, fault: Pick<Unclear, 'code' | 'detail'>): Unclear {
  switch (message.kind) {
    case 'request':
      return { ...fault, id: message.id, answer: true, answersId: null };
    case 'notification':
      return { ...fault, id: null, answer: false, answersId: null };
    case 'response':
      return { ...fault, id: null, answer: false, answersId: message.id };
  }
}

/** Records what is not forwarded, and answers where somebody waits. */
export function refuseUnclear(state: SessionState, what: string, unclear: Unclear): Passage {
  record(state, what, unclear.detail);
  const asked = unclear.answersId === null ? undefined : state.askedBack.take(unclear.answersId);
  if (asked !== undefined) {
    settleAll(asked, 'none');
    return { ...DROP, toServer: failure(unclear.answersId, unclear.code, `The answer was not forwarded by the policy proxy: ${unclear.detail}`) };
  }
  // An answer with the id of a request that is still open would be taken for that request's.
  const id = unclear.id !== null && state.asked.has(unclear.id) ? null : unclear.id;
  if (unclear.answer && id !== null) rememberAnswered(state, id);
  return { ...DROP, answer: refusal({ ...unclear, id }) };
}

function considerRequest(state: SessionState, request: Request, alone: boolean): Passage {
  const { id, method, params } = request;
  const refuse = (code: number, detail: string): Passage => refuseUnclear(state, `request ${method}`, { code, detail, id, answer: true, answersId: null });
  if (state.asked.has(id)) return refuse(INVALID_REQUEST, `the id ${JSON.stringify(id)} belongs to a request that is not answered yet`);
  if (!alone && method === 'initialize') return refuse(INVALID_REQUEST, 'initialize may not be part of a batch');
  const subject = subjectOf('client', request);
  if (!subject.ok) return refuse(subject.fault === 'form' ? INVALID_REQUEST : INVALID_PARAMS, subject.detail);
  if (state.upstreamGone !== null) return answerHere(state, request, failure(id, BAD_UPSTREAM, state.upstreamGone));
  if (state.asked.size >= state.limits.maxPending) return refuse(TOO_MANY_REQUESTS, `more than ${state.limits.maxPending} requests wait for an answer`);

  const clientName = clientNameOf(params, state.handshake.clientName);
  const verdict = judgeAll(state.gate, subject.calls, clientName);
  const toolName = subject.calls[0]?.kind === 'tool' ? subject.calls[0].name : null;
  if (toolName !== null && isInvisible(state, toolName, verdict.allowed ? null : verdict.decision)) {
    if (verdict.allowed) settleAll(verdict.judgements, 'error');
    return answerHere(state, request, unknownTool(id, toolName));
  }
  if (!verdict.allowed) return answerHere(state, request, denial(askedBy(request), verdict.decision));

  const cursor = own(params, 'cursor');
  const page = method === 'tools/list' ? state.roster.begin(typeof cursor === 'string' ? cursor : null) : null;
  state.asked.add(id, { asked: askedBy(request), judgements: verdict.judgements, clientName, page });
  state.answeredHere.delete(id);
  if (method === 'initialize') state.handshake = greeted(state.handshake, params);
  if (method === 'subscriptions/listen') state.subscriptions.open(id, params);
  return forward(request);
}

function answerHere(state: SessionState, request: Request, answer: string): Passage {
  rememberAnswered(state, request.id);
  return { ...DROP, answer };
}

/** Reasons that concern every name of the server alike, so that saying them tells nothing about one name. */
const SAID_OF_ANY_NAME: ReadonlySet<Reason> = new Set(['no-snapshot', 'no-policy', 'wrong-upstream', 'restricted']);

/**
 * Whether the name must look as if it did not exist (P4). For names that a policy hides always; for names that nobody lists as
 * soon as that is certain and something is hidden, so that both are answered alike. Decided by the name, not by the reason of a
 * denial: under a default deny a hidden and an unknown name would be told apart by it.
 */
function isInvisible(state: SessionState, name: string, denied: Decision | null): boolean {
  if (denied !== null && SAID_OF_ANY_NAME.has(denied.reason)) return false;
  if (denied !== null && (denied.reason === 'hidden' || denied.matched.some(({ by }) => by === 'hide'))) return true;
  const unlisted = state.roster.lists(name) === false;
  if (denied === null && !unlisted) return false;
  const filter = state.gate.lists();
  return filter.hidesTools && (unlisted || !filter.tool(name));
}

function considerNotification(state: SessionState, notification: Notification): Passage {
  const { method, params } = notification;
  const subject = subjectOf('client', notification);
  if (!subject.ok) {
    record(state, `notification ${method}`, subject.detail);
    return DROP;
  }
  const verdict = judgeAll(state.gate, subject.calls, clientNameOf(params, state.handshake.clientName));
  if (!verdict.allowed) return DROP;
  // Nobody answers a notification.
  settleAll(verdict.judgements, 'none');
  if (method === 'notifications/initialized') state.handshake = { ...state.handshake, ready: true };
  return method === 'notifications/cancelled' ? considerCancellation(state, notification) : forward(notification);
}

function considerCancellation(state: SessionState, notification: Notification): Passage {
  const id = own(notification.params, 'requestId');
  if (typeof id !== 'string' && typeof id !== 'number') return forward(notification);
  if (state.answeredHere.delete(id)) return DROP;
  state.asked.cancel(id);
  state.subscriptions.close(id);
  return forward(notification);
}

function considerResponse(state: SessionState, response: Response): Passage {
  const judgements = response.id === null ? undefined : state.askedBack.take(response.id);
  if (judgements !== undefined) settleAll(judgements, response.outcome === 'error' ? 'error' : 'ok');
  return forward(response);
}

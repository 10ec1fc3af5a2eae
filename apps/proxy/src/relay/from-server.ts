/**
 * One message from the upstream. Results pass as they are, whatever their size: only their outline is looked at. Lists are
 * filtered, the handshake promises what the relay adds, and what the upstream asks of the agent is judged.
 */
import type { Outcome } from '@portcullis/policy-core';
import { BAD_UPSTREAM, denial, DENIED, denialText, failure } from './answers.ts';
import { listsIn, promiseListChanges } from './capabilities.ts';
import type { Edit } from './edit.ts';
import { findDisguise } from './fold.ts';
import { accepted } from './legacy.ts';
import { filterLists, holdsList, LIST_METHODS, readResult } from './lists.ts';
import { answeredId, ENVELOPE, INVALID_REQUEST, own, readJson, readMessage } from './message.ts';
import type { Id, Message, Notification, Request } from './message.ts';
import { inputRequestsOf, limitCaching } from './modern.ts';
import { membersOf } from './outline.ts';
import type { Member, Range } from './outline.ts';
import { judgeAll, record, settleAll } from './state.ts';
import type { SessionState, Waiting } from './state.ts';
import { subjectOf } from './subject.ts';

export interface ServerPassage {
  /** What is forwarded, and how it is changed; null: nothing. */
  readonly forward: Forwarded | null;
  readonly toClient: string | null;
  readonly toServer: string | null;
}

export interface Forwarded {
  readonly message: Message;
  readonly edits: readonly Edit[];
}

const DROP: ServerPassage = { forward: null, toClient: null, toServer: null };

function forward(message: Message, edits: readonly Edit[] = []): ServerPassage {
  return { forward: { message, edits }, toClient: null, toServer: null };
}

const INSIDE: ReadonlySet<string> = new Set(['result', 'params']);

/** `range` is where the message stands in the line; edits are in the line's own offsets. */
export function considerServerMessage(state: SessionState, line: Buffer, range: Range): ServerPassage {
  const members = membersOf(line, range, INSIDE);
  if (members === null) return refuse(state, 'message from the upstream', 'it is neither a JSON object nor plain text');
  const keys = members.map((member) => member.key);
  const disguise = findDisguise(keys, ENVELOPE);
  if (disguise !== null || new Set(keys).size !== keys.length) {
    return refuseAnswer(state, idOf(line, members), disguise === null ? 'a key occurs twice in the envelope' : `the key ${JSON.stringify(disguise)} may be taken for a key of the envelope`);
  }
  if (keys.includes('method')) return considerMethod(state, line, range, members);
  return considerAnswer(state, line, members);
}

/** The upstream's answer cannot be passed on. The agent, if it waits for one, is told so. */
export function refuseAnswer(state: SessionState, id: Id | null, detail: string): ServerPassage {
  record(state, 'message from the upstream', detail);
  const waiting = id === null ? undefined : state.asked.take(id);
  return waiting === undefined ? DROP : { ...DROP, toClient: giveUp(state, waiting, `The answer of the upstream was not passed on: ${detail}`) };
}

/** Ends a request that the upstream did not answer in a way that can be passed on; what it counted stays counted. */
function giveUp(state: SessionState, { asked, judgements }: Waiting, message: string): string {
  settleAll(judgements, 'none');
  state.subscriptions.close(asked.id);
  return failure(asked.id, BAD_UPSTREAM, message);
}

function refuse(state: SessionState, what: string, detail: string): ServerPassage {
  record(state, what, detail);
  return DROP;
}

function idOf(line: Buffer, members: readonly Member[]): Id | null {
  const ids = members.filter((member) => member.key === 'id');
  return ids.length === 1 && ids[0] !== undefined ? answeredId(line, ids[0]) : null;
}

/* Requests and notifications */

function considerMethod(state: SessionState, line: Buffer, range: Range, members: readonly Member[]): ServerPassage {
  const bytes = line.subarray(range.start, range.end);
  const json = readJson(bytes, state.limits.json);
  const read = json.ok ? readMessage(json.value, bytes) : json;
  if (!read.ok) {
    record(state, 'message from the upstream', read.unclear.detail);
    const { id, code, detail, answer } = read.unclear;
    return answer && id !== null ? { ...DROP, toServer: failure(id, code, detail) } : DROP;
  }
  if (read.message.kind === 'request') return considerRequest(state, read.message);
  if (read.message.kind === 'notification') return considerNotification(state, line, members, read.message);
  return DROP;
}

function considerRequest(state: SessionState, request: Request): ServerPassage {
  const { id, method } = request;
  const answer = (code: number, message: string): ServerPassage => ({ ...DROP, toServer: failure(id, code, message) });
  const subject = subjectOf('server', request);
  if (!subject.ok) {
    record(state, `request ${method} from the upstream`, subject.detail);
    return answer(INVALID_REQUEST, subject.detail);
  }
  if (state.askedBack.has(id)) return refuse(state, `request ${method} from the upstream`, `the id ${JSON.stringify(id)} belongs to a request that is not answered yet`);
  if (state.askedBack.size >= state.limits.maxPending) return answer(INVALID_REQUEST, `more than ${state.limits.maxPending} requests wait for an answer`);
  const verdict = judgeAll(state.gate, subject.calls, state.handshake.clientName);
  if (!verdict.allowed) return answer(DENIED, denialText(verdict.decision));
  state.askedBack.add(id, verdict.judgements);
  return forward(request);
}

function considerNotification(state: SessionState, line: Buffer, members: readonly Member[], notification: Notification): ServerPassage {
  const { method, params } = notification;
  const subject = subjectOf('server', notification);
  if (!subject.ok) return refuse(state, `notification ${method} from the upstream`, subject.detail);
  const asks = inputRequestsOf(params);
  if (asks === null) return refuse(state, `notification ${method} from the upstream`, '"inputRequests" cannot be read');
  const verdict = judgeAll(state.gate, [...subject.calls, ...asks], state.handshake.clientName);
  if (!verdict.allowed) return DROP;
  settleAll(verdict.judgements, 'none');
  if (method === 'notifications/tools/list_changed') state.roster.invalidate();
  const cancelled = method === 'notifications/cancelled' ? own(params, 'requestId') : undefined;
  if (typeof cancelled === 'string' || typeof cancelled === 'number') state.askedBack.cancel(cancelled);
  const written = members.find((member) => member.key === 'params');
  if (method !== 'notifications/subscriptions/acknowledged' || written === undefined) return forward(notification);
  return forward(notification, state.subscriptions.acknowledge(line, written, params));
}

/* Answers */

function considerAnswer(state: SessionState, line: Buffer, members: readonly Member[]): ServerPassage {
  const result = members.find((member) => member.key === 'result');
  const error = members.find((member) => member.key === 'error');
  const id = idOf(line, members);
  if ((result === undefined) === (error === undefined)) return refuseAnswer(state, id, 'a message has either "method", "result" or "error"');
  if (id === null) {
    const written = members.find((member) => member.key === 'id');
    // The upstream could not read the id of what it answers; that is for the agent to see.
    const isNull = written === undefined || line.toString('latin1', written.start, written.end) === 'null';
    return isNull && error !== undefined ? forward({ kind: 'response', id: null, outcome: 'error' }) : refuse(state, 'answer of the upstream', 'its id is none');
  }
  const waiting = state.asked.take(id);
  if (waiting === undefined) return refuse(state, 'answer of the upstream', `no request with the id ${JSON.stringify(id)} waits for an answer`);
  state.subscriptions.close(id);
  if (result === undefined) {
    settleAll(waiting.judgements, 'error');
    return forward({ kind: 'response', id, outcome: 'error' });
  }
  return considerResult(state, line, result, waiting);
}

function considerResult(state: SessionState, line: Buffer, result: Member, waiting: Waiting): ServerPassage {
  const { asked, judgements, page } = waiting;
  const edits: Edit[] = [];
  if ((result.members ?? []).some((member) => member.key === 'inputRequests')) {
    const denied = judgeInputRequests(state, line, result, waiting);
    if (denied !== null) return denied;
  }
  if (holdsList(result, asked.method)) {
    const filtered = filterLists(line, result, asked.method, state.gate.lists(), state.limits.json, asked.modern ? state.withholds : undefined);
    if (filtered.ok && filtered.entries !== null) state.learnTools(filtered.entries);
    if (page !== null) state.roster.complete(page, filtered.ok ? filtered.tools : null, filtered.ok ? filtered.nextCursor : null);
    if (!filtered.ok) {
      record(state, `answer to ${asked.method}`, filtered.detail);
      return { ...DROP, toClient: giveUp(state, waiting, `The list of the upstream was not passed on: ${filtered.detail}`) };
    }
    edits.push(...filtered.edits);
    if (asked.modern && LIST_METHODS.has(asked.method)) edits.push(...limitCaching(line, result));
  }
  if (asked.method === 'initialize' || asked.method === 'server/discover') edits.push(...considerHandshake(state, line, result, asked.method));
  settleAll(judgements, asked.modern && asksForInput(line, result) ? 'error' : outcomeOf(line, result));
  return forward({ kind: 'response', id: asked.id, outcome: 'result' }, edits);
}

/**
 * The upstream has not done the call yet: the agent makes it again with what is asked for (2026-07-28). That call is counted, so what
 * this one counted is given back, as for a call that failed.
 */
function asksForInput(line: Buffer, result: Member): boolean {
  const type = (result.members ?? []).find((member) => member.key === 'resultType');
  return type !== undefined && line.toString('latin1', type.start, Math.min(type.end, type.start + 32)) === '"input_required"';
}

function outcomeOf(line: Buffer, result: Member): Outcome {
  const flag = (result.members ?? []).find((member) => member.key === 'isError');
  return flag !== undefined && line.toString('latin1', flag.start, flag.end) === 'true' ? 'tool_error' : 'ok';
}

/** Notes what was agreed and promises changed lists. A result that cannot be read for certain passes as it is. */
function considerHandshake(state: SessionState, line: Buffer, result: Member, method: string): Edit[] {
  const value = readResult(line, result, state.limits.json);
  if (typeof value === 'string') return [];
  if (method === 'initialize') state.handshake = accepted(state.handshake, value, listsIn(value));
  return promiseListChanges(line, result);
}

/** Since 2026-07-28 the upstream asks the agent inside a result. What is denied there ends the call with the reason. */
function judgeInputRequests(state: SessionState, line: Buffer, result: Member, waiting: Waiting): ServerPassage | null {
  const value = readResult(line, result, state.limits.json);
  const asks = typeof value === 'string' ? null : inputRequestsOf(value);
  if (asks === null) {
    record(state, `answer to ${waiting.asked.method}`, '"inputRequests" cannot be read');
    return { ...DROP, toClient: giveUp(state, waiting, 'What the upstream asks in "inputRequests" cannot be read') };
  }
  const verdict = judgeAll(state.gate, asks, waiting.clientName);
  if (verdict.allowed) {
    // The answers travel in the next call, which is judged anew.
    settleAll(verdict.judgements, 'none');
    return null;
  }
  settleAll(waiting.judgements, 'none');
  return { ...DROP, toClient: denial(waiting.asked, verdict.decision) };
}

/**
 * One session between an agent and an upstream: lines in, lines out, in order, with nothing of processes or sockets. The
 * transports (a child's pipes, Streamable HTTP) stand around it; policy stands behind the gate.
 *
 * What is forwarded are the bytes that were judged (P1): a line is passed on whole, or with byte ranges cut out of it.
 */
import type { JsonObject, JsonValue } from '@portcullis/policy-core';
import { BAD_UPSTREAM, failure } from './answers.ts';
import { applyEdits, cutElements } from './edit.ts';
import type { Edit } from './edit.ts';
import { content } from './framing.ts';
import type { FramingEvents } from './framing.ts';
import { considerClientMessage, refuseUnclear } from './from-client.ts';
import type { Passage } from './from-client.ts';
import { considerServerMessage, refuseAnswer } from './from-server.ts';
import type { ServerPassage } from './from-server.ts';
import type { Gate } from './gate.ts';
import { allowsBatches, listChangeNotices } from './legacy.ts';
import type { RelayLimits } from './limits.ts';
import { idAmong, INVALID_REQUEST, readJson } from './message.ts';
import type { Id, Message } from './message.ts';
import { elementsOf, membersOf } from './outline.ts';
import type { Range } from './outline.ts';
import { createState, record, settleAll } from './state.ts';
import type { Known, SessionState } from './state.ts';

/**
 * Where lines go. Each call is one whole line, and the messages in it: several in a batch, none in text that is no message.
 * What is passed on comes as bytes; a string is what the relay says itself.
 */
export interface Wires {
  toClient(bytes: Buffer | string, messages: readonly Message[]): void;
  toServer(bytes: Buffer | string, messages: readonly Message[]): void;
}

export interface Session {
  /** Lines from the agent. */
  readonly client: FramingEvents;
  /** Lines from the upstream. */
  readonly server: FramingEvents;
  /** The upstream will answer nothing more: open requests are answered with an error, and so is every later one. */
  upstreamGone(why: string): void;
  /** The upstream will not answer this request; nothing happens where none waits. The agent is told why, unless it hears it otherwise (null). */
  abandon(id: Id, why: string | null): void;
  /** The agent has given the request up without a word to the upstream; a late answer is still known as its answer. */
  cancel(id: Id): void;
  /** The revision that the handshake settled; null before that, and where there is none (2026-07-28). */
  revision(): string | null;
  /** How many of the agent's requests wait for the upstream. Subscriptions do not: they are answered when they end. */
  unanswered(): number;
  /** Nobody is there any more: stops listening to the gate; what was counted for open requests stays counted. */
  close(): void;
}

export function createSession(gate: Gate, limits: RelayLimits, wires: Wires, known: Known = {}): Session {
  const state = createState(gate, limits, known);
  const say = (text: string | null): void => {
    if (text !== null) wires.toClient(`${text}\n`, ownMessages(text));
  };
  const stopListening = gate.onListsChanged((changed) => {
    for (const notice of [...listChangeNotices(state.handshake, changed), ...state.subscriptions.notices(changed)]) say(notice);
  });
  return {
    client: {
      line: (line) => clientLine(state, wires, line, say),
      tooLong: ({ head, tail }) => {
        const near = idNear(head, tail);
        const [id, answersId] = startsAsRequest(head) ? [near, null] : [null, near];
        deliverRefusal(refuseUnclear(state, 'line from the agent', { code: INVALID_REQUEST, detail: `longer than ${limits.maxLineBytes} bytes`, id, answer: true, answersId }), wires, say);
      },
    },
    server: {
      line: (line) => serverLine(state, wires, line, say),
      tooLong: ({ head, tail }) => say(refuseAnswer(state, idNear(head, tail), `longer than ${limits.maxLineBytes} bytes`).toClient),
    },
    upstreamGone(why) {
      state.upstreamGone = why;
      for (const { entry, cancelled } of state.asked.drain()) {
        settleAll(entry.judgements, 'error');
        if (!cancelled) say(failure(entry.asked.id, BAD_UPSTREAM, why));
      }
      for (const { entry } of state.askedBack.drain()) settleAll(entry, 'none');
    },
    revision: () => state.handshake.revision,
    unanswered: () => state.asked.size - state.subscriptions.size,
    abandon(id, why) {
      const waiting = state.asked.has(id) ? state.asked.take(id) : undefined;
      if (waiting === undefined) return;
      settleAll(waiting.judgements, 'error');
      state.subscriptions.close(id);
      if (why !== null) say(failure(id, BAD_UPSTREAM, why));
    },
    cancel(id) {
      state.asked.cancel(id);
      state.subscriptions.close(id);
    },
    close() {
      stopListening();
      for (const { entry } of state.asked.drain()) settleAll(entry.judgements, 'none');
      for (const { entry } of state.askedBack.drain()) settleAll(entry, 'none');
    },
  };
}

/* From the agent */

function clientLine(state: SessionState, wires: Wires, line: Buffer, say: (text: string | null) => void): void {
  const body = content(line);
  const json = readJson(body, state.limits.json);
  if (!json.ok) return deliverRefusal(refuseUnclear(state, 'line from the agent', json.unclear), wires, say);
  if (Array.isArray(json.value)) return clientBatch(state, wires, line, json.value as readonly JsonValue[], say);
  const passage = considerClientMessage(state, json.value, body, true);
  if (passage.forward !== null) wires.toServer(line, [passage.forward]);
  deliverRefusal(passage, wires, say);
}

function deliverRefusal({ answer, toServer }: Passage, wires: Wires, say: (text: string | null) => void): void {
  answerServer(wires, toServer);
  say(answer);
}

/** What is denied is cut out of the batch and answered at once, in a batch of its own. */
function clientBatch(state: SessionState, wires: Wires, line: Buffer, values: readonly JsonValue[], say: (text: string | null) => void): void {
  const body = content(line);
  const elements = elementsOf(body, { start: 0, end: body.length }) ?? [];
  const fault = batchFault(state, values.length);
  if (fault !== null || elements.length !== values.length) {
    return say(refuseUnclear(state, 'batch from the agent', { code: INVALID_REQUEST, detail: fault ?? 'it cannot be read', id: null, answer: true, answersId: null }).answer);
  }
  const passages = elements.map(({ start, end }, index) => considerClientMessage(state, values[index] ?? null, body.subarray(start, end), false));
  const forwarded = passages.flatMap(({ forward }) => (forward === null ? [] : [forward]));
  if (forwarded.length > 0) wires.toServer(applyEdits(line, cutElements(elements, (index) => (passages[index]?.forward ?? null) !== null)), forwarded);
  for (const { toServer } of passages) answerServer(wires, toServer);
  const answers = passages.flatMap(({ answer }) => (answer === null ? [] : [answer]));
  if (answers.length > 0) say(`[${answers.join()}]`);
}

function batchFault(state: SessionState, size: number): string | null {
  if (!allowsBatches(state.handshake)) return 'batches exist in protocol revision 2025-03-26 only';
  if (size === 0) return 'a batch is not empty';
  return size > state.limits.maxBatch ? `more than ${state.limits.maxBatch} messages in one batch` : null;
}

/* From the upstream */

const OPEN_BRACE = 123;
const OPEN_BRACKET = 91;
const LINE_FEED = 10;

function serverLine(state: SessionState, wires: Wires, line: Buffer, say: (text: string | null) => void): void {
  const body = content(line);
  const pass = (edits: readonly Edit[], messages: readonly Message[]): void => {
    const bytes = applyEdits(line, edits);
    wires.toClient(bytes[bytes.length - 1] === LINE_FEED ? bytes : Buffer.concat([bytes, Buffer.from('\n')]), messages);
  };
  // Text that holds no object is a message to nobody: servers print banners, and a client that sees one says so.
  if (!body.includes(OPEN_BRACE)) return body.includes(13) ? record(state, 'line from the upstream', 'a carriage return inside the line') : pass([], []);
  if (body.includes(13)) return say(refuseAnswer(state, idNear(body, null), 'a carriage return inside the line').toClient);
  const elements = firstByte(body) === OPEN_BRACKET ? elementsOf(body, { start: 0, end: body.length }) : null;
  if (elements !== null) return serverBatch(state, wires, line, elements, say);
  const passage = considerServerMessage(state, body, { start: 0, end: body.length });
  if (passage.forward !== null) pass(passage.forward.edits, [passage.forward.message]);
  deliver(passage, wires, say);
}

function serverBatch(state: SessionState, wires: Wires, line: Buffer, elements: readonly Range[], say: (text: string | null) => void): void {
  const fault = batchFault(state, elements.length);
  if (fault !== null) return record(state, 'batch from the upstream', fault);
  const passages = elements.map((element) => considerServerMessage(state, line, element));
  const forwarded = passages.flatMap(({ forward }) => (forward === null ? [] : [forward]));
  const edits = [...cutElements(elements, (index) => (passages[index]?.forward ?? null) !== null), ...forwarded.flatMap((one) => one.edits)];
  if (forwarded.length > 0) wires.toClient(applyEdits(line, edits), forwarded.map(({ message }) => message));
  for (const passage of passages) deliver(passage, wires, say);
}

function deliver(passage: ServerPassage, wires: Wires, say: (text: string | null) => void): void {
  answerServer(wires, passage.toServer);
  say(passage.toClient);
}

/** What the relay says to the upstream itself is always the answer to one of its requests. */
function answerServer(wires: Wires, text: string | null): void {
  if (text !== null) wires.toServer(`${text}\n`, ownMessages(text));
}

/** The messages in a line of the relay's own, in the few forms that it writes. */
function ownMessages(text: string): Message[] {
  const written = JSON.parse(text) as OwnMessage | readonly OwnMessage[];
  const each = 'length' in written ? written : [written];
  return each.map((one) => ('method' in one ? { kind: 'notification', method: one.method, params: one.params ?? {} } : { kind: 'response', id: one.id, outcome: 'error' in one ? 'error' : 'result' }));
}

type OwnMessage = { readonly method: string; readonly params?: JsonObject } | { readonly id: Id | null; readonly error?: unknown };

function firstByte(bytes: Buffer): number | undefined {
  return bytes.find((byte) => byte !== 32 && byte !== 9);
}

/** A request, as far as its beginning shows: the id of anything else is the upstream's, and must not be answered to the agent. */
function startsAsRequest(head: Buffer): boolean {
  return /^\s*\{(?:\s*"(?:jsonrpc|id)"\s*:\s*(?:"(?:[^"\\]|\\.){0,1000}"|-?[0-9]{1,16})\s*,)*\s*"method"\s*:/.test(head.toString('latin1'));
}

/** The id of a message that is not read as a whole: from its outline, or from the last member of its envelope. */
function idNear(head: Buffer, tail: Buffer | null): Id | null {
  const members = membersOf(head, { start: 0, end: head.length });
  if (members !== null) return idAmong(head, members);
  const first = /^\s*\{\s*(?:"jsonrpc"\s*:\s*"2\.0"\s*,\s*)?"id"\s*:\s*("(?:[^"\\]|\\.){0,1000}"|-?[0-9]{1,16})\s*,/.exec(head.toString('latin1'))?.[1];
  const last = tail === null ? undefined : /,\s*"id"\s*:\s*("(?:[^"\\]|\\.){0,1000}"|-?[0-9]{1,16})\s*\}\s*$/.exec(tail.toString('latin1'))?.[1];
  const written = first ?? last;
  if (written === undefined) return null;
  const envelope = Buffer.from(`{"id":${written}}`, 'latin1');
  return idAmong(envelope, membersOf(envelope, { start: 0, end: envelope.length }) ?? []);
}

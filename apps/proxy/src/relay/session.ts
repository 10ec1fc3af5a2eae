/**
 * One session between an agent and an upstream: lines in, lines out, in order, with nothing of processes or sockets. The
 * transports (a child's pipes, Streamable HTTP) stand around it; policy stands behind the gate.
 *
 * What is forwarded are the bytes that were judged (P1): a line is passed on whole, or with byte ranges cut out of it.
 */
import type { JsonValue } from '@portcullis/policy-core';
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
import type { Id } from './message.ts';
import { elementsOf, membersOf } from './outline.ts';
import type { Range } from './outline.ts';
import { createState, record, settleAll } from './state.ts';
import type { SessionState } from './state.ts';

/** Where lines go. Each call is one or more whole lines. */
export interface Wires {
  toClient(bytes: Buffer | string): void;
  toServer(bytes: Buffer | string): void;
}

export interface Session {
  /** Lines from the agent. */
  readonly client: FramingEvents;
  /** Lines from the upstream. */
  readonly server: FramingEvents;
  /** The upstream will answer nothing more: open requests are answered with an error, and so is every later one. */
  upstreamGone(why: string): void;
  /** How many of the agent's requests wait for the upstream. Subscriptions do not: they are answered when they end. */
  unanswered(): number;
  /** Stops listening to the gate. */
  close(): void;
}

export function createSession(gate: Gate, limits: RelayLimits, wires: Wires): Session {
  const state = createState(gate, limits);
  const say = (text: string | null): void => {
    if (text !== null) wires.toClient(`${text}\n`);
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
    unanswered: () => state.asked.size - state.subscriptions.size,
    close: stopListening,
  };
}

/* From the agent */

function clientLine(state: SessionState, wires: Wires, line: Buffer, say: (text: string | null) => void): void {
  const body = content(line);
  const json = readJson(body, state.limits.json);
  if (!json.ok) return deliverRefusal(refuseUnclear(state, 'line from the agent', json.unclear), wires, say);
  if (Array.isArray(json.value)) return clientBatch(state, wires, line, json.value as readonly JsonValue[], say);
  const passage = considerClientMessage(state, json.value, body, true);
  if (passage.forward) wires.toServer(line);
  deliverRefusal(passage, wires, say);
}

function deliverRefusal({ answer, toServer }: Passage, wires: Wires, say: (text: string | null) => void): void {
  if (toServer !== null) wires.toServer(`${toServer}\n`);
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
  if (passages.some(({ forward }) => forward)) wires.toServer(applyEdits(line, cutElements(elements, (index) => passages[index]?.forward === true)));
  for (const { toServer } of passages) if (toServer !== null) wires.toServer(`${toServer}\n`);
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
  const pass = (edits: readonly Edit[]): void => {
    const bytes = applyEdits(line, edits);
    wires.toClient(bytes[bytes.length - 1] === LINE_FEED ? bytes : Buffer.concat([bytes, Buffer.from('\n')]));
  };
  // Text that holds no object is a message to nobody: servers print banners, and a client that sees one says so.
  if (!body.includes(OPEN_BRACE)) return body.includes(13) ? record(state, 'line from the upstream', 'a carriage return inside the line') : pass([]);
  if (body.includes(13)) return say(refuseAnswer(state, idNear(body, null), 'a carriage return inside the line').toClient);
  const elements = firstByte(body) === OPEN_BRACKET ? elementsOf(body, { start: 0, end: body.length }) : null;
  if (elements !== null) return serverBatch(state, wires, line, elements, say);
  const passage = considerServerMessage(state, body, { start: 0, end: body.length });
  if (passage.edits !== null) pass(passage.edits);
  deliver(passage, wires, say);
}

function serverBatch(state: SessionState, wires: Wires, line: Buffer, elements: readonly Range[], say: (text: string | null) => void): void {
  const fault = batchFault(state, elements.length);
  if (fault !== null) return record(state, 'batch from the upstream', fault);
  const passages = elements.map((element) => considerServerMessage(state, line, element));
  const edits = [...cutElements(elements, (index) => passages[index]?.edits !== null), ...passages.flatMap((passage) => passage.edits ?? [])];
  if (passages.some((passage) => passage.edits !== null)) wires.toClient(applyEdits(line, edits));
  for (const passage of passages) deliver(passage, wires, say);
}

function deliver(passage: ServerPassage, wires: Wires, say: (text: string | null) => void): void {
  if (passage.toServer !== null) wires.toServer(`${passage.toServer}\n`);
  say(passage.toClient);
}

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

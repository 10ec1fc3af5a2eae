/**
 * One child process and the relay session around it, spoken to over HTTP: lines of the child go to the response that waits for
 * them. Up to 2025-11-25 a seat is a session; from 2026-07-28 on it serves one request after another.
 */
import type { Writable } from 'node:stream';
import { own } from '../relay/message.ts';
import type { Id, Message } from '../relay/message.ts';
import { createFraming } from '../relay/framing.ts';
import type { Gate } from '../relay/gate.ts';
import type { RelayLimits } from '../relay/limits.ts';
import type { Known, Vet } from '../relay/state.ts';
import { startChild } from '../upstream/child.ts';
import type { Child, ExitStatus } from '../upstream/child.ts';
import { roomIn } from './answer.ts';
import { createConversation } from './conversation.ts';
import type { Conversation } from './conversation.ts';
import type { Reply } from './reply.ts';

export interface SeatCommand {
  readonly command: string;
  readonly args: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  readonly stderr: Writable;
}

export interface Seat {
  readonly conversation: Conversation;
  /** One message of the agent. Resolves when it is handed over; the reply ends when everything in it is answered. */
  ask(line: Buffer, reply: Reply, vet: Vet): Promise<void>;
  /** The stream on which the child speaks on its own account. */
  listen(reply: Reply): void;
  /** Responses that are open, and since when there is none. */
  readonly busy: () => boolean;
  readonly idleSince: () => number;
  readonly ended: Promise<ExitStatus>;
  stop(graceMs: number): void;
}

/** What a child says on its own account while nobody listens; more is forgotten, oldest first. */
const MAX_HELD = 64;
/** An answer that takes longer begins as events, so that nobody on the way takes the silence for a dead server. */
const EVENTS_AFTER_MS = 5_000;
const KEEP_ALIVE_MS = 25_000;

interface Waiting {
  readonly reply: Reply;
  readonly ids: Set<Id>;
  readonly tokens: ReadonlySet<Id>;
}

interface Held {
  readonly line: Buffer | string;
  readonly messages: readonly Message[];
}

interface Occupied {
  readonly child: Child;
  readonly conversation: Conversation;
  readonly waiting: Set<Waiting>;
  held: Held[];
  idleSince: number;
}

export function createSeat(command: SeatCommand, gate: Gate, limits: RelayLimits, known: Known): Seat {
  const child = startChild(command);
  const waiting = new Set<Waiting>();
  // Where nobody waits or listens, what the child says is kept for the next stream.
  const nobody: Pick<Reply, 'say'> = {
    say: (line, messages) => {
      seat.held.push({ line, messages });
      if (seat.held.length > MAX_HELD) seat.held.shift();
    },
  };
  const conversation = createConversation(gate, limits, known, (messages) => route(messages, waiting, conversation.own(), nobody));
  const seat: Occupied = { child, conversation, waiting, held: [], idleSince: performance.now() };
  child.stdin.on('error', () => child.stop({ graceMs: 0 }));
  readChild(seat, limits);
  const ended = child.ended.then((status) => {
    conversation.session.upstreamGone(`The upstream server has ended (${status.signal ?? `exit code ${status.code}`})`);
    completeAnswered(seat);
    conversation.own()?.end();
    conversation.close();
    return status;
  });
  return {
    conversation,
    ended,
    busy: () => waiting.size > 0 || conversation.own() !== null,
    idleSince: () => seat.idleSince,
    stop: (graceMs) => child.stop({ graceMs }),
    ask: (line, reply, vet) => ask(seat, line, reply, vet),
    listen: (reply) => listen(seat, reply),
  };
}

async function ask(seat: Occupied, line: Buffer, reply: Reply, vet: Vet): Promise<void> {
  const { child, conversation, waiting } = seat;
  const { forward, own: ours } = conversation.fromAgent(asChildLine(line), reply, vet);
  for (const answer of ours) writeTo(child, answer.line);
  const requests = (forward?.messages ?? []).filter((message) => message.kind === 'request');
  if (forward === null || requests.length === 0) {
    if (forward !== null) writeTo(child, forward.line);
    return reply.end();
  }
  const one: Waiting = { reply, ids: new Set(requests.map(({ id }) => id)), tokens: new Set(requests.flatMap(progressToken)) };
  waiting.add(one);
  const patience = setTimeout(() => reply.beginEvents(), EVENTS_AFTER_MS);
  const alive = setInterval(() => reply.write(':\n\n'), KEEP_ALIVE_MS);
  reply.onClose(() => {
    clearTimeout(patience);
    clearInterval(alive);
    waiting.delete(one);
    if (waiting.size === 0) seat.idleSince = performance.now();
  });
  writeTo(child, forward.line);
  await roomIn(child.stdin);
}

function listen(seat: Occupied, reply: Reply): void {
  const { conversation } = seat;
  conversation.setOwn(reply);
  reply.beginEvents();
  for (const { line, messages } of seat.held) reply.say(line, messages);
  seat.held = [];
  const alive = setInterval(() => reply.write(':\n\n'), KEEP_ALIVE_MS);
  reply.onClose(() => {
    clearInterval(alive);
    if (conversation.own() === reply) conversation.setOwn(null);
    seat.idleSince = performance.now();
  });
}

/** Ends the responses in which nothing is left to answer. */
function completeAnswered({ waiting }: Occupied): void {
  for (const one of waiting) {
    for (const id of one.ids) if (one.reply.answered(id)) one.ids.delete(id);
    if (one.ids.size > 0) continue;
    waiting.delete(one);
    one.reply.end();
  }
}

function writeTo({ stdin }: Child, line: Buffer): void {
  if (stdin.writable) stdin.write(line);
}

/** Everything that the child says, as fast as those it says it to take it. */
function readChild(seat: Occupied, limits: RelayLimits): void {
  const { child, conversation, waiting } = seat;
  const framing = createFraming(limits.maxLineBytes, {
    line: (line) => {
      for (const answer of conversation.fromUpstream(line, null)) writeTo(child, answer.line);
      completeAnswered(seat);
    },
    tooLong: (ends) => {
      conversation.tooLong(ends, null);
      completeAnswered(seat);
    },
  });
  child.stdout.on('data', (chunk: Buffer) => {
    framing.push(chunk);
    const wait = [...waiting].map(({ reply }) => reply.room()).find((room) => room !== null) ?? conversation.own()?.room() ?? null;
    if (wait === null) return;
    child.stdout.pause();
    void wait.then(() => child.stdout.resume());
  });
  child.stdout.on('end', framing.end);
  // A pipe that breaks is the end of what the child says.
  child.stdout.on('error', () => undefined);
}

/** The response that a line is for: the one that waits for its id or progress, else the newest that waits, else the agent's own stream. */
function route(messages: readonly Message[], waiting: ReadonlySet<Waiting>, ownStream: Reply | null, nobody: Pick<Reply, 'say'>): Pick<Reply, 'say'> | null {
  const [first] = messages;
  if (first === undefined) return null;
  const all = [...waiting];
  if (first.kind === 'response') {
    const { id } = first;
    // Of one that nobody waits for any more, the agent has closed the response.
    return all.find(({ ids }) => id !== null && ids.has(id))?.reply ?? null;
  }
  const token = first.method === 'notifications/progress' ? own(first.params, 'progressToken') : undefined;
  const asked = typeof token === 'string' || typeof token === 'number' ? all.find(({ tokens }) => tokens.has(token)) : undefined;
  const chosen = asked?.reply ?? (isAboutServer(first) ? ownStream : null) ?? all.at(-1)?.reply ?? ownStream;
  if (chosen === null) return isAboutServer(first) ? null : nobody;
  // Something comes before the answer, so the answer is one of events.
  chosen.beginEvents();
  return chosen;
}

/** What concerns no request in particular. */
function isAboutServer(message: Message): boolean {
  return message.kind === 'notification' && (message.method.endsWith('/list_changed') || message.method === 'notifications/resources/updated');
}

function progressToken(message: Message): Id[] {
  const meta = message.kind === 'request' ? own(message.params, '_meta') : undefined;
  const token = typeof meta === 'object' && meta !== null && Object.hasOwn(meta, 'progressToken') ? (meta as { readonly progressToken?: unknown }).progressToken : undefined;
  return typeof token === 'string' || typeof token === 'number' ? [token] : [];
}

/** A child reads lines: white space between the parts of a message that would end one becomes a space, before it is judged. */
function asChildLine(body: Buffer): Buffer {
  const line = Buffer.concat([body, Buffer.from('\n')]);
  for (let at = line.indexOf(10); at >= 0 && at < line.length - 1; at = line.indexOf(10, at + 1)) line[at] = 32;
  return line;
}

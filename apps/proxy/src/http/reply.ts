/** The answer to one request of an agent: one JSON text, or events as they come. Which of the two is decided as late as it can be. */
import type { ServerResponse } from 'node:http';
import type { Id, Message } from '../relay/message.ts';
import { roomIn } from './answer.ts';
import { eventOf } from './sse.ts';

export type Headers = Readonly<Record<string, string | readonly string[]>>;

export interface Head {
  readonly headers?: Headers;
  readonly status?: (line: Buffer | string) => number | null;
}

export interface Reply {
  /** Says one line; as an event where events have begun, and held until `end` where not. `fields` are the event's own lines. */
  say(line: Buffer | string, messages: readonly Message[], fields?: string): void;
  /** From here on everything is an event. The first call counts. */
  beginEvents(headers?: Headers): void;
  /** What the head says besides; `status` is asked about the only line of an answer that is not one of events. */
  head(head: Head): void;
  /** What is no message: a comment, an event without data. */
  write(text: string): void;
  /** Ends the answer with what was said, or with nothing. `status` is for an answer that is not one of events. */
  end(status?: number, headers?: Headers): void;
  /** Ends it with bytes that are no message. */
  endWith(status: number, headers: Headers, body: Buffer | null): void;
  readonly over: () => boolean;
  /** Whether a request was answered here. */
  readonly answered: (id: Id) => boolean;
  /** Null where more may be said at once. */
  room(): Promise<void> | null;
  /** Called once when nobody reads any more, or the answer is complete. */
  onClose(listener: () => void): void;
}

const EVENT_HEADERS = { 'content-type': 'text/event-stream', 'cache-control': 'no-cache, no-transform', 'x-accel-buffering': 'no' } as const;

export function createReply(response: ServerResponse, onlyEvents: boolean): Reply {
  let held: { readonly line: Buffer | string; readonly messages: readonly Message[] }[] = [];
  let events = false;
  const answered = new Set<Id>();
  let head: Head = {};
  const over = (): boolean => response.writableEnded || response.destroyed;

  function beginEvents(headers: Headers = {}): void {
    if (events || over()) return;
    events = true;
    response.writeHead(200, { ...EVENT_HEADERS, ...head.headers, ...headers });
    response.flushHeaders();
    for (const { line } of held) writeEvent(line, '');
    held = [];
  }

  function writeEvent(line: Buffer | string, fields: string): void {
    response.cork();
    for (const piece of eventOf(fields, line)) response.write(piece);
    response.uncork();
  }

  function endWith(status: number, headers: Headers, body: Buffer | null): void {
    if (over()) return;
    response.writeHead(status, { ...headers, ...(body === null && status !== 204 ? { 'content-length': '0' } : body === null ? {} : { 'content-length': String(body.length) }) });
    response.end(body ?? undefined);
  }

  return {
    say(line, messages, fields = '') {
      if (over()) return;
      for (const message of messages) if (message.kind === 'response' && message.id !== null) answered.add(message.id);
      if (events) writeEvent(line, fields);
      else held.push({ line, messages });
    },
    beginEvents,
    head: (more) => (head = { ...head, ...more }),
    write(text) {
      if (events && !over()) response.write(text);
    },
    end(status, headers = {}) {
      if (over()) return;
      if (!events && onlyEvents && held.length > 0) beginEvents(headers);
      if (events) return void response.end();
      const [only] = held;
      if (only === undefined) return endWith(status ?? head.status?.('') ?? 202, { ...head.headers, ...headers }, null);
      const asked = held.length === 1 ? head.status?.(only.line) : null;
      endWith(status ?? asked ?? statusOf(held.flatMap((one) => one.messages)), { ...head.headers, ...headers, 'content-type': 'application/json' }, together(held.map(({ line }) => line)));
    },
    endWith,
    over,
    answered: (id) => answered.has(id),
    room: () => roomIn(response),
    onClose: (listener) => void response.once('close', listener),
  };
}

/** An error that answers nobody's request has only its status to be heard by. */
function statusOf(messages: readonly Message[]): number {
  return messages.every((message) => message.kind === 'response' && message.id === null && message.outcome === 'error') ? 400 : 200;
}

/** One text as it is, without its line feed; several as one array. */
function together(lines: readonly (Buffer | string)[]): Buffer {
  const bodies = lines.map((line) => (typeof line === 'string' ? Buffer.from(line.trimEnd()) : line.subarray(0, line[line.length - 1] === 10 ? line.length - 1 : line.length)));
  const [only] = bodies;
  if (bodies.length === 1 && only !== undefined) return only;
  const inner = bodies.map((body) => {
    const text = body.toString('utf8').trim();
    return text.startsWith('[') ? text.slice(1, -1) : text;
  });
  return Buffer.from(`[${inner.join()}]`);
}

/** The body of an upstream's HTTP answer, as lines for a session: one JSON text, or events as they come. */
import type { IncomingMessage } from 'node:http';
import { asLine, createSseReader } from './sse.ts';
import type { SseHandlers } from './sse.ts';

/** What a body is by its header. Anything that is not said to be one of the two that the protocol has is `other`. */
export type BodyKind = 'json' | 'events' | 'other' | 'unreadable';

export function bodyKind(message: IncomingMessage): BodyKind {
  const encoding = message.headers['content-encoding']?.trim().toLowerCase() ?? 'identity';
  if (encoding !== 'identity' && encoding !== '') return 'unreadable';
  switch (mediaType(message.headers['content-type'])) {
    case 'application/json':
      return 'json';
    case 'text/event-stream':
      return 'events';
    default:
      return 'other';
  }
}

export function mediaType(header: string | undefined): string {
  return (header ?? '').split(';', 1)[0]?.trim().toLowerCase() ?? '';
}

/** The whole body as one line; null where it is longer than `maxBytes` or does not come to its end. The rest of it is thrown away. */
export async function readWhole(message: IncomingMessage, maxBytes: number): Promise<Buffer | null> {
  const pieces: Buffer[] = [];
  let size = 0;
  try {
    for await (const chunk of message as AsyncIterable<Buffer>) {
      size += chunk.length;
      if (size > maxBytes) return null;
      pieces.push(chunk);
    }
  } catch {
    return null;
  }
  return asLine(pieces);
}

/** Reads events until the stream ends, as fast as `room` lets it. True where it ended properly. */
export async function readEvents(message: IncomingMessage, maxBytes: number, handlers: SseHandlers, room: () => Promise<void> | null): Promise<boolean> {
  const reader = createSseReader(maxBytes, handlers);
  try {
    for await (const chunk of message as AsyncIterable<Buffer>) {
      reader.push(chunk);
      const wait = room();
      if (wait !== null) await wait;
    }
  } catch {
    return false;
  }
  reader.end();
  return true;
}

/** Waits for room where there is none. Resolves too when nobody will ever read. */
export function roomIn(sink: NodeJS.WritableStream & { readonly writableNeedDrain: boolean; readonly destroyed?: boolean }): Promise<void> | null {
  if (!sink.writableNeedDrain || sink.destroyed === true) return null;
  return new Promise((resolve) => {
    const done = (): void => {
      for (const event of ['drain', 'close', 'error'] as const) sink.off(event, done);
      resolve();
    };
    for (const event of ['drain', 'close', 'error'] as const) sink.on(event, done);
  });
}

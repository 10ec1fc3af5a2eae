/**
 * Server-sent events (WHATWG HTML, section 9.2) with back pressure: the next message is asked for when the last one has been
 * taken, so that a slow reader costs one message of memory.
 */
export interface StreamMessage {
  /** What a client that comes back sends as Last-Event-ID. */
  readonly id?: string;
  readonly event?: string;
  readonly data: unknown;
}

/** Proxies between us drop what is silent for a minute; a comment now and then also finds dead clients. */
const KEEP_ALIVE_MS = 15_000;

/** A question that waits for the next message at most so long; undefined = nothing came; null = the end. */
export type Next = (timeoutMs: number, signal: AbortSignal) => Promise<StreamMessage | undefined | null>;

/** A response that streams what `next` yields until it ends or the client goes; `closed` runs once then. */
export function eventStream(next: Next, closed: () => void, signal: AbortSignal): Response {
  const gone = new AbortController();
  const stop = (): void => {
    if (gone.signal.aborted) return;
    gone.abort();
    signal.removeEventListener('abort', stop);
    closed();
  };
  signal.addEventListener('abort', stop);
  // Who went while the request was looked at is not heard of again.
  if (signal.aborted) stop();
  const encoder = new TextEncoder();
  const body = new ReadableStream<Uint8Array>({
    // Headers leave at once, so that a client knows that it is connected before anything happens.
    start: (controller) => controller.enqueue(encoder.encode(': connected\n\n')),
    pull: async (controller) => {
      const message = gone.signal.aborted ? null : await next(KEEP_ALIVE_MS, gone.signal);
      if (message === null || gone.signal.aborted) {
        stop();
        controller.close();
        return;
      }
      controller.enqueue(encoder.encode(message === undefined ? ': still here\n\n' : written(message)));
    },
    cancel: stop,
  });
  return new Response(body, { headers: { 'content-type': 'text/event-stream', 'cache-control': 'no-store', 'x-accel-buffering': 'no' } });
}

function written({ id, event, data }: StreamMessage): string {
  const lines = [`data: ${JSON.stringify(data)}`];
  if (event !== undefined) lines.unshift(`event: ${event}`);
  if (id !== undefined) lines.unshift(`id: ${id}`);
  return `${lines.join('\n')}\n\n`;
}

/** A bell: `ring` wakes whoever waits. Rings that nobody hears are remembered as one. */
export function bell(): { ring(): void; wait(timeoutMs: number, signal: AbortSignal): Promise<void> } {
  let rung = false;
  let wake: (() => void) | undefined;
  return {
    ring: () => {
      rung = true;
      wake?.();
    },
    wait: (timeoutMs, signal) =>
      new Promise((resolve) => {
        const done = (): void => {
          clearTimeout(timer);
          signal.removeEventListener('abort', done);
          wake = undefined;
          rung = false;
          resolve();
        };
        const timer = setTimeout(done, timeoutMs);
        signal.addEventListener('abort', done);
        wake = done;
        if (rung || signal.aborted) done();
      }),
  };
}

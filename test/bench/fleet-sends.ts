/**
 * Runs inside the plane's own process, before its program: counts what it hands to sockets, so that a benchmark can say when the last byte of
 * a push was handed over. The program itself is the one that ships.
 */
import { WebSocket } from 'ws';

/** What the process answers to any message on its IPC channel. */
export interface Sent {
  readonly frames: number;
  readonly bytes: number;
  /** Milliseconds since 1970 at which the last frame of the kind asked for was handed to its socket. */
  readonly lastAtMs: number;
  readonly rssBytes: number;
  /** JavaScript's own heap and what it holds outside, after a collection. */
  readonly heapBytes: number;
}

let frames = 0;
let bytes = 0;
let lastAtMs = 0;
/** How the frames that are counted begin; others, heartbeats above all, are not. */
let beginning = '';

const send = Reflect.get(WebSocket.prototype, 'send') as (this: WebSocket, data: unknown, ...rest: unknown[]) => void;
Reflect.set(WebSocket.prototype, 'send', function (this: WebSocket, data: unknown, ...rest: unknown[]): void {
  send.call(this, data, ...rest);
  const text = Buffer.isBuffer(data) ? data.toString('latin1', 0, beginning.length) : typeof data === 'string' ? data.slice(0, beginning.length) : '';
  if (beginning === '' || text !== beginning) return;
  frames += 1;
  bytes += typeof data === 'string' ? Buffer.byteLength(data) : (data as Buffer).length;
  lastAtMs = performance.timeOrigin + performance.now();
});

process.on('message', (message: { readonly count: string }) => {
  globalThis.gc?.();
  const memory = process.memoryUsage();
  process.send?.({ frames, bytes, lastAtMs, rssBytes: memory.rss, heapBytes: memory.heapUsed + memory.external + memory.arrayBuffers } satisfies Sent);
  [frames, bytes, lastAtMs] = [0, 0, 0];
  beginning = `{"frame":"${message.count}"`;
});
process.channel?.unref();

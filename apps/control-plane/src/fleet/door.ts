/**
 * The door of /v1/link: who may open a socket at all, and proof of who it is before anything else is read (W1). Hosts prove a key on every
 * connection; nothing that could be stolen and shown again crosses the wire.
 */
import type { IncomingMessage, Server } from 'node:http';
import type { Duplex } from 'node:stream';
import { linkLimits, LINK_CLOSE_CODE, plainFrame, readUp, verifierOf } from '@portcullis/policy-core';
import type { CloseReason, HelloHeader } from '@portcullis/policy-core';
import { WebSocketServer } from 'ws';
import type { RawData, WebSocket } from 'ws';
import type { Host, PlaneState } from '../domain/state.ts';
import type { Timers } from '../timers.ts';

export const LINK_PATH = '/v1/link';

/** Sockets that have not said who they are. A rack that restarts has a few hundred at once; they turn over in milliseconds. */
const MAX_UNPROVED = 512;
/** Sockets in all: about 15 kB each. */
const MAX_SOCKETS = 20_000;

export interface Door {
  attach(server: Server): void;
  /** Asks a socket that is open who it is; after `shut`, sends it away. */
  greet(socket: WebSocket): void;
  /** Refuses whoever comes from now on. */
  shut(): void;
}

export interface DoorOptions {
  readonly state: () => PlaneState;
  readonly random: (bytes: number) => Uint8Array;
  /** A proxy that has proved its host's key and follows another log; it is turned away. */
  readonly onStray?: (hello: HelloHeader) => void;
  readonly timers: Timers;
  /** A proxy that has proved its host's key. The socket is paused; the caller listens to it and resumes it. */
  readonly onProxy: (proxy: { readonly socket: WebSocket; readonly hello: HelloHeader; readonly host: Host }) => void;
}

/** Makes the door; it lets nobody in before it is attached to a server. */
export function makeDoor({ state, random, onStray, timers, onProxy }: DoorOptions): Door {
  let open = true;
  let unproved = 0;
  const sockets = new WebSocketServer({
    noServer: true,
    clientTracking: true,
    perMessageDeflate: false,
    maxPayload: linkLimits.MAX_UP_BYTES,
    maxFragments: linkLimits.MAX_FRAGMENTS,
    maxBufferedChunks: linkLimits.MAX_BUFFERED_CHUNKS,
    skipUTF8Validation: false,
  });

  function upgrade(request: IncomingMessage, stream: Duplex, head: Buffer): void {
    const path = (request.url ?? '').split('?')[0];
    if (path !== LINK_PATH) return refuse(stream, '404 Not Found');
    // A browser always sends an Origin; a proxy never does.
    if (request.headers.origin !== undefined) return refuse(stream, '403 Forbidden');
    if (!open || sockets.clients.size >= MAX_SOCKETS || unproved >= MAX_UNPROVED) return refuse(stream, '503 Service Unavailable', 'Retry-After: 2\r\n');
    sockets.handleUpgrade(request, stream, head, greet);
  }

  function greet(socket: WebSocket): void {
    const nonce = Buffer.from(random(32)).toString('base64url');
    unproved += 1;
    const stop = timers.after(linkLimits.HELLO_MS, () => done('hello-timeout'));
    const gone = (): void => done(null);
    // ws emits `error` before `close`; what matters is that the socket is gone.
    const ignore = (): void => undefined;
    socket.on('error', ignore);
    socket.once('close', gone);
    socket.once('message', (data: RawData, binary: boolean) => {
      const proved = binary || sizeOf(data) > linkLimits.MAX_HELLO_BYTES ? ({ ok: false, reason: 'bad-frame' } as const) : prove(textOf(data), nonce, state());
      if (!proved.ok) {
        if ('stray' in proved) onStray?.(proved.stray);
        return done(proved.reason);
      }
      done(null);
      socket.pause();
      onProxy({ socket, hello: proved.hello, host: proved.host });
    });
    const { log, restorations } = state();
    socket.send(plainFrame({ frame: 'challenge', protocol: linkLimits.LINK_PROTOCOL, log, nonce, ...(restorations.length === 0 ? {} : { restorations }) }));

    let finished = false;
    function done(reason: CloseReason | null): void {
      if (finished) return;
      finished = true;
      unproved -= 1;
      stop();
      socket.off('close', gone);
      if (reason !== null) closeSocket(socket, reason, timers);
    }
  }

  return {
    attach: (server) => {
      server.on('upgrade', upgrade);
    },
    greet: (socket) => (open ? greet(socket) : closeSocket(socket, 'going-away', timers)),
    shut: () => {
      open = false;
    },
  };
}

type Proved =
  | { readonly ok: true; readonly hello: HelloHeader; readonly host: Host }
  | { readonly ok: false; readonly reason: CloseReason }
  /** A host of ours that follows another log. */
  | { readonly ok: false; readonly reason: 'other-log'; readonly stray: HelloHeader };

/** Reads the hello and checks the key behind it. An unknown host and a wrong signature get the same answer. */
function prove(source: string, nonce: string, state: PlaneState): Proved {
  const read = readUp(source);
  if (!read.ok) return { ok: false, reason: read.kind === 'unsupported' ? 'unsupported-protocol' : 'bad-frame' };
  if (read.value.frame !== 'hello') return { ok: false, reason: 'bad-frame' };
  const { signed, header, signature } = read.value;
  const host = state.hosts.get(signed.host);
  const proven = host !== undefined && signed.nonce === nonce && verifierOf(host.publicKey)?.('connect', header, signature) === true;
  if (signed.log !== state.log) return proven ? { ok: false, reason: 'other-log', stray: signed } : { ok: false, reason: 'other-log' };
  if (!proven) return { ok: false, reason: 'unauthorised' };
  return host.revoked ? { ok: false, reason: 'revoked' } : { ok: true, hello: signed, host };
}

/** Closes a socket for a reason, and for good if the other end does not answer. */
export function closeSocket(socket: WebSocket, reason: CloseReason, timers: Timers): void {
  socket.close(LINK_CLOSE_CODE, reason);
  // A peer that reads nothing never answers the close; it gets no longer than this.
  socket.once('close', timers.idly(CLOSE_MS, () => socket.terminate()));
}

const CLOSE_MS = 2_000;

export function sizeOf(data: RawData): number {
  return Array.isArray(data) ? data.reduce((sum, part) => sum + part.length, 0) : data.byteLength;
}

export function textOf(data: RawData): string {
  if (Array.isArray(data)) return Buffer.concat(data).toString('utf8');
  return data instanceof ArrayBuffer ? Buffer.from(data).toString('utf8') : data.toString('utf8');
}

function refuse(stream: Duplex, status: string, headers = ''): void {
  stream.on('error', () => stream.destroy());
  stream.end(`HTTP/1.1 ${status}\r\n${headers}Connection: close\r\nContent-Length: 0\r\n\r\n`);
}

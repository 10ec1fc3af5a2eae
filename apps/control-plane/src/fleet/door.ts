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
import type { Knock } from './turned-away.ts';

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
  /** Somebody is turned away. */
  readonly onRefused?: (knock: Knock) => void;
  readonly timers: Timers;
  /** A proxy that has proved its host's key. The socket is paused; the caller listens to it and resumes it. */
  readonly onProxy: (proxy: { readonly socket: WebSocket; readonly hello: HelloHeader; readonly host: Host }) => void;
}

/** Makes the door; it lets nobody in before it is attached to a server. */
export function makeDoor({ state, random, onRefused, timers, onProxy }: DoorOptions): Door {
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
    sockets.handleUpgrade(request, stream, head, (socket) => greet(socket, request.socket.remoteAddress ?? null));
  }

  function greet(socket: WebSocket, from: string | null): void {
    const nonce = Buffer.from(random(32)).toString('base64url');
    unproved += 1;
    const refuseAs = ({ reason, hello, proved }: Omit<Knock, 'from'>): void => {
      if (done(reason)) onRefused?.({ reason, hello, proved, from });
    };
    const stop = timers.after(linkLimits.HELLO_MS, () => refuseAs({ reason: 'hello-timeout', hello: null, proved: false }));
    const gone = (): void => void done(null);
    // ws emits `error` before `close`; what matters is that the socket is gone.
    const ignore = (): void => undefined;
    socket.on('error', ignore);
    socket.once('close', gone);
    socket.once('message', (data: RawData, binary: boolean) => {
      const proved = binary || sizeOf(data) > linkLimits.MAX_HELLO_BYTES ? unread('bad-frame') : prove(textOf(data), nonce, state());
      if (!proved.ok) return refuseAs(proved);
      done(null);
      socket.pause();
      onProxy({ socket, hello: proved.hello, host: proved.host });
    });
    const { log, restorations } = state();
    socket.send(plainFrame({ frame: 'challenge', protocol: linkLimits.LINK_PROTOCOL, log, nonce, ...(restorations.length === 0 ? {} : { restorations }) }));

    let finished = false;
    /** False where it was done already. */
    function done(reason: CloseReason | null): boolean {
      if (finished) return false;
      finished = true;
      unproved -= 1;
      stop();
      socket.off('close', gone);
      if (reason !== null) closeSocket(socket, reason, timers);
      return true;
    }
  }

  return {
    attach: (server) => {
      server.on('upgrade', upgrade);
    },
    greet: (socket) => (open ? greet(socket, null) : closeSocket(socket, 'going-away', timers)),
    shut: () => {
      open = false;
    },
  };
}

type Proved = { readonly ok: true; readonly hello: HelloHeader; readonly host: Host } | NotProved;
interface NotProved extends Omit<Knock, 'from'> {
  readonly ok: false;
}

/** Reads the hello and checks the key behind it. An unknown host and a wrong signature get the same answer. */
function prove(source: string, nonce: string, state: PlaneState): Proved {
  const read = readUp(source);
  if (!read.ok) return unread(read.kind === 'unsupported' ? 'unsupported-protocol' : 'bad-frame');
  if (read.value.frame !== 'hello') return unread('bad-frame');
  const { signed: hello, header, signature } = read.value;
  const host = state.hosts.get(hello.host);
  const proved = host !== undefined && hello.nonce === nonce && verifierOf(host.publicKey)?.('connect', header, signature) === true;
  if (hello.log !== state.log) return { ok: false, reason: 'other-log', hello, proved };
  if (!proved) return { ok: false, reason: 'unauthorised', hello, proved };
  return host.revoked ? { ok: false, reason: 'revoked', hello, proved } : { ok: true, hello, host };
}

function unread(reason: CloseReason): NotProved {
  return { ok: false, reason, hello: null, proved: false };
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

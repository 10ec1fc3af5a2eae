/** The HTTP server in front of the API and the proxies' sockets: limits first, then requests. */
import { createServer } from 'node:http';
import type { Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { Socket } from 'node:net';
import { getRequestListener } from '@hono/node-server';
import type { Api } from './parts.ts';
import type { ServeConfig } from '../config.ts';

/** A request's head arrives at once from whoever means it; slower is an attack on sockets. */
const HEADERS_TIMEOUT_MS = 10_000;
/** 64 KiB of body over a bad line. Answers, streams and upgraded sockets are not bound by it. */
const REQUEST_TIMEOUT_MS = 30_000;
const CONNECTIONS_CHECK_MS = 5_000;
const KEEP_ALIVE_MS = 5_000;
const MAX_HEADER_BYTES = 16 * 1024;
/** Twice the ten thousand proxies that one plane is made for. */
const MAX_CONNECTIONS = 20_000;
/** What a request that is being answered may still take at the end. */
const CLOSING_MS = 1_000;

export interface Listening {
  readonly server: Server;
  readonly port: number;
  readonly close: () => Promise<void>;
}

/** Answers requests; before it is given an API it says that the plane is starting. */
export interface HttpServer {
  readonly server: Server;
  readonly open: (api: Api) => void;
}

/** A server with its limits that does not listen yet. */
export function createHttpServer(tls: ServeConfig['tls']): HttpServer {
  let listener: ReturnType<typeof getRequestListener> | undefined;
  const limits = { headersTimeout: HEADERS_TIMEOUT_MS, requestTimeout: REQUEST_TIMEOUT_MS, connectionsCheckingInterval: CONNECTIONS_CHECK_MS, keepAliveTimeout: KEEP_ALIVE_MS, maxHeaderSize: MAX_HEADER_BYTES };
  const onRequest: Parameters<typeof createServer>[1] = (request, response) => {
    if (listener === undefined) response.writeHead(503, { 'content-type': 'application/json', 'retry-after': '1', connection: 'close' }).end(STARTING);
    else void listener(request, response);
  };
  const server = tls === null ? createServer(limits, onRequest) : createTlsServer({ ...limits, ...tls, minVersion: 'TLSv1.2' }, onRequest);
  server.maxConnections = MAX_CONNECTIONS;
  return {
    server,
    open: (api) => {
      listener = getRequestListener(api.fetch, { overrideGlobalObjects: false });
    },
  };
}

const STARTING = JSON.stringify({ error: { code: 'unavailable', message: 'The plane is starting. Ask again in a moment.' } });

/** Starts to listen, or says in one line why not. */
export function listen(server: Server, host: string, port: number): Promise<{ readonly ok: true; readonly listening: Listening } | { readonly ok: false; readonly problem: string }> {
  const sockets = socketsOf(server);
  let closed: Promise<void> | undefined;
  return new Promise((resolve) => {
    server.once('error', (error: NodeJS.ErrnoException) => resolve({ ok: false, problem: problemOf(error, host, port) }));
    server.listen(port, host, () => {
      const address = server.address();
      const bound = typeof address === 'object' && address !== null ? address.port : port;
      resolve({ ok: true, listening: { server, port: bound, close: () => (closed ??= close(server, sockets)) } });
    });
  });
}

/** Every open connection. The server's own list forgets those that were upgraded, and its end waits for them. */
function socketsOf(server: Server): ReadonlySet<Socket> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  return sockets;
}

function problemOf(error: NodeJS.ErrnoException, host: string, port: number): string {
  const place = `${host}:${port}`;
  switch (error.code) {
    case 'EADDRINUSE':
      return `${place} is taken: another program, perhaps another plane, listens there. Stop it, or choose another with --listen.`;
    case 'EACCES':
      return `${place} may not be used by this user (ports below 1024 are reserved). Choose another with --listen.`;
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
      return `${host} is no address of this machine. Choose another with --listen.`;
    default:
      return `Cannot listen on ${place}: ${error.message}.`;
  }
}

/** Stops accepting at once; what is being answered gets a moment, then every connection is closed, an upgraded one too. */
function close(server: Server, sockets: ReadonlySet<Socket>): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => {
      for (const socket of sockets) socket.destroy();
    }, CLOSING_MS);
    server.close(() => {
      clearTimeout(timer);
      resolve();
    });
    server.closeIdleConnections();
  });
}

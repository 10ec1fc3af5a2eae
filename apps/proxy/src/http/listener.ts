/**
 * The Streamable HTTP listener: what `portcullis-proxy --listen HOST:PORT` is. It answers who may not come in, and hands every other
 * request to what stands behind: an HTTP upstream (remote-front.ts) or child processes (child-front.ts).
 */
import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Gate } from '../relay/gate.ts';
import type { RelayLimits } from '../relay/limits.ts';
import { INVALID_REQUEST } from '../relay/message.ts';
import { failure } from '../relay/answers.ts';
import { refuseAtDoor } from './door.ts';
import type { DoorOptions } from './door.ts';
import { readPost } from './post-body.ts';
import { createReply } from './reply.ts';
import type { Reply } from './reply.ts';

/** What stands behind the listener. */
export interface Front {
  /** The path of the one MCP endpoint. */
  readonly path: string;
  post(line: Buffer, request: IncomingMessage, reply: Reply): Promise<void>;
  /** Up to 2025-11-25: the stream on which the upstream speaks on its own account. */
  get(request: IncomingMessage, reply: Reply): Promise<void>;
  /** Up to 2025-11-25: the end of a session. */
  end(request: IncomingMessage, reply: Reply): Promise<void>;
  /** Any other request; false where it is none of this front's. */
  other(request: IncomingMessage, reply: Reply): Promise<boolean>;
  /** Ends everything behind it. */
  close(): Promise<void>;
}

export interface ListenAt {
  readonly host: string;
  /** 0 lets the system choose. */
  readonly port: number;
}

export interface ListenerOptions extends DoorOptions {
  readonly at: ListenAt;
  readonly front: Front;
  readonly gate: Gate;
  readonly limits: RelayLimits;
}

export interface Listener {
  readonly url: string;
  close(): Promise<void>;
}

/** Connections at once: an agent holds a few, a host has some agents. */
const MAX_CONNECTIONS = 2048;
/** Room for arguments that are repeated in headers. */
const MAX_HEADER_BYTES = 64 * 1024;
/** Who sends a header or body more slowly is holding a connection, not asking. */
const HEADER_MS = 10_000;
const REQUEST_MS = 60_000;
/** Longer than official clients keep a silent connection, so that the client is the one to close it. */
const IDLE_CONNECTION_MS = 65_000;

/** Resolves once it listens; rejects where it cannot, with the system's error. */
export async function startListener(options: ListenerOptions): Promise<Listener> {
  const { at, front } = options;
  const server = createServer({ maxHeaderSize: MAX_HEADER_BYTES, keepAliveTimeout: IDLE_CONNECTION_MS, headersTimeout: HEADER_MS, requestTimeout: REQUEST_MS, noDelay: true }, (request, response) => void handle(options, request, response));
  server.maxConnections = MAX_CONNECTIONS;
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(at.port, at.host, resolve);
  });
  const { port } = server.address() as AddressInfo;
  const host = at.host.includes(':') ? `[${at.host}]` : at.host;
  return { url: `http://${host}:${port}${front.path}`, close: () => closeAll(server, front) };
}

async function closeAll(server: Server, front: Front): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  await front.close();
  server.closeAllConnections();
  await closed;
}

async function handle(options: ListenerOptions, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { front, gate, limits } = options;
  // A connection that breaks is the end of its exchange, nothing more.
  for (const one of [request, response]) one.on('error', () => undefined);
  const reply = createReply(response, wantsOnlyEvents(request));
  const refuse = (status: number, detail: string, headers: Readonly<Record<string, string>> = {}): void => {
    gate.refuse({ what: `HTTP ${request.method ?? ''} from the agent`, detail });
    // What is left of a body nobody will read must not be taken for the next request.
    const body = failure(null, INVALID_REQUEST, `Not forwarded by the policy proxy: ${detail}`);
    reply.endWith(status, { ...headers, 'content-type': 'application/json', ...(request.complete ? {} : { connection: 'close' }) }, Buffer.from(body));
    request.resume();
  };
  const refused = refuseAtDoor(request, options);
  if (refused !== null) return refuse(refused.status, refused.detail, refused.headers);
  try {
    const path = (request.url ?? '').split('?', 1)[0];
    if (path !== front.path) {
      if (!(await front.other(request, reply))) refuse(404, `nothing is at ${JSON.stringify((path ?? '').slice(0, 100))}: the MCP endpoint is ${front.path}`);
      return;
    }
    switch (request.method) {
      case 'POST': {
        const body = await readPost(request, limits.maxLineBytes);
        return body.ok ? await front.post(body.line, request, reply) : refuse(body.status, body.detail);
      }
      case 'GET':
        return await front.get(request, reply);
      case 'DELETE':
        return await front.end(request, reply);
      default:
        if (!(await front.other(request, reply))) refuse(405, `${request.method ?? ''} is none of the methods of the MCP endpoint`, { allow: 'GET, POST, DELETE' });
    }
  } catch (error) {
    // A body that breaks off has nobody to be told; anything else is a fault of ours, and the session must not hang on it.
    if (!request.destroyed || request.complete) refuse(500, `the proxy failed: ${error instanceof Error ? error.message : String(error)}`);
    else response.destroy();
  }
}

/** The protocol wants both forms accepted; some clients accept one. */
function wantsOnlyEvents(request: IncomingMessage): boolean {
  const accept = (request.headers.accept ?? '*/*').toLowerCase();
  return accept.includes('text/event-stream') && !accept.includes('application/json') && !accept.includes('*/*') && !accept.includes('application/*');
}

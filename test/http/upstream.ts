/** A Streamable HTTP upstream in the test's hands: it records every request and answers as its script says. */
import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface Seen {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  /** The body as JSON; null where it is none. */
  readonly message: Message | null;
}

export interface Message {
  readonly jsonrpc?: string;
  readonly id?: number | string | null;
  readonly method?: string;
  readonly params?: Readonly<Record<string, unknown>>;
  readonly result?: unknown;
  readonly error?: { readonly code: number; readonly message: string };
}

export interface Answering {
  readonly seen: Seen;
  readonly response: ServerResponse;
  json(message: unknown, status?: number, headers?: Readonly<Record<string, string>>): void;
  /** Begins a stream of events, or writes to it. */
  event(message: unknown, fields?: string): void;
  end(status?: number): void;
}

export interface Upstream {
  readonly url: string;
  readonly port: number;
  readonly seen: Seen[];
  /** Connections that are open. */
  connections(): Promise<number>;
  close(): Promise<void>;
}

/** Answers every POST as `answer` says; where it does nothing, as a plain server of 2025-11-25 with one session would. */
export async function startUpstream(answer: (exchange: Answering) => boolean | Promise<boolean> = () => false): Promise<Upstream> {
  const seen: Seen[] = [];
  const server = createServer((request, response) => {
    void read(request).then(async (body) => {
      const one: Seen = {
        method: request.method ?? '',
        path: request.url ?? '',
        headers: Object.fromEntries(Object.entries(request.headers).map(([name, value]) => [name, String(value)])),
        body,
        message: parse(body),
      };
      seen.push(one);
      const exchange = answering(one, response);
      if (!(await answer(exchange))) asUsual(exchange);
    }, () => undefined);
  });
  server.keepAliveTimeout = 1_000;
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/mcp`,
    port,
    seen,
    connections: () => new Promise((resolve, reject) => server.getConnections((error, count) => (error === null ? resolve(count) : reject(error)))),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

export const SESSION = 'session-1';

function asUsual({ seen: { method, message }, response, json, end }: Answering): void {
  if (method === 'DELETE') return end(200);
  if (method !== 'POST') return end(405);
  if (message?.id === undefined || message.method === undefined) return end(202);
  const { id, params } = message;
  switch (message.method) {
    case 'initialize':
      return json({ jsonrpc: '2.0', id, result: { protocolVersion: params?.['protocolVersion'] ?? '2025-11-25', capabilities: { tools: {} }, serverInfo: { name: 'fixture', version: '1' } } }, 200, { 'mcp-session-id': SESSION });
    case 'tools/list':
      return json({ jsonrpc: '2.0', id, result: { tools: ['ok', 'pay', 'secret', 'evil'].map((name) => ({ name, inputSchema: { type: 'object' } })) } });
    default:
      if (response.destroyed) return;
      return json({ jsonrpc: '2.0', id, result: { content: [{ type: 'text', text: 'done' }] } });
  }
}

function answering(seen: Seen, response: ServerResponse): Answering {
  return {
    seen,
    response,
    json(message, status = 200, headers = {}) {
      response.writeHead(status, { 'content-type': 'application/json', ...headers });
      response.end(typeof message === 'string' ? message : JSON.stringify(message));
    },
    event(message, fields = '') {
      if (!response.headersSent) response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write(`${fields}data: ${typeof message === 'string' ? message : JSON.stringify(message)}\n\n`);
    },
    end(status) {
      if (!response.headersSent && status !== undefined) response.writeHead(status);
      response.end();
    },
  };
}

async function read(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
  return Buffer.concat(chunks).toString('utf8');
}

function parse(text: string): Message | null {
  try {
    return JSON.parse(text) as Message;
  } catch {
    return null;
  }
}

/** The conformance fixture over Streamable HTTP, in both eras: `tsx fixture-http.ts`, prints its URL and serves until it is killed. */
import { randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import { classifyInboundRequest, createMcpHandler, isInitializeRequest, localhostAllowedHostnames, localhostAllowedOrigins, validateHostHeader, validateOriginHeader, WebStandardStreamableHTTPServerTransport } from '@modelcontextprotocol/server';
import type { EventStore } from '@modelcontextprotocol/server';
import { createFixtureServer } from './fixture-server.ts';
import type { Surroundings } from './fixture-server.ts';

const sessions = new Map<string, WebStandardStreamableHTTPServerTransport>();
const surroundings: Surroundings = {
  breakOff: ({ sessionId, mcpReq }) => sessions.get(sessionId ?? '')?.closeSSEStream(mcpReq.id),
  toolsChanged: () => modern.notify.toolsChanged(),
  promptsChanged: () => modern.notify.promptsChanged(),
};
const modern = createMcpHandler(() => createFixtureServer(surroundings));

/** Events of all streams in order; the id says which stream and when. */
function createEventStore(): EventStore {
  const events: { readonly id: string; readonly stream: string; readonly message: object }[] = [];
  return {
    storeEvent(stream, message) {
      const id = `${stream}::${String(events.length).padStart(9, '0')}`;
      events.push({ id, stream, message });
      return Promise.resolve(id);
    },
    async replayEventsAfter(last, { send }) {
      const stream = last.split('::')[0] ?? '';
      for (const event of events) if (event.stream === stream && event.id > last && Object.keys(event.message).length > 0) await send(event.id, event.message as never);
      return stream;
    },
  };
}

async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const chunks: Buffer[] = [];
  for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
  const text = Buffer.concat(chunks).toString('utf8');
  const aborted = new AbortController();
  response.on('close', () => aborted.abort());
  const headers = new Headers();
  for (let at = 0; at < request.rawHeaders.length; at += 2) headers.append(request.rawHeaders[at] ?? '', request.rawHeaders[at + 1] ?? '');
  const method = request.method ?? 'GET';
  const asked = new Request(`http://localhost${request.url ?? '/'}`, { method, headers, signal: aborted.signal, ...(method === 'POST' ? { body: text } : {}) });
  const answer = await respond(asked, text);
  response.writeHead(answer.status, Object.fromEntries(answer.headers));
  response.flushHeaders();
  if (answer.body === null) return void response.end();
  Readable.fromWeb(answer.body).on('error', () => response.destroy()).pipe(response);
}

async function respond(request: Request, text: string): Promise<Response> {
  const host = validateHostHeader(request.headers.get('host'), localhostAllowedHostnames());
  const origin = validateOriginHeader(request.headers.get('origin'), localhostAllowedOrigins());
  if (!host.ok || !origin.ok) return failure(403, 'Host or Origin is not allowed');
  const body = parse(text);
  if (request.method === 'POST' && body !== undefined) {
    const [version, method] = ['mcp-protocol-version', 'mcp-method'].map((name) => request.headers.get(name));
    const inbound = classifyInboundRequest({ httpMethod: 'POST', ...(typeof version === 'string' ? { protocolVersionHeader: version } : {}), ...(typeof method === 'string' ? { mcpMethodHeader: method } : {}), body });
    if (inbound.kind !== 'legacy') return modern.fetch(request, { parsedBody: body });
  }
  const id = request.headers.get('mcp-session-id');
  const known = id === null ? undefined : sessions.get(id);
  if (known !== undefined) return known.handleRequest(request, body === undefined ? undefined : { parsedBody: body });
  if (id !== null) return failure(404, 'Session not found');
  return request.method === 'POST' && isInitializeRequest(body) ? begin(request, body) : failure(400, 'Bad Request: Session ID required');
}

async function begin(request: Request, body: unknown): Promise<Response> {
  const transport = new WebStandardStreamableHTTPServerTransport({
    sessionIdGenerator: () => randomUUID(),
    eventStore: createEventStore(),
    retryInterval: 500,
    onsessioninitialized: (id) => void sessions.set(id, transport),
  });
  transport.onclose = () => void sessions.delete(transport.sessionId ?? '');
  await createFixtureServer(surroundings).connect(transport);
  return transport.handleRequest(request, { parsedBody: body });
}

function failure(status: number, message: string): Response {
  return Response.json({ jsonrpc: '2.0', id: null, error: { code: -32000, message } }, { status });
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

const server = createServer((request, response) => void serve(request, response).catch(() => response.destroy()));
server.listen(0, '127.0.0.1', () => process.stdout.write(`http://localhost:${(server.address() as AddressInfo).port}/mcp\n`));

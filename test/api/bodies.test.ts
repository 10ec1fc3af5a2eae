/** Bodies as clients really send them, over a real socket: the API must see the same bytes whichever way they come. */
import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createHttpServer, listen, type Listening } from '../../apps/control-plane/src/api/listen.ts';
import { openApi, type ApiWorld } from './open-api.ts';

const LIMIT = 64 * 1024;
const LOCKDOWN = JSON.stringify({ reason: 'drill' });

let world: ApiWorld;
let listening: Listening;
beforeAll(async () => {
  world = openApi();
  const { server, open } = createHttpServer(null);
  const listened = await listen(server, '127.0.0.1', 0);
  if (!listened.ok) throw new Error(listened.problem);
  ({ listening } = listened);
  // Whoever comes before there is anything to ask is told so.
  const early = await send('POST /v1/restrictions HTTP/1.1', '\r\n');
  if (early.status !== 503 || !early.text.includes('is starting')) throw new Error(early.text);
  open(world.api);
});
afterAll(async () => {
  await listening.close();
  world.close();
});

/** The status line's code and the body of the answer. Hangs up after the bytes where told. */
function send(head: string, body = '', hangUp = false): Promise<{ readonly status: number; readonly text: string }> {
  return new Promise((resolve, reject) => {
    const socket = connect(listening.port, '127.0.0.1');
    const chunks: Buffer[] = [];
    socket.on('data', (chunk) => chunks.push(chunk));
    socket.on('close', () => {
      const text = Buffer.concat(chunks).toString('utf8');
      resolve({ status: Number(text.slice(9, 12)), text });
    });
    // A server that has refused need not read the rest.
    socket.on('error', (error: NodeJS.ErrnoException) => (error.code === 'ECONNRESET' || error.code === 'EPIPE' ? undefined : reject(error)));
    socket.write(`${head}\r\nHost: localhost\r\nConnection: close\r\n`);
    socket.write(body);
    if (hangUp) setTimeout(() => socket.destroy(), 50);
  });
}

const admin = (): string => `\r\nAuthorization: Bearer ${world.tokens.admin}\r\nContent-Type: application/json`;
const chunked = (...parts: readonly string[]): string => `Transfer-Encoding: chunked\r\n\r\n${parts.map((part) => `${Buffer.byteLength(part).toString(16)}\r\n${part}\r\n`).join('')}0\r\n\r\n`;
const counted = (body: string): string => `Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;

describe('a request body', () => {
  it('is not waited for from one who brings no token', async () => {
    const unknown = await send('POST /v1/restrictions HTTP/1.1\r\nContent-Type: application/json', 'Content-Length: 1000\r\n\r\n{');
    expect(unknown.status, unknown.text).toBe(401);
  });

  it.each([
    ['with its length', counted],
    ['in one chunk', (body: string) => chunked(body)],
    ['byte by byte', (body: string) => chunked(...Array.from(body))],
  ])('is the same %s', async (_how, framed) => {
    const imposed = await send(`POST /v1/restrictions HTTP/1.1${admin()}`, framed(LOCKDOWN));
    expect(imposed.status, imposed.text).toSatisfy((status) => status === 201 || status === 200 || status === 409);
    expect((await send(`POST /v1/restrictions HTTP/1.1${admin()}`, framed('{"reason":1,"reason":2}'))).status).toBe(400);
    expect((await send(`POST /v1/restrictions HTTP/1.1${admin()}`, framed(`{"raison":"${'x'.repeat(40)}"}`))).text).toContain('"invalid"');
  });

  it('is too large one byte beyond the limit, however it is framed', async () => {
    for (const framed of [counted, (body: string) => chunked(body.slice(0, 1_000), body.slice(1_000))]) {
      expect((await send(`POST /v1/restrictions HTTP/1.1${admin()}`, framed(' '.repeat(LIMIT)))).status).toBe(400);
      expect((await send(`POST /v1/restrictions HTTP/1.1${admin()}`, framed(' '.repeat(LIMIT + 1)))).status).toBe(413);
    }
    expect((await send(`POST /v1/restrictions HTTP/1.1${admin()}`, 'Content-Length: 99999999999\r\n\r\n')).status).toBe(413);
  });

  it.each(['POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'PROPFIND'])('[O3] may be absent: %s without one is answered, and nobody is told of a bug', async (method) => {
    expect((await send(`${method} /v1/restrictions HTTP/1.1`, '\r\n')).status).toBe(401);
    expect((await send(`${method} /nowhere HTTP/1.1`, '\r\n')).status).toBe(404);
    expect((await send(`${method} /v1/restrictions HTTP/1.1${admin()}`, '\r\n')).status).toBeLessThan(500);
    expect(world.complaints).toEqual([]);
  });

  it('that ends before its end costs nobody a stack trace', async () => {
    await send(`POST /v1/restrictions HTTP/1.1${admin()}`, 'Content-Length: 100\r\n\r\n{"rea', true);
    await send(`POST /v1/restrictions HTTP/1.1${admin()}`, 'Transfer-Encoding: chunked\r\n\r\n5\r\n{"rea\r\n', true);
    await send(`POST /v1/restrictions HTTP/1.1${admin()}`, 'Transfer-Encoding: chunked\r\n\r\nzz\r\n', true);
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(world.complaints).toEqual([]);
    expect((await send('GET /healthz HTTP/1.1', '\r\n')).status).toBe(200);
  });
});

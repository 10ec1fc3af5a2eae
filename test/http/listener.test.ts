/** The listener: who may call, whose sessions are whose, what passes and how, in front of a URL and of processes. */
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { script } from '../relay/proxied.ts';
import { call, request, result } from '../relay/wired.ts';
import { until } from '../world/process.ts';
import { PATIENCE_MS } from './bridged.ts';
import { ask, begin, listen, open } from './listened.ts';
import type { Answer, Asked, Listened, ListenOptions } from './listened.ts';
import { SESSION, startUpstream } from './upstream.ts';
import type { Answering, Upstream } from './upstream.ts';

const META = { 'io.modelcontextprotocol/protocolVersion': '2026-07-28', 'io.modelcontextprotocol/clientInfo': { name: 'modern-agent', version: '2' }, 'io.modelcontextprotocol/clientCapabilities': {} };
const INITIALIZE = request('init', 'initialize', { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'agent-x', version: '1' } });
const INITIALIZED = { jsonrpc: '2.0', method: 'notifications/initialized' };

const made: { close(): Promise<unknown> }[] = [];
afterEach(async () => {
  for (const one of made.splice(0).reverse()) await one.close();
});

async function upstream(answer?: (exchange: Answering) => boolean | Promise<boolean>): Promise<Upstream> {
  const started = await startUpstream(answer);
  made.push(started);
  return started;
}

async function listened(behind: string | readonly string[], options: ListenOptions = {}): Promise<Listened> {
  const started = await listen(behind, options);
  made.push(started);
  return started;
}

/** A request of 2026-07-28 with the headers that it needs. */
function modern(id: number | string, method: string, params: Readonly<Record<string, unknown>> = {}, headers: Asked['headers'] = {}): Asked {
  const name = params['name'] ?? params['uri'];
  return { headers: { 'mcp-protocol-version': '2026-07-28', 'mcp-method': method, ...(typeof name === 'string' ? { 'mcp-name': name } : {}), ...headers }, body: request(id, method, { ...params, _meta: META }) };
}

/** A server of both eras, without an SDK: it says who it is, counts what it was asked, and does as a tool's name says. */
const CHILD = script(`
  globalThis.count = (globalThis.count ?? 0) + 1;
  const { id, method, params } = message;
  if (method === 'initialize') reply(id, { protocolVersion: params.protocolVersion, capabilities: { tools: {} }, serverInfo: { name: 'child', version: '1' } });
  else if (method === 'tools/list') reply(id, { tools: ['ok', 'secret'].map((name) => ({ name, inputSchema: { type: 'object' } })), resultType: 'complete' });
  else if (method === 'subscriptions/listen') say({ jsonrpc: '2.0', method: 'notifications/subscriptions/acknowledged', params: { _meta: { 'io.modelcontextprotocol/subscriptionId': id }, notifications: {} } });
  else if (params && params.name === 'die') process.exit(3);
  else if (params && params.name === 'hang') globalThis.hanging = id;
  else if (params && params.name === 'progress') { say({ jsonrpc: '2.0', method: 'notifications/progress', params: { progressToken: params._meta.progressToken, progress: 1 } }); reply(id, { content: [] }); }
  else if (params && params.name === 'sample') { globalThis.asked = id; say({ jsonrpc: '2.0', id: 's', method: 'sampling/createMessage', params: { messages: [] } }); }
  else if (method === undefined) reply(globalThis.asked, { content: [{ type: 'text', text: JSON.stringify(message.result ?? message.error) }] });
  else if (params && params.name === 'big') reply(id, { text: 'x'.repeat(1e7) });
  else if (id !== undefined) reply(id, { content: [{ type: 'text', text: process.pid + ' ' + globalThis.count }] });
`);

describe.each([['a URL'], ['a process']])('in front of %s, who may call', (behind) => {
  async function door(options: ListenOptions = {}): Promise<(asked: Asked) => Promise<Answer>> {
    const listener = await listened(behind === 'a URL' ? (await upstream()).url : CHILD, options);
    return (asked) => ask(listener.url, { body: INITIALIZE, ...asked });
  }

  it.each([
    ['a name that resolves here', { host: 'evil.example' }, 403],
    ['an address of another network', { host: '192.168.1.5:8080' }, 403],
    ['user information', { host: 'localhost@evil.example' }, 403],
    ['a beginning of a name', { host: 'localhost.evil.example' }, 403],
    ['another site', { origin: 'https://evil.example' }, 403],
    ['a page without origin', { origin: 'null' }, 403],
    ['a file', { origin: 'file://' }, 403],
    ['user information in an origin', { origin: 'http://localhost@evil.example' }, 403],
    ['a path in an origin', { origin: 'http://localhost/evil' }, 403],
    ['two origins', { origin: 'http://localhost, https://evil.example' }, 403],
    ['this machine', { host: 'localhost:1234', origin: 'http://127.0.0.1:5173' }, 200],
    ['this machine under IPv6', { host: '[::1]:8080', origin: 'http://[::1]' }, 200],
    ['a name below localhost', { host: 'agent.localhost' }, 200],
  ])('[P9] %s', async (_what, headers, status) => {
    const heard = await (await door())({ headers });
    expect(heard.status).toBe(status);
    if (status === 403) expect(heard.messages).toMatchObject([{ id: null, error: { code: -32600 } }]);
  });

  it('knows the names that it is given, and no others', async () => {
    const knock = await door({ names: ['gateway.corp.example'] });
    expect((await knock({ headers: { host: 'Gateway.corp.example:443', origin: 'https://gateway.corp.example' } })).status).toBe(200);
    expect((await knock({ headers: { host: 'corp.example' } })).status).toBe(403);
  });

  it('[P9] wants its token from everybody, where it has one', async () => {
    const knock = await door({ token: 'a-long-enough-token' });
    for (const authorization of [undefined, 'Bearer wrong', 'Basic a-long-enough-token', 'Bearer a-long-enough-token, Bearer x']) {
      const heard = await knock({ headers: authorization === undefined ? {} : { authorization } });
      expect([heard.status, heard.headers['www-authenticate']]).toEqual([401, 'Bearer realm="portcullis-proxy"']);
    }
    expect((await knock({ headers: { authorization: 'Bearer a-long-enough-token' } })).status).toBe(200);
  });

  it.each(['Host', 'Origin', 'Authorization', 'Mcp-Method', 'Mcp-Session-Id', 'MCP-Protocol-Version'])('[P2] refuses a second %s', async (name) => {
    const listener = await listened(behind === 'a URL' ? (await upstream()).url : CHILD);
    const text = JSON.stringify(INITIALIZE);
    const head = ['Host: localhost', 'Connection: close', 'Content-Type: application/json', `Content-Length: ${text.length}`, ...(name === 'Host' ? [] : [`${name}: x`]), `${name.toLowerCase()}: y`];
    expect(await raw(listener.url, `POST /mcp HTTP/1.1\r\n${head.join('\r\n')}\r\n\r\n${text}`)).toMatch(/^HTTP\/1\.1 400 /);
  });

  it.each([
    ['gzip', { 'content-encoding': 'gzip' }, 415],
    ['deflate', { 'Content-Encoding': 'identity, deflate' }, 415],
    ['UTF-16', { 'content-type': 'application/json; charset=utf-16le' }, 415],
    ['a quoted charset', { 'content-type': 'application/json; Charset="UTF-16"' }, 415],
    ['two charsets', { 'content-type': 'application/json; charset=utf-8; charset=utf-7' }, 415],
    ['a form', { 'content-type': 'multipart/form-data; boundary=x' }, 415],
  ])('[P2] refuses a body that some server would decode: %s', async (_what, headers, status) => {
    expect((await (await door())({ headers })).status).toBe(status);
  });

  it('bounds a body, said or not, and goes on', async () => {
    const knock = await door({ limits: { maxLineBytes: 5_000 } });
    const big = Buffer.alloc(20_000, 32);
    expect((await knock({ body: big })).status).toBe(413);
    expect((await knock({ body: INITIALIZE })).status).toBe(200);
  });

  it('[P10] has one endpoint, and no path that leads around it', async () => {
    const knock = await door();
    for (const path of ['/', '/sse', '/mcp/', '/mcp/x', '//mcp', '/MCP', '/mcp%2f', '/.well-known/../mcp', '/.well-known/%2e%2e/mcp', '/.well-known//mcp', '/x/../mcp', '/token/../mcp']) {
      expect([path, (await knock({ path })).status]).toEqual([path, 404]);
    }
    expect((await knock({ method: 'PUT' })).status).toBe(405);
  });
});

describe('in front of a URL', () => {
  it('[P1] passes the very bytes and headers, with its own credentials and without those that are for it', async () => {
    const server = await upstream();
    const listener = await listened(server.url, { token: 'a-long-enough-token', headers: { 'x-api-key': 'ours' } });
    const body = ' {"params":{"n":1.0},"method":"initialize","id":"init","jsonrpc":"2.0"}\n';
    const heard = await ask(`${listener.url}?q=1`, { body, headers: { 'authorization': 'Bearer a-long-enough-token', 'x-api-key': 'theirs', 'traceparent': '00-1', 'accept-encoding': 'gzip', 'connection': 'close, x-hop', 'x-hop': '1', 'cookie': 'a=b' } });
    expect(heard).toMatchObject({ status: 200, headers: { 'mcp-session-id': SESSION, 'content-type': 'application/json' } });
    expect(server.seen[0]).toMatchObject({ body, path: '/mcp?q=1', headers: { 'x-api-key': 'ours', 'traceparent': '00-1', 'accept-encoding': 'identity', 'cookie': 'a=b', 'host': new URL(server.url).host } });
    for (const name of ['authorization', 'x-hop']) expect(Object.keys(server.seen[0]?.headers ?? {})).not.toContain(name);
  });

  it('passes OAuth untouched: challenges, metadata, endpoints', async () => {
    const server = await upstream(({ seen, json, response }) => {
      if (seen.path.startsWith('/.well-known/')) json({ resource: 'https://real.example/mcp', path: seen.path });
      else if (seen.path === '/token') json({ access_token: seen.body });
      else if (seen.path.startsWith('/authorize')) response.writeHead(302, { location: 'http://localhost:1/cb?code=1' }).end();
      else if (seen.headers['authorization'] === 'Bearer theirs') return false;
      else json({ error: 'invalid_token' }, 401, { 'www-authenticate': 'Bearer resource_metadata="https://real.example/.well-known/oauth-protected-resource"' });
      return true;
    });
    const { url } = await listened(server.url);
    const denied = await ask(url, { body: call(1, 'ok') });
    expect(denied).toMatchObject({ status: 401, text: '{"error":"invalid_token"}', headers: { 'www-authenticate': 'Bearer resource_metadata="https://real.example/.well-known/oauth-protected-resource"' } });
    expect((await ask(url, { body: call(1, 'ok'), headers: { authorization: 'Bearer theirs' } })).messages).toMatchObject([{ id: 1, result: {} }]);
    expect((await ask(url, { method: 'GET', path: '/.well-known/oauth-protected-resource/mcp?x=1' })).text).toContain('"path":"/.well-known/oauth-protected-resource/mcp?x=1"');
    expect((await ask(url, { path: '/token', body: 'grant_type=code', headers: { 'content-type': 'application/x-www-form-urlencoded' } })).text).toBe('{"access_token":"grant_type=code"}');
    expect((await ask(url, { method: 'GET', path: '/authorize?x=1' })).headers.location).toBe('http://localhost:1/cb?code=1');
  });

  it('[P10] does not lead an agent past itself by a redirect', async () => {
    const server = await upstream(({ response }) => {
      response.writeHead(307, { location: 'http://elsewhere.example/mcp' }).end();
      return true;
    });
    const { url, gate } = await listened(server.url, { policy: 'version: "1"\ntools: { a: { rules: [{ name: r, rate_limit: 1/hour }] } }\n' });
    const heard = await ask(url, { body: call(1, 'a') });
    expect([heard.headers.location, heard.messages]).toMatchObject([undefined, [{ id: 1, error: { code: -31502 } }]]);
    expect((await ask(url, { method: 'GET' })).status).toBe(502);
    expect(gate.judged.map(({ outcome }) => outcome)).toEqual(['error']);
  });

  it('[P9] keeps two agents apart, by their sessions', async () => {
    const names = new Map<string, string>();
    const server = await upstream(({ seen, json }) => {
      if (seen.message?.method !== 'initialize') return false;
      const id = `s${names.size}`;
      names.set(id, (seen.message.params?.['clientInfo'] as { name: string }).name);
      json(result('init', { protocolVersion: '2025-11-25', capabilities: { tools: {} }, serverInfo: { name: 'f', version: '1' } }), 200, { 'mcp-session-id': id });
      return true;
    });
    const { url, gate } = await listened(server.url);
    for (const name of ['a', 'b']) await ask(url, { body: request('init', 'initialize', { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name, version: '1' } }) });
    // The same id in both, interleaved.
    await Promise.all(['s0', 's1', 's0', 's1'].map((session, at) => ask(url, { body: call(at < 2 ? 1 : 2, 'x'), headers: { 'mcp-session-id': session } })));
    expect(gate.judged.map(({ client }) => client).sort()).toEqual(['a', 'a', 'b', 'b']);
    expect(gate.judged.map(({ outcome }) => outcome)).toEqual(['ok', 'ok', 'ok', 'ok']);
  });

  it('streams events as they come, filtered, and its own between them', async () => {
    const steps: (() => void)[] = [];
    const server = await upstream(({ seen, event, end }) => {
      if (seen.method !== 'GET') return false;
      event({ jsonrpc: '2.0', method: 'notifications/message', params: { n: 1 } }, ': hello\nid: 1\nretry: 5\n');
      steps.push(() => event(request('q', 'elicitation/create', {}), 'id: 2\n'), end);
      return true;
    });
    const { url, gate } = await listened(server.url, { policy: 'version: "1"\nmethods: { elicitation/create: deny }\n' });
    await ask(url, { body: INITIALIZE });
    await ask(url, { body: INITIALIZED, headers: { 'mcp-session-id': SESSION } });
    const stream = await open(url, { method: 'GET', headers: { 'mcp-session-id': SESSION, 'accept': 'text/event-stream' } });
    await stream.next(({ method }) => method === 'notifications/message');
    expect(stream.text()).toBe(': hello\nid: 1\nretry: 5\ndata: {"jsonrpc":"2.0","method":"notifications/message","params":{"n":1}}\n\n');
    gate.swap('version: "1"\nhide: [ok]\nmethods: { elicitation/create: deny }\n');
    await stream.next(({ method }) => method === 'notifications/tools/list_changed');
    // An event of our own has no id: the agent would ask the upstream to go on behind it.
    expect(stream.text().endsWith('data: {"jsonrpc":"2.0","method":"notifications/tools/list_changed"}\n\n')).toBe(true);
    steps[0]?.();
    await until('the answer to what is denied', () => server.seen.some(({ message }) => message?.id === 'q' && message.error?.code === -31403), PATIENCE_MS);
    expect(stream.text()).not.toContain('elicitation');
    expect((await ask(url, { body: request(5, 'tools/list'), headers: { 'mcp-session-id': SESSION } })).text).not.toContain('"ok"');
  });

  it('tells of changed lists also where the upstream has no stream of its own', async () => {
    const { url, gate } = await listened((await upstream()).url);
    await ask(url, { body: INITIALIZE });
    await ask(url, { body: INITIALIZED, headers: { 'mcp-session-id': SESSION } });
    const stream = await open(url, { method: 'GET', headers: { 'mcp-session-id': SESSION, 'accept': 'text/event-stream' } });
    expect(stream.message.statusCode).toBe(200);
    gate.swap('version: "1"\nhide: [ok]\n');
    await stream.next(({ method }) => method === 'notifications/tools/list_changed');
    stream.cut();
  });

  it('2026-07-28: each POST alone, subscriptions in their own answer', async () => {
    const server = await upstream(({ seen, event }) => {
      if (seen.message?.method !== 'subscriptions/listen') return false;
      event({ jsonrpc: '2.0', method: 'notifications/subscriptions/acknowledged', params: { _meta: { 'io.modelcontextprotocol/subscriptionId': seen.message.id }, notifications: {} } });
      return true;
    });
    const { url, gate } = await listened(server.url, { policy: 'version: "1"\nhide: [secret]\n' });
    const stream = await open(url, modern('sub', 'subscriptions/listen', { notifications: { toolsListChanged: true } }));
    expect(await stream.next(({ method }) => method === 'notifications/subscriptions/acknowledged')).toMatchObject({ params: { notifications: { toolsListChanged: true } } });
    gate.swap('version: "1"\nhide: [secret, pay]\n');
    expect(await stream.next(({ method }) => method === 'notifications/tools/list_changed')).toMatchObject({ params: { _meta: { 'io.modelcontextprotocol/subscriptionId': 'sub' } } });
    // [P4] The list that was seen in one request is known in the next one of the same client.
    const answers = async (): Promise<string[]> => (await Promise.all(['secret', 'nowhere'].map((name) => ask(url, modern(4, 'tools/call', { name }))))).map(({ text }) => text.replace(/secret|nowhere/, 'NAME'));
    expect(new Set(await answers()).size).toBe(2);
    expect((await ask(url, modern(3, 'tools/list'))).messages[0]?.result).toMatchObject({ tools: [{ name: 'ok' }, { name: 'evil' }] });
    expect(new Set(await answers())).toEqual(new Set(['{"jsonrpc":"2.0","id":4,"error":{"code":-32602,"message":"Unknown tool: NAME"}}']));
    stream.cut();
    await until('the subscription to end upstream', async () => (await server.connections()) <= 1, PATIENCE_MS);
  });

  it('what an agent gives up stays counted; what the upstream cannot answer does not', async () => {
    const server = await upstream(({ seen, response }) => {
      if (seen.message?.id === 'broken') response.destroy();
      return seen.message?.method === 'tools/call';
    });
    const { url, gate } = await listened(server.url);
    await expect(begin(url, { body: call('broken', 'a') }).then(({ message }) => message.statusCode)).resolves.toBe(200);
    const given = begin(url, { body: call('slow', 'a') }).catch(() => undefined);
    await until('the call to arrive', () => server.seen.some(({ message }) => message?.id === 'slow'), PATIENCE_MS);
    await listenerCut(url, call('cut', 'a'), server);
    await until('the outcome', () => gate.judged.filter(({ outcome }) => outcome !== null).length >= 2, PATIENCE_MS);
    expect(gate.judged.map(({ outcome }) => outcome)).toEqual(['error', null, 'none']);
    await made.pop()?.close();
    await given;
    await until('the outcome of what our end has cut', () => gate.judged[1]?.outcome !== null, PATIENCE_MS);
  });
});

/** Sends a call and goes away once it has arrived. */
async function listenerCut(url: string, body: object, server: Upstream): Promise<void> {
  const text = JSON.stringify(body);
  const socket = dial(url);
  socket.write(`POST /mcp HTTP/1.1\r\nHost: localhost\r\nAccept: application/json, text/event-stream\r\nContent-Type: application/json\r\nContent-Length: ${text.length}\r\n\r\n${text}`);
  await until('the call to arrive', () => server.seen.some(({ body: seen }) => seen === text), PATIENCE_MS);
  socket.destroy();
}

/** Bytes as they are, and what comes back until the connection ends. */
async function raw(url: string, bytes: string): Promise<string> {
  const socket = dial(url);
  socket.write(bytes);
  let heard = '';
  for await (const chunk of socket as AsyncIterable<Buffer>) heard += chunk.toString('latin1');
  return heard;
}

function dial(url: string): Socket {
  const { hostname, port } = new URL(url);
  return connect(Number(port), hostname).on('error', () => undefined);
}

describe('in front of processes', () => {
  const session = async (url: string, name = 'agent-x'): Promise<Record<string, string>> => {
    const heard = await ask(url, { body: request('init', 'initialize', { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name, version: '1' } }) });
    const id = String(heard.headers['mcp-session-id']);
    expect((await ask(url, { body: INITIALIZED, headers: { 'mcp-session-id': id } })).status).toBe(202);
    return { 'mcp-session-id': id };
  };
  const textOf = (heard: Answer): string => (heard.messages[0]?.result as { content: { text: string }[] }).content[0]?.text ?? '';
  const alive = (pid: number): boolean => {
    try {
      process.kill(pid, 0);
      return true;
    } catch {
      return false;
    }
  };

  it('one process a session, filtered, ended with it', async () => {
    const { url } = await listened(CHILD, { policy: 'version: "1"\nhide: [secret]\n' });
    const [a, b] = [await session(url), await session(url)];
    expect(a).not.toEqual(b);
    const pids = await Promise.all([a, b].map(async (headers) => Number(textOf(await ask(url, { body: call(1, 'who'), headers })).split(' ')[0])));
    expect(new Set(pids).size).toBe(2);
    expect((await ask(url, { body: request(2, 'tools/list'), headers: a })).text).not.toContain('secret');
    expect((await ask(url, { method: 'DELETE', headers: a })).status).toBe(200);
    await until('the process to end', () => !alive(pids[0] ?? 0), PATIENCE_MS);
    expect((await ask(url, { body: call(3, 'who'), headers: a })).status).toBe(404);
    expect(alive(pids[1] ?? 0)).toBe(true);
    expect((await ask(url, { body: call(3, 'who') })).status).toBe(400);
    expect((await ask(url, { body: call(3, 'who'), headers: { 'mcp-session-id': 'made-up' } })).status).toBe(404);
    expect((await ask(url, { body: call(4, 'who'), headers: { ...b, 'mcp-protocol-version': '2024-11-05' } })).status).toBe(400);
    await made.pop()?.close();
    expect(alive(pids[1] ?? 0)).toBe(false);
  });

  it('answers as JSON, or as events where something comes before the answer', async () => {
    const { url } = await listened(CHILD);
    const headers = await session(url);
    expect((await ask(url, { body: call(1, 'who'), headers })).headers['content-type']).toBe('application/json');
    const heard = await ask(url, { body: request(2, 'tools/call', { name: 'progress', _meta: { progressToken: 'p' } }), headers });
    expect(heard.headers['content-type']).toBe('text/event-stream');
    expect(heard.messages).toMatchObject([{ method: 'notifications/progress' }, { id: 2, result: {} }]);
    expect((await ask(url, { body: call(3, 'who'), headers: { ...headers, accept: 'text/event-stream' } })).headers['content-type']).toBe('text/event-stream');
    const big = await ask(url, { body: call(4, 'big'), headers });
    expect((big.messages[0]?.result as { text: string }).text).toHaveLength(1e7);
    // White space that would end a line is no line end here.
    expect((await ask(url, { body: JSON.stringify(call(5, 'who'), null, 2), headers })).messages).toMatchObject([{ id: 5, result: {} }]);
  });

  it('asks the agent in the answer that waits, judged, and takes its answer in another POST', async () => {
    const { url, gate } = await listened(CHILD);
    const headers = await session(url);
    const calling = await open(url, { body: call(1, 'sample'), headers });
    await calling.next(({ method }) => method === 'sampling/createMessage');
    expect((await ask(url, { body: result('s', { model: 'm' }), headers })).status).toBe(202);
    expect(await calling.next(({ id }) => id === 1)).toMatchObject({ result: { content: [{ text: '{"model":"m"}' }] } });
    gate.swap('version: "1"\nmethods: { sampling/createMessage: deny }\n');
    expect((await ask(url, { body: call(2, 'sample'), headers })).text).toContain('POLICY DENIED');
  });

  it('an agent hears of a process that dies, and its counts come back', async () => {
    const { url, gate } = await listened(CHILD);
    const headers = await session(url);
    expect((await ask(url, { body: call(1, 'die'), headers })).messages).toMatchObject([{ id: 1, error: { code: -31502, message: 'The upstream server has ended (exit code 3)' } }]);
    expect(gate.judged.map(({ outcome }) => outcome)).toEqual(['error']);
    await until('the session to be over', async () => (await ask(url, { body: call(2, 'who'), headers })).status === 404, PATIENCE_MS);
  });

  it('ends what nobody uses, but nothing that is waited for', async () => {
    const { url } = await listened(CHILD, { idle: { sessionMs: 300, requestMs: 300 } });
    const [idle, busy] = [await session(url), await session(url)];
    const waiting = await open(url, { method: 'GET', headers: { ...busy, accept: 'text/event-stream' } });
    const pid = Number(textOf(await ask(url, { body: call(1, 'who'), headers: idle })).split(' ')[0]);
    await until('the idle process to end', () => !alive(pid), PATIENCE_MS);
    expect((await ask(url, { body: call(2, 'who'), headers: idle })).status).toBe(404);
    expect((await ask(url, { body: call(1, 'who'), headers: busy })).status).toBe(200);
    waiting.cut();
  });

  it('2026-07-28: a process for one request at a time, again only for the same client', async () => {
    const { url, gate } = await listened(CHILD, { policy: 'version: "1"\nhide: [secret]\n' });
    const who = async (headers: Asked['headers'] = {}): Promise<readonly string[]> => textOf(await ask(url, modern(1, 'tools/call', { name: 'who' }, headers))).split(' ');
    const first = await who();
    expect(await who()).toEqual([first[0], '2']);
    expect((await who({ authorization: 'Bearer other' }))[0]).not.toBe(first[0]);
    const hanging = await open(url, modern('sub', 'subscriptions/listen', { notifications: { toolsListChanged: true } }));
    await hanging.next(({ method }) => method === 'notifications/subscriptions/acknowledged');
    expect((await who())[0]).not.toBe(first[0]);
    gate.swap('version: "1"\n');
    await hanging.next(({ method }) => method === 'notifications/tools/list_changed');
    hanging.cut();
    await until('its process to end', () => !alive(Number(first[0])), PATIENCE_MS);
  });

  it.each<readonly [string, Asked['headers'], number]>([
    ['another method', { 'mcp-method': 'ping' }, -32020],
    ['another name', { 'mcp-name': 'ok' }, -32020],
    ['a broken encoding', { 'mcp-name': '=?base64?d2hv!?=' }, -32020],
    ['another revision', { 'mcp-protocol-version': '2025-11-25' }, -32020],
  ])('[P9] refuses a header that says something else than the body: %s', async (_what, headers, code) => {
    const { url, gate } = await listened(CHILD);
    const heard = await ask(url, modern(1, 'tools/call', { name: 'who' }, headers));
    expect([heard.status, heard.messages]).toMatchObject([400, [{ id: 1, error: { code } }]]);
    expect(gate.refused).toHaveLength(1);
    expect(gate.judged).toEqual([]);
  });

  it('[P2] refuses a missing one, and takes an encoded one', async () => {
    const { url } = await listened(CHILD);
    for (const name of ['mcp-method', 'mcp-name', 'mcp-protocol-version']) {
      const asked = modern(1, 'tools/call', { name: 'who' });
      expect((await ask(url, { ...asked, headers: Object.fromEntries(Object.entries(asked.headers ?? {}).filter(([key]) => key !== name)) })).status).toBe(400);
    }
    expect((await ask(url, modern(1, 'tools/call', { name: 'who' }, { 'mcp-name': `=?base64?${Buffer.from('who').toString('base64')}?=` }))).status).toBe(200);
  });
});

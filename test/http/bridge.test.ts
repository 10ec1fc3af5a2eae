/** From an agent on stdio to an upstream behind a URL, in both eras: what is sent, what comes back, how it begins and ends. */
import { afterEach, describe, expect, it } from 'vitest';
import { call, request, result } from '../relay/wired.ts';
import { until } from '../world/process.ts';
import { bridge, PATIENCE_MS } from './bridged.ts';
import type { Bridged } from './bridged.ts';
import { SESSION, startUpstream } from './upstream.ts';
import type { Answering, Upstream } from './upstream.ts';

const META = { 'io.modelcontextprotocol/protocolVersion': '2026-07-28', 'io.modelcontextprotocol/clientInfo': { name: 'modern-agent', version: '2' }, 'io.modelcontextprotocol/clientCapabilities': {} };
const INITIALIZE = request('init', 'initialize', { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'agent-x', version: '1' } });
const INITIALIZED = { jsonrpc: '2.0', method: 'notifications/initialized' };

const open: { close(): Promise<unknown> }[] = [];
afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one.close();
});

async function upstream(answer?: (exchange: Answering) => boolean | Promise<boolean>): Promise<Upstream> {
  const started = await startUpstream(answer);
  open.push(started);
  return started;
}

function bridged(...args: Parameters<typeof bridge>): Bridged {
  const made = bridge(...args);
  open.push(made);
  return made;
}

const modern = (id: number | string, method: string, params: object = {}): object => request(id, method, { ...params, _meta: META });

describe('up to 2025-11-25', () => {
  it('keeps the session id and the agreed revision, and ends the session with its own end', async () => {
    const server = await upstream();
    const agent = bridged(server.url, 'version: "1"\nhide: [secret]\n', { authorization: 'Bearer s3cret' });
    agent.send(INITIALIZE, INITIALIZED, request(1, 'tools/list'), call(2, 'ok'));
    expect((await agent.next('init')).result).toMatchObject({ capabilities: { tools: { listChanged: true } } });
    expect(JSON.stringify(await agent.next(1))).not.toContain('secret');
    expect(await agent.next(2)).toMatchObject({ result: { content: [{ text: 'done' }] } });
    expect((await agent.close()).code).toBe(0);
    const posts = server.seen.filter(({ method }) => method === 'POST');
    // What begins a session is answered before anything else goes out.
    expect(posts.slice(0, 2).map(({ message }) => message?.method)).toEqual(['initialize', 'notifications/initialized']);
    expect(posts[0]?.headers).toMatchObject({ 'content-type': 'application/json', 'accept': 'application/json, text/event-stream', 'accept-encoding': 'identity', 'authorization': 'Bearer s3cret' });
    expect(Object.keys(posts[0]?.headers ?? {})).not.toContain('mcp-session-id');
    for (const { headers } of posts.slice(1)) expect(headers).toMatchObject({ 'mcp-session-id': SESSION, 'mcp-protocol-version': '2025-11-25' });
    expect(server.seen.at(-1)).toMatchObject({ method: 'DELETE', headers: { 'mcp-session-id': SESSION, 'authorization': 'Bearer s3cret' } });
  });

  it('[P1] sends the very bytes, and nothing of what is denied', async () => {
    const server = await upstream();
    const agent = bridged(server.url, 'version: "1"\ntools: { evil: { rules: [{ name: never, action: deny, on_deny: never }] } }\n');
    const odd = '  {"params":{"arguments":{"n":9007199254740993,"x":1.0},"name":"ok","e":[1e2]},"method":"tools/call","id":1,"jsonrpc":"2.0"} ';
    agent.send(`${odd}\n`, call(2, 'evil'), '{"jsonrpc":"2.0","id":3,"method":"ping","method":"tools/call"}\n');
    await Promise.all([1, 2, 3].map((id) => agent.next(id)));
    expect(server.seen.filter(({ method }) => method === 'POST').map(({ body }) => body)).toEqual([odd]);
    expect(agent.lines.find((line) => line.includes('"id":2'))).toContain('[POLICY DENIED] never');
    expect(agent.gate.refused).toHaveLength(1);
  });

  it('opens the upstream\'s own stream, passes on what it asks, and goes on behind the last event when the stream breaks', async () => {
    let streams = 0;
    const server = await upstream(({ seen, event, end, response }) => {
      if (seen.method !== 'GET') return false;
      streams++;
      if (streams === 1) {
        event(request('s1', 'sampling/createMessage', { messages: [] }), 'id: e1\nretry: 10\n');
        end();
      } else if (streams === 2) {
        event(request('s2', 'elicitation/create', { message: 'x' }), `id: ${seen.headers['last-event-id'] ?? ''}-2\n`);
      } else response.destroy();
      return true;
    });
    const agent = bridged(server.url, 'version: "1"\nmethods: { sampling/createMessage: deny }\n');
    agent.send(INITIALIZE, INITIALIZED);
    await agent.next('s2');
    agent.send(result('s2', { action: 'accept' }));
    await until('the answers of the agent and of the proxy', () => server.seen.filter(({ message }) => message?.id === 's2' || message?.id === 's1').length === 2, PATIENCE_MS);
    expect(server.seen.find(({ message }) => message?.id === 's1')?.message).toMatchObject({ error: { code: -31403 } });
    expect(server.seen.filter(({ method }) => method === 'GET')[1]?.headers).toMatchObject({ 'last-event-id': 'e1', 'mcp-session-id': SESSION });
    expect(agent.lines.join()).not.toContain('sampling/createMessage');
  });

  it('begins a session that the upstream has forgotten anew, once for all who wait', async () => {
    let alive = 'old';
    const server = await upstream(({ seen, json, end }) => {
      if (seen.message?.method === 'initialize') {
        json({ jsonrpc: '2.0', id: seen.message.id, result: { protocolVersion: '2025-11-25', capabilities: {}, serverInfo: { name: 'f', version: '1' } } }, 200, { 'mcp-session-id': alive });
        return true;
      }
      if (seen.headers['mcp-session-id'] === alive) return false;
      end(404);
      return true;
    });
    const agent = bridged(server.url);
    agent.send(INITIALIZE, INITIALIZED, call(1, 'a'));
    await agent.next(1);
    alive = 'new';
    agent.send(call(2, 'a'), call(3, 'a'), call(4, 'a'));
    for (const id of [2, 3, 4]) expect(await agent.next(id)).toHaveProperty('result');
    expect(server.seen.filter(({ message }) => message?.method === 'initialize')).toHaveLength(2);
    expect(server.seen.filter(({ message }) => message?.method === 'notifications/initialized')).toHaveLength(2);
    // The agent hears of none of this.
    expect(agent.lines.filter((line) => line.includes('protocolVersion'))).toHaveLength(1);
    expect(agent.gate.judged.map(({ outcome }) => outcome)).toEqual(['ok', 'ok', 'ok', 'ok']);
  });

  it('takes up an answer that breaks off where event ids let it', async () => {
    const server = await upstream(({ seen, event, end }) => {
      if (seen.message?.method === 'tools/call') {
        event('', 'id: p1\nretry: 10\n');
        end();
        return true;
      }
      if (seen.headers['last-event-id'] !== 'p1') return false;
      event(result(7, { content: [] }), 'id: p2\n');
      end();
      return true;
    });
    const agent = bridged(server.url);
    agent.send(INITIALIZE, INITIALIZED, call(7, 'a'));
    expect(await agent.next(7)).toMatchObject({ result: { content: [] } });
  });
});

describe('2026-07-28', () => {
  it('says in headers what the body says', async () => {
    const server = await upstream();
    const agent = bridged(server.url);
    agent.send(modern(1, 'server/discover'), modern(2, 'tools/call', { name: 'wetter in Köln', arguments: {} }), modern(3, 'resources/read', { uri: 'file:///a b' }));
    await Promise.all([1, 2, 3].map((id) => agent.next(id)));
    const headers = (method: string): Readonly<Record<string, string>> | undefined => server.seen.find(({ message }) => message?.method === method)?.headers;
    expect(headers('server/discover')).toMatchObject({ 'mcp-protocol-version': '2026-07-28', 'mcp-method': 'server/discover' });
    expect(headers('tools/call')).toMatchObject({ 'mcp-method': 'tools/call', 'mcp-name': `=?base64?${Buffer.from('wetter in Köln').toString('base64')}?=` });
    expect(headers('resources/read')).toMatchObject({ 'mcp-name': 'file:///a b' });
    expect(Object.keys(headers('tools/call') ?? {})).not.toContain('mcp-session-id');
    await agent.close();
    expect(server.seen.some(({ method }) => method !== 'POST')).toBe(false);
  });

  const TOOLS = [{ name: 'sql', inputSchema: { type: 'object', properties: { region: { type: 'string', 'x-mcp-header': 'Region' }, deep: { type: 'object', properties: { n: { type: 'integer', 'x-mcp-header': 'N' } } } } } }];

  it('repeats arguments in headers as listed schemas say, and asks for the list where it has not seen it', async () => {
    const server = await upstream(({ seen, json }) => {
      if (seen.message?.method === 'tools/list') json({ jsonrpc: '2.0', id: seen.message.id, result: { tools: TOOLS, resultType: 'complete' } });
      else if (seen.headers['mcp-param-region'] === undefined) json({ jsonrpc: '2.0', id: seen.message?.id, error: { code: -32020, message: 'Mcp-Param-Region is missing' } }, 400);
      else return false;
      return true;
    });
    const agent = bridged(server.url);
    const sql = (id: number): object => modern(id, 'tools/call', { name: 'sql', arguments: { region: 'us-west1', deep: { n: -7 }, query: 'q' } });
    agent.send(sql(1));
    expect(await agent.next(1)).toHaveProperty('result');
    expect(server.seen.map(({ message }) => message?.method)).toEqual(['tools/call', 'tools/list', 'tools/call']);
    agent.send(sql(2));
    await agent.next(2);
    expect(server.seen.at(-1)?.headers).toMatchObject({ 'mcp-param-region': 'us-west1', 'mcp-param-n': '-7' });
    // Counted once, though it was sent twice.
    expect(agent.gate.judged.map(({ outcome }) => outcome)).toEqual(['ok', 'ok']);
  });

  it('cancels by closing the stream, and leaves a subscription open until its end', async () => {
    const closed: unknown[] = [];
    const server = await upstream(({ seen, event, response }) => {
      response.on('close', () => closed.push(seen.message?.id));
      if (seen.message?.method === 'subscriptions/listen') event({ jsonrpc: '2.0', method: 'notifications/subscriptions/acknowledged', params: { _meta: { 'io.modelcontextprotocol/subscriptionId': seen.message.id }, notifications: {} } });
      return seen.message?.method === 'subscriptions/listen' || seen.message?.id === 'slow';
    });
    const agent = bridged(server.url);
    agent.send(modern('sub', 'subscriptions/listen', { notifications: { toolsListChanged: true } }), modern('slow', 'tools/call', { name: 'a' }));
    expect(await agent.next(({ method }) => method === 'notifications/subscriptions/acknowledged')).toMatchObject({ params: { notifications: { toolsListChanged: true } } });
    await until('the slow call to arrive', () => server.seen.some(({ message }) => message?.id === 'slow'), PATIENCE_MS);
    agent.gate.swap('version: "1"\nhide: [x]\n');
    expect(await agent.next(({ method }) => method === 'notifications/tools/list_changed')).toMatchObject({ params: { _meta: { 'io.modelcontextprotocol/subscriptionId': 'sub' } } });
    agent.send({ jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 'slow' } });
    await until('the stream of the cancelled call to close', () => closed.includes('slow'), PATIENCE_MS);
    expect(closed).toEqual(['slow']);
    expect(server.seen.some(({ message }) => message?.method === 'notifications/cancelled')).toBe(false);
    await agent.close();
    await until('the subscription to close', () => closed.includes('sub'), PATIENCE_MS);
  });
});

describe('what the upstream cannot answer', () => {
  it.each<readonly [string, (exchange: Answering) => void, string]>([
    ['a status without a message', ({ end }) => end(500), 'HTTP 500'],
    ['missing credentials', ({ json }) => json({ error: 'invalid_token' }, 401), '--header'],
    ['an error without id', ({ json }) => json({ jsonrpc: '2.0', id: null, error: { code: -32000, message: 'no such session' } }, 400), 'no such session'],
    ['a redirect', ({ response }) => response.writeHead(307, { location: 'https://elsewhere.example/mcp?key=secret' }).end(), 'https://elsewhere.example/mcp'],
    ['a page', ({ response }) => response.writeHead(200, { 'content-type': 'text/html' }).end('<html>'), 'HTTP 200'],
    ['a broken connection', ({ response }) => response.destroy(), 'does not answer'],
    ['half an answer', ({ response }) => { response.writeHead(200, { 'content-type': 'application/json', 'content-length': '100' }); response.write('{"jsonrpc"'); setTimeout(() => response.destroy(), 20); }, 'HTTP 200'],
    ['a stream that ends', ({ event, end }) => { event({ jsonrpc: '2.0', method: 'notifications/message', params: {} }); end(); }, 'HTTP 200'],
    ['another id', ({ json }) => json(result('other', {})), 'HTTP 200'],
    ['what is encoded', ({ response }) => response.writeHead(200, { 'content-type': 'application/json', 'content-encoding': 'gzip' }).end('x'), 'HTTP 200'],
    ['too much', ({ json }) => json(result(1, { text: 'x'.repeat(50_000) })), 'HTTP 200'],
  ])('%s is an error for the agent, and nothing is counted', async (_what, answer, text) => {
    const server = await upstream((exchange) => {
      if (exchange.seen.method === 'POST') answer(exchange);
      return exchange.seen.method === 'POST';
    });
    const agent = bridged(server.url, 'version: "1"\ntools: { a: { rules: [{ name: once, rate_limit: 1/hour }] } }\n', {}, { maxLineBytes: 20_000 });
    agent.send(call(1, 'a'));
    const { error } = await agent.next(1);
    expect(error?.code).toBe(-31502);
    expect(error?.message).toContain(text);
    expect(error?.message).not.toContain('secret');
    expect(agent.gate.judged.map(({ outcome }) => outcome)).toEqual(['error']);
    agent.send(call(2, 'a'));
    expect((await agent.next(2)).error?.code).toBe(-31502);
  });

  it('nothing that listens there', async () => {
    const gone = await startUpstream();
    await gone.close();
    const agent = bridged(gone.url);
    agent.send(INITIALIZE);
    expect((await agent.next('init')).error?.message).toBe(`The upstream http://127.0.0.1:${gone.port} does not answer: nothing listens there`);
  });

  it('[P10] follows no redirect with its credentials', async () => {
    const other = await upstream();
    const server = await upstream(({ response }) => {
      response.writeHead(308, { location: other.url }).end();
      return true;
    });
    const agent = bridged(server.url, undefined, { authorization: 'Bearer s3cret' });
    agent.send(call(1, 'a'));
    await agent.next(1);
    expect(other.seen).toEqual([]);
  });
});

describe('flow', () => {
  it('a slow call holds up only itself, and answers come as they are ready', async () => {
    const waiting: (() => void)[] = [];
    const server = await upstream(({ seen, json }) => {
      if (seen.message?.id !== 'slow') return false;
      waiting.push(() => json(result('slow', {})));
      return true;
    });
    const agent = bridged(server.url);
    agent.send(call('slow', 'a'), ...Array.from({ length: 100 }, (_, id) => call(id, 'a')));
    for (let id = 0; id < 100; id++) await agent.next(id);
    await until('the slow call to arrive', () => waiting.length === 1, PATIENCE_MS);
    waiting[0]?.();
    await agent.next('slow');
    expect(agent.lines).toHaveLength(101);
  });

  it('events written in every way and split at every byte make the same messages', async () => {
    const messages = [{ jsonrpc: '2.0', method: 'notifications/message', params: { data: 'ü😀' } }, { jsonrpc: '2.0', method: 'notifications/progress', params: { n: 1 } }, result(1, { content: [] })];
    const [first, second, third] = messages.map((message) => JSON.stringify(message));
    const bytes = Buffer.from(`\ufeff: hello\r\nevent: message\rid: 1\rdata: ${first ?? ''}\r\r: x\n\ndata:${(second ?? '').replace(',', ',\r\ndata:')}\r\n\r\nid: 2\ndata\n\nevent: other\ndata: {"jsonrpc":"2.0","method":"notifications/message"}\n\ndata: ${third ?? ''}\n\n`);
    for (let at = 1; at < bytes.length; at += 7) {
      const server = await startUpstream(({ response }) => {
        response.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8' });
        response.write(bytes.subarray(0, at));
        setImmediate(() => response.end(bytes.subarray(at)));
        return true;
      });
      const agent = bridge(server.url);
      agent.send(call(1, 'a'));
      await agent.next(1);
      expect(agent.lines.map((line) => JSON.parse(line) as unknown)).toEqual(messages);
      expect(agent.gate.refused).toMatchObject([{ what: 'event from the upstream' }]);
      await agent.close();
      await server.close();
    }
  });

  it('10 MB both ways, as an event and as JSON', async () => {
    const server = await upstream(({ seen, event, end }) => {
      const text = (seen.message?.params?.['arguments'] as { text?: string } | undefined)?.text ?? '';
      if (seen.message?.id === 2) return false;
      event(result(1, { text }));
      end();
      return true;
    });
    const agent = bridged(server.url);
    const text = 'é"\\{}\n'.repeat(1.4e6);
    agent.send(call(1, 'echo', { text }));
    expect((await agent.next(1)).result).toEqual({ text });
  });

  it('ends on a signal at once, with the session', async () => {
    const server = await upstream(({ seen }) => seen.message?.method === 'tools/call');
    const agent = bridged(server.url);
    agent.send(INITIALIZE, INITIALIZED, call(1, 'hangs'));
    await until('the call to arrive', () => server.seen.some(({ message }) => message?.method === 'tools/call'), PATIENCE_MS);
    agent.signals.emit('SIGTERM', 'SIGTERM');
    expect((await agent.ended).code).toBe(143);
    expect(server.seen.at(-1)?.method).toBe('DELETE');
    expect(agent.gate.judged.map(({ outcome }) => outcome)).toEqual(['none']);
    await until('every connection to close', async () => (await server.connections()) === 0, PATIENCE_MS);
  });

  it('answers what was asked before the end of input', async () => {
    const server = await upstream(({ seen, json }) => {
      if (seen.message?.method !== 'tools/call') return false;
      setTimeout(() => json(result(1, { late: true })), 300);
      return true;
    });
    const agent = bridged(server.url);
    agent.send(call(1, 'a'));
    expect((await agent.close()).code).toBe(0);
    expect(await agent.next(1)).toMatchObject({ result: { late: true } });
  });
});

/** A session from either end: what is answered and how, what is asked back, what both eras need. */
import { describe, expect, it } from 'vitest';
import type { Gate } from '../../apps/proxy/src/relay/gate.ts';
import { DEFAULT_LIMITS } from '../../apps/proxy/src/relay/limits.ts';
import { createSession } from '../../apps/proxy/src/relay/session.ts';
import { createPolicyGate, lockdown } from './policy-gate.ts';
import { mulberry32 } from './seeded.ts';
import { call, handshake, request, result, wire } from './wired.ts';

const DENY_ALL = 'version: "1"\ndefault: deny\n';
const ALLOW = 'version: "1"\n';
const MODERN = { _meta: { 'io.modelcontextprotocol/protocolVersion': '2026-07-28', 'io.modelcontextprotocol/clientInfo': { name: 'modern-agent', version: '2' } } };

function parsed(line: string | undefined): unknown {
  return JSON.parse(line ?? 'null');
}

describe('denials', () => {
  const TEXT = /^\[POLICY DENIED\] /;

  it('are tool results with the reason as text, with resultType for those who need it', () => {
    const wired = wire(DENY_ALL);
    const old = parsed(wired.fromClient(call(1, 'x')).toClient[0]);
    expect(old).toEqual({ jsonrpc: '2.0', id: 1, result: { content: [{ type: 'text', text: expect.stringMatching(TEXT) as string }], isError: true } });
    const modern = parsed(wired.fromClient(request('m', 'tools/call', { name: 'x', ...MODERN })).toClient[0]);
    expect(modern).toEqual({ jsonrpc: '2.0', id: 'm', result: { content: [{ type: 'text', text: expect.stringMatching(TEXT) as string }], isError: true, resultType: 'complete' } });
  });

  it.each([
    ['tools/call', { name: 'x', task: { ttl: 1000 } }, -31403],
    ['resources/read', { uri: 'file:///a' }, -32602],
    ['resources/subscribe', { uri: 'file:///a' }, -32602],
    ['resources/unsubscribe', { uri: 'file:///a' }, -32602],
    ['prompts/get', { name: 'p' }, -32602],
    ['completion/complete', { ref: { type: 'ref/prompt', name: 'p' }, argument: { name: 'a', value: '' } }, -31403],
    ['tasks/result', { taskId: '1' }, -31403],
    ['tasks/list', {}, -31403],
    ['tasks/cancel', { taskId: '1' }, -31403],
    ['vendor/anything', {}, -31403],
    ['toString', {}, -31403],
  ])('of %s %j are errors with code %s', (method, params, code) => {
    const wired = wire(DENY_ALL);
    const heard = wired.fromClient(request(1, method, params));
    expect(heard.toServer).toEqual([]);
    expect(parsed(heard.toClient[0])).toEqual({ jsonrpc: '2.0', id: 1, error: { code, message: expect.stringMatching(TEXT) as string } });
  });

  it('[E3] follow from a gate that throws', () => {
    const gate: Gate = { ...createPolicyGate(ALLOW), judge: () => { throw new Error('disk is gone'); } };
    let said = '';
    const session = createSession(gate, DEFAULT_LIMITS, { toClient: (bytes) => { said += bytes.toString(); }, toServer: () => { throw new Error('forwarded'); } });
    session.client.line(Buffer.from(`${JSON.stringify(call(1, 'x'))}\n`));
    expect(said).toContain('disk is gone');
  });

  it('are answered once: a cancellation of what we answered ends here, any other goes on', () => {
    const wired = wire('version: "1"\ntools: { no: { rules: [{ name: n, action: deny }] } }\n');
    wired.fromClient(call(1, 'no'));
    const cancel = (requestId: unknown): object => ({ jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId } });
    expect(wired.fromClient(cancel(1))).toEqual({ toClient: [], toServer: [] });
    expect(wired.fromClient(cancel('1')).toServer).toHaveLength(1);
    wired.fromClient(call(2, 'yes'));
    expect(wired.fromClient(cancel(2)).toServer).toHaveLength(1);
    // The id is free, and the late answer still settles its call.
    expect(wired.session.unanswered()).toBe(0);
    wired.fromServer({ jsonrpc: '2.0', id: 2, error: { code: 1, message: 'cancelled' } });
    expect(wired.gate.judged.at(-1)?.outcome).toBe('error');
  });
});

describe('what is judged', () => {
  it('[P8] plumbing is not, and passes under a lockdown', () => {
    const wired = wire(createPolicyGate(ALLOW, [lockdown('incident')]));
    const requests = ['initialize', 'server/discover', 'ping', 'tools/list', 'resources/list', 'resources/templates/list', 'prompts/list', 'logging/setLevel', 'subscriptions/listen'];
    for (const [id, method] of requests.entries()) expect(wired.fromClient(request(id, method, {})).toServer).toHaveLength(1);
    for (const method of ['initialized', 'cancelled', 'progress', 'roots/list_changed']) expect(wired.fromClient({ jsonrpc: '2.0', method: `notifications/${method}` }).toServer).toHaveLength(1);
    for (const method of ['cancelled', 'progress', 'message', 'tools/list_changed', 'resources/list_changed', 'prompts/list_changed', 'resources/updated', 'subscriptions/acknowledged', 'tasks', 'tasks/status', 'elicitation/complete']) {
      expect(wired.fromServer({ jsonrpc: '2.0', method: `notifications/${method}` }).toClient).toHaveLength(1);
    }
    expect(wired.fromServer(request(1, 'ping')).toClient).toHaveLength(1);
    expect(wired.gate.judged).toEqual([]);
    expect(wired.fromClient(call('x', 'a')).toClient[0]).toContain('[POLICY DENIED] incident');
    expect(wired.fromClient({ jsonrpc: '2.0', method: 'notifications/vendor' }).toServer).toEqual([]);
    expect(wired.fromServer({ jsonrpc: '2.0', method: 'notifications/vendor' }).toClient).toEqual([]);
  });

  it.each([
    ['tools/call', { name: 'n', arguments: { a: 1 } }, [{ kind: 'tool', name: 'n', arguments: { a: 1 } }]],
    ['tools/call', { name: 'n' }, [{ kind: 'tool', name: 'n', arguments: {} }]],
    ['resources/read', { uri: 'a:b' }, [{ kind: 'resource', method: 'resources/read', uri: 'a:b' }]],
    ['resources/subscribe', { uri: 'a:b' }, [{ kind: 'resource', method: 'resources/subscribe', uri: 'a:b' }]],
    ['prompts/get', { name: 'p', arguments: { x: 'y' } }, [{ kind: 'prompt', name: 'p', arguments: { x: 'y' } }]],
    ['completion/complete', { ref: { type: 'ref/prompt', name: 'p' } }, [{ kind: 'method', method: 'completion/complete', params: { ref: { type: 'ref/prompt', name: 'p' } } }, { kind: 'prompt', name: 'p', arguments: {} }]],
    ['completion/complete', { ref: { type: 'ref/resource', uri: 'a:{b}' } }, [{ kind: 'method', method: 'completion/complete', params: { ref: { type: 'ref/resource', uri: 'a:{b}' } } }, { kind: 'resource', method: 'completion/complete', uri: 'a:{b}' }]],
    ['subscriptions/listen', { notifications: { resourceSubscriptions: ['a:1', 'a:2'] } }, [{ kind: 'resource', method: 'subscriptions/listen', uri: 'a:1' }, { kind: 'resource', method: 'subscriptions/listen', uri: 'a:2' }]],
    ['tasks/get', { taskId: 't' }, [{ kind: 'method', method: 'tasks/get', params: { taskId: 't' } }]],
    ['__proto__', {}, [{ kind: 'method', method: '__proto__', params: {} }]],
  ])('%s %j', (method, params, calls) => {
    const wired = wire(ALLOW);
    expect(wired.fromClient(request(1, method, params)).toServer).toHaveLength(1);
    expect(wired.gate.judged.map((one) => one.call)).toEqual(calls);
  });

  it.each([
    ['resources/read', {}], ['resources/read', { uri: ['a'] }], ['prompts/get', { name: 1 }], ['completion/complete', { ref: 'p' }], ['completion/complete', { ref: { type: 'ref/prompt', name: 'p', uri: 'a:b' } }],
    ['completion/complete', { ref: { type: 'ref/other', name: 'p' } }], ['subscriptions/listen', { notifications: { resourceSubscriptions: 'a:1' } }], ['subscriptions/listen', { notifications: { resourceSubscriptions: [1] } }],
    ['subscriptions/listen', { notifications: { ResourceSubscriptions: ['a:1'] } }], ['tools/call', { name: 'x', _meta: 5 }], ['tools/call', { name: 'x', _meta: { 'io.modelcontextprotocol/protocolversion': 'x' } }],
  ])('[P2] %s %j asks for nothing clear', (method, params) => {
    const wired = wire(ALLOW);
    const heard = wired.fromClient(request(1, method, params));
    expect([heard.toServer, parsed(heard.toClient[0])]).toMatchObject([[], { id: 1, error: { code: -32602 } }]);
    expect(wired.gate.refused).toHaveLength(1);
  });

  it('a subscription to a denied resource is denied, and what was counted for the others is given back', () => {
    const wired = wire('version: "1"\nresources: { "a:2": { rules: [{ name: n, action: deny }] } }\n');
    expect(wired.fromClient(request(1, 'subscriptions/listen', { notifications: { resourceSubscriptions: ['a:1', 'a:2'] } })).toServer).toEqual([]);
    expect(wired.gate.judged.map(({ outcome }) => outcome)).toEqual(['error', null]);
  });

  it('names who asks: by the handshake, or by the request itself', () => {
    const wired = wire(ALLOW);
    wired.fromClient(call(1, 'a'));
    handshake(wired);
    wired.fromClient(call(2, 'a'));
    wired.fromClient(request(3, 'tools/call', { name: 'a', ...MODERN }));
    expect(wired.gate.judged.map(({ client }) => client)).toEqual([null, 'agent-x', 'modern-agent']);
  });
});

describe('outcomes', () => {
  it.each([
    ['{"result":{"content":[]}}', 'ok'],
    ['{"result":{"content":[],"isError":true}}', 'tool_error'],
    ['{"result":{"content":[{"type":"text","text":"\\"isError\\":true"}],"isError":false}}', 'ok'],
    ['{"error":{"code":-32000,"message":"no"}}', 'error'],
    ['{"result":null}', 'ok'],
  ])('%s settles %s', (answer, outcome) => {
    const wired = wire(ALLOW);
    wired.fromClient(call(1, 'a'));
    const line = `${answer.slice(0, -1)},"id":1,"jsonrpc":"2.0"}`;
    expect(wired.fromServer(`${line}\n`)).toEqual({ toClient: [line], toServer: [] });
    expect(wired.gate.judged[0]?.outcome).toBe(outcome);
  });

  it('[P5] belong to the call as it was judged, whatever is in force when the answer comes', () => {
    const wired = wire(ALLOW);
    wired.fromClient(call(1, 'a'));
    wired.gate.swap(DENY_ALL, [lockdown('now')]);
    expect(wired.fromClient(call(2, 'a')).toServer).toEqual([]);
    const answer = JSON.stringify(result(1, { content: [] }));
    expect(wired.fromServer(`${answer}\n`).toClient).toEqual([answer]);
    expect(wired.gate.judged[0]?.outcome).toBe('ok');
  });

  it('of calls that the upstream will not answer any more are errors, told to the agent; later requests too', () => {
    const wired = wire(ALLOW);
    wired.fromClient(call(1, 'a'));
    wired.fromClient(request('l', 'tools/list'));
    const heard = wired.during(() => wired.session.upstreamGone('The upstream server has ended (exit code 3)'));
    expect(heard.toClient.map(parsed)).toEqual([1, 'l'].map((id) => ({ jsonrpc: '2.0', id, error: { code: -31502, message: 'The upstream server has ended (exit code 3)' } })));
    expect(wired.gate.judged[0]?.outcome).toBe('error');
    expect(parsed(wired.fromClient(request(3, 'ping')).toClient[0])).toMatchObject({ id: 3, error: { code: -31502 } });
  });

  it('do not wait for subscriptions, which are answered when they end', () => {
    const wired = wire(ALLOW);
    wired.fromClient(request('sub', 'subscriptions/listen', { notifications: {}, ...MODERN }));
    wired.fromClient(request(1, 'ping'));
    expect(wired.session.unanswered()).toBe(1);
    wired.fromServer(result(1, {}));
    expect(wired.session.unanswered()).toBe(0);
    wired.fromServer(result('sub', { resultType: 'complete' }));
    expect(wired.session.unanswered()).toBe(0);
  });

  it('an answer that nobody waits for, or a second one, is not passed on', () => {
    const wired = wire(ALLOW);
    wired.fromClient(call(1, 'a'));
    expect(wired.fromServer(result('1', {})).toClient).toEqual([]);
    expect(wired.fromServer(result(1, {})).toClient).toHaveLength(1);
    expect(wired.fromServer(result(1, { second: true })).toClient).toEqual([]);
    expect(wired.fromServer({ jsonrpc: '2.0', id: null, error: { code: -32700, message: 'parse' } }).toClient).toHaveLength(1);
  });
});

describe('what the upstream sends', () => {
  it('passes untouched: big, odd, and in words', () => {
    for (const [text, waits] of [
      [`{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"${'x\\"{'.repeat(50_000)}"}],"n":1e400,"d":{"a":1,"a":2}}}`, true],
      [`{"jsonrpc":"2.0","id":1,"result":{"structuredContent":${'{"a":['.repeat(5000)}1${']}'.repeat(5000)}}}`, true],
      ['{"jsonrpc":"2.0","id":1,"result":{"x":NaN}}', true],
      ['Server listening on port 3000', false],
    ] as const) {
      const wired = wire(ALLOW);
      if (waits) wired.fromClient(call(1, 'a'));
      expect(wired.fromServer(`${text}\n`).toClient).toEqual([text]);
    }
  });

  it('passes the bytes of invalid UTF-8 in an answer as they are', () => {
    const gate = createPolicyGate(ALLOW);
    const out: Buffer[] = [];
    const session = createSession(gate, DEFAULT_LIMITS, { toClient: (bytes) => out.push(Buffer.from(bytes)), toServer: () => undefined });
    session.client.line(Buffer.from(`${JSON.stringify(call(1, 'a'))}\n`));
    const line = Buffer.concat([Buffer.from('{"jsonrpc":"2.0","id":1,"result":{"x":"'), Buffer.from([0xff, 0xc3]), Buffer.from('"}}\n')]);
    session.server.line(line);
    expect(Buffer.concat(out).equals(line)).toBe(true);
  });

  const SAMPLING = request('s', 'sampling/createMessage', { messages: [] });
  it('asks of the agent are judged: a denied one is answered by us and not shown', () => {
    const wired = wire('version: "1"\nmethods: { sampling/createMessage: deny }\n');
    const heard = wired.fromServer(SAMPLING);
    expect(heard.toClient).toEqual([]);
    expect(parsed(heard.toServer[0])).toMatchObject({ id: 's', error: { code: -31403 } });
    expect(wired.fromServer(request('s', 'elicitation/create', {})).toClient).toHaveLength(1);
    expect(wired.fromClient(result('s', { action: 'accept' })).toServer).toHaveLength(1);
    expect(wired.gate.judged.map(({ outcome }) => outcome)).toEqual([null, 'ok']);
  });

  it('hears of an answer of the agent that is not forwarded', () => {
    for (const answer of ['{"jsonrpc":"2.0","id":"s","result":{},"error":{}}', '{"jsonrpc":"2.0","id":"s","result":{"a":1,"a":2}}', `{"jsonrpc":"2.0","id":"s","result":{"x":"${'y'.repeat(20_000)}"}}`]) {
      const wired = wire(ALLOW, { maxLineBytes: 5000 });
      wired.fromServer(SAMPLING);
      const heard = wired.fromClient(`${answer}\n`);
      expect(heard.toClient).toEqual([]);
      expect(parsed(heard.toServer[0])).toMatchObject({ id: 's', error: { code: -32600 } });
      expect(wired.gate.judged[0]?.outcome).toBe('none');
    }
  });

  it.each([
    '{"jsonrpc":"2.0","id":1,"method":"ping","method":"sampling/createMessage"}',
    '{"jsonrpc":"2.0","id":1,"method":"ping","Method":"sampling/createMessage"}',
    '{"jsonrpc":"2.0","id":1,"method":"sampling/createMessage","x":NaN}',
    '\ufeff{"jsonrpc":"2.0","id":1,"method":"sampling/createMessage"}',
    'log\r{"jsonrpc":"2.0","id":1,"method":"sampling/createMessage"}',
    '{"jsonrpc":"2.0","id":1,"result":{},"method":"sampling/createMessage"}',
    '{"jsonrpc":"2.0","id":1.5,"method":"sampling/createMessage"}',
    '[{"jsonrpc":"2.0","id":1,"method":"sampling/createMessage"}]',
    'oops {"jsonrpc"',
  ])('[P2] is not shown where it can be read in two ways: %s', (line) => {
    const wired = wire('version: "1"\nmethods: { sampling/createMessage: deny }\n');
    expect(wired.fromServer(`${line}\n`).toClient).toEqual([]);
    expect(wired.gate.refused).toHaveLength(1);
  });

  it.each(['{"jsonrpc":"2.0","id":1,"result":{},"error":{"code":1,"message":""}}', '{"jsonrpc":"2.0","id":1,"result":{},"Result":{}}', '{"jsonrpc":"2.0","id":1,"result":{},"result":{}}', '{"jsonrpc":"2.0",\r"id":1,"result":{}}'])('[P2] an unclear answer becomes an error for the agent: %s', (line) => {
    const wired = wire(ALLOW);
    wired.fromClient(call(1, 'a'));
    expect(parsed(wired.fromServer(`${line}\n`).toClient[0])).toMatchObject({ id: 1, error: { code: -31502 } });
    expect(wired.gate.judged[0]?.outcome).toBe('none');
  });

  it('above the cap is told to the agent, wherever the id stands', () => {
    for (const line of [`{"jsonrpc":"2.0","id":1,"result":{"x":"${'y'.repeat(20_000)}"}}`, `{"result":{"x":"${'y'.repeat(20_000)}"},"jsonrpc":"2.0","id":1}`]) {
      const wired = wire(ALLOW, { maxLineBytes: 5000 });
      wired.fromClient(call(1, 'a'));
      expect(parsed(wired.fromServer(`${line}\n`).toClient[0])).toMatchObject({ id: 1, error: { code: -31502 } });
    }
  });

  const seed = Number(process.env['SEED'] ?? 20261122);
  it(`shows no hidden name, shows nothing unasked, and settles each call once, whatever it is (seed ${seed})`, () => {
    const random = mulberry32(seed);
    const pick = <T>(items: readonly T[]): T => items[Math.floor(random() * items.length)] as T;
    const pieces = ['"tools":[{"name":"hidden"}]', '{"name":"hidden"}', '"name":"hidden"', '"result":', '"error":', '"id":1', '"method":"sampling/createMessage"', '{', '}', '[', ']', ',', '"', '\\', '\r', '\n', '\ufeff', 'NaN', ' ', '\\u0000', '"Tools":', '1.0'];
    let shown = 0;
    for (let round = 0; round < 10_000; round++) {
      const wired = wire('version: "1"\nhide: [hidden]\nmethods: { sampling/createMessage: deny }\n');
      wired.fromClient(request(1, 'tools/list'));
      wired.fromClient(call(2, 'a'));
      let text = JSON.stringify(pick([result(1, { tools: [{ name: 'a' }, { name: 'hidden', description: 'x' }], nextCursor: 'c' }), result(2, { content: [] }), request(1, 'sampling/createMessage', {}), request(1, 'elicitation/create', {})]));
      for (let n = Math.floor(random() * 3); n > 0; n--) {
        const at = Math.floor(random() * text.length);
        text = text.slice(0, at) + pick(pieces) + text.slice(at + pick([0, 0, 1, 10]));
      }
      const heard = wired.fromServer(`${text}\n`).toClient;
      for (const line of heard) {
        const message = json(line);
        if (message === undefined) continue;
        shown++;
        expect(namesIn(message), text).not.toContain('hidden');
        expect((message as { method?: unknown }).method, text).not.toBe('sampling/createMessage');
      }
    }
    expect(shown).toBeGreaterThan(3000);
  });
});

function json(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

function namesIn(message: unknown): unknown[] {
  const tools = (message as { result?: { tools?: unknown } } | null)?.result?.tools;
  return Array.isArray(tools) ? tools.map((tool: unknown) => (tool as { name?: unknown } | null)?.name) : [];
}

describe('2026-07-28', () => {
  const LISTEN = request('sub', 'subscriptions/listen', { notifications: { toolsListChanged: true, promptsListChanged: true }, ...MODERN });
  const ack = (notifications: object): object => ({ jsonrpc: '2.0', method: 'notifications/subscriptions/acknowledged', params: { _meta: { 'io.modelcontextprotocol/subscriptionId': 'sub' }, notifications } });
  const notice = (kind: string): object => ({ jsonrpc: '2.0', method: `notifications/${kind}/list_changed`, params: { _meta: { 'io.modelcontextprotocol/subscriptionId': 'sub' } } });

  it('promises changed lists in server/discover, grants them in the acknowledgement, and tells about them after it', () => {
    const wired = wire(ALLOW);
    wired.fromClient(request(1, 'server/discover', MODERN));
    expect(parsed(wired.fromServer(result(1, { supportedVersions: ['2026-07-28'], capabilities: { tools: {} }, resultType: 'complete' })).toClient[0])).toMatchObject({ result: { capabilities: { tools: { listChanged: true } } } });
    wired.fromClient(LISTEN);
    expect(wired.during(() => wired.gate.swap(ALLOW)).toClient).toEqual([]);
    expect(parsed(wired.fromServer(ack({ promptsListChanged: false })).toClient[0])).toEqual(ack({ toolsListChanged: true, promptsListChanged: true }));
    expect(wired.during(() => wired.gate.swap(ALLOW)).toClient.map(parsed)).toEqual([notice('tools'), notice('prompts')]);
    wired.fromClient({ jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 'sub' } });
    expect(wired.during(() => wired.gate.swap(ALLOW)).toClient).toEqual([]);
  });

  it('leaves an acknowledgement that grants everything, or is not for us, as it is', () => {
    const wired = wire(ALLOW);
    wired.fromClient(LISTEN);
    for (const line of [JSON.stringify(ack({ toolsListChanged: true, promptsListChanged: true })), JSON.stringify(ack({})).replace('"sub"', '"other"')]) expect(wired.fromServer(`${line}\n`).toClient).toEqual([line]);
  });

  it('keeps clients from caching filtered lists for long; earlier revisions stay untouched', () => {
    const page = { tools: [{ name: 'a' }], ttlMs: 86400000, cacheScope: 'public', resultType: 'complete' };
    const wired = wire(ALLOW);
    wired.fromClient(request(1, 'tools/list', MODERN));
    expect(wired.fromServer(result(1, page)).toClient).toEqual([JSON.stringify(result(1, { ...page, ttlMs: 5000, cacheScope: 'private' }))]);
    wired.fromClient(request(2, 'tools/list'));
    expect(wired.fromServer(result(2, page)).toClient).toEqual([JSON.stringify(result(2, page))]);
  });

  it('counts a call once, however often the upstream asks for more input before it does it', () => {
    const wired = wire('version: "1"\ntools: { a: { rules: [{ name: one, rate_limit: 1/hour }] } }\n');
    for (const id of [1, 2, 3]) {
      expect(wired.fromClient(request(id, 'tools/call', { name: 'a', ...(id === 1 ? {} : { requestState: 's', inputResponses: {} }), ...MODERN })).toServer).toHaveLength(1);
      wired.fromServer(result(id, id < 3 ? { resultType: 'input_required', inputRequests: {}, requestState: 's' } : { resultType: 'complete', content: [] }));
    }
    expect(wired.gate.judged.map(({ outcome }) => outcome)).toEqual(['error', 'error', 'ok']);
    expect(wired.fromClient(request(4, 'tools/call', { name: 'a', ...MODERN })).toClient[0]).toContain('[POLICY DENIED]');
    // Up to 2025-11-25 the word means nothing.
    const old = wire(ALLOW);
    old.fromClient(call(1, 'a'));
    old.fromServer(result(1, { resultType: 'input_required' }));
    expect(old.gate.judged[0]?.outcome).toBe('ok');
  });

  it('judges what the upstream asks inside a result or a notification', () => {
    const asks = { resultType: 'input_required', inputRequests: { a: { method: 'sampling/createMessage', params: { messages: [] } } }, requestState: 's' };
    const allowed = wire(ALLOW);
    allowed.fromClient(request(1, 'tools/call', { name: 'a', ...MODERN }));
    expect(allowed.fromServer(result(1, asks)).toClient).toEqual([JSON.stringify(result(1, asks))]);
    expect(allowed.gate.judged.map(({ call: judged, client }) => [judged.kind, client])).toEqual([['tool', 'modern-agent'], ['method', 'modern-agent']]);

    const denied = wire('version: "1"\nmethods: { sampling/createMessage: deny }\n');
    denied.fromClient(request(1, 'tools/call', { name: 'a', ...MODERN }));
    expect(parsed(denied.fromServer(result(1, asks)).toClient[0])).toMatchObject({ id: 1, result: { isError: true, resultType: 'complete' } });
    expect(denied.fromServer({ jsonrpc: '2.0', method: 'notifications/tasks', params: asks }).toClient).toEqual([]);
    denied.fromClient(request(2, 'tasks/get', { taskId: 't', ...MODERN }));
    expect(parsed(denied.fromServer(result(2, asks)).toClient[0])).toMatchObject({ id: 2, error: { code: -31403 } });
    denied.fromClient(request(3, 'prompts/get', { name: 'p', ...MODERN }));
    expect(parsed(denied.fromServer(result(3, { ...asks, inputRequests: ['x'] })).toClient[0])).toMatchObject({ id: 3, error: { code: -31502 } });
  });
});

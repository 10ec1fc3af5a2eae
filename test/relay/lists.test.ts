/** What lists show, and that what they do not show cannot be told from what does not exist (P4). */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { createPolicyGate, lockdown } from './policy-gate.ts';
import { call, handshake, request, result, wire } from './wired.ts';
import type { Wired } from './wired.ts';

const HIDES = 'version: "1"\nhide: [secret, "delete_*"]\n';

/** Sends a raw answer to a list request and returns the line that the agent sees. */
function listed(wired: Wired, method: string, answer: string, params?: object): string | undefined {
  const id = (JSON.parse(answer) as { id: number | string }).id;
  wired.fromClient(request(id, method, params));
  return wired.fromServer(`${answer}\n`).toClient[0];
}

describe('Intercept: tools_list_raw.json', () => {
  interface RawCase {
    readonly id: string;
    readonly policy: string;
    readonly body: string;
    readonly expect: string;
    readonly unchanged: boolean;
    readonly compat: 'same' | 'harden';
  }
  const cases = JSON.parse(readFileSync(join(import.meta.dirname, '../vectors/intercept/tools_list_raw.json'), 'utf8')) as RawCase[];

  it.each(cases.map((one) => [one.compat, one.id, one] as const))('%s %s', (compat, _id, one) => {
    const wired = wire(createPolicyGate(one.policy));
    const id = /"id":("[^"]*"|\d+)/.exec(one.body)?.[1] ?? '1';
    wired.fromClient(`{"jsonrpc":"2.0","id":${id},"method":"tools/list"}\n`);
    const seen = wired.fromServer(`${one.body}\n`).toClient[0] ?? '';
    if (one.unchanged && compat === 'same') return expect(seen).toBe(one.body);
    expect(seen).not.toContain('"b"');
    if (compat === 'harden') return;
    // The same tools; we keep what Intercept loses besides.
    const names = (text: string): unknown => (JSON.parse(text) as { result: { tools?: unknown } | null }).result?.tools ?? [];
    expect(names(seen)).toEqual(names(one.expect));
  });
});

describe('filtering keeps the bytes of what it keeps', () => {
  const body = '{ "result" : {"_meta":{"k":1.0},"tools" : [ {"name":"secret"} , {"name":"a", "x":9007199254740993},{"name":"delete_x","inputSchema":{"name":"a"}},\t{"name":"b"} , {"name":"delete_y"} ],"nextCursor":"c","odd":[1]} ,"id":1, "jsonrpc":"2.0"}';

  it('cuts hidden entries and nothing else', () => {
    expect(listed(wire(HIDES), 'tools/list', body)).toBe(
      '{ "result" : {"_meta":{"k":1.0},"tools" : [ {"name":"a", "x":9007199254740993},\t{"name":"b"} ],"nextCursor":"c","odd":[1]} ,"id":1, "jsonrpc":"2.0"}',
    );
  });

  it('[P1] passes a list on untouched where nothing is hidden', () => {
    expect(listed(wire('version: "1"\n'), 'tools/list', body)).toBe(body);
  });

  it('[P8] empties lists under a lockdown, and where no policy admits the server', () => {
    for (const gate of [createPolicyGate('version: "1"\n', [lockdown('incident')]), createPolicyGate('version: "1"\nmatch: { server: other }\n')]) {
      expect(listed(wire(gate), 'tools/list', '{"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"a"},5],"nextCursor":"c"}}')).toBe('{"jsonrpc":"2.0","id":1,"result":{"tools":[],"nextCursor":"c"}}');
      expect(listed(wire(gate), 'resources/list', '{"jsonrpc":"2.0","id":1,"result":{"resources":[{"uri":"a:b"},{}]}}')).toBe('{"jsonrpc":"2.0","id":1,"result":{"resources":[]}}');
      expect(listed(wire(gate), 'resources/templates/list', '{"jsonrpc":"2.0","id":1,"result":{"resourceTemplates":[{"uriTemplate":"a:{b}"}]}}')).toBe('{"jsonrpc":"2.0","id":1,"result":{"resourceTemplates":[]}}');
      expect(listed(wire(gate), 'prompts/list', '{"jsonrpc":"2.0","id":1,"result":{"prompts":[{"name":"p"}]}}')).toBe('{"jsonrpc":"2.0","id":1,"result":{"prompts":[]}}');
    }
  });

  it('filters by shape, whatever the id was used for', () => {
    const wired = wire(HIDES);
    wired.fromClient(request(1, 'tools/list'));
    wired.fromClient({ jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 1 } });
    wired.fromClient(request(1, 'ping'));
    expect(wired.fromServer(result(1, { tools: [{ name: 'secret' }, { name: 'a' }] })).toClient).toEqual([JSON.stringify(result(1, { tools: [{ name: 'a' }] }))]);
  });

  it('filters a list above 64 kB, and an id that is written 1.0', () => {
    const tools = [{ name: 'secret' }, ...Array.from({ length: 2000 }, (_, i) => ({ name: `t${i}`, description: 'x'.repeat(100) }))];
    const wired = wire(HIDES);
    wired.fromClient(request(1, 'tools/list'));
    const seen = wired.fromServer(`{"jsonrpc":"2.0","id":1.0,"result":${JSON.stringify({ tools })}}\n`).toClient[0];
    expect(seen).toBe(`{"jsonrpc":"2.0","id":1.0,"result":${JSON.stringify({ tools: tools.slice(1) })}}`);
  });

  it.each([
    ['a key twice', '{"tools":[{"name":"a","name":"secret"}]}'],
    ['a list twice', '{"tools":[{"name":"a"}],"tools":[{"name":"secret"}]}'],
    ['a list in disguise', '{"Tools":[{"name":"secret"}]}'],
    ['no array', '{"tools":{"0":{"name":"secret"}}}'],
    ['no object', '["secret"]'],
    ['too deep', `{"tools":[{"name":"secret","x":${'['.repeat(200)}${']'.repeat(200)}}]}`],
    ['a surrogate', '{"tools":[{"name":"secret","x":"\\ud800"}]}'],
  ])('[P2] does not show a list that cannot be read for certain: %s', (_why, answer) => {
    const wired = wire(HIDES);
    wired.fromClient(request(1, 'tools/list'));
    const { toClient } = wired.fromServer(`{"jsonrpc":"2.0","id":1,"result":${answer}}\n`);
    expect(toClient).toHaveLength(1);
    expect(JSON.parse(toClient[0] ?? '')).toMatchObject({ id: 1, error: { code: -31502 } });
    expect(toClient[0]).not.toContain('secret');
    expect(wired.gate.refused).toHaveLength(1);
    expect(wired.session.unanswered()).toBe(0);
  });

  it.each(['{"name":"secret","Name":"a"}', '{"Name":"secret"}', '"secret"', '{"name":["secret"]}', '{"name\\u0000":"secret"}'])('does not show an entry whose name cannot be read: %s', (entry) => {
    expect(listed(wire(HIDES), 'tools/list', `{"jsonrpc":"2.0","id":1,"result":{"tools":[${entry}]}}`)).toBe('{"jsonrpc":"2.0","id":1,"result":{"tools":[]}}');
  });

  it('leaves an array named tools in another answer alone, but for hidden names', () => {
    const wired = wire(HIDES);
    wired.fromClient(call(1, 'a'));
    const seen = wired.fromServer(result(1, { content: [], tools: ['hammer', { name: 'secret' }, { n: 1 }] })).toClient[0];
    expect(seen).toBe(JSON.stringify(result(1, { content: [], tools: ['hammer', { n: 1 }] })));
  });
});

describe('[P4] a hidden name answers as a name that nobody lists', () => {
  function answers(policy: string, before: (wired: Wired) => void, names: readonly string[]): { readonly shown: Set<string>; readonly forwarded: boolean } {
    const shown = new Set<string>();
    let forwarded = false;
    for (const params of [{}, { task: { ttl: 1 } }, { _meta: { 'io.modelcontextprotocol/protocolVersion': '2026-07-28' } }]) {
      const perName = new Set<string>();
      for (const name of names) {
        const wired = wire(policy);
        before(wired);
        const heard = wired.fromClient(request(7, 'tools/call', { name, arguments: {}, ...params }));
        forwarded ||= heard.toServer.length > 0;
        perName.add(heard.toClient.join('|').replaceAll(name, 'NAME'));
      }
      shown.add([...perName].join(' / '));
    }
    return { shown, forwarded };
  }
  const seeAll = (wired: Wired): void => {
    wired.fromClient(request(1, 'tools/list'));
    wired.fromServer(result(1, { tools: [{ name: 'a' }, { name: 'secret' }], nextCursor: 'n' }));
    wired.fromClient(request(2, 'tools/list', { cursor: 'n' }));
    wired.fromServer(result(2, { tools: [{ name: 'b' }, { name: 'delete_b' }] }));
  };
  const NAMES = ['secret', 'delete_b', 'delete_none', 'nowhere', '__proto__', 'constructor'];

  it.each([
    HIDES,
    `${HIDES}default: deny\ntools: { a: {}, secret: {} }\n`,
    `${HIDES}tools: { "*": { rules: [{ name: none, action: deny, on_deny: never }] } }\n`,
    `${HIDES}tools: { "*": { rules: [{ name: one, rate_limit: 1/hour }] }, nowhere: { rules: [{ name: n, action: deny }] } }\n`,
  ])('once all pages were seen (%#)', (policy) => {
    const { shown, forwarded } = answers(policy, seeAll, NAMES);
    expect([...shown]).toEqual(['{"jsonrpc":"2.0","id":7,"error":{"code":-32602,"message":"Unknown tool: NAME"}}']);
    expect(forwarded).toBe(false);
  });

  it('gives back what an unknown name counted', () => {
    const wired = wire(`${HIDES}tools: { "*": { rules: [{ name: one, rate_limit: 1/hour }] } }\n`);
    seeAll(wired);
    wired.fromClient(call(5, 'nowhere'));
    expect(wired.gate.judged.at(-1)?.outcome).toBe('error');
    expect(wired.fromClient(call(6, 'a')).toServer).toHaveLength(1);
    expect(wired.fromClient(call(7, 'nowhere')).toClient[0]).toContain('Unknown tool: nowhere');
  });

  it('sends unknown names upstream before that, after a change of the list, and where nothing is hidden', () => {
    expect(answers(HIDES, () => undefined, ['nowhere']).forwarded).toBe(true);
    expect(answers('version: "1"\n', seeAll, ['nowhere']).forwarded).toBe(true);
    const firstPageOnly = (wired: Wired): void => {
      wired.fromClient(request(1, 'tools/list'));
      wired.fromServer(result(1, { tools: [{ name: 'a' }], nextCursor: 'n' }));
    };
    expect(answers(HIDES, firstPageOnly, ['nowhere']).forwarded).toBe(true);
    const changed = (wired: Wired): void => {
      seeAll(wired);
      wired.fromServer({ jsonrpc: '2.0', method: 'notifications/tools/list_changed' });
    };
    expect(answers(HIDES, changed, ['nowhere']).forwarded).toBe(true);
    expect(answers(HIDES, changed, ['secret']).forwarded).toBe(false);
  });

  it('does not take a page that was asked for before a change as the list after it', () => {
    const wired = wire(HIDES);
    wired.fromClient(request(1, 'tools/list'));
    wired.fromServer({ jsonrpc: '2.0', method: 'notifications/tools/list_changed' });
    wired.fromServer(result(1, { tools: [{ name: 'a' }] }));
    expect(wired.fromClient(call(2, 'new')).toServer).toHaveLength(1);
  });

  it('says a restriction of either name alike', () => {
    const gate = createPolicyGate(HIDES, [lockdown('incident 7')]);
    const wired = wire(gate);
    seeAll(wired);
    const texts = ['secret', 'nowhere'].map((name) => wired.fromClient(call(9, name)).toClient[0]);
    expect(texts[0]).toBe(texts[1]);
    expect(texts[0]).toContain('[POLICY DENIED] incident 7');
  });
});

describe('changed lists', () => {
  it('promises them in the handshake and tells about them, but not before the agent is ready', () => {
    const wired = wire('version: "1"\n');
    expect(wired.during(() => wired.gate.swap(HIDES)).toClient).toEqual([]);
    expect(handshake(wired, '2025-11-25', { tools: {}, prompts: { listChanged: false, x: 1 }, logging: {} })).toBe(
      JSON.stringify(result('init', { protocolVersion: '2025-11-25', capabilities: { tools: { listChanged: true }, prompts: { listChanged: true, x: 1 }, logging: {} }, serverInfo: { name: 's', version: '1' } })),
    );
    expect(wired.during(() => wired.gate.swap('version: "1"\n')).toClient).toEqual([
      '{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}',
      '{"jsonrpc":"2.0","method":"notifications/prompts/list_changed"}',
    ]);
    wired.session.close();
    expect(wired.during(() => wired.gate.swap(HIDES)).toClient).toEqual([]);
  });

  it('are not told about between the handshake and the word that the agent is ready', () => {
    const wired = wire('version: "1"\n');
    wired.fromClient(request(1, 'initialize', { protocolVersion: '2025-11-25' }));
    wired.fromServer(result(1, { protocolVersion: '2025-11-25', capabilities: { tools: {} } }));
    expect(wired.during(() => wired.gate.swap(HIDES)).toClient).toEqual([]);
    wired.fromClient({ jsonrpc: '2.0', method: 'notifications/initialized' });
    expect(wired.during(() => wired.gate.swap(HIDES)).toClient).toHaveLength(1);
  });

  it('leaves a handshake that promises them already as it is', () => {
    const wired = wire('version: "1"\n');
    const capabilities = { tools: { listChanged: true } };
    expect(handshake(wired, '2025-11-25', capabilities)).toBe(JSON.stringify(result('init', { protocolVersion: '2025-11-25', capabilities, serverInfo: { name: 's', version: '1' } })));
  });
});

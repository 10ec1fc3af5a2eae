/** P1 and P2: what an upstream can make of the bytes it gets is what was judged, whoever wrote its parser. */
import { describe, expect, it } from 'vitest';
import { PARSERS } from './foreign-parsers.ts';
import { HOSTILE, POLICY } from './hostile.ts';
import { mulberry32 } from './seeded.ts';
import { call, handshake, request, result, wire } from './wired.ts';
import type { Wired } from './wired.ts';

/** What each kind of upstream would call of what is forwarded. */
function reached(wired: Wired, bytes: Buffer): string[] {
  const stream = Buffer.from(wired.fromClient(bytes).toServer.map((line) => `${line}\n`).join(''));
  return Object.values(PARSERS).flatMap((calls) => calls(stream).map(({ name }) => String(name)));
}

describe('[P2] what can be read in two ways is not forwarded', () => {
  it.each(HOSTILE)('%s %s', (_row, _what, bytes) => {
    const wired = wire(POLICY);
    const line = Buffer.concat([Buffer.from(bytes), Buffer.from('\n')]);
    const heard = wired.fromClient(line);
    expect(heard.toServer).toEqual([]);
    expect(wired.gate.refused).toHaveLength(1);
    expect(wired.gate.judged).toEqual([]);
    // Whoever waits is answered; the code says whether the JSON or the message is at fault.
    const id = '"id":';
    for (const answer of heard.toClient) expect(JSON.parse(answer)).toMatchObject({ jsonrpc: '2.0', error: { code: expect.toBeOneOf([-32700, -32600, -32602]) as number } });
    const answerable = line.includes(id) ? !line.includes('"result":{},"error"') : !line.includes('"method":"') || line.includes('"jsonrpc":"2.0","id"');
    expect(heard.toClient).toHaveLength(answerable ? 1 : 0);
    // The session goes on.
    expect(wired.fromClient(call(99, 'ok')).toServer).toHaveLength(1);
  });

  it.each([
    ['{"jsonrpc":"2.0","id":7,"method":"ping","method":"tools/call"}', 7, -32600],
    ['{"jsonrpc":"2.0","id":"a","method":"tools/call","params":[]}', 'a', -32602],
    ['{"jsonrpc":"2.0","id":8,"method":"tools/call","params":{"name":5}}', 8, -32602],
    ['{"jsonrpc":"2.0","id":9,"id":10,"method":"ping"}', null, -32600],
    ['{"jsonrpc":"2.0","id":9,"ID":10,"method":"ping"}', null, -32600],
    ['{"jsonrpc":"2.0","id":9,"method":"ping"', null, -32700],
    ['{"jsonrpc":"2.0","id":null,"method":"ping"}', null, -32600],
  ])('answers %s to id %s with %s', (line, id, code) => {
    expect(JSON.parse(wire(POLICY).fromClient(`${line}\n`).toClient[0] ?? '')).toMatchObject({ id, error: { code } });
  });

  it('keeps ids apart by type, and refuses one that is in use without answering for its owner', () => {
    const wired = wire(POLICY);
    expect(wired.fromClient(call(1, 'ok')).toServer).toHaveLength(1);
    expect(wired.fromClient(call('1', 'ok')).toServer).toHaveLength(1);
    const again = wired.fromClient(call(1, 'ok'));
    expect(again.toServer).toEqual([]);
    expect(JSON.parse(again.toClient[0] ?? '')).toMatchObject({ id: null, error: { code: -32600 } });
    wired.fromServer(result(1, {}));
    expect(wired.fromClient(call(1, 'ok')).toServer).toHaveLength(1);
    expect(wired.gate.judged.map(({ outcome }) => outcome)).toEqual(['ok', null, null]);
  });

  it('reads escapes before it judges', () => {
    const wired = wire(POLICY);
    expect(wired.fromClient('{"jsonrpc":"2.0","id":1,"method":"tools\\/c\\u0061ll","params":{"name":"\\u0065vil"}}\n').toClient[0]).toContain('[POLICY DENIED] never');
  });

  it('bounds the number of open requests', () => {
    const wired = wire(POLICY, { maxPending: 3 });
    for (let id = 0; id < 3; id++) expect(wired.fromClient(call(id, 'ok')).toServer).toHaveLength(1);
    expect(JSON.parse(wired.fromClient(call(3, 'ok')).toClient[0] ?? '')).toMatchObject({ id: 3, error: { code: -31429 } });
    wired.fromServer(result(0, {}));
    expect(wired.fromClient(call(4, 'ok')).toServer).toHaveLength(1);
  });

  it('throws a line above the cap away, tells whose it was, and goes on', () => {
    const wired = wire(POLICY, { maxLineBytes: 2000 });
    const long = { jsonrpc: '2.0', id: 5, method: 'tools/call', params: { name: 'ok', arguments: { x: 'y'.repeat(20_000) } } };
    for (const message of [long, { method: long.method, params: long.params, jsonrpc: '2.0', id: 5 }]) {
      const heard = wired.fromClient(message);
      expect(heard.toServer).toEqual([]);
      expect(JSON.parse(heard.toClient[0] ?? '')).toMatchObject({ id: 5, error: { code: -32600 } });
    }
    expect(wired.fromClient(call(6, 'ok')).toServer).toHaveLength(1);
  });
});

describe('[P1] what is forwarded is what was judged', () => {
  it('forwards the very bytes, odd as they may be', () => {
    for (const line of [
      '  {"x" : 1.0, "params":{"arguments":{"n":9007199254740993,"__proto__":{"a":-0}},"name":"ok","extra":[1e2]},"method":"tools/call","id":1,"jsonrpc":"2.0"}  ',
      '{"jsonrpc":"2.0","id":"\\u0061\\/b","method":"tools/call","params":{"name":"o\\u006b","arguments":null}}',
      '{"jsonrpc":"2.0","id":-5,"method":"custom/thing","params":{"NAME":1}}',
      '{"jsonrpc":"2.0","id":1,"method":"tools/list","params":null}',
    ]) {
      expect(wire(POLICY).fromClient(`${line}\n`)).toEqual({ toServer: [line], toClient: [] });
      expect(wire(POLICY).fromClient(`${line}\r\n`).toServer).toEqual([`${line}\r`]);
    }
  });

  it('does the same wherever chunks are split', () => {
    const stream = Buffer.from(`${[call(1, 'ok', { t: 'ü😀\\"' }), call(2, 'evil'), 'x', request(3, 'tools/list'), call('3', 'pay', { amount: 5 })].map((m) => (typeof m === 'string' ? m : JSON.stringify(m))).join('\n')}\r\n\n\n`);
    const whole = wire(POLICY).fromClient(stream);
    expect([whole.toServer.length, whole.toClient.length]).toEqual([3, 2]);
    for (let at = 1; at < stream.length; at++) {
      const wired = wire(POLICY);
      const first = wired.fromClient(stream.subarray(0, at));
      const second = wired.fromClient(stream.subarray(at));
      expect({ toServer: [...first.toServer, ...second.toServer], toClient: [...first.toClient, ...second.toClient] }).toEqual(whole);
    }
    const wired = wire(POLICY);
    const single = [...stream].map((byte) => wired.fromClient(Buffer.from([byte])));
    expect({ toServer: single.flatMap((h) => h.toServer), toClient: single.flatMap((h) => h.toClient) }).toEqual(whole);
  });

  const seed = Number(process.env['SEED'] ?? 20261122);
  it(`lets no upstream call what was denied, nor anything that was not judged (seed ${seed})`, () => {
    const random = mulberry32(seed);
    const pick = <T>(items: readonly T[]): T => items[Math.floor(random() * items.length)] as T;
    const pieces = ['"name":"evil"', '"name":"ok"', '"Name":"evil"', '"nam\u0435":"evil"', '"method":"tools/call"', '"method":"ping"', '"METHOD":"tools/call"', '"id":1', '"id":2', '"jsonrpc":"2.0"', '"arguments":{}', '"params":{"name":"evil"}', '\r', '\n', '\ufeff', '{', '}', '[', ']', ',', ':', ' ', '"', '\\', '\\u0000', 'NaN', '1e999', '\u2028', '\u0085', '\u017f', 'null', '[{"jsonrpc":"2.0","id":4,"method":"tools/call","params":{"name":"evil"}}]'];
    let forwarded = 0;
    for (let round = 0; round < 20_000; round++) {
      const start = JSON.stringify(pick([call(1, 'ok'), call(1, 'evil'), call(2, 'pay', { amount: 5 }), request(3, 'ping'), [call(1, 'ok')]]));
      let text = start;
      for (let n = Math.floor(random() * 4); n > 0; n--) {
        const at = Math.floor(random() * text.length);
        text = text.slice(0, at) + pick(pieces) + text.slice(at + pick([0, 0, 1, 8]));
      }
      const wired = wire(POLICY);
      const names = reached(wired, Buffer.from(`${text}\n`));
      const judgedNames = wired.gate.judged.flatMap(({ call: judged, decision }) => (judged.kind === 'tool' && decision.decision === 'allow' ? [judged.name] : []));
      forwarded += names.length > 0 ? 1 : 0;
      for (const name of names) expect(judgedNames, text).toContain(name);
      expect(names, text).not.toContain('evil');
    }
    // The law says nothing where nothing passes.
    expect(forwarded).toBeGreaterThan(1000);
  });
});

describe('batches', () => {
  const batch = (...messages: object[]): string => `${JSON.stringify(messages)}\n`;

  it('are judged element by element in the revision that has them, and what is denied is cut out', () => {
    const wired = wire(POLICY);
    handshake(wired, '2025-03-26');
    const [allowed, denied] = [call(1, 'ok'), call(2, 'evil')];
    const heard = wired.fromClient(batch(denied, allowed, { jsonrpc: '2.0', method: 'tools/call', params: { name: 'ok' } }, request(3, 'initialize'), { jsonrpc: '2.0', method: 'notifications/progress' }));
    expect(heard.toServer).toEqual([JSON.stringify([allowed, { jsonrpc: '2.0', method: 'notifications/progress' }])]);
    expect(JSON.parse(heard.toClient[0] ?? '')).toMatchObject([{ id: 2, result: { isError: true } }, { id: 3, error: { code: -32600 } }]);
    expect(wired.fromClient(batch(denied)).toServer).toEqual([]);
    const whole = batch(call(5, 'ok'), request(6, 'tools/list'));
    expect(wired.fromClient(whole).toServer).toEqual([whole.trim()]);
    // An answer to a batch is filtered as well.
    expect(wired.fromServer(batch(result(5, {}), result(6, { tools: [{ name: 'secret' }, { name: 'a' }] }), result(77, {}))).toClient).toEqual([JSON.stringify([result(5, {}), result(6, { tools: [{ name: 'a' }] })])]);
    expect(wired.gate.judged.filter(({ decision }) => decision.decision === 'allow').map(({ outcome }) => outcome)).toEqual([null, 'ok']);
  });

  it('are refused when empty, too long, nested or split by another revision', () => {
    const wired = wire(POLICY, { maxBatch: 3 });
    handshake(wired, '2025-03-26');
    for (const line of ['[]\n', batch(...[1, 2, 3, 4].map((id) => call(id, 'ok'))), '[[{"jsonrpc":"2.0","id":1,"method":"ping"}]]\n']) expect(wired.fromClient(line).toServer).toEqual([]);
    const later = wire(POLICY);
    handshake(later, '2025-06-18');
    expect(later.fromClient(batch(call(1, 'ok'))).toServer).toEqual([]);
    expect(later.fromServer(batch(result(1, { tools: [{ name: 'secret' }] }))).toClient).toEqual([]);
  });

  it('[P2] do not pass with the same id twice', () => {
    const wired = wire(POLICY);
    handshake(wired, '2025-03-26');
    expect(wired.fromClient(batch(call(1, 'ok'), call(1, 'pay', { amount: 1 }))).toServer).toEqual([JSON.stringify([call(1, 'ok')])]);
  });
});

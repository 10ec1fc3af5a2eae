import { describe, expect, it } from 'vitest';
import { canonicalJson, digestOf } from '../canonical.ts';
import { policiesBody, restrictionsBody } from '../snapshot.ts';
import { plainFrame, readDown, readUp, signedFrame, welcomeFrame } from './frames.ts';
import { readPolicies, readRestrictions } from './policy-model.ts';
import { signerOf, signHeader, verifierOf } from './signed.ts';
import type { SignedKind } from './signed.ts';

const plane = signerOf(new Uint8Array(32).fill(1));
const thief = signerOf(new Uint8Array(32).fill(2));
const verify = verifierOf(plane.publicKey) ?? (() => false);
const cut = { server: 'github', labels: { env: 'prod', team: null } };
const body = restrictionsBody([]);
const digest = digestOf(body);
const headers = {
  welcome: { log: 'l', host: 'h', server: 's', boot: 'b', nonce: 'A'.repeat(43), labels: { __proto__x: 'y' }, version: 3, policies: digest, restrictions: digest, time: 1 },
  snapshot: { log: 'l', cut, version: 3, digest, restrictions: 2 },
  restrict: { log: 'l', cut, version: 3, digest, after: 2 },
  advance: { log: 'l', cut, version: 3, policies: digest, restrictions: digest },
  lease: { log: 'l', version: 3, time: 4 },
} as const;
const frameOf = { welcome: 'welcome', snapshot: 'snapshot', restrict: 'restrict', advance: 'advance', lease: 'heartbeat' } as const;
type Down = keyof typeof headers;

function frame(kind: Down, header: object = headers[kind], by = plane, as: SignedKind = kind): string {
  const text = canonicalJson(header);
  const signature = signHeader(by.sign, as, text);
  if (kind === 'welcome') return welcomeFrame(text, signature, { from: 2, note: 'l\n3\n', proof: ['A'.repeat(43) + '='] }, []);
  return signedFrame(frameOf[kind], text, signature, kind === 'snapshot' || kind === 'restrict' ? body : undefined);
}

describe('frames', () => {
  const kinds = Object.keys(headers) as Down[];

  it.each(kinds)('%s is read back as it was written', (kind) => {
    const read = readDown(frame(kind), verify);
    expect(read).toMatchObject({ ok: true, value: { frame: frameOf[kind], signed: headers[kind] } });
  });

  it.each(kinds)('[W2] %s with an unknown field in its header is unsupported, with a missing or mistyped one invalid', (kind) => {
    expect(readDown(frame(kind, { ...headers[kind], later: 1 }), verify)).toMatchObject({ ok: false, kind: 'unsupported' });
    for (const field of Object.keys(headers[kind])) {
      const missing = Object.fromEntries(Object.entries(headers[kind]).filter(([name]) => name !== field));
      expect(readDown(frame(kind, missing), verify)).toMatchObject({ ok: false, kind: 'invalid' });
      expect(readDown(frame(kind, { ...headers[kind], [field]: [true] }), verify)).toMatchObject({ ok: false });
    }
  });

  it.each(kinds)('[W3] %s signed by another key, or signed as another kind of statement, is refused', (kind) => {
    expect(readDown(frame(kind, headers[kind], thief), verify)).toMatchObject({ ok: false, kind: 'invalid' });
    for (const other of [...kinds, 'connect', 'join', 'joined'] as SignedKind[]) {
      if (other !== kind) expect(readDown(frame(kind, headers[kind], plane, other), verify)).toMatchObject({ ok: false, kind: 'invalid' });
    }
  });

  it('[W3] no byte of a signed frame can be changed', () => {
    const source = frame('restrict');
    for (let index = 0; index < source.length; index++) {
      const changed = source.slice(0, index) + (source[index] === 'x' ? 'y' : 'x') + source.slice(index + 1);
      expect(readDown(changed, verify).ok, `byte ${index}`).toBe(false);
    }
  });

  it('[W3] a header is bound to its body', () => {
    const text = canonicalJson(headers.snapshot);
    const other = signedFrame('snapshot', text, signHeader(plane.sign, 'snapshot', text), '{"policies":[]} ');
    expect(readDown(other, verify)).toMatchObject({ ok: false, message: expect.stringContaining('digest') as string });
  });

  it('[W2] unknown frames, extra fields and wrong types are never ignored', () => {
    const refused = ['{}', '[]', 'null', '7', '"x"', '', '{"frame":"later"}', '{"frame":"goodbye","reason":"x","retryAfterMs":[],"extra":1}', '{"frame":"challenge","protocol":2,"log":"l","nonce":"x"}'];
    for (const source of refused) expect(readDown(source, verify).ok, source).toBe(false);
    const up = ['{"frame":"ack"}', '{"frame":"goodbye","why":1}', '{"frame":"welcome"}', '{"frame":"__proto__"}', '{"frame":"constructor"}', '{"frame":"decisions","rows":[{}]}', '{"frame":"decisions","rows":{}}'];
    for (const source of up) expect(readUp(source).ok, source).toBe(false);
  });

  it('up frames are read back as they were written', () => {
    const mark = { version: 7, digest };
    const frames = [
      { frame: 'ack', policies: mark, restrictions: null, pending: true, inFlight: 3, heard: null },
      { frame: 'heartbeat', freshness: 'stale', policies: null, restrictions: mark, pending: false, inFlight: 0, heard: 1_700_000_000_000 },
      { frame: 'nack', part: 'policies', digest, kind: 'unsupported', problems: ['p'] },
      { frame: 'goodbye' },
    ] as const;
    for (const one of frames) expect(readUp(plainFrame(one))).toEqual({ ok: true, value: one });
  });

  it('a signature has one spelling, and a key that is none verifies nothing', () => {
    const text = canonicalJson(headers.lease);
    const signature = signHeader(plane.sign, 'lease', text);
    expect(verify('lease', text, signature)).toBe(true);
    expect(verify('lease', text, signature.replace(/==$/, ''))).toBe(false);
    expect(verify('lease', text, ` ${signature}`)).toBe(false);
    expect([verifierOf(''), verifierOf('AAAA'), verifierOf(`${plane.publicKey}=`)]).toEqual([null, null, null]);
  });
});

describe('policies and restrictions on the wire', () => {
  const at = { line: 1, column: 2 };
  const condition = { path: 'args.x', op: 'in', value: { kind: 'list', items: [{ kind: 'int', value: '-5' }, { kind: 'map', entries: [['__proto__', { kind: 'float', value: 'NaN' }]] }] }, at } as const;
  const rule = { name: 'r', at, action: 'evaluate', mode: 'enforce', when: [condition], conditions: [condition], counter: { name: 'c', window: 'day', amount: { kind: 'argument', path: 'args.a' }, limit: '5.5', from: 'state' }, onDeny: null } as const;
  const policy = {
    model: 1, id: 'a/b.yaml', description: null, match: { server: ['*'], labels: JSON.parse('{"__proto__":["x"]}') as Record<string, string[]>, upstream: [] }, admits: false, mode: 'enforce', default: 'deny', defaultAt: at,
    onStale: { afterMs: 5, do: 'deny' }, hide: [{ name: 'd*', at }], readOnly: null, tools: [{ pattern: '*', at, rules: [rule] }], resources: [], prompts: null, methods: null,
  } as const;

  it('are read back as they were written, `__proto__` too', () => {
    const text = policiesBody([policy]);
    const read = readPolicies(text);
    expect(read.ok && policiesBody(read.value)).toBe(text);
    expect(text).toContain('"__proto__":["x"]');
  });

  it('[W2] an unknown field, operator, kind of value or model anywhere is unsupported', () => {
    const good = policiesBody([policy]);
    const changes: [string, string][] = [['"op":"in"', '"op":"later"'], ['"model":1', '"model":2'], ['"kind":"int"', '"kind":"decimal"'], ['"window":"day"', '"window":"week"'], ['"do":"deny"', '"do":"warn"']];
    for (const [from, to] of changes) expect(readPolicies(good.replace(from, to)), to).toMatchObject({ ok: false, kind: 'unsupported' });
    const objects = [...good.matchAll(/\{(?=")/g)].map((match) => match.index);
    for (const index of objects) expect(readPolicies(`${good.slice(0, index + 1)}"later":1,${good.slice(index + 1)}`).ok, String(index)).toBe(false);
    expect(readRestrictions('{"restrictions":[{"id":"r"}]}')).toMatchObject({ ok: false, kind: 'invalid' });
  });

  it('a value nested too deep is refused, not recursed into', () => {
    const deep = `${'{"kind":"list","items":['.repeat(5000)}${']}'.repeat(5000)}`;
    expect(readPolicies(policiesBody([policy]).replace('{"items":[{"kind":"int","value":"-5"}', `{"items":[${deep},{"kind":"int","value":"-5"}`)).ok).toBe(false);
  });
});

import { describe, expect, it } from 'vitest';
import type { JsonObject } from '@portcullis/policy-core';
import type { Message } from '../relay/message.ts';
import { decode, encode, headersFor, mismatchOf } from './mcp-headers.ts';
import { createParamHeaders, declaresHeadersWrongly } from './param-headers.ts';

const META = { _meta: { 'io.modelcontextprotocol/protocolVersion': '2026-07-28' } };
const call = (name: string, args: JsonObject = {}): Message => ({ kind: 'request', id: 1, method: 'tools/call', params: { name, arguments: args, ...META } });

describe('values in headers', () => {
  it.each([
    ['us-west1', 'us-west1'],
    ['Hello, 世界', '=?base64?SGVsbG8sIOS4lueVjA==?='],
    [' padded ', '=?base64?IHBhZGRlZCA=?='],
    ['line1\nline2', '=?base64?bGluZTEKbGluZTI=?='],
    ['=?base64?literal?=', '=?base64?PT9iYXNlNjQ/bGl0ZXJhbD89?='],
    ['', '=?base64??='],
  ])('%j is written %s, as the specification has it, and read back', (value, written) => {
    expect(encode(value)).toBe(written);
    expect(decode(written)).toBe(value);
  });

  it('comes back whatever it is, and never holds what ends a header', () => {
    for (let code = 0; code < 0x3000; code += 7) {
      const value = `a${String.fromCodePoint(code)}b${String.fromCodePoint(0x10000 + code)}`.slice(code % 3);
      expect(decode(encode(value))).toBe(value);
      expect(encode(value)).toMatch(/^[\t\x20-\x7e]*$/);
    }
  });

  it.each(['=?base64?d2hv!?=', '=?base64?d2hv', '=?base64?/w==?=', '=?base64?d2h?=', 'grün', 'a\u0001'])('takes %j for no value, or for the text that it is', (written) => {
    expect(decode(written)).toBe(written === '=?base64?d2hv' ? written : null);
  });
});

describe('headers and body', () => {
  const params = createParamHeaders();
  params.learn([{ name: 'sql', inputSchema: { type: 'object', properties: { region: { type: 'string', 'x-mcp-header': 'Region' }, deep: { type: 'object', properties: { n: { type: 'integer', 'x-mcp-header': 'N' } } } } } }]);
  const asked = call('sql', { region: 'eu', deep: { n: 42 } });
  const good = headersFor(asked, params);

  it('go together as they are made', () => {
    expect(good).toEqual({ 'mcp-protocol-version': '2026-07-28', 'mcp-method': 'tools/call', 'mcp-name': 'sql', 'mcp-param-region': 'eu', 'mcp-param-n': '42' });
    expect(mismatchOf(asked, (name) => good[name] ?? null, params, true)).toBeNull();
    expect(mismatchOf(asked, (name) => ({ ...good, 'mcp-param-n': '42.0' })[name] ?? null, params, true)).toBeNull();
    expect(headersFor({ kind: 'request', id: 1, method: 'tools/call', params: { name: 'sql' } }, params)).toEqual({});
    expect(headersFor(call('sql', { region: null, deep: { n: 1.5 } }), params)).not.toHaveProperty('mcp-param-region');
  });

  it.each(Object.keys(good))('[P9] are refused where %s says something else, and where it is missing and must be there', (name) => {
    expect(mismatchOf(asked, (one) => (one === name ? 'other' : (good[one] ?? null)), params, false)).toContain('other');
    expect(mismatchOf(asked, (one) => (one === name ? null : (good[one] ?? null)), params, true)?.toLowerCase()).toContain(name);
    expect(mismatchOf(asked, (one) => (one === name ? null : (good[one] ?? null)), params, false)).toBeNull();
  });

  it('[P9] are refused for an argument that the call does not have', () => {
    expect(mismatchOf(call('sql'), (name) => (name === 'mcp-param-region' ? 'eu' : (headersFor(call('sql'), params)[name] ?? null)), params, false)).toContain('no such value');
  });
});

describe('a schema that declares headers', () => {
  const tool = (inputSchema: JsonObject): JsonObject => ({ name: 't', inputSchema });
  const property = (declared: JsonObject): JsonObject => tool({ type: 'object', properties: { p: declared } });

  it.each([
    ['a name', property({ type: 'string', 'x-mcp-header': 'Region' }), false],
    ['a deep one', tool({ properties: { a: { type: 'object', properties: { b: { type: 'boolean', 'x-mcp-header': 'B' } } } } }), false],
    ['one in data', property({ type: 'object', default: { 'x-mcp-header': '' } }), false],
    ['none', property({ type: 'string' }), false],
    ['no name', property({ type: 'string', 'x-mcp-header': '' }), true],
    ['a name with a space', property({ type: 'string', 'x-mcp-header': 'a b' }), true],
    ['a line end', property({ type: 'string', 'x-mcp-header': 'a\r\nb' }), true],
    ['a number as name', property({ type: 'string', 'x-mcp-header': 5 }), true],
    ['an object', property({ type: 'object', 'x-mcp-header': 'A' }), true],
    ['a number', property({ type: 'number', 'x-mcp-header': 'A' }), true],
    ['no type', property({ 'x-mcp-header': 'A' }), true],
    ['the same twice', tool({ properties: { a: { type: 'string', 'x-mcp-header': 'A' }, b: { type: 'string', 'x-mcp-header': 'a' } } }), true],
    ['the root', tool({ type: 'string', 'x-mcp-header': 'A' }), true],
    ['an item', property({ type: 'array', items: { type: 'string', 'x-mcp-header': 'A' } }), true],
    ['a choice', tool({ oneOf: [{ properties: { p: { type: 'string', 'x-mcp-header': 'A' } } }] }), true],
    ['a definition', tool({ $defs: { d: { type: 'string', 'x-mcp-header': 'A' } } }), true],
  ])('for %s: faulty is %s', (_what, entry, faulty) => {
    expect(declaresHeadersWrongly(entry)).toBe(faulty);
  });
});

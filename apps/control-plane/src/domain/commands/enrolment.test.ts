import { describe, expect, it } from 'vitest';
import { OPERATOR, story, types } from '../../../../../test/domain/story.ts';
import type { Command } from '../command.ts';

const SECRET = 'a'.repeat(64);
const KEY = Buffer.alloc(32, 1).toString('base64');
const token = (id: string, more: object = {}): Command => ({ kind: 'create-join-token', token: id, secretSha256: SECRET, labels: { env: 'prod' }, expiresAtMs: OPERATOR.nowMs + 1_000, ...more });
const enrol = (more: object = {}): Command => ({ kind: 'enrol', token: 't1', secretSha256: SECRET, host: 'h1', name: 'laptop', publicKey: KEY, ...more });
const relabel = (labels: Record<string, string>, confirm = false): Command => ({ kind: 'relabel', host: 'h1', labels, confirm });

function enrolled() {
  const plane = story();
  plane.do(token('t1'));
  plane.do(enrol());
  return plane;
}

describe('a join token', () => {
  it('is created once, lives for at most a day, and is well formed', () => {
    const plane = story();
    expect(types(plane.do(token('t1')))).toEqual(['JoinTokenCreated']);
    expect(plane.do(token('t1'))).toBe('already-done');
    for (const bad of [{ expiresAtMs: OPERATOR.nowMs }, { expiresAtMs: OPERATOR.nowMs + 86_400_001 }, { expiresAtMs: NaN }, { secretSha256: 'plain' }, { labels: { 'a b': 'x' } }, { labels: { a: '' } }]) {
      expect(plane.do(token('t2', bad))).toBe('invalid');
    }
  });

  it('enrols one host, with the labels that the token carries', () => {
    const plane = enrolled();
    expect(plane.state().hosts.get('h1')).toMatchObject({ name: 'laptop', labels: { env: 'prod' }, revoked: false, publicKey: KEY });
    expect(plane.state().joinTokens.get('t1')?.state).toBe('used');
    expect(plane.do(enrol({ host: 'h2', publicKey: Buffer.alloc(32, 2).toString('base64') }))).toBe('used');
  });

  it('answers a host that asks again, because the answer was lost, without another event', () => {
    const plane = enrolled();
    expect(plane.do(enrol({ host: 'h9' }))).toEqual([]);
    expect(plane.state().hosts.size).toBe(1);
  });

  it('says nothing about a token to who does not know its secret', () => {
    const plane = enrolled();
    expect(plane.do(enrol({ secretSha256: 'b'.repeat(64) }))).toBe('not-found');
    expect(plane.do(enrol({ secretSha256: '' }))).toBe('not-found');
    expect(plane.do(enrol({ token: 'constructor' }))).toBe('not-found');
  });

  it('is worth nothing once it has expired or was revoked', () => {
    const plane = story();
    plane.do(token('t1'));
    expect(plane.do(enrol(), { nowMs: OPERATOR.nowMs + 1_000 })).toBe('expired');
    expect(types(plane.do({ kind: 'revoke-join-token', token: 't1' }))).toEqual(['JoinTokenRevoked']);
    expect(plane.do({ kind: 'revoke-join-token', token: 't1' })).toBe('already-done');
    expect(plane.do({ kind: 'revoke-join-token', token: 'none' })).toBe('not-found');
    expect(plane.do(enrol())).toBe('expired');
    expect(enrolled().do({ kind: 'revoke-join-token', token: 't1' })).toBe('used');
  });

  it('does not enrol a key twice, nor one that was revoked', () => {
    const plane = enrolled();
    plane.do(token('t2'));
    expect(plane.do(enrol({ token: 't2', host: 'h2' }))).toBe('already-done');
    plane.do({ kind: 'revoke-host', host: 'h1' });
    expect(plane.do(enrol({ token: 't2', host: 'h2' }))).toBe('forbidden');
    expect(plane.do(enrol({ token: 't2', host: 'h1', publicKey: Buffer.alloc(32, 2).toString('base64') }))).toBe('invalid');
  });
});

describe('a host', () => {
  it('[W8] gets other labels from an operator, once', () => {
    const plane = enrolled();
    expect(plane.do(relabel({ env: 'prod' }))).toBe('already-done');
    expect(types(plane.do(relabel({ env: 'dev' })))).toEqual(['HostRelabelled']);
    expect(plane.do(relabel({ env: 'dev' }))).toBe('already-done');
    expect(plane.do(relabel({ 'bad name': 'x' }))).toBe('invalid');
    expect(plane.state().hosts.get('h1')?.labels).toEqual({ env: 'dev' });
  });

  it('leaves an active restriction by its labels only when that is confirmed', () => {
    const plane = enrolled();
    plane.do({ kind: 'restrict', selector: { server: ['github'], labels: { env: ['pr*'] } }, tools: null, readOnly: false, expiresAtMs: null });
    expect(plane.do(relabel({ env: 'dev' }))).toBe('needs-confirmation');
    expect(plane.do(relabel({}))).toBe('needs-confirmation');
    expect(types(plane.do(relabel({ env: 'preview' })))).toEqual(['HostRelabelled']);
    expect(types(plane.do(relabel({ env: 'dev' }, true)))).toEqual(['HostRelabelled']);
    expect(types(plane.do(relabel({ env: 'prod' })))).toEqual(['HostRelabelled']);
  });

  it('is revoked once, for good', () => {
    const plane = enrolled();
    expect(types(plane.do({ kind: 'revoke-host', host: 'h1' }))).toEqual(['HostRevoked']);
    expect(plane.do({ kind: 'revoke-host', host: 'h1' })).toBe('already-done');
    expect(plane.do({ kind: 'revoke-host', host: 'h2' })).toBe('not-found');
    expect(plane.do(relabel({ env: 'dev' }))).toBe('invalid');
  });
});

describe('an operator token', () => {
  it('is created and revoked once', () => {
    const plane = story();
    const create = (more: object = {}): Command => ({ kind: 'create-operator-token', token: 'op-2', secretSha256: SECRET, name: 'ci', role: 'editor', ...more });
    expect(types(plane.do(create()))).toEqual(['OperatorTokenCreated']);
    expect(plane.do(create())).toBe('already-done');
    expect(plane.do(create({ token: 'op-3', role: 'constructor' }))).toBe('invalid');
    expect(plane.do(create({ token: 'op-3', name: '' }))).toBe('invalid');
    expect(plane.do(create({ token: '../x' }))).toBe('invalid');
    expect(types(plane.do({ kind: 'revoke-operator-token', token: 'op-2' }))).toEqual(['OperatorTokenRevoked']);
    expect(plane.do({ kind: 'revoke-operator-token', token: 'op-2' })).toBe('already-done');
    expect(plane.do({ kind: 'revoke-operator-token', token: 'none' })).toBe('not-found');
    expect(plane.state().operatorTokens.get('op-2')?.revoked).toBe(true);
  });
});

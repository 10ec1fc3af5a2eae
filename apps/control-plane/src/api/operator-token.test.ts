import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { OperatorToken } from '../domain/state.ts';
import { makeToken, recognise } from './operator-token.ts';
import type { NewToken } from './operator-token.ts';

function known(...tokens: readonly (NewToken & { readonly revoked?: boolean })[]): ReadonlyMap<string, OperatorToken> {
  return new Map(tokens.map(({ id, secretSha256, revoked }) => [id, { token: id, secretSha256, name: 'test', role: 'viewer', createdAtMs: 0, revoked: revoked ?? false }]));
}

describe('operator tokens', () => {
  it('are recognised by their text', () => {
    for (let n = 0; n < 200; n += 1) {
      const made = makeToken(randomBytes);
      expect(recognise(made.text, known(makeToken(randomBytes), made))?.token).toBe(made.id);
    }
  });

  it('keep the secret out of what is recorded', () => {
    const { text, id, secretSha256 } = makeToken(randomBytes);
    const secret = text.split('_')[2] ?? '';
    expect(secret).toHaveLength(64);
    expect(id + secretSha256).not.toContain(secret);
  });

  it('are refused after any change of any character', () => {
    const made = makeToken(randomBytes);
    const tokens = known(made);
    for (let at = 0; at < made.text.length; at += 1) {
      const other = made.text[at] === '0' ? '1' : '0';
      expect(recognise(made.text.slice(0, at) + other + made.text.slice(at + 1), tokens), `character ${at}`).toBeUndefined();
      expect(recognise(made.text.slice(0, at) + made.text.slice(at + 1), tokens), `without ${at}`).toBeUndefined();
    }
  });

  it('are refused when unknown, when revoked, and when another token has the id', () => {
    const made = makeToken(randomBytes);
    expect(recognise(made.text, known())).toBeUndefined();
    expect(recognise(made.text, known({ ...made, revoked: true }))).toBeUndefined();
    expect(recognise(made.text, known({ ...makeToken(randomBytes), id: made.id }))).toBeUndefined();
    expect(recognise('', known(made))).toBeUndefined();
    expect(recognise('x'.repeat(10_000_000), known(made))).toBeUndefined();
  });
});

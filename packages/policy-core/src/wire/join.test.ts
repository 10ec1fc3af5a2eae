import { describe, expect, it } from 'vitest';
import { encodeJoinToken, makeSecretToken, openSecretToken, readJoinToken } from './join.ts';

const token = makeSecretToken('abcdef234567', new Uint8Array(32).fill(9));
const text = encodeJoinToken({ token, log: 'portcullis.local/1', publicKey: Buffer.alloc(32, 3).toString('base64'), recoveryKeySha256: 'a'.repeat(64) });

describe('join tokens', () => {
  it('are read back, white space around them allowed', () => {
    expect(readJoinToken(` ${text}\n`)).toMatchObject({ ok: true, value: { token, log: 'portcullis.local/1' } });
    expect(openSecretToken(token)?.id).toBe('abcdef234567');
  });

  it('a damaged copy is told from a token', () => {
    for (let index = 0; index < token.length; index++) {
      const changed = token.slice(0, index) + (token[index] === 'a' ? 'b' : 'a') + token.slice(index + 1);
      expect(openSecretToken(changed), changed).toBeNull();
    }
    for (const bad of ['', 'portcullis-join.v1.', text.slice(0, -3), text.replace('v1', 'v2'), 'x'.repeat(100_000)]) expect(readJoinToken(bad).ok, bad.slice(0, 40)).toBe(false);
  });
});

import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { checkIdentity, proveIdentity } from './identity.ts';
import { signedBytes, signerOf, signHeader } from './signed.ts';
import { signRotation } from './succession.ts';

const nonce = (): string => randomBytes(32).toString('base64url');
const plane = signerOf(randomBytes(32));
const EXPECTED = { log: 'plane.example/1', publicKey: plane.publicKey, url: 'http://127.0.0.1:7420' };

describe('the identity of what listens', () => {
  it('is proved by the key, for one question, one log and one address', () => {
    const asked = nonce();
    const honest = { log: EXPECTED.log, nonce: asked, url: EXPECTED.url };
    const prove = (changes: Partial<typeof honest>, sign = plane.sign): string => JSON.stringify(proveIdentity(sign, { ...honest, ...changes }, []));
    expect(checkIdentity(prove({}), asked, EXPECTED)).toEqual({ ok: true, value: null });
    const wrong: readonly string[] = [
      prove({ nonce: nonce() }), prove({ log: 'plane.example/2' }), prove({ url: 'http://127.0.0.1:7421' }), prove({}, signerOf(randomBytes(32)).sign),
      '', '{}', 'null', '[]', '{"ok":true}', JSON.stringify({ header: '{}', signature: 'x', rotations: [] }),
    ];
    for (const text of wrong) expect(checkIdentity(text, asked, EXPECTED).ok, text).toBe(false);
  });

  it('is not proved by a signature that was made for anything else', () => {
    const asked = nonce();
    const { header } = proveIdentity(plane.sign, { log: EXPECTED.log, nonce: asked, url: EXPECTED.url }, []);
    const proof = (signature: string): string => JSON.stringify({ header, signature, rotations: [] });
    expect(checkIdentity(proof(signHeader(plane.sign, 'welcome', header)), asked, EXPECTED).ok).toBe(false);
    expect(checkIdentity(proof(Buffer.from(plane.sign(Buffer.from(header))).toString('base64')), asked, EXPECTED).ok).toBe(false);
    expect(checkIdentity(proof(Buffer.from(plane.sign(signedBytes('identity', header))).toString('base64')), asked, EXPECTED).ok).toBe(true);
  });

  it('is that of a key which has replaced the known one, and of no key that only says so', () => {
    const asked = nonce();
    const next = signerOf(randomBytes(32));
    const rotation = signRotation(EXPECTED.log, { previousKey: plane.publicKey, publicKey: next.publicKey }, { previous: plane.sign, next: next.sign });
    const answer = (rotations: readonly (typeof rotation)[]): string => JSON.stringify(proveIdentity(next.sign, { log: EXPECTED.log, nonce: asked, url: EXPECTED.url }, rotations));
    expect(checkIdentity(answer([rotation]), asked, EXPECTED).ok).toBe(true);
    expect(checkIdentity(answer([]), asked, EXPECTED).ok).toBe(false);
    const forged = { ...rotation, signatures: { ...rotation.signatures, previous: rotation.signatures.next } };
    expect(checkIdentity(answer([forged]), asked, EXPECTED).ok).toBe(false);
  });
});

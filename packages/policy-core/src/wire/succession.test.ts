import { describe, expect, it } from 'vitest';
import { followRestorations, followRotations, isRotation, keySha256, restorationList, restorationStatement, rotationList, signRotation, verifierOfAny } from './succession.ts';
import type { Restoration } from './succession.ts';
import { signerOf, signHeader } from './signed.ts';

const LOG = 'portcullis.local/aaaaaaaa';
const keys = Array.from({ length: 5 }, (_, n) => signerOf(new Uint8Array(32).fill(n + 1)));
const key = (n: number) => keys[n] ?? keys[0]!;
const rotate = (from: number, to: number) => signRotation(LOG, { previousKey: key(from).publicKey, publicKey: key(to).publicKey }, { previous: key(from).sign, next: key(to).sign });
const chain = [rotate(0, 1), rotate(1, 2), rotate(2, 3)];

const recovery = signerOf(new Uint8Array(32).fill(99));
const recoveryKeySha256 = keySha256(recovery.publicKey);
const restore = (previousLog: string, log: string, signer = recovery): Restoration => {
  const facts = { previousLog, previousSize: 7, log, publicKey: key(4).publicKey };
  return { ...facts, recoveryKey: signer.publicKey, signature: signHeader(signer.sign, 'restored', restorationStatement(facts)) };
};

describe('a replaced key', () => {
  it('is followed from any key of the chain to its end', () => {
    for (const from of [0, 1, 2, 3]) expect(followRotations(LOG, key(from).publicKey, chain)).toEqual({ ok: true, value: [1, 2, 3].slice(from).map((n) => key(n).publicKey) });
    expect(followRotations(LOG, key(4).publicKey, chain)).toEqual({ ok: true, value: [] });
    expect(rotationList(JSON.parse(JSON.stringify(chain)), 'rotations')).toMatchObject({ ok: true });
  });

  it('[W3] is not followed where one link is missing, forged, turned round or for another log', () => {
    const forged = { ...rotate(1, 2), signatures: { ...rotate(1, 2).signatures, previous: rotate(0, 2).signatures.previous } };
    const onlyNew = { ...rotate(1, 2), signatures: { previous: rotate(1, 2).signatures.next, next: rotate(1, 2).signatures.next } };
    const onlyOld = { ...rotate(1, 2), signatures: { previous: rotate(1, 2).signatures.previous, next: rotate(1, 2).signatures.previous } };
    for (const bad of [[rotate(0, 1), forged], [rotate(0, 1), onlyNew], [rotate(0, 1), onlyOld], [rotate(0, 1), rotate(2, 3)]]) expect(followRotations(LOG, key(0).publicKey, bad).ok).toBe(false);
    expect(followRotations('portcullis.local/bbbbbbbb', key(0).publicKey, chain).ok).toBe(false);
    expect(isRotation(LOG, rotate(0, 1))).toBe(true);
  });

  it('leaves what was stored under the key before it readable', () => {
    const verify = verifierOfAny([key(1).publicKey, key(0).publicKey]);
    for (const n of [0, 1]) expect(verify?.('lease', '{}', signHeader(key(n).sign, 'lease', '{}'))).toBe(true);
    expect(verify?.('lease', '{}', signHeader(key(2).sign, 'lease', '{}'))).toBe(false);
    expect(verifierOfAny([key(0).publicKey, 'no key'])).toBeNull();
  });
});

describe('a restored log', () => {
  const [a, b, c] = ['log/a', 'log/b', 'log/c'] as const;
  it('is followed from any log before it', () => {
    const all = [restore(a, b), restore(b, c)];
    expect(followRestorations({ log: a, recoveryKeySha256 }, c, all)).toMatchObject({ ok: true, value: [{ log: b }, { log: c }] });
    expect(followRestorations({ log: b, recoveryKeySha256 }, c, all)).toMatchObject({ ok: true, value: [{ log: c }] });
    expect(restorationList(JSON.parse(JSON.stringify(all)), 'restorations')).toMatchObject({ ok: true });
  });

  it('[W3] is not followed to another end, over a gap, or on the word of another key than the recovery key', () => {
    const pinned = { log: a, recoveryKeySha256 };
    expect(followRestorations(pinned, c, [restore(a, b)]).ok).toBe(false);
    expect(followRestorations(pinned, c, [restore(b, c)]).ok).toBe(false);
    expect(followRestorations(pinned, c, [restore(a, b), restore(a, c)]).ok).toBe(false);
    expect(followRestorations(pinned, b, [restore(a, b, key(0))]).ok).toBe(false);
    expect(followRestorations(pinned, b, [{ ...restore(a, b), recoveryKey: key(0).publicKey }]).ok).toBe(false);
    for (const change of [{ previousSize: 8 }, { publicKey: key(0).publicKey }, { log: c }]) expect(followRestorations(pinned, c, [{ ...restore(a, b), ...change }]).ok).toBe(false);
  });
});

/**
 * Keys of the world. Ed25519 itself is shown elsewhere and costs more than all the rest of a run together; most runs model a signature as
 * a digest over a secret that only the signer has. The statements that are signed are the real ones.
 */
import { createHash } from 'node:crypto';
import { signedBytes, signerOf, verifierOf } from '@portcullis/policy-core';
import type { SignBytes, Verify } from '@portcullis/policy-core';

/** Whose seeds are so many times this byte. */
export const PLANE_KEY_SEED = 1;
export const THIEF_KEY_SEED = 2;

export interface Keys {
  readonly sign: SignBytes;
  readonly verify: Verify;
  readonly publicKey: string;
}

export function makeKeys(seed: number, real: boolean): Keys {
  const { sign, publicKey } = signerOf(new Uint8Array(32).fill(seed));
  if (!real) {
    const modelled: SignBytes = (bytes) => createHash('sha512').update(`secret ${seed}\n`).update(bytes).digest();
    return { publicKey, sign: modelled, verify: (kind, header, signature) => Buffer.from(modelled(signedBytes(kind, header))).toString('base64') === signature };
  }
  const verify = remembered(verifierOf(publicKey)!);
  return { publicKey, sign, verify };
}

/** The same statement is verified by each proxy; one answer serves them all. */
function remembered(verify: Verify): Verify {
  const known = new Map<string, boolean>();
  return (kind, header, signature) => {
    const key = `${kind}\n${signature}\n${header}`;
    const before = known.get(key);
    if (before !== undefined) return before;
    const answer = verify(kind, header, signature);
    known.set(key, answer);
    return answer;
  };
}

/** A new signing key: made, signed by both keys, recorded, and only then in use. */
import { signRotation } from '@portcullis/policy-core';
import type { Command } from './domain/command.ts';
import type { Keyring } from './log/keyring.ts';
import { publicKeyText } from './log/keyring.ts';
import { isFull } from './log/store.ts';
import type { Executed } from './plane.ts';

/**
 * @param execute records the rotation; whoever records it makes the keyring adopt the new key
 * @param isSound whether it is known what the log holds; where it is not, the next start goes by the log, with both keys at hand
 */
export function replaceKey(keyring: Keyring, log: string, execute: (command: Command) => Executed, isSound: () => boolean): Executed {
  const previous = keyring.current();
  let outcome: Executed;
  try {
    const next = keyring.propose();
    const keys = { previousKey: publicKeyText(previous.verifierKey), publicKey: publicKeyText(next.verifierKey) };
    outcome = execute({ kind: 'rotate-key', rotation: signRotation(log, keys, { previous: previous.sign, next: next.sign }) });
  } catch (error) {
    if (!isFull(error)) throw error;
    outcome = { ok: false, refusal: { code: 'unavailable', message: 'the disk of the data directory is full, so no key could be made: make room and ask again' } };
  }
  // A refusal, or the earlier outcome of a repeated request.
  if (keyring.current() === previous && isSound()) keyring.withdraw();
  return outcome;
}

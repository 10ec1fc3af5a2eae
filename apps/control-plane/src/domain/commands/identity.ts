/** Which log this is and whose keys speak for it: a new key, and a log that goes on after a backup. */
import { isRestoration, isRotation, MAX_RESTORATIONS, MAX_ROTATIONS } from '@portcullis/policy-core';
import type { Command, Meta } from '../command.ts';
import type { PlaneState } from '../state.ts';
import type { Decided } from './answer.ts';
import { badReason, recorded, refused } from './answer.ts';

const KEY = /^[A-Za-z0-9+/]{43}=$/;
const SHA256 = /^[0-9a-f]{64}$/;

/** Replaces the plane's key. Refuses what the two keys have not both signed: hosts would not follow. */
export function rotateKey(state: PlaneState, { rotation }: Extract<Command, { kind: 'rotate-key' }>, meta: Meta): Decided {
  const noReason = badReason(meta.reason, 'a new signing key');
  if (noReason !== undefined) return noReason;
  if (state.rotations.length >= MAX_ROTATIONS) return refused('limit', `the key of one log can be replaced ${MAX_ROTATIONS} times: every host follows the whole chain`);
  if (rotation.previousKey !== state.publicKey) return refused('invalid', 'the key to replace is not the one in use');
  if (rotation.publicKey === rotation.previousKey || !isRotation(state.log, rotation)) return refused('invalid', 'the change of keys is not signed by both');
  const { publicKey, previousKey, signatures } = rotation;
  return recorded({ type: 'KeyRotated', publicKey, previousKey, signatures });
}

/** Goes on under another name. A statement must be signed with the recovery key that hosts know, and keeps it. */
export function restoreLog(state: PlaneState, command: Extract<Command, { kind: 'restore-log' }>, meta: Meta): Decided {
  const noReason = badReason(meta.reason, 'a restored log');
  if (noReason !== undefined) return noReason;
  const { log, publicKey, recoveryKeySha256, statement } = command;
  if (log === '' || log === state.log || !KEY.test(publicKey) || !SHA256.test(recoveryKeySha256)) return refused('invalid', 'a restored log has a new name and well-formed keys');
  if (state.restorations.length >= MAX_RESTORATIONS) return refused('limit', `one log can be restored ${MAX_RESTORATIONS} times`);
  const [previousLog, previousSize] = [state.log, state.size];
  if (statement !== null) {
    const known = recoveryKeySha256 === state.recoveryKeySha256 && isRestoration({ previousLog, previousSize, log, publicKey, ...statement }, recoveryKeySha256);
    if (!known) return refused('invalid', 'this is not the recovery key of the log: hosts would not follow');
  }
  return recorded({ type: 'LogRestored', previousLog, previousSize, log, publicKey, recoveryKeySha256, statement });
}

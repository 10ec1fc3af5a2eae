/** The key of a log as people write it down and other programs read it: that of C2SP signed notes, `name+id+base64`. */
import { encodeVerifierKey, verifierKey } from '@portcullis/tlog';
import type { PlaneState } from './domain/state.ts';

/** The key with which the log's heads are signed as of this state. */
export function verifierKeyText({ log, publicKey }: Pick<PlaneState, 'log' | 'publicKey'>): string {
  return encodeVerifierKey(verifierKey(log, Buffer.from(publicKey, 'base64')));
}

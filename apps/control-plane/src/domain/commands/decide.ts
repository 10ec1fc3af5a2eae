/**
 * The meaning of the plane: a state, a command and what is known become events or a refusal. Pure; the same question has
 * the same answer, and a command given twice yields its events once.
 */
import type { Command, Meta } from '../command.ts';
import type { PlaneState } from '../state.ts';
import type { Decided, Known } from './answer.ts';
import { confirm } from './confirm.ts';
import { createJoinToken, enrol, relabel, revokeHost, revokeJoinToken } from './enrolment.ts';
import { erase } from './erasure.ts';
import { restoreLog, rotateKey } from './identity.ts';
import { offer } from './offer.ts';
import { createOperatorToken, revokeOperatorToken } from './operator-token.ts';
import { expire, lift, restrict } from './restriction.ts';
import { release, rollback } from './rollback.ts';
import { watchFailed, watchRecovered } from './watch.ts';

export function decide(state: PlaneState, command: Command, meta: Meta, known: Known): Decided {
  switch (command.kind) {
    case 'offer':
      return offer(state, command, known.policies);
    case 'confirm':
      return confirm(state, command, known);
    case 'rollback':
      return rollback(state, command, meta, known);
    case 'release':
      return release(state, command, known);
    case 'restrict':
      return restrict(state, command, meta);
    case 'lift':
      return lift(state, command, meta);
    case 'expire':
      return expire(state, command, meta);
    case 'create-join-token':
      return createJoinToken(state, command, meta);
    case 'revoke-join-token':
      return revokeJoinToken(state, command);
    case 'enrol':
      return enrol(state, command, meta);
    case 'relabel':
      return relabel(state, command);
    case 'revoke-host':
      return revokeHost(state, command);
    case 'create-operator-token':
      return createOperatorToken(state, command);
    case 'revoke-operator-token':
      return revokeOperatorToken(state, command);
    case 'rotate-key':
      return rotateKey(state, command, meta);
    case 'restore-log':
      return restoreLog(state, command, meta);
    case 'erase':
      return erase(state, command, meta);
    case 'watch-failed':
      return watchFailed(state, command);
    case 'watch-recovered':
      return watchRecovered(state);
  }
}

/** Tokens by which people and scripts use the API, each with a role. Only the hash of a secret is ever recorded. */
import type { Command } from '../command.ts';
import { ROLES } from '../events.ts';
import type { PlaneState } from '../state.ts';
import type { Decided } from './answer.ts';
import { recorded, refused } from './answer.ts';
import { badName } from './limits.ts';

/** Tokens that are not revoked: every person and script of a large organisation. */
export const MAX_OPERATOR_TOKENS = 10_000;
const ID = /^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/;
const SHA256 = /^[0-9a-f]{64}$/;

export function createOperatorToken(state: PlaneState, command: Extract<Command, { kind: 'create-operator-token' }>): Decided {
  const bad = badName(command.name, 'a token');
  if (bad !== undefined) return refused('invalid', bad);
  if (!ROLES.includes(command.role)) return refused('invalid', `there is no role ${JSON.stringify(command.role)}: choose one of ${ROLES.join(', ')}`);
  if (!ID.test(command.token) || !SHA256.test(command.secretSha256)) return refused('invalid', 'the token id or the hash of its secret is malformed');
  if (state.operatorTokens.has(command.token)) return refused('already-done', `there is a token ${command.token} already`);
  let active = 0;
  for (const token of state.operatorTokens.values()) if (!token.revoked) active++;
  if (active >= MAX_OPERATOR_TOKENS) return refused('limit', `${MAX_OPERATOR_TOKENS} tokens are active: revoke those that nobody uses`);
  const { token, secretSha256, name, role } = command;
  return recorded({ type: 'OperatorTokenCreated', token, secretSha256, name, role });
}

export function revokeOperatorToken(state: PlaneState, { token: id }: Extract<Command, { kind: 'revoke-operator-token' }>): Decided {
  const token = state.operatorTokens.get(id);
  if (token === undefined) return refused('not-found', `there is no token ${id}`);
  return token.revoked ? refused('already-done', `the token ${id} has been revoked already`) : recorded({ type: 'OperatorTokenRevoked', token: id });
}

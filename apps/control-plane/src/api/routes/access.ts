/** Who has access: hosts, the tokens with which hosts join, operators' tokens. */
import { z } from '@hono/zod-openapi';
import { ROLES } from '../../domain/events.ts';
import { makeJoinToken } from '../../join.ts';
import { act } from '../act.ts';
import { answer, refuse } from '../answer.ts';
import { declare } from '../declare.ts';
import { makeToken } from '../operator-token.ts';
import type { Api, ApiParts } from '../parts.ts';
import { labels, name, reason } from '../shapes.ts';

const MINUTE_MS = 60_000;
/** Long enough to walk to a machine; a token that nobody used by then is a leak waiting. */
const DEFAULT_JOIN_TTL_MS = 60 * MINUTE_MS;
const MAX_JOIN_TTL_MS = 24 * 60 * MINUTE_MS;

const byId = z.object({ id: name });
const relabelled = z.strictObject({ labels, confirm: z.boolean().default(false), reason: reason.optional() });
const withReason = z.strictObject({ reason: reason.optional() });
const joinToken = z.strictObject({ labels: labels.default({}), ttlMs: z.number().int().min(MINUTE_MS).max(MAX_JOIN_TTL_MS).default(DEFAULT_JOIN_TTL_MS), reason: reason.optional() });
const operatorToken = z.strictObject({ name, role: z.enum(ROLES), reason: reason.optional() });

export function addAccess(api: Api, parts: ApiParts): void {
  addHosts(api, parts);
  addJoinTokens(api, parts);
  addOperatorTokens(api, parts);
}

function addHosts(api: Api, parts: ApiParts): void {
  declare(
    api,
    { method: 'patch', path: '/v1/hosts/{id}', action: 'manage-hosts', summary: 'Give a host other labels', answers: 'The version with them.', params: byId, body: relabelled },
    ({ params, body, operator, idem }) => act(parts, { kind: 'relabel', host: params.id, labels: body.labels, confirm: body.confirm }, { operator, idem, reason: body.reason }),
  );
  declare(
    api,
    { method: 'post', path: '/v1/hosts/{id}/revoke', action: 'manage-hosts', summary: 'Shut a host out', answers: 'The version without it.', params: byId, body: withReason },
    ({ params, body, operator, idem }) => act(parts, { kind: 'revoke-host', host: params.id }, { operator, idem, reason: body.reason }),
  );
}

function addJoinTokens(api: Api, parts: ApiParts): void {
  declare(api, { method: 'get', path: '/v1/join-tokens', action: 'manage-join-tokens', summary: 'Join tokens', answers: '`tokens`: id, labels, end, state; no secrets.' }, () =>
    answer({ tokens: [...parts.plane.state().joinTokens.values()].map(({ secretSha256: _omitted, ...shown }) => shown) }),
  );
  declare(
    api,
    { method: 'post', path: '/v1/join-tokens', action: 'manage-join-tokens', summary: 'Make a token with which one host may join', answers: '`token`: the text that the host is given, shown this once; `id`, by which it is revoked; its end.', body: joinToken },
    ({ body, operator, idem }) => {
      if (idem !== null) return noIdempotency();
      const made = makeJoinToken(parts.plane.state(), parts.random);
      const nowMs = parts.now();
      const expiresAtMs = nowMs + body.ttlMs;
      const command = { kind: 'create-join-token', token: made.id, secretSha256: made.secretSha256, labels: body.labels, expiresAtMs } as const;
      return act(parts, command, { operator, idem, reason: body.reason, nowMs }, () => ({ id: made.id, token: made.text, expiresAtMs }));
    },
  );
  declare(
    api,
    { method: 'post', path: '/v1/join-tokens/{id}/revoke', action: 'manage-join-tokens', summary: 'Take back an unused join token', answers: 'What was recorded.', params: byId, body: withReason },
    ({ params, body, operator, idem }) => act(parts, { kind: 'revoke-join-token', token: params.id }, { operator, idem, reason: body.reason }),
  );
}

function addOperatorTokens(api: Api, parts: ApiParts): void {
  declare(api, { method: 'get', path: '/v1/tokens', action: 'manage-tokens', summary: "Operators' tokens", answers: '`tokens`: id, name, role, age; no secrets.' }, () =>
    answer({ tokens: [...parts.plane.state().operatorTokens.values()].map(({ secretSha256: _omitted, ...shown }) => shown) }),
  );
  declare(
    api,
    { method: 'post', path: '/v1/tokens', action: 'manage-tokens', summary: 'Make an operator token', answers: '`token`: the text, shown this once; `id`, by which it is revoked.', body: operatorToken },
    ({ body, operator, idem }) => {
      if (idem !== null) return noIdempotency();
      const made = makeToken(parts.random);
      const command = { kind: 'create-operator-token', token: made.id, secretSha256: made.secretSha256, name: body.name, role: body.role } as const;
      return act(parts, command, { operator, idem, reason: body.reason }, () => ({ id: made.id, token: made.text }));
    },
  );
  declare(
    api,
    { method: 'post', path: '/v1/tokens/{id}/revoke', action: 'manage-tokens', summary: 'Revoke an operator token', answers: 'What was recorded.', params: byId, body: withReason },
    ({ params, body, operator, idem }) => act(parts, { kind: 'revoke-operator-token', token: params.id }, { operator, idem, reason: body.reason }),
  );
}

/** A secret is shown once and kept nowhere, so that a repeated request could not be given it again. */
function noIdempotency(): Response {
  return refuse('invalid', 'A request that makes a secret cannot be repeated under an Idempotency-Key: the secret is shown once. Leave the header out, and revoke what you did not receive.');
}

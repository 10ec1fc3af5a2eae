/** Who may do what, and which route needs it: the tests' own copy of the one table. */
import type { Action } from '../../apps/control-plane/src/api/permissions.ts';
import type { Role } from '../../apps/control-plane/src/domain/events.ts';

/** Written out a second time on purpose: who changes the table must want it here too. */
export const MATRIX: Readonly<Record<Action, readonly Role[]>> = {
  read: ['viewer', 'responder', 'editor', 'admin'],
  restrict: ['responder', 'editor', 'admin'],
  confirm: ['editor', 'admin'],
  rollback: ['editor', 'admin'],
  'release-hold': ['editor', 'admin'],
  lift: ['admin'],
  'manage-hosts': ['admin'],
  'manage-join-tokens': ['admin'],
  'manage-tokens': ['admin'],
  'rotate-key': ['admin'],
  erase: ['admin'],
};

/** Every route with the action it needs, written out once more: a new route must be added here. */
export const ROUTES: Readonly<Record<string, Action>> = {
  'GET /v1/status': 'read', 'GET /v1/problems': 'read', 'GET /v1/proxies': 'read', 'GET /v1/hosts': 'read', 'GET /v1/enforced': 'read', 'GET /v1/wait': 'read',
  'GET /v1/log': 'read', 'GET /v1/versions/{version}': 'read', 'GET /v1/versions/{version}/policy': 'read', 'GET /v1/diff': 'read',
  'GET /v1/decisions': 'read', 'GET /v1/decisions/stream': 'read', 'GET /v1/events/stream': 'read',
  'GET /v1/restrictions': 'read', 'GET /v1/restrictions/{id}': 'read', 'GET /v1/changes': 'read', 'GET /v1/holds': 'read',
  'POST /v1/restrictions': 'restrict', 'POST /v1/restrictions/{id}/lift': 'lift',
  'POST /v1/changes/{id}/confirm': 'confirm', 'POST /v1/rollback': 'rollback', 'POST /v1/holds/release': 'release-hold',
  'PATCH /v1/hosts/{id}': 'manage-hosts', 'POST /v1/hosts/{id}/revoke': 'manage-hosts',
  'GET /v1/join-tokens': 'manage-join-tokens', 'POST /v1/join-tokens': 'manage-join-tokens', 'POST /v1/join-tokens/{id}/revoke': 'manage-join-tokens',
  'GET /v1/tokens': 'manage-tokens', 'POST /v1/tokens': 'manage-tokens', 'POST /v1/tokens/{id}/revoke': 'manage-tokens',
  'POST /v1/key/rotate': 'rotate-key', 'POST /v1/log/erase': 'erase',
};

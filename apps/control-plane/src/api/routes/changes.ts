/** What people decide about the files' changes: confirming removals, rolling back, holds. */
import { z } from '@hono/zod-openapi';
import { act, actWith } from '../act.ts';
import { answer } from '../answer.ts';
import { declare } from '../declare.ts';
import type { Meta } from '../../domain/command.ts';
import type { Executed } from '../../plane.ts';
import type { Api, ApiParts } from '../parts.ts';
import { name, reason, version } from '../shapes.ts';
import { holdViews, pendingViews } from '../views.ts';

const expected = version.nullable().default(null);
const rollback = z.strictObject({ to: version, expected, reason, writeBack: z.boolean().default(false) });
const confirmation = z.strictObject({ expected, reason: reason.optional() });
const release = z.strictObject({ policy: name, expected, reason: reason.optional() });

export function addChanges(api: Api, parts: ApiParts): void {
  declare(api, { method: 'get', path: '/v1/changes', action: 'read', summary: 'Removals that wait for a person', answers: '`changes`: id, policies that would go, since when.' }, () =>
    answer({ changes: pendingViews(parts.plane.outstanding()) }),
  );
  declare(
    api,
    { method: 'post', path: '/v1/changes/{id}/confirm', action: 'confirm', summary: 'Let a waiting removal through', answers: 'The version without the policies.', params: z.object({ id: name }), body: confirmation },
    ({ params, body, operator, idem }) => act(parts, { kind: 'confirm', change: params.id, expected: body.expected }, { operator, idem, reason: body.reason }),
  );
  declare(
    api,
    { method: 'post', path: '/v1/rollback', action: 'rollback', summary: 'Put the policies of an earlier version in force again', answers: 'The new version, its changes and holds; with `writeBack` what happened to each file.', body: rollback },
    ({ body, operator, idem }) =>
      actWith(parts, (meta) => rollbackOrFiles(parts, body, meta), { operator, idem, reason: body.reason }, (recorded) => {
        const event = recorded.find((one) => one.event.type === 'RolledBack')?.event;
        const { to, changes, holds, released } = event?.type === 'RolledBack' ? event : { to: parts.plane.history.versionAt(body.to), changes: [], holds: [], released: [] };
        const files = body.writeBack ? parts.writeBack(changes.map(({ policy }) => policy)) : null;
        return { to, changes, holds, released, files };
      }),
  );
  declare(api, { method: 'get', path: '/v1/holds', action: 'read', summary: 'Withdrawn content that stays out', answers: '`holds`: policy, content, by whom, since when, why.' }, () =>
    answer({ holds: holdViews(parts.plane.state(), parts.plane.outstanding()) }),
  );
  declare(
    api,
    { method: 'post', path: '/v1/holds/release', action: 'release-hold', summary: 'Let held content of one policy publish again', answers: 'What was released.', body: release },
    ({ body, operator, idem }) => act(parts, { kind: 'release', policy: body.policy, expected: body.expected }, { operator, idem, reason: body.reason }),
  );
}

/**
 * With `writeBack`, what is in force already is no refusal: there are still the files, which an earlier rollback may have left as they were. That
 * leaves nothing in the log, where an Idempotency-Key is kept: a retry under one could find other policies in force and roll back (L6).
 */
function rollbackOrFiles({ plane }: ApiParts, { to, expected, writeBack }: z.infer<typeof rollback>, meta: Meta): Executed {
  const executed = plane.execute({ kind: 'rollback', to, expected, ...(writeBack ? { filesFollow: true } : {}) }, meta);
  if (executed.ok || !writeBack || executed.refusal.code !== 'already-done') return executed;
  if (meta.idem !== null) return { ok: false, refusal: { code: 'already-done', message: `${executed.refusal.message}, and no file was written, because an Idempotency-Key stands only for what is recorded; to have the files written, ask again without it` } };
  return { ok: true, recorded: [], state: plane.state(), replayed: false };
}

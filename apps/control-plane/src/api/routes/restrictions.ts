/** Restrictions: imposing is everybody's on duty, lifting is not. */
import { z } from '@hono/zod-openapi';
import { act } from '../act.ts';
import { answer, refuse } from '../answer.ts';
import { audienceOf } from '../audience.ts';
import { declare } from '../declare.ts';
import type { Api, ApiParts } from '../parts.ts';
import { whyNot } from '../permissions.ts';
import { globs, labelGlobs, name, reason, version } from '../shapes.ts';
import { nameOf, restricted, restrictionViews } from '../views.ts';

const SECOND_MS = 1_000;
/** A restriction that should outlive a year is a policy. */
const MAX_TTL_MS = 366 * 24 * 3600 * SECOND_MS;

const imposed = z.strictObject({
  server: globs.default([]),
  labels: labelGlobs.default({}),
  /** Null = every method but plumbing. */
  tools: globs.min(1).nullable().default(null),
  readOnly: z.boolean().default(false),
  ttlMs: z.number().int().min(SECOND_MS).max(MAX_TTL_MS).nullable().default(null),
  reason,
});

const lifted = z.strictObject({ reason, expected: version.nullable().default(null) });
const byId = z.object({ id: name });

export function addRestrictions(api: Api, parts: ApiParts): void {
  declare(api, { method: 'get', path: '/v1/restrictions', action: 'read', summary: 'Restrictions in force', answers: '`restrictions`, each with the number of proxies it is about.' }, () =>
    answer({ restrictions: restrictionViews(parts.plane.state(), parts.fleet) }),
  );
  declare(
    api,
    { method: 'post', path: '/v1/restrictions', action: 'restrict', summary: 'Impose a restriction', answers: 'The version of it, the restriction, what was recorded.', body: imposed },
    ({ body, operator, idem }) => {
      const { server, labels, tools, readOnly, ttlMs } = body;
      const nowMs = parts.now();
      const expiresAtMs = ttlMs === null ? null : nowMs + ttlMs;
      return act(parts, { kind: 'restrict', selector: { server, labels }, tools, readOnly, expiresAtMs }, { operator, idem, reason: body.reason, nowMs }, (recorded) => {
        const made = recorded.find(({ event }) => event.type === 'RestrictionImposed')?.event;
        return { restriction: made?.type === 'RestrictionImposed' ? made.restriction : null };
      });
    },
  );
  declare(
    api,
    { method: 'get', path: '/v1/restrictions/{id}', action: 'read', summary: 'One restriction, and what lifting it would open', answers: 'The restriction, its proxies, the other restrictions that would still hold some of them, its `audience` (which of its words name nothing known), and `mayNotLift`: why the asker may not lift it, or null.', params: byId },
    ({ params, operator }) => {
      const { restrictions } = parts.plane.state();
      const found = restrictions.get(params.id);
      if (found === undefined) return refuse('not-found', `No restriction ${JSON.stringify(params.id)} is in force. \`portcullis status\` lists those that are.`);
      const proxies = restricted(found.restriction, parts.fleet.proxies());
      const stays = [...restrictions.values()].filter((other) => other !== found && restricted(other.restriction, proxies).length > 0).map((other) => other.restriction);
      return answer({ restriction: { ...found.restriction, actorName: nameOf(parts.plane.state(), found.restriction.actor), since: found.since, proxies: proxies.length }, proxies, stays, audience: audienceOf(found.restriction.selector, parts.plane.state(), parts.fleet), mayNotLift: whyNot(operator.token, 'lift') });
    },
  );
  declare(
    api,
    { method: 'post', path: '/v1/restrictions/{id}/lift', action: 'lift', summary: 'Lift a restriction', answers: 'The version from which it no longer holds.', params: byId, body: lifted },
    ({ params, body, operator, idem }) => act(parts, { kind: 'lift', restriction: params.id, expected: body.expected }, { operator, idem, reason: body.reason }),
  );
}

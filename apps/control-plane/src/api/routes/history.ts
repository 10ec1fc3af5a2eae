/** Questions about the past: events, versions, texts, differences. */
import { createTwoFilesPatch } from 'diff';
import { z } from '@hono/zod-openapi';
import type { Restriction } from '@portcullis/policy-core';
import { EVENT_TYPES } from '../../domain/events.ts';
import type { PlaneState } from '../../domain/state.ts';
import { diffPolicySets } from '../../domain/diff.ts';
import { diffReach } from '../../domain/reach.ts';
import type { Regime } from '../../domain/reach.ts';
import type { Plane } from '../../plane.ts';
import { answer, refuse } from '../answer.ts';
import { declare } from '../declare.ts';
import { namedActor } from '../named-actor.ts';
import type { Api, ApiParts } from '../parts.ts';
import { resolveVersion } from '../resolve.ts';
import type { ResolvedVersion } from '../resolve.ts';
import { name, whole, wholeBetween } from '../shapes.ts';
import { eventView, namesIn } from '../views.ts';

const DEFAULT_PAGE = 100;
/** A page of events stays below a megabyte or so. */
const MAX_PAGE = 1_000;
/** Texts that differ by more lines than this are shown as replaced: finding the least difference costs the square of it. */
const MAX_EDITS = 4_000;
const CONTEXT_LINES = 3;

const logQuery = z.strictObject({
  limit: wholeBetween(1, MAX_PAGE).default(DEFAULT_PAGE),
  before: whole.optional(),
  from: whole.optional(),
  /** Names of event types, separated by commas. */
  types: name.optional(),
  policy: name.optional(),
  /** An id, an unmistakable beginning of one, or a name. */
  actor: name.optional(),
});

export function addHistory(api: Api, parts: ApiParts): void {
  const { plane } = parts;
  declare(api, { method: 'get', path: '/v1/log', action: 'read', summary: 'Events, newest first', answers: '`events`, `names` of those who did them by id, and `next`: what to pass as `before` for the next page, null at the end.', query: logQuery }, ({ query }) => {
    const { limit, before, from, types: given, policy, actor: asked } = query;
    if (from !== undefined && before !== undefined && from > before) return refuse('invalid', 'from is after before: no event can be between them.');
    const types = given?.split(',');
    const unknown = types?.find((type) => !EVENT_TYPES.has(type));
    if (unknown !== undefined) return refuse('invalid', `There is no event type ${JSON.stringify(unknown)}. These there are: ${[...EVENT_TYPES].join(', ')}.`);
    const actor = asked === undefined ? undefined : namedActor(plane.state(), asked);
    if (actor?.ok === false) return refuse('invalid', actor.message);
    const events = plane.history.read({
      limit,
      ...(before === undefined ? {} : { before }),
      ...(from === undefined ? {} : { from }),
      ...(types === undefined ? {} : { types }),
      ...(policy === undefined ? {} : { policy }),
      ...(actor === undefined ? {} : { actor: actor.id }),
    });
    const last = events.at(-1);
    const next = events.length === limit && last !== undefined && last.seq > (from ?? 0) ? last.seq : null;
    return answer({ events: events.map(eventView), names: namesIn(plane.state(), events), next, size: plane.state().size });
  });
  addVersions(api, parts);
  declare(
    api,
    { method: 'get', path: '/v1/diff', action: 'read', summary: 'What changed between two versions', answers: '`changes`: by policy, structure and unified text; `reach`: for each tool that is named, what became visible or hidden, allowed or denied outright; restrictions `imposed` and `ended`.', query: z.strictObject({ from: whole, to: whole }) },
    ({ query }) => {
      const from = resolveVersion(plane.history, query.from);
      const to = resolveVersion(plane.history, query.to);
      if (from === undefined || to === undefined) return unknownVersion(from === undefined ? query.from : query.to, plane.state());
      return answer(difference(parts, from, to));
    },
  );
}

function addVersions(api: Api, { plane }: ApiParts): void {
  declare(
    api,
    { method: 'get', path: '/v1/versions/{version}', action: 'read', summary: 'What was in force at a version', answers: 'The event, the policies in force with their contents, the restrictions.', params: z.object({ version: whole }) },
    ({ params }) => {
      const resolved = resolveVersion(plane.history, params.version);
      if (resolved === undefined) return unknownVersion(params.version, plane.state());
      const state = plane.history.stateAt(resolved.version);
      return answer({ ...resolved, event: eventView(resolved.event), names: namesIn(plane.state(), [resolved.event]), policies: [...state.policies.values()], restrictions: [...state.restrictions.values()] });
    },
  );
  declare(
    api,
    {
      method: 'get',
      path: '/v1/versions/{version}/policy',
      action: 'read',
      summary: 'The text of one policy at a version',
      answers: 'The text as its author wrote it, its hash, and since when it was in force.',
      params: z.object({ version: whole }),
      query: z.strictObject({ id: name }),
    },
    ({ params, query }) => {
      const resolved = resolveVersion(plane.history, params.version);
      if (resolved === undefined) return unknownVersion(params.version, plane.state());
      const found = plane.history.stateAt(resolved.version).policies.get(query.id);
      const text = found === undefined ? undefined : plane.history.text(found.content.textSha256);
      if (found === undefined || text === undefined) return refuse('not-found', `At version ${resolved.version} no policy ${JSON.stringify(query.id)} was in force. \`portcullis show ${resolved.version}\` lists those that were.`);
      return answer({ ...resolved, event: eventView(resolved.event), ...found, text: text.toString('utf8') });
    },
  );
}

function unknownVersion(asked: number, state: PlaneState): Response {
  return refuse('not-found', `There is no version ${asked} yet; the newest is ${state.version}. \`portcullis log\` lists them.`);
}

function difference({ plane, fleet }: ApiParts, from: ResolvedVersion, to: ResolvedVersion): object {
  const before = plane.history.stateAt(from.version);
  const after = plane.history.stateAt(to.version);
  const ids = [...new Set([...before.policies.keys(), ...after.policies.keys()])].filter((id) => before.policies.get(id)?.content.textSha256 !== after.policies.get(id)?.content.textSha256).sort();
  const texts = ids.map((id) => ({ policy: id, unified: unified((sha256) => plane.history.text(sha256), id, before, after) }));
  const models = (state: PlaneState) => new Map(ids.flatMap((id) => {
    const content = state.policies.get(id)?.content;
    const model = content === undefined ? undefined : plane.history.model(content.modelSha256);
    return model === undefined ? [] : [[id, model] as const];
  }));
  return {
    from: from.version,
    to: to.version,
    notes: [from.note, to.note].filter((note) => note !== null),
    changes: diffPolicySets(models(before), models(after)),
    texts,
    reach: diffReach(regimeOf(plane, before), regimeOf(plane, after), fleet.proxies()),
    imposed: restrictionsOnlyIn(after, before),
    ended: restrictionsOnlyIn(before, after),
  };
}

/** Another policy that stayed may still decide about a tool, so that all of them are asked. */
function regimeOf({ history }: Plane, state: PlaneState): Regime {
  return {
    policies: [...state.policies.values()].flatMap(({ content }) => history.model(content.modelSha256) ?? []),
    restrictions: [...state.restrictions.values()].map(({ restriction }) => restriction),
  };
}

function restrictionsOnlyIn(one: PlaneState, other: PlaneState): readonly Restriction[] {
  return [...one.restrictions.values()].flatMap(({ restriction }) => (other.restrictions.has(restriction.id) ? [] : [restriction]));
}

function unified(textOf: (sha256: string) => Buffer | undefined, id: string, before: PlaneState, after: PlaneState): string {
  const text = (state: PlaneState): string | null => {
    const content = state.policies.get(id)?.content;
    return content === undefined ? null : (textOf(content.textSha256)?.toString('utf8') ?? null);
  };
  const [old, now] = [text(before), text(after)];
  const names = [old === null ? '/dev/null' : `a/${id}`, now === null ? '/dev/null' : `b/${id}`] as const;
  const patch = createTwoFilesPatch(names[0], names[1], old ?? '', now ?? '', undefined, undefined, { context: CONTEXT_LINES, maxEditLength: MAX_EDITS });
  return patch ?? `--- ${names[0]}\n+++ ${names[1]}\n(more than ${MAX_EDITS} lines differ; \`portcullis show\` prints each text)\n`;
}

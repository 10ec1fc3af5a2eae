/** How things are now: status, problems, proxies, hosts, and whether a version has arrived everywhere. */
import { z } from '@hono/zod-openapi';
import { certaintyAt } from '../../fleet/fleet.ts';
import type { Fleet, Progress } from '../../fleet/fleet.ts';
import type { Plane } from '../../plane.ts';
import { answer, refuse } from '../answer.ts';
import { declare } from '../declare.ts';
import { isEnforced } from '../enforced.ts';
import type { Api, ApiParts } from '../parts.ts';
import { resolveVersion } from '../resolve.ts';
import { name, whole, wholeBetween } from '../shapes.ts';
import { hostViews, problemViews, statusView } from '../views.ts';

/** A client asks again after this; shorter than the idle limits of proxies between us (60 s and more). */
const MAX_WAIT_MS = 25_000;
const DEFAULT_INTERVALS = 100;
const MAX_INTERVALS = 1_000;

export function addOverview(api: Api, parts: ApiParts): void {
  declare(api, { method: 'get', path: '/v1/status', action: 'read', summary: 'The plane at a glance', answers: 'Version, problems, waiting removals, holds, restrictions, watcher, fleet counts.' }, () =>
    answer(statusView(parts)),
  );
  declare(api, { method: 'get', path: '/v1/problems', action: 'read', summary: 'What was refused and still is', answers: '`problems`: by policy, with every problem of its text.' }, () =>
    answer({ problems: problemViews(parts.plane.outstanding()) }),
  );
  declare(api, { method: 'get', path: '/v1/proxies', action: 'read', summary: 'The fleet', answers: '`proxies`: every proxy seen, what it enforces, since when; `turnedAway`: who was not let in of late, and why.' }, () =>
    answer({ proxies: parts.fleet.proxies(), turnedAway: parts.fleet.turnedAway(), version: parts.plane.state().version }),
  );
  declare(api, { method: 'get', path: '/v1/hosts', action: 'read', summary: 'Enrolled hosts', answers: '`hosts`: key, labels, proxies.' }, () =>
    answer({ hosts: hostViews(parts.plane.state(), parts.fleet) }),
  );
  declare(
    api,
    {
      method: 'get',
      path: '/v1/enforced',
      action: 'read',
      summary: 'What hosts enforced between two times',
      answers: '`enforced`, newest first: versions and digests by proxy, with the uncertainty at their beginning and end; of one moment also its `certainty`: certain, either (with another), last-known.',
      query: z.strictObject({ fromMs: whole, toMs: whole, host: name.optional(), server: name.optional(), limit: wholeBetween(1, MAX_INTERVALS).default(DEFAULT_INTERVALS) }),
    },
    ({ query }) => {
      const { host, server, ...rest } = query;
      if (rest.fromMs > rest.toMs) return refuse('invalid', 'fromMs is after toMs: the two are the wrong way round.');
      const enforced = parts.fleet.enforced({ ...rest, ...(host === undefined ? {} : { host }), ...(server === undefined ? {} : { server }) });
      const names = parts.plane.state().hosts;
      return answer({ enforced: enforced.map((one) => ({ ...one, hostName: names.get(one.host)?.name ?? one.host, ...(rest.fromMs === rest.toMs ? { certainty: certaintyAt(one, rest.toMs) } : {}) })) });
    },
  );
  addWait(api, parts);
}

function addWait(api: Api, parts: ApiParts): void {
  declare(
    api,
    {
      method: 'get',
      path: '/v1/wait',
      action: 'read',
      summary: 'Wait for a version to be enforced',
      answers: 'The progress: as soon as all connected proxies enforce the version, or their number differs from `seen`, or the time is up.',
      query: z.strictObject({ version: whole, seen: whole.optional(), timeoutMs: wholeBetween(0, MAX_WAIT_MS).default(MAX_WAIT_MS) }),
    },
    async ({ query, signal }) => {
      const resolved = resolveVersion(parts.plane.history, query.version);
      if (resolved === undefined) return refuse('not-found', `There is no version ${query.version} yet; the newest is ${parts.plane.state().version}.`);
      return answer(await waitFor(parts, resolved.version, query.seen, query.timeoutMs, signal));
    },
  );
}

function waitFor({ plane, fleet }: { readonly plane: Plane; readonly fleet: Fleet }, version: number, seen: number | undefined, timeoutMs: number, signal: AbortSignal): Promise<Progress> {
  const worthTelling = (progress: Progress): boolean => isEnforced(progress) || (seen !== undefined && progress.enforcing !== seen);
  return new Promise((resolve) => {
    const finish = (): void => {
      clearTimeout(timer);
      stopFleet();
      stopPlane();
      signal.removeEventListener('abort', finish);
      resolve(fleet.progress(version));
    };
    const look = (): void => {
      if (worthTelling(fleet.progress(version))) finish();
    };
    const stopFleet = fleet.onChange(look);
    const stopPlane = plane.onRecorded(look);
    const timer = setTimeout(finish, timeoutMs);
    signal.addEventListener('abort', finish);
    look();
  });
}

/** Decisions, stored and live, and the log's events as they are recorded. */
import { z } from '@hono/zod-openapi';
import type { StoredDecision } from '../../decisions/decisions.ts';
import type { OperatorToken } from '../../domain/state.ts';
import { answer, refuse } from '../answer.ts';
import { declare } from '../declare.ts';
import { bell, eventStream } from '../event-stream.ts';
import type { Api, ApiParts } from '../parts.ts';
import { name, whole, wholeBetween } from '../shapes.ts';
import { eventView } from '../views.ts';

const DEFAULT_PAGE = 100;
const MAX_PAGE = 1_000;
/** Each is a socket and a listener; a team has a dozen terminals open, not a hundred. */
const MAX_STREAMS = 100;
/** Of one token, so that nobody takes every place; the users of one machine share one. */
const MAX_STREAMS_OF_ONE = 25;
/** What a stream of decisions may fall behind before it is told how many it missed. */
const MAX_QUEUED = 5_000;
/** Events are read from the log in steps of so many while a stream catches up. */
const CATCH_UP = 200;

const filters = {
  host: name.optional(),
  server: name.optional(),
  tool: name.optional(),
  decision: z.enum(['allow', 'deny']).optional(),
};
const decisionsQuery = z.strictObject({ ...filters, limit: wholeBetween(1, MAX_PAGE).default(DEFAULT_PAGE), before: whole.optional(), sinceMs: whole.optional() });
const streamQuery = z.strictObject(filters);
type Filter = z.output<typeof streamQuery>;

export function addStreams(api: Api, parts: ApiParts): void {
  let open = 0;
  const openOf = new Map<string, number>();
  const count = (token: string, more: 1 | -1): void => {
    open += more;
    const now = (openOf.get(token) ?? 0) + more;
    if (now === 0) openOf.delete(token);
    else openOf.set(token, now);
  };
  const admit = ({ token }: OperatorToken, signal: AbortSignal, start: (closed: () => void, signal: AbortSignal) => Response): Response => {
    if (open >= MAX_STREAMS) return refuse('too-many', `${MAX_STREAMS} streams are open already. Close one, or ask page by page: without /stream for decisions, /v1/log for events.`, 5);
    if ((openOf.get(token) ?? 0) >= MAX_STREAMS_OF_ONE) return refuse('too-many', `${MAX_STREAMS_OF_ONE} streams of this token are open already. Close one, or ask page by page: without /stream for decisions, /v1/log for events.`, 5);
    count(token, 1);
    // Who was let in once is not let in for ever.
    const revoked = new AbortController();
    const stop = parts.plane.onRecorded((recorded) => {
      if (recorded.some(({ event }) => event.type === 'OperatorTokenRevoked' && event.token === token)) revoked.abort();
    });
    return start(() => {
      count(token, -1);
      stop();
    }, AbortSignal.any([signal, revoked.signal]));
  };
  declare(api, { method: 'get', path: '/v1/decisions', action: 'read', summary: 'Decisions, newest first', answers: '`decisions`, and `next`: what to pass as `before` for the next page, null at the end.', query: decisionsQuery }, ({ query }) => {
    const { limit, ...rest } = query;
    const decisions = parts.decisions.query({ limit, ...defined(rest) });
    return answer({ decisions, next: decisions.length === limit ? (decisions.at(-1)?.id ?? null) : null });
  });
  declare(
    api,
    { method: 'get', path: '/v1/decisions/stream', action: 'read', summary: 'Decisions as proxies report them', answers: 'Messages `decision`; `missed` with a count where the reader was too slow.', query: streamQuery, stream: true },
    ({ query, operator, signal }) => admit(operator.token, signal, (closed, until) => decisionStream(parts, query, closed, until)),
  );
  declare(
    api,
    { method: 'get', path: '/v1/events/stream', action: 'read', summary: "The log's events as they are recorded", answers: 'Messages named by event type, each with its seq as id; Last-Event-ID continues after that seq.', query: z.strictObject({ from: whole.optional() }), stream: true },
    ({ query, operator, lastEventId, signal }) => {
      // A client that has seen no id yet sends an empty one.
      const last = lastEventId === null || lastEventId === '' ? undefined : whole.safeParse(lastEventId);
      if (last?.success === false) return refuse('invalid', 'Last-Event-ID is the seq of an event.');
      const from = last === undefined ? query.from : last.data + 1;
      const { size } = parts.plane.state();
      if (from !== undefined && from > size) return refuse('not-found', `There is no event ${from - 1} yet; the newest is ${size - 1}. Begin from that one, or compare the logs: this one may have been restored from a backup.`);
      return admit(operator.token, signal, (closed, until) => recordedStream(parts, from, closed, until));
    },
  );
}

function decisionStream({ decisions }: ApiParts, filter: Filter, closed: () => void, signal: AbortSignal): Response {
  const arrived = bell();
  const queue: StoredDecision[] = [];
  let missed = 0;
  const stop = decisions.onIngested((rows) => {
    for (const row of rows) {
      if (!passes(row, filter)) continue;
      if (queue.length < MAX_QUEUED) queue.push(row);
      else missed += 1;
    }
    arrived.ring();
  });
  const take = () => {
    const row = queue.shift();
    if (row !== undefined) return { id: String(row.id), event: 'decision', data: row };
    if (missed === 0) return undefined;
    const count = missed;
    missed = 0;
    return { event: 'missed', data: { count } };
  };
  return eventStream(
    async (timeoutMs, gone) => {
      const waiting = take();
      if (waiting !== undefined) return waiting;
      await arrived.wait(timeoutMs, gone);
      return take();
    },
    () => {
      stop();
      closed();
    },
    signal,
  );
}

function passes(row: StoredDecision, { host, server, tool, decision }: Filter): boolean {
  return (
    (host === undefined || row.host === host) &&
    (server === undefined || row.server === server) &&
    (tool === undefined || (row.kind === 'tool' && row.name === tool)) &&
    (decision === undefined || row.decision === decision)
  );
}

/** The log is the queue: a stream is a place in it, so that nothing is missed however slow the reader is. */
function recordedStream({ plane }: ApiParts, from: number | undefined, closed: () => void, signal: AbortSignal): Response {
  const recorded = bell();
  const stop = plane.onRecorded(() => recorded.ring());
  let cursor = from ?? plane.state().size;
  let ahead: object[] = [];
  const take = () => {
    if (ahead.length === 0 && cursor < plane.state().size) {
      const events = plane.history.read({ limit: CATCH_UP, from: cursor, before: cursor + CATCH_UP }).toReversed();
      ahead = events.map((event) => ({ id: String(event.seq), event: event.event.type, data: eventView(event) }));
      cursor += events.length;
    }
    return ahead.shift() as { readonly id: string; readonly event: string; readonly data: object } | undefined;
  };
  return eventStream(
    async (timeoutMs, gone) => {
      const waiting = take();
      if (waiting !== undefined) return waiting;
      await recorded.wait(timeoutMs, gone);
      return take();
    },
    () => {
      stop();
      closed();
    },
    signal,
  );
}

/** Without the keys that were left out, which `exactOptionalPropertyTypes` keeps apart from those that are undefined. */
function defined<T extends object>(given: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)) as { [K in keyof T]: Exclude<T[K], undefined> };
}

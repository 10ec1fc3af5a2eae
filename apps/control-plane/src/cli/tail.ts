/** `portcullis tail`: decisions as proxies report them. A plane that goes away is waited for, and what was reported meanwhile is caught up with. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { HostView } from '../api/views.ts';
import type { StoredDecision } from '../decisions/decisions.ts';
import { fail, withPlane } from './command.ts';
import type { PlaneOptions } from './command.ts';
import { connect } from './connection.ts';
import type { Answered, Connection, Failure, Query } from './connection.ts';
import { EXIT } from './exit.ts';
import type { ExitCode } from './exit.ts';
import { hostId } from './named-host.ts';
import type { Terminal } from './terminal.ts';
import { wrapped } from './wrap.ts';

export interface TailOptions extends PlaneOptions {
  /** Its id or its name. */
  readonly host?: string;
  readonly server?: string;
  readonly tool?: string;
  readonly decision?: 'allow' | 'deny';
  /** How many past decisions to begin with. */
  readonly last?: number;
}

/** A plane that restarts is back within seconds; one that is gone for the night is not asked more often than this. */
const RETRY_MS = [500, 1_000, 2_000, 5_000] as const;
/** Decisions of one page, the most that the plane gives, and pages that are caught up with: more than anybody reads of what is past. */
const PAGE = 1_000;
const MAX_PAGES = 10;

/** Prints until the person stops it. */
export async function tail(options: TailOptions, terminal: Terminal): Promise<ExitCode> {
  return withPlane(options, terminal, async (plane) => {
    const host = options.host === undefined ? undefined : await hostId(plane, options.host);
    if (host !== undefined && !host.ok) return fail(host.failure, options, terminal);
    const reader = makeReader({ host: host?.value, server: options.server, tool: options.tool, decision: options.decision }, options, terminal);
    if (options.last !== undefined && options.last > 0) {
      const past = await reader.past(plane, options.last);
      if (past !== null) return fail(past, options, terminal);
    }
    return follow(reader, plane, options, terminal);
  });
}

async function follow(reader: Reader, first: Connection, options: TailOptions, terminal: Terminal): Promise<ExitCode> {
  let plane: Answered<Connection> = { ok: true, value: first };
  let said: string | null = null;
  for (let attempt = 0; ; attempt += 1) {
    const before = reader.opened();
    const ended: Answered<null> = plane.ok ? await reader.read(plane.value) : plane;
    if (stopped(terminal)) return EXIT.ok;
    const failure = ended.ok ? null : ended.failure;
    // What was never there is not waited for, nor what answers no.
    if (failure !== null && (failure.away !== true || reader.opened() === 0)) return fail(failure, options, terminal);
    if (reader.opened() > before) {
      attempt = 0;
      said = null;
      terminal.err('The plane went away. Waiting until it is back; Ctrl-C ends this.');
    } else if (failure !== null && failure.message !== said) {
      said = failure.message;
      terminal.err(said);
    }
    await sleep(RETRY_MS[Math.min(attempt, RETRY_MS.length - 1)], undefined, { signal: terminal.signal }).catch(() => undefined);
    if (stopped(terminal)) return EXIT.ok;
    // Another process may announce another address by now.
    plane = connect(terminal, options.as ?? 'responder');
  }
}

/** Asked anew each time: it turns true while something is waited for. */
function stopped({ signal }: Terminal): boolean {
  return signal.aborted;
}

interface Reader {
  /** Prints the newest `count` of the past, oldest first. */
  past(plane: Connection, count: number): Promise<Failure | null>;
  /** Prints what was reported since the last one that was printed, and then what comes, until the stream ends. */
  read(plane: Connection): Promise<Answered<null>>;
  /** How many streams have been open. */
  opened(): number;
}

function makeReader(filter: Query, options: TailOptions, terminal: Terminal): Reader {
  /** The last decision that was printed or passed over, by its number in the plane's store; -1: none yet. */
  let last = -1;
  let opened = 0;
  let names: ReadonlyMap<string, string> = new Map();

  const print = (row: StoredDecision): void => {
    if (row.id <= last) return;
    last = row.id;
    terminal.out(options.json === true ? JSON.stringify(row) : wrapped(line(row, names.get(row.host) ?? row.host)).join('\n'));
  };

  async function nameHosts(plane: Connection): Promise<void> {
    const hosts = await plane.get<{ readonly hosts: readonly HostView[] }>('/v1/hosts');
    if (hosts.ok) names = new Map(hosts.value.hosts.map(({ host, name }) => [host, name]));
  }

  /** What was reported while nobody listened; at the first time only how far the past goes that nobody asked for, which is before what `waiting` begins with. */
  async function catchUp(plane: Connection, again: boolean, waiting: readonly StoredDecision[]): Promise<void> {
    if (again) terminal.err('The plane is back.');
    const newest = await pageOf(plane, { ...filter, limit: 1 });
    if (newest === undefined) return;
    const highest = newest[0]?.id ?? 0;
    if (!again || last === -1) {
      last = Math.max(last, Math.min(highest, (waiting[0]?.id ?? Number.POSITIVE_INFINITY) - 1));
      return;
    }
    // A store that begins anew counts from 1 again.
    if (highest < last) last = 0;
    const { rows, whole } = await rowsAfter(plane, filter, last);
    if (!whole) terminal.err(`(more than ${rows.length} decisions were reported meanwhile; the older ones are left out)`);
    for (const row of rows.toReversed()) print(row);
  }

  return {
    opened: () => opened,
    async past(plane, count) {
      const found = await plane.get<Page>('/v1/decisions', { ...filter, limit: count });
      if (!found.ok) return found.failure;
      await nameHosts(plane);
      for (const row of found.value.decisions.toReversed()) print(row);
      return null;
    },
    async read(plane) {
      /** What comes before it is known what was missed; null once that is printed. */
      let waiting: StoredDecision[] | null = [];
      let ready: Promise<void> = Promise.resolve();
      /** Prints what has waited until hosts have names and the past is printed. */
      const settle = async (past: (waiting: readonly StoredDecision[]) => Promise<void>): Promise<void> => {
        await nameHosts(plane);
        await past(waiting ?? []);
        for (const one of waiting ?? []) print(one);
        waiting = null;
      };
      const take = (row: StoredDecision): void => {
        if (waiting !== null) waiting.push(row);
        else if (names.has(row.host)) print(row);
        else {
          // A host that joined since: what comes meanwhile waits behind its first decision.
          waiting = [row];
          ready = settle(() => Promise.resolve());
        }
      };
      const listener = {
        onOpen: () => {
          opened += 1;
          const again = opened > 1;
          ready = settle((rows) => catchUp(plane, again, rows));
        },
        onMessage: (event: string, data: unknown) => {
          if (event === 'decision') take(data as StoredDecision);
          else if (event === 'missed') terminal.err(`(${(data as { readonly count: number }).count} decisions were left out: they came faster than they were read)`);
        },
      };
      const ended = await plane.stream('/v1/decisions/stream', filter, listener, terminal.signal);
      // Where the answers are none of a plane's, nothing more is expected of it.
      if (ended.ok || ended.failure.away === true) await ready;
      return ended;
    },
  };
}

interface Page {
  readonly decisions: readonly StoredDecision[];
}

/** Newest first; undefined where the plane does not answer. */
async function pageOf(plane: Connection, query: Query): Promise<readonly StoredDecision[] | undefined> {
  const found = await plane.get<Page>('/v1/decisions', query);
  return found.ok ? found.value.decisions : undefined;
}

/** What was stored after decision `last`, newest first; not whole where there is more than is asked for, or the plane went away again. */
async function rowsAfter(plane: Connection, filter: Query, last: number): Promise<{ readonly rows: readonly StoredDecision[]; readonly whole: boolean }> {
  const rows: StoredDecision[] = [];
  for (let pages = 0; pages < MAX_PAGES; pages += 1) {
    const news = (await pageOf(plane, { ...filter, limit: PAGE, before: rows.at(-1)?.id }))?.filter(({ id }) => id > last);
    if (news === undefined) return { rows, whole: false };
    rows.push(...news);
    if (news.length < PAGE) return { rows, whole: true };
  }
  return { rows, whole: false };
}

function line(row: StoredDecision, host: string): string {
  const moment = new Date(row.atMs).toISOString().replace('T', ' ');
  const why = row.decision === 'deny' ? `  ${row.reason}${row.rule === null ? '' : ` "${row.rule}"`}${row.sources[0] === undefined ? '' : ` (${row.sources[0]})`}` : '';
  const stale = row.freshness === 'fresh' ? '' : `  [${row.freshness}]`;
  return `${moment}  ${row.decision.toUpperCase().padEnd(5)}  ${host}/${row.server}  ${row.kind} ${row.name}${why}${stale}`;
}

/**
 * fleet.db: who was connected, and what each proxy enforced when. It grows with the fleet, not with the log, and losing it loses history
 * but no safety: what must be enforced is in the log. Writes are gathered and made durable together.
 */
import Database from 'better-sqlite3';
import { linkLimits } from '@portcullis/policy-core';
import type { Mark } from '@portcullis/policy-core';
import type { Enforced } from './fleet.ts';

export interface Ledger {
  /** Notes a proxy that has said hello. */
  seen(proxy: SeenProxy): void;
  /**
   * Notes that a proxy is (still) there, and what it holds. A new pair of contents begins a new interval; the one before it lasted at least
   * until `offeredMs`, when this connection was first sent something else. True where an interval began.
   */
  holds(proxy: ProxyKey, held: { readonly policies: Mark; readonly restrictions: Mark }, nowMs: number, offeredMs?: number): boolean;
  /** The socket is gone; `ended`: the proxy said goodbye. */
  gone(proxy: ProxyKey, nowMs: number, ended: boolean): void;
  /** Takes a connect counter; true where the host's key was used with this counter, or much higher ones, before: it has been copied. */
  takeCounter(host: string, counter: number, nowMs: number): boolean;
  copied(host: string): boolean;
  /** The last boot of each (host, server) that is not connected. */
  proxies(): readonly StoredProxy[];
  enforced(query: { readonly host?: string; readonly server?: string; readonly fromMs: number; readonly toMs: number; readonly limit: number }): readonly Enforced[];
  /** Makes what was noted durable. */
  flush(): void;
  close(): void;
}

export interface ProxyKey {
  readonly host: string;
  readonly server: string;
  readonly boot: string;
}

export interface SeenProxy extends ProxyKey {
  readonly upstream: string;
  readonly atMs: number;
}

export interface StoredProxy extends ProxyKey {
  readonly upstream: string;
  readonly lastSeenMs: number;
  readonly ended: boolean;
  readonly policies: Mark | null;
  readonly restrictions: Mark | null;
  readonly sinceMs: number | null;
}

/** Connect counters that may arrive out of order: proxies of one host draw them at once and connect when they can. */
const COUNTER_WINDOW = 256;
/** About a year of a large fleet; the oldest go first. */
const MAX_INTERVALS = 2_000_000;
const MAX_PROXIES = 200_000;
/** Growth is looked at once in so many flushes. */
const FLUSHES_PER_PRUNING = 1000;
const SCHEMA_VERSION = 1;

/** Opens or creates the ledger; throws where the file cannot be used. `:memory:` is one that is forgotten. */
export function openLedger(path: string): Ledger {
  const db = new Database(path);
  prepare(db);
  const statements = statementsOn(db);
  const counters = new Map<string, Counter>();
  const pending: (() => void)[] = [];
  const intervals = makeIntervals(statements, pending);
  let flushes = 0;
  /** Asked for with every change that operators watch; it changes only when a proxy comes or goes. */
  let stored: readonly StoredProxy[] | null = null;

  function flush(): void {
    if (pending.length === 0) return;
    const work = pending.splice(0);
    db.transaction(() => {
      for (const write of work) write();
      flushes += 1;
      if (flushes % FLUSHES_PER_PRUNING === 0) {
        statements.pruneIntervals.run(MAX_INTERVALS);
        statements.pruneProxies.run(MAX_PROXIES);
      }
    })();
  }

  return {
    seen: (proxy) => {
      pending.push(() => statements.see.run(proxy));
      stored = null;
    },
    holds: intervals.holds,
    gone: (key, nowMs, ended) => {
      intervals.end(key);
      stored = null;
      pending.push(() => statements.leave.run({ ...key, nowMs, ended: ended ? 1 : 0 }));
    },
    takeCounter: (host, counter, nowMs) => {
      const known = counters.get(host) ?? readCounter(statements, host);
      const taken = takeCounter(known, counter, nowMs);
      counters.set(host, taken.counter);
      pending.push(() => statements.count.run({ host, ...taken.counter, seen: JSON.stringify(taken.counter.seen) }));
      return taken.repeated;
    },
    copied: (host) => (counters.get(host) ?? readCounter(statements, host)).copiedAtMs !== null,
    proxies: () => {
      if (stored !== null) return stored;
      flush();
      stored = (statements.proxies.all() as StoredRow[]).map(storedProxy);
      return stored;
    },
    enforced: ({ host, server, fromMs, toMs, limit }) => {
      flush();
      return (statements.enforced.all({ host: host ?? null, server: server ?? null, fromMs, toMs, limit }) as EnforcedRow[]).map(({ sameAfter, ...row }) => ({ ...row, sameAfter: sameAfter === 1 }));
    },
    flush,
    close: () => {
      flush();
      db.close();
    },
  };
}

/** What each connected proxy holds, and since when; every change of contents begins a row. */
function makeIntervals(statements: Statements, pending: (() => void)[]) {
  const open = new Map<string, OpenInterval>();

  const extend = (interval: OpenInterval, toMs: number): void => {
    interval.toMs = Math.max(interval.toMs, toMs);
    if (interval.touched) return;
    interval.touched = true;
    pending.push(() => {
      interval.touched = false;
      statements.extend.run({ id: interval.id ?? 0, toMs: interval.toMs });
    });
  };

  function holds(key: ProxyKey, held: { readonly policies: Mark; readonly restrictions: Mark }, nowMs: number, offeredMs = 0): boolean {
    const name = keyText(key);
    const current = open.get(name);
    const digests = `${held.policies.digest} ${held.restrictions.digest}`;
    if (current?.digests === digests) {
      extend(current, nowMs);
      return false;
    }
    if (current !== undefined && offeredMs > current.toMs) extend(current, Math.min(offeredMs, nowMs));
    const next: OpenInterval = { digests, id: null, toMs: nowMs, touched: false };
    open.set(name, next);
    pending.push(() => {
      const row = { ...key, pv: held.policies.version, pd: held.policies.digest, rv: held.restrictions.version, rd: held.restrictions.digest, fromMs: nowMs, toMs: next.toMs };
      next.id = Number(statements.begin.run(row).lastInsertRowid);
    });
    return true;
  }

  return { holds, end: (key: ProxyKey): void => void open.delete(keyText(key)) };
}

interface OpenInterval {
  readonly digests: string;
  id: number | null;
  toMs: number;
  touched: boolean;
}

interface Counter {
  readonly highest: number;
  /** Counters in the window below the highest that were used. */
  readonly seen: readonly number[];
  readonly copiedAtMs: number | null;
}

function takeCounter(known: Counter, counter: number, nowMs: number): { readonly counter: Counter; readonly repeated: boolean } {
  const repeated = counter <= known.highest - COUNTER_WINDOW || known.seen.includes(counter);
  if (repeated) return { repeated, counter: { ...known, copiedAtMs: known.copiedAtMs ?? nowMs } };
  const highest = Math.max(known.highest, counter);
  const seen = [...known.seen, counter].filter((used) => used > highest - COUNTER_WINDOW);
  return { repeated, counter: { ...known, highest, seen } };
}

function readCounter(statements: Statements, host: string): Counter {
  const row = statements.counter.get(host) as { highest: number; seen: string; copiedAtMs: number | null } | undefined;
  if (row === undefined) return { highest: 0, seen: [], copiedAtMs: null };
  return { highest: row.highest, seen: JSON.parse(row.seen) as number[], copiedAtMs: row.copiedAtMs };
}

interface EnforcedRow extends Omit<Enforced, 'sameAfter'> {
  readonly sameAfter: number;
}

interface StoredRow extends ProxyKey {
  readonly upstream: string;
  readonly lastSeenMs: number;
  readonly ended: number;
  readonly pv: number | null;
  readonly pd: string | null;
  readonly rv: number | null;
  readonly rd: string | null;
  readonly fromMs: number | null;
  /** The last sign of life that its newest interval holds. */
  readonly toMs: number | null;
}

/** Of a plane that was killed nobody noted when its proxies went; their signs of life did, to the second. */
function storedProxy({ host, server, boot, upstream, lastSeenMs: noted, ended, pv, pd, rv, rd, fromMs, toMs }: StoredRow): StoredProxy {
  const lastSeenMs = Math.max(noted, toMs ?? noted);
  const mark = (version: number | null, digest: string | null): Mark | null => (version === null || digest === null ? null : { version, digest });
  return { host, server, boot, upstream, lastSeenMs, ended: ended === 1, policies: mark(pv, pd), restrictions: mark(rv, rd), sinceMs: fromMs };
}

function prepare(db: Database.Database): void {
  db.pragma('journal_mode = WAL');
  db.pragma('synchronous = NORMAL');
  const version = db.pragma('user_version', { simple: true });
  if (version === SCHEMA_VERSION) return addIndexes(db);
  if (version !== 0) throw new Error(`${db.name} was written by another version (schema ${String(version)}, this build knows ${SCHEMA_VERSION}): update portcullis, or move the file away`);
  db.exec(`
    CREATE TABLE proxies (
      host TEXT NOT NULL, server TEXT NOT NULL, boot TEXT NOT NULL, upstream TEXT NOT NULL, last_seen_ms INTEGER NOT NULL, ended INTEGER NOT NULL,
      PRIMARY KEY (host, server, boot)
    ) STRICT;
    CREATE TABLE intervals (
      id INTEGER PRIMARY KEY, host TEXT NOT NULL, server TEXT NOT NULL, boot TEXT NOT NULL,
      policies_version INTEGER NOT NULL, policies_digest TEXT NOT NULL, restrictions_version INTEGER NOT NULL, restrictions_digest TEXT NOT NULL,
      from_ms INTEGER NOT NULL, to_ms INTEGER NOT NULL
    ) STRICT;
    CREATE INDEX intervals_by_host ON intervals (host, server, from_ms);
    CREATE TABLE counters (host TEXT PRIMARY KEY, highest INTEGER NOT NULL, seen TEXT NOT NULL, copied_at_ms INTEGER) STRICT;
    PRAGMA user_version = ${SCHEMA_VERSION};
  `);
  addIndexes(db);
}

/** They change no meaning, so that a file without them gets them. */
function addIndexes(db: Database.Database): void {
  db.exec('CREATE INDEX IF NOT EXISTS intervals_by_boot ON intervals (host, server, boot, id, from_ms); CREATE INDEX IF NOT EXISTS intervals_by_time ON intervals (from_ms)');
}

type Statements = ReturnType<typeof statementsOn>;

function statementsOn(db: Database.Database) {
  return {
    see: db.prepare(
      `INSERT INTO proxies VALUES (@host, @server, @boot, @upstream, @atMs, 0)
       ON CONFLICT DO UPDATE SET upstream = excluded.upstream, last_seen_ms = excluded.last_seen_ms, ended = 0`,
    ),
    leave: db.prepare('UPDATE proxies SET last_seen_ms = @nowMs, ended = @ended WHERE host = @host AND server = @server AND boot = @boot'),
    begin: db.prepare(
      `INSERT INTO intervals (host, server, boot, policies_version, policies_digest, restrictions_version, restrictions_digest, from_ms, to_ms)
       VALUES (@host, @server, @boot, @pv, @pd, @rv, @rd, @fromMs, @toMs)`,
    ),
    extend: db.prepare('UPDATE intervals SET to_ms = @toMs WHERE id = @id'),
    counter: db.prepare('SELECT highest, seen, copied_at_ms AS copiedAtMs FROM counters WHERE host = ?'),
    count: db.prepare(
      `INSERT INTO counters VALUES (@host, @highest, @seen, @copiedAtMs)
       ON CONFLICT DO UPDATE SET highest = excluded.highest, seen = excluded.seen, copied_at_ms = excluded.copied_at_ms`,
    ),
    proxies: db.prepare(
      `SELECT p.host, p.server, p.boot, p.upstream, max(p.last_seen_ms) AS lastSeenMs, p.ended,
         i.policies_version AS pv, i.policies_digest AS pd, i.restrictions_version AS rv, i.restrictions_digest AS rd, i.from_ms AS fromMs, i.to_ms AS toMs
       FROM proxies p LEFT JOIN intervals i ON i.id = (SELECT max(id) FROM intervals WHERE host = p.host AND server = p.server AND boot = p.boot)
       GROUP BY p.host, p.server ORDER BY p.host, p.server`,
    ),
    enforced: db.prepare(
      `SELECT host, server, boot, policiesVersion, policiesDigest, restrictionsVersion, restrictionsDigest, fromMs, toMs, notBeforeMs,
         coalesce(nextMs, endedMs, otherMs) AS notAfterMs, coalesce(nextSame, endedMs IS NOT NULL) AS sameAfter
       FROM (
         SELECT id, host, server, boot, policies_version AS policiesVersion, policies_digest AS policiesDigest, restrictions_version AS restrictionsVersion,
           restrictions_digest AS restrictionsDigest, from_ms AS fromMs, to_ms AS toMs,
           (SELECT b.to_ms FROM intervals b WHERE b.host = a.host AND b.server = a.server AND b.boot = a.boot AND b.id < a.id ORDER BY b.id DESC LIMIT 1) AS notBeforeMs,
           (SELECT b.policies_digest = a.policies_digest AND b.restrictions_digest = a.restrictions_digest
            FROM intervals b WHERE b.host = a.host AND b.server = a.server AND b.boot = a.boot AND b.id < a.id ORDER BY b.id DESC LIMIT 1) AS previousSame,
           (SELECT b.from_ms FROM intervals b WHERE b.host = a.host AND b.server = a.server AND b.boot = a.boot AND b.id > a.id ORDER BY b.id LIMIT 1) AS nextMs,
           (SELECT b.policies_digest = a.policies_digest AND b.restrictions_digest = a.restrictions_digest
            FROM intervals b WHERE b.host = a.host AND b.server = a.server AND b.boot = a.boot AND b.id > a.id ORDER BY b.id LIMIT 1) AS nextSame,
           (SELECT p.last_seen_ms FROM proxies p WHERE p.host = a.host AND p.server = a.server AND p.boot = a.boot AND p.ended = 1) AS endedMs,
           (SELECT min(c.from_ms) FROM intervals c WHERE c.host = a.host AND c.server = a.server AND c.from_ms > a.to_ms AND c.boot <> a.boot) AS otherMs
         FROM intervals a
         WHERE (@host IS NULL OR host = @host) AND (@server IS NULL OR server = @server)
           AND id IN (SELECT id FROM intervals WHERE from_ms > @fromMs AND from_ms <= @toMs + ${linkLimits.SILENCE_MS}
                      UNION ALL SELECT max(id) FROM intervals WHERE from_ms <= @fromMs AND (@host IS NULL OR host = @host) GROUP BY host, server, boot)
       )
       WHERE CASE WHEN notBeforeMs IS NULL OR previousSame THEN fromMs ELSE max(notBeforeMs, fromMs - ${linkLimits.SILENCE_MS}) END <= @toMs AND (coalesce(nextMs, endedMs, otherMs) IS NULL OR max(toMs, coalesce(nextMs, endedMs, otherMs)) >= @fromMs)
       ORDER BY fromMs DESC, id DESC LIMIT @limit`,
    ),
    pruneIntervals: db.prepare('DELETE FROM intervals WHERE id <= (SELECT max(id) FROM intervals) - ?'),
    pruneProxies: db.prepare('DELETE FROM proxies WHERE rowid IN (SELECT rowid FROM proxies ORDER BY last_seen_ms DESC LIMIT -1 OFFSET ?)'),
  };
}

function keyText({ host, server, boot }: ProxyKey): string {
  return JSON.stringify([host, server, boot]);
}

/** The API over a real plane in a directory of its own; only the fleet, the clock and the watcher are pretended. */
import { createHash, randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import Database from 'better-sqlite3';
import { proveIdentity } from '@portcullis/policy-core';
import { createApi } from '../../apps/control-plane/src/api/api.ts';
import { makeToken } from '../../apps/control-plane/src/api/operator-token.ts';
import { createWriteBack } from '../../apps/control-plane/src/api/write-back.ts';
import type { Api } from '../../apps/control-plane/src/api/parts.ts';
import type { DecisionStore, StoredDecision } from '../../apps/control-plane/src/decisions/decisions.ts';
import { ROLES } from '../../apps/control-plane/src/domain/events.ts';
import type { Role } from '../../apps/control-plane/src/domain/events.ts';
import type { Fleet, Progress, ProxyView, TurnedAway } from '../../apps/control-plane/src/fleet/fleet.ts';
import { openPlane } from '../../apps/control-plane/src/plane.ts';
import type { Plane } from '../../apps/control-plane/src/plane.ts';
import { createPublisher } from '../../apps/control-plane/src/publish.ts';
import type { OfferedFile, WatchStatus } from '../../packages/policy-files/src/watch.ts';

export interface ApiWorld {
  readonly api: Api;
  readonly plane: Plane;
  readonly policies: string;
  readonly tokens: Readonly<Record<Role, string>>;
  readonly fleet: FakeFleet;
  readonly decisions: FakeDecisions;
  watch: WatchStatus;
  now: number;
  readonly complaints: string[];
  /** Writes files (null = deletes) and publishes the directory. */
  save(files: Readonly<Record<string, string | null>>): Promise<void>;
  /** A request with a role's token; a body makes it JSON. */
  ask(role: Role | null, method: string, path: string, body?: unknown, headers?: Readonly<Record<string, string>>): Promise<Answer>;
  /** Another program begins to write into log.db, and is in no hurry. */
  holdLog(): { release(): void };
  close(): void;
}

export interface Answer {
  readonly status: number;
  readonly body: Record<string, unknown>;
  readonly headers: Headers;
}

export interface FakeFleet extends Fleet {
  views: readonly ProxyView[];
  refused: readonly TurnedAway[];
  enforcing: number;
  wanted: number;
  notReached: Progress['notReached'];
  changed(): void;
}

export interface FakeDecisions extends DecisionStore {
  rows: StoredDecision[];
  arrive(rows: readonly StoredDecision[]): void;
}

/** Where the tests' plane says that it listens. */
export const API_URL = 'http://127.0.0.1:7420';
/** When the tests' clock begins. */
const START = Date.UTC(2026, 0, 5, 12);

export function openApi(): ApiWorld {
  const directory = mkdtempSync(join(tmpdir(), 'portcullis-api-'));
  const policies = join(directory, 'policies');
  mkdirSync(policies);
  const opened = openPlane({ dataDir: join(directory, 'data'), now: () => START });
  if (!opened.ok) throw new Error(opened.problem);
  const { plane, keys } = opened;
  const files = new Map<string, OfferedFile>();
  const publisher = createPublisher({ plane, removals: 'wait', git: () => Promise.resolve(null), now: () => world.now, onPublished: () => undefined, onBug: (error) => world.complaints.push(String(error)) });
  const complaints: string[] = [];
  const fleet = fakeFleet();
  const decisions = fakeDecisions();
  const tokens = {} as Record<Role, string>;
  const world: ApiWorld = {
    plane, policies, tokens, fleet, decisions, complaints,
    now: START,
    watch: { state: 'watching', since: 0, lastScanAt: START, documents: 0, unsettled: 0, hints: true },
    api: createApi({
      plane, fleet, decisions,
      watch: () => world.watch,
      directory: policies,
      writeBack: createWriteBack(policies, plane),
      hostNames: new Set(['localhost']),
      localTokens: new Set(),
      identify: (nonce) => proveIdentity(keys.sign, { log: plane.state().log, nonce, url: API_URL }, plane.state().rotations),
      join: (body) => ({ ok: true, body: { joined: body } }),
      startedAtMs: 0,
      now: () => world.now,
      random: randomBytes,
      complain: (text) => complaints.push(text),
    }),
    save: async (changes) => {
      for (const [id, text] of Object.entries(changes)) {
        const path = join(policies, id);
        if (text === null) {
          rmSync(path, { force: true });
          files.delete(id);
          continue;
        }
        const bytes = Buffer.from(text);
        mkdirSync(dirname(path), { recursive: true });
        writeFileSync(path, bytes);
        files.set(id, { kind: 'content', bytes, sha256: createHash('sha256').update(bytes).digest('hex') });
      }
      publisher.publish({ at: world.now, settledFor: 0, documents: new Map(files), changed: new Set(), removed: new Set(), unlisted: new Map() });
      await publisher.idle();
    },
    ask: async (role, method, path, body, headers = {}) => {
      const response = await world.api.request(path, {
        method,
        headers: { ...(role === null ? {} : { authorization: `Bearer ${tokens[role]}` }), ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
        ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
      });
      return { status: response.status, headers: response.headers, body: (await response.json()) as Record<string, unknown> };
    },
    holdLog: () => {
      const db = new Database(join(directory, 'data', 'log.db'));
      db.exec('BEGIN IMMEDIATE');
      return { release: () => void db.close() };
    },
    close: () => {
      plane.close();
      rmSync(directory, { recursive: true, force: true });
    },
  };
  for (const role of ROLES) {
    const made = makeToken(randomBytes);
    tokens[role] = made.text;
    plane.execute(
      { kind: 'create-operator-token', token: made.id, secretSha256: made.secretSha256, name: `the ${role}`, role },
      { nowMs: world.now, actor: { kind: 'plane', id: 'plane' }, auth: { method: 'none', ref: null }, reason: null, idem: null, cause: null },
    );
  }
  return world;
}

function fakeFleet(): FakeFleet {
  const listeners = new Set<() => void>();
  const fleet: FakeFleet = {
    views: [],
    refused: [],
    enforcing: 0,
    wanted: 0,
    notReached: [],
    proxies: () => fleet.views,
    progress: (version): Progress => ({ version, wanted: fleet.wanted, enforcing: fleet.enforcing, tookMs: [], missing: [], notReached: fleet.notReached }),
    turnedAway: () => fleet.refused,
    enforced: () => [],
    onChange: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    changed: () => {
      for (const listener of listeners) listener();
    },
  };
  return fleet;
}

function fakeDecisions(): FakeDecisions {
  const listeners = new Set<(rows: readonly StoredDecision[]) => void>();
  const store: FakeDecisions = {
    rows: [],
    ingest: () => undefined,
    boots: () => [],
    lost: () => 0,
    query: ({ limit, before = Infinity, tool }) => store.rows.filter((row) => row.id < before && (tool === undefined || row.name === tool)).slice(0, limit),
    onIngested: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    close: () => undefined,
    arrive: (rows) => {
      for (const listener of listeners) listener(rows);
    },
  };
  return store;
}

export function proxyView(changes: Partial<ProxyView> = {}): ProxyView {
  return { host: 'h1', hostName: 'one', labels: {}, server: 'files', upstream: 'npx files', boot: 'b', connected: true, state: 'current', policies: null, restrictions: null, since: null, lastSeen: 0, problems: [], inFlight: 0, ...changes };
}

export function decisionRow(id: number, changes: Partial<StoredDecision> = {}): StoredDecision {
  return {
    id, host: 'h1', server: 'files', boot: 'b', n: id, atMs: 0, kind: 'tool', name: 'read', decision: 'allow', reason: 'allowed', rule: null, message: null, sources: [], observed: [],
    policiesVersion: 1, restrictionsVersion: 1, freshness: 'fresh', argumentsHmac: null, client: null, ...changes,
  };
}

/** What operators' programs rely on, over HTTP with a real plane: roles, keys that repeat nothing, expected versions, and the stream of events. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { leastRole, permits } from '../../apps/control-plane/src/api/permissions.ts';
import { ROLES } from '../../apps/control-plane/src/domain/events.ts';
import type { Role } from '../../apps/control-plane/src/domain/events.ts';
import { startPlane, type PlaneProcess } from '../world/plane.ts';
import { until } from '../world/process.ts';
import { MATRIX, ROUTES } from './permission-table.ts';
import { readEvents } from './server-sent.ts';

const ALLOW = 'version: "1"\n';
const DENY = 'version: "1"\ndefault: deny\n';
const GUARD = 'version: "1"\nmatch: { server: "*" }\nhide: [write_file]\n';

let directory: string;
let plane: PlaneProcess;
const tokens = new Map<Role, string>();

interface Answer {
  readonly status: number;
  readonly body: Readonly<Record<string, unknown>> & { readonly error?: { readonly code: string; readonly message: string }; readonly version?: number };
}

async function send(role: Role | null, method: string, path: string, body?: object, headers: Readonly<Record<string, string>> = {}): Promise<Answer> {
  const stop = new AbortController();
  const answer = await fetch(`${plane.url()}${path}`, {
    method,
    signal: stop.signal,
    headers: { ...(role === null ? {} : { authorization: `Bearer ${tokens.get(role) ?? ''}` }), ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const isStream = answer.headers.get('content-type')?.startsWith('text/event-stream') === true;
  const read = isStream ? {} : ((await answer.json()) as Answer['body']);
  if (isStream) stop.abort();
  return { status: answer.status, body: read };
}

const impose = (role: Role, body: object, key: string): Promise<Answer> => send(role, 'POST', '/v1/restrictions', body, { 'idempotency-key': key });
const size = async (): Promise<number> => (await send('viewer', 'GET', '/v1/status')).body['size'] as number;
const head = async (): Promise<number> => (await send('viewer', 'GET', '/v1/status')).body.version ?? -1;

async function published(files: Readonly<Record<string, string>>): Promise<number> {
  const before = await head();
  for (const [id, text] of Object.entries(files)) plane.save(id, text);
  return until('the change', async () => ((await head()) > before ? head() : undefined));
}

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'portcullis-operators-'));
  plane = await startPlane(directory);
  for (const role of ROLES) tokens.set(role, ((await plane.ask('token', 'create', '--role', role, '--name', `the ${role}`, '--as', 'admin')) as { readonly token: string }).token);
});
afterAll(async () => {
  await plane.stop();
  rmSync(directory, { recursive: true, force: true });
});

describe('who may do what', () => {
  it('[O1] is, for every route that the served description names and every role, what the one table says', async () => {
    const { body } = await send(null, 'GET', '/v1/openapi.json');
    const described = Object.entries(body['paths'] as Readonly<Record<string, object>>).flatMap(([path, methods]) => Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`));
    expect(described.sort()).toEqual(Object.keys(ROUTES).sort());
    let refused = 0;
    for (const [route, action] of Object.entries(ROUTES)) {
      const [method = '', path = ''] = route.split(' ');
      const ask = (role: Role | null) => send(role, method, path.replace('{version}', '0').replace('{id}', 'nothing'), method === 'GET' ? undefined : {});
      expect((await ask(null)).status, route).toBe(401);
      for (const role of ROLES) {
        const before = await size();
        const { status, body: said } = await ask(role);
        if (MATRIX[action].includes(role)) {
          expect([401, 403, 500], `${role}: ${route}`).not.toContain(status);
          continue;
        }
        expect(permits(role, action)).toBe(false);
        expect([status, said.error?.code, said.error?.message], `${role}: ${route}`).toEqual([403, 'forbidden', expect.stringContaining(leastRole(action)) as string]);
        expect(await size(), `${role}: ${route} records nothing`).toBe(before);
        refused++;
      }
    }
    expect(refused).toBeGreaterThan(30);
  });

  it('[O1] knows a token no more once it was revoked, without a restart, and after one', async () => {
    const made = (await send('admin', 'POST', '/v1/tokens', { name: 'ada', role: 'admin' })).body as unknown as { readonly id: string; readonly token: string };
    const asAda = () => fetch(`${plane.url()}/v1/status`, { headers: { authorization: `Bearer ${made.token}` } }).then(({ status }) => status);
    expect(await asAda()).toBe(200);
    await send('admin', 'POST', `/v1/tokens/${made.id}/revoke`, {});
    expect(await asAda()).toBe(401);
    await plane.kill9();
    await plane.startAgain();
    expect(await asAda()).toBe(401);
    // What rests on disk is a hash: the secret is nowhere in the data directory.
    const secret = Buffer.from(made.token.split('_')[2] ?? '');
    for (const file of ['log.db', 'log.db-wal']) expect(readFileSync(join(directory, 'data', file)).includes(secret), file).toBe(false);
  });
});

describe('asking twice', () => {
  it('[L6] under one key records once, also after a crash; each actor has keys of its own; another command is refused', async () => {
    const first = await impose('responder', { reason: 'incident', tools: ['a'], ttlMs: 600_000 }, 'k1');
    expect(first).toMatchObject({ status: 200, body: { replayed: false } });
    await plane.kill9();
    await plane.startAgain();
    const recorded = await size();
    expect(await impose('responder', { reason: 'incident', tools: ['a'], ttlMs: 600_000 }, 'k1')).toMatchObject({ status: 200, body: { replayed: true, version: first.body.version } });
    expect(await impose('responder', { reason: 'incident', tools: ['b'], ttlMs: 600_000 }, 'k1')).toMatchObject({ status: 409, body: { error: { code: 'idempotency-conflict' } } });
    expect(await size()).toBe(recorded);
    expect(await impose('editor', { reason: 'incident', tools: ['c'] }, 'k1')).toMatchObject({ status: 200, body: { replayed: false } });
  });

  it('[L6] at the same time, many times, records once', async () => {
    const before = await size();
    const answers = await Promise.all(Array.from({ length: 20 }, () => impose('responder', { reason: 'all at once', tools: ['d'] }, 'k2')));
    expect(new Set(answers.map(({ status, body }) => `${status} ${String(body.version)}`)).size).toBe(1);
    expect(answers.filter(({ body }) => body['replayed'] === false)).toHaveLength(1);
    expect(await size()).toBe(before + 1);
  });
});

describe('an expected version', () => {
  const stale = { status: 409, body: { error: { code: 'expected-version' } } };

  it('refuses to roll back, lift, release and confirm what was decided on another head, and records nothing', async () => {
    const good = await published({ 'files.yaml': ALLOW, 'guard.yaml': GUARD });
    await published({ 'files.yaml': DENY });
    const { body } = await impose('responder', { reason: 'x', tools: ['e'] }, 'k3');
    const { id } = body['restriction'] as { readonly id: string };
    const now = await head();
    const before = await size();
    expect(await send('editor', 'POST', '/v1/rollback', { to: good, expected: now - 1, reason: 'x' })).toMatchObject(stale);
    expect(await send('admin', 'POST', `/v1/restrictions/${id}/lift`, { expected: now + 1, reason: 'x' })).toMatchObject(stale);
    expect(await size()).toBe(before);
    expect(await send('admin', 'POST', `/v1/restrictions/${id}/lift`, { expected: now, reason: 'x' })).toMatchObject({ status: 200 });
    expect(await send('editor', 'POST', '/v1/rollback', { to: good, expected: await head(), reason: 'x' })).toMatchObject({ status: 200 });
    const release = (expected: number) => send('editor', 'POST', '/v1/holds/release', { policy: 'files.yaml', expected });
    expect(await release(now)).toMatchObject(stale);
    expect(await release(await head())).toMatchObject({ status: 200 });
    expect(await plane.operate('lift', 'r-0', '--reason', 'x', '--yes', '--expect', '0', '--as', 'admin')).toMatchObject({ code: 1 });
  });

  it('[F3] of a removal, too', async () => {
    rmSync(join(plane.policies, 'guard.yaml'));
    const change = await until('the removal to wait', async () => ((await send('viewer', 'GET', '/v1/changes')).body['changes'] as readonly { readonly change: string }[])[0]?.change);
    const confirm = (expected: number) => plane.operate('confirm', change, '--expect', String(expected), '--as', 'admin');
    expect(await confirm((await head()) - 1)).toMatchObject({ code: 1, stderr: expect.stringContaining('the head is version') as string });
    expect(await confirm(await head())).toMatchObject({ code: 0 });
  });
});

describe('the stream of events', () => {
  const read = (from: number, count: number, lastEventId?: number) => readEvents(`${plane.url()}/v1/events/stream${lastEventId === undefined ? `?from=${from}` : ''}`, tokens.get('viewer') ?? '', count, lastEventId);

  it('[L2] gives each event once, in order, from any seq on; and resumes after the last id, across a crash', async () => {
    const all = await read(0, await size());
    expect(all.map(({ id }) => id)).toEqual([...all.keys()]);
    for (const { id, event, data } of all) expect([data.seq, data.event.type]).toEqual([id, event]);
    // Readers that come in the middle, while others write, and one that was cut off by a crash.
    const last = all.at(-1)?.id ?? 0;
    const live = Promise.all([0, 1, 2].map((n) => read(0, 10, last - n).then((events) => events.map(({ id }) => id - (last - n)))));
    for (let n = 0; n < 10; n++) await impose('responder', { reason: 'r', tools: [`live${n}`] }, `live${n}`);
    for (const ids of await live) expect(ids).toEqual(Array.from({ length: ids.length }, (_, n) => n + 1));
    const cutOff = read(0, 1_000, last).catch(() => []);
    await plane.kill9();
    await cutOff;
    await plane.startAgain();
    const ahead = await size();
    const waiting = read(0, 3, ahead - 2);
    await impose('responder', { reason: 'r', tools: ['after'] }, 'after1');
    await impose('responder', { reason: 'r', tools: ['after2'] }, 'after2');
    expect((await waiting).slice(0, 3).map(({ id }) => id)).toEqual([ahead - 1, ahead, ahead + 1]);
  });

  it('waits for the next event, and refuses a place beyond it', async () => {
    const next = await size();
    expect((await send('viewer', 'GET', `/v1/events/stream?from=${next + 1}`)).status).toBe(404);
    const future = read(next, 2);
    await impose('responder', { reason: 'r', tools: ['f1'] }, 'f1');
    await impose('responder', { reason: 'r', tools: ['f2'] }, 'f2');
    expect((await future).map(({ id }) => id)).toEqual([next, next + 1]);
  });
});

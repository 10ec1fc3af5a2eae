/** Every route over a real plane: what it takes, answers and refuses. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { decisionRow, openApi, proxyView } from '../../../../test/api/open-api.ts';
import type { ApiWorld } from '../../../../test/api/open-api.ts';
import { ROUTES } from '../../../../test/api/permission-table.ts';
import { ROLES } from '../domain/events.ts';
import { permits } from './permissions.ts';

let world: ApiWorld;

/** A plane for each test, or one for all tests of a block that changes nothing that matters to the next. */
function freshPlane(once: 'each test' | 'all tests'): void {
  const [before, after] = once === 'each test' ? [beforeEach, afterEach] : [beforeAll, afterAll];
  before(() => {
    world = openApi();
  });
  after(() => world.close());
}

const ALLOW = 'version: "1"\n';
const DENY = 'version: "1"\ndefault: deny\n';
const GUARD = 'version: "1"\nmatch: { server: "*" }\nhide: [write_file]\n';

describe('who may ask what', () => {
  freshPlane('all tests');

  it('[O1] declares exactly the routes of the matrix in the OpenAPI document', async () => {
    const { body } = await world.ask(null, 'GET', '/v1/openapi.json');
    const declared = Object.entries(body['paths'] as Record<string, object>).flatMap(([path, methods]) => Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`));
    expect(declared.sort()).toEqual(Object.keys(ROUTES).sort());
  });

  for (const [route, action] of Object.entries(ROUTES)) {
    const [method = '', path = ''] = route.split(' ');
    const url = path.replace('{version}', '0').replace('{id}', 'nothing');
    it(`[O1] ${route} needs ${action}`, async () => {
      const unknown = await world.ask(null, method, url);
      expect(unknown.status).toBe(401);
      for (const role of ROLES) {
        const response = await world.api.request(url, { method, headers: { authorization: `Bearer ${world.tokens[role]}`, ...(method === 'GET' ? {} : { 'content-type': 'application/json' }) }, ...(method === 'GET' ? {} : { body: '{}' }) });
        await response.body?.cancel();
        if (permits(role, action)) expect([401, 403], role).not.toContain(response.status);
        else expect(response.status, role).toBe(403);
      }
    });
  }

  it('[O3] answers every wrong token alike', async () => {
    const admin = world.tokens.admin;
    const wrong = ['', 'Bearer', 'Bearer x', `Bearer ${admin.slice(0, -1)}${admin.endsWith('0') ? '1' : '0'}`, `Bearer ${world.tokens.viewer.slice(0, 22)}${admin.slice(22)}`, `Basic ${admin}`, `Bearer ${admin} x`];
    const answers = await Promise.all(wrong.map((authorization) => world.ask(null, 'GET', '/v1/status', undefined, { authorization })));
    for (const answer of answers) {
      expect(answer.status).toBe(401);
      expect(answer.body).toEqual(answers[0]?.body);
    }
  });

  it('forgets a revoked token at once', async () => {
    const { body } = await world.ask('admin', 'POST', '/v1/tokens', { name: 'ada', role: 'viewer' });
    const authorization = `Bearer ${String(body['token'])}`;
    expect((await world.ask(null, 'GET', '/v1/status', undefined, { authorization })).status).toBe(200);
    expect((await world.ask('admin', 'POST', `/v1/tokens/${String(body['id'])}/revoke`, {})).status).toBe(200);
    expect((await world.ask(null, 'GET', '/v1/status', undefined, { authorization })).status).toBe(401);
  });

  it('keeps secrets and their hashes out of every answer', async () => {
    await world.ask('admin', 'POST', '/v1/join-tokens', {});
    for (const path of ['/v1/tokens', '/v1/join-tokens', '/v1/log', '/v1/status']) {
      expect(JSON.stringify((await world.ask('admin', 'GET', path)).body)).not.toContain('secretSha256');
    }
  });
});

describe('what is refused before any route', () => {
  freshPlane('all tests');

  it('[O2] another host name, on every path', async () => {
    for (const path of ['/v1/status', '/healthz', '/v1/join', '/nowhere']) {
      for (const host of ['evil.example', 'localhost.evil.example', '10.0.0.1:7420', '']) {
        const answer = await world.ask('admin', 'GET', path, undefined, { host });
        expect(answer.status, `${path} ${host}`).toBe(421);
      }
    }
    expect((await world.ask('admin', 'GET', '/v1/status', undefined, { host: 'LOCALHOST:1234' })).status).toBe(200);
    expect((await world.api.request('http://evil.example/healthz', { headers: { host: 'localhost' } })).status).toBe(421);
  });

  it('[O2] web pages that would change something', async () => {
    for (const origin of ['https://evil.example', 'http://localhost:7420', 'null']) {
      expect((await world.ask('admin', 'POST', '/v1/restrictions', { reason: 'x' }, { origin })).status).toBe(403);
      expect((await world.ask('admin', 'DELETE', '/v1/status', undefined, { origin })).status).toBe(403);
    }
    expect(world.plane.state().restrictions.size).toBe(0);
    const preflight = await world.api.request('/v1/status', { method: 'OPTIONS', headers: { origin: 'https://evil.example', 'access-control-request-method': 'POST' } });
    expect(preflight.headers.get('access-control-allow-origin')).toBeNull();
  });

  it('[O3] bodies that are too large, no JSON, ambiguous, or of another type', async () => {
    const cases: readonly (readonly [body: string, type: string, status: number])[] = [
      [`{"reason":"${'x'.repeat(70_000)}"}`, 'application/json', 413],
      ['{"reason":', 'application/json', 400],
      ['{"reason":"a","reason":"b"}', 'application/json', 400],
      [`${'['.repeat(1000)}${']'.repeat(1000)}`, 'application/json', 400],
      ['{"reason":"a"}', 'text/plain', 415],
      ['reason=a', 'application/x-www-form-urlencoded', 415],
      ['{"reason":"a","surprise":1}', 'application/json', 400],
      ['{"__proto__":{"reason":"a"}}', 'application/json', 400],
      ['[]', 'application/json', 400],
      ['null', 'application/json', 400],
      ['{"reason":" "}', 'application/json', 400],
      ['{"reason":"a","labels":{"__proto__":["x"]}}', 'application/json', 400],
      ['{"reason":"a","ttlMs":1e300}', 'application/json', 400],
      ['', 'application/json', 400],
    ];
    for (const [body, type, status] of cases) {
      const answer = await world.ask('admin', 'POST', '/v1/restrictions', body, { 'content-type': type });
      expect(answer.status, body.slice(0, 60)).toBe(status);
      expect(Object.keys(answer.body)).toEqual(['error']);
    }
    const latin = await world.api.request('/v1/restrictions', { method: 'POST', headers: { authorization: `Bearer ${world.tokens.admin}`, 'content-type': 'application/json' }, body: Buffer.from([0x7b, 0xff, 0x7d]) });
    expect(latin.status).toBe(400);
    expect(world.plane.state().restrictions.size).toBe(0);
  });

  it('[O3] who brings no token, before any of the body is read; and who is revoked while it comes', async () => {
    let pulled = 0;
    const endless = () => new ReadableStream<Uint8Array>({ pull: (controller) => { pulled += 1; controller.enqueue(Buffer.from('{')); } }, { highWaterMark: 0 });
    const post = (authorization: string, body: ReadableStream<Uint8Array>) =>
      world.api.request('/v1/restrictions', { method: 'POST', headers: { authorization, 'content-type': 'application/json' }, body, duplex: 'half' });
    expect((await post('Bearer nobody', endless())).status).toBe(401);
    expect(pulled).toBe(0);
    expect((await world.ask(null, 'POST', '/v1/restrictions', 'x'.repeat(70_000))).status).toBe(401);
    expect((await post(`Bearer ${world.tokens.admin}`, endless())).status).toBe(413);

    const { body: made } = await world.ask('admin', 'POST', '/v1/tokens', { name: 'soon gone', role: 'responder' });
    let asked: () => void = () => undefined;
    const reading = new Promise<void>((resolve) => (asked = resolve));
    let send: (text: string) => void = () => undefined;
    const slow = new ReadableStream<Uint8Array>({
      pull: (controller) => new Promise((resolve) => {
        send = (text) => { controller.enqueue(Buffer.from(text)); controller.close(); resolve(); };
        asked();
      }),
    }, { highWaterMark: 0 });
    const answered = post(`Bearer ${String(made['token'])}`, slow);
    await reading;
    await world.ask('admin', 'POST', `/v1/tokens/${String(made['id'])}/revoke`, {});
    send('{"reason":"late"}');
    expect((await answered).status).toBe(401);
    expect(world.plane.state().restrictions.size).toBe(0);
  });

  it('[O3] never shows a stack, and says it to the operator of the plane', async () => {
    const intact = Object.getOwnPropertyDescriptor(world.fleet, 'proxies')!;
    Object.assign(world.fleet, { proxies: () => { throw new Error('boom at secret place'); } });
    const answer = await world.ask('admin', 'GET', '/v1/proxies');
    Object.defineProperty(world.fleet, 'proxies', intact);
    expect(answer.status).toBe(500);
    expect(JSON.stringify(answer.body)).not.toContain('boom');
    expect(world.complaints.join()).toContain('boom');
  });

  it('[O3] names what is not there', async () => {
    expect((await world.ask('admin', 'GET', '/v1/nowhere')).status).toBe(404);
    expect((await world.ask('viewer', 'GET', '/v1/versions/999')).body).toMatchObject({ error: { code: 'not-found' } });
    expect((await world.ask('viewer', 'GET', '/v1/versions/-1')).status).toBe(400);
    expect((await world.ask('viewer', 'GET', '/v1/wait?version=999')).status).toBe(404);
    expect((await world.ask('admin', 'POST', '/v1/restrictions/r-9/lift', { reason: 'x' })).status).toBe(404);
  });
});

describe('how things are', () => {
  freshPlane('each test');

  it('shows policies, problems with their places, waiting removals and restrictions', async () => {
    await world.save({ 'files.yaml': ALLOW, 'guard.yaml': GUARD });
    await world.save({ 'files.yaml': 'version: "1"\nrulez: 1\n', 'guard.yaml': null });
    await world.ask('responder', 'POST', '/v1/restrictions', { reason: 'drill', tools: ['write_*'], server: ['files'] });
    const { body } = await world.ask('viewer', 'GET', '/v1/status');
    expect(body).toMatchObject({
      policies: [{ policy: 'files.yaml' }, { policy: 'guard.yaml' }],
      problems: [{ file: 'files.yaml', line: 2, code: 'UNKNOWN_KEY' }],
      pendingRemovals: [{ removes: ['guard.yaml'] }],
      restrictions: [{ scope: { kind: 'tools', globs: ['write_*'] }, reason: 'drill' }],
      watch: { state: 'watching' },
    });
  });

  it('is ready only while the watcher looks', async () => {
    expect((await world.ask(null, 'GET', '/healthz')).status).toBe(200);
    expect((await world.ask(null, 'GET', '/readyz')).status).toBe(200);
    world.now += 60_000;
    expect((await world.ask(null, 'GET', '/readyz')).status).toBe(503);
    world.watch = { ...world.watch, state: 'failed', problem: { code: 'DIRECTORY_MISSING', directory: '/x', message: 'it is gone' } };
    expect(JSON.stringify((await world.ask(null, 'GET', '/readyz')).body)).toContain('it is gone');
  });

  it('waits until a version is enforced, and tells each step', async () => {
    Object.assign(world.fleet, { wanted: 2, enforcing: 0 });
    const waiting = world.ask('viewer', 'GET', '/v1/wait?version=0&seen=0&timeoutMs=5000');
    world.fleet.enforcing = 1;
    setTimeout(() => world.fleet.changed(), 10);
    expect((await waiting).body).toMatchObject({ enforcing: 1, wanted: 2 });
    const began = performance.now();
    expect((await world.ask('viewer', 'GET', '/v1/wait?version=0&seen=1&timeoutMs=50')).body).toMatchObject({ enforcing: 1 });
    expect(performance.now() - began).toBeGreaterThan(45);
    Object.assign(world.fleet, { wanted: 0, enforcing: 0, notReached: [{ host: 'h', hostName: 'h', server: 's', lastSeen: 0 }] });
    const empty = performance.now();
    await world.ask('viewer', 'GET', '/v1/wait?version=0&timeoutMs=50');
    expect(performance.now() - empty, 'nobody connected is not everybody').toBeGreaterThan(45);
    Object.assign(world.fleet, { wanted: 2, enforcing: 2 });
    expect((await world.ask('viewer', 'GET', '/v1/wait?version=0')).body).toMatchObject({ enforcing: 2 });
  });
});

describe('the past', () => {
  freshPlane('each test');

  it('pages through the log without gap or repetition', async () => {
    for (let n = 0; n < 12; n += 1) await world.ask('responder', 'POST', '/v1/restrictions', { reason: `drill ${n}`, server: [`s${n}`] });
    const seqs: number[] = [];
    for (let before = ''; ; ) {
      const { body } = await world.ask('viewer', 'GET', `/v1/log?limit=5${before}`);
      seqs.push(...(body['events'] as { seq: number }[]).map((event) => event.seq));
      if (body['next'] === null) break;
      before = `&before=${JSON.stringify(body['next'])}`;
    }
    expect(seqs).toEqual(Array.from({ length: world.plane.state().size }, (_, n) => world.plane.state().size - 1 - n));
    const only = await world.ask('viewer', 'GET', '/v1/log?types=RestrictionImposed&limit=1000');
    expect(only.body['events']).toHaveLength(12);
  });

  it('takes an actor by id, by the beginning of it and by name, and refuses what stands for several, and types that there are not', async () => {
    await world.ask('responder', 'POST', '/v1/restrictions', { reason: 'drill', server: ['s'] });
    const id = [...world.plane.state().operatorTokens.values()].find(({ role }) => role === 'responder')?.token ?? '';
    for (const actor of [id, id.slice(0, 10), 'the responder']) {
      const { body } = await world.ask('viewer', 'GET', `/v1/log?actor=${encodeURIComponent(actor)}`);
      expect(body['events'], actor).toMatchObject([{ event: { type: 'RestrictionImposed' } }]);
    }
    expect((await world.ask('viewer', 'GET', '/v1/log?actor=nobody')).body).toMatchObject({ error: { code: 'invalid', message: expect.stringContaining(`${id} (the responder)`) as string } });
    for (let n = 0; n < 2; n += 1) await world.ask('admin', 'POST', '/v1/tokens', { name: 'twin', role: 'viewer' });
    expect((await world.ask('viewer', 'GET', '/v1/log?actor=twin')).body).toMatchObject({ error: { code: 'invalid', message: expect.stringContaining('several') as string } });
    expect((await world.ask('viewer', 'GET', '/v1/log?types=RestrictionLifted,Restricted')).body).toMatchObject({ error: { code: 'invalid', message: expect.stringContaining('There is no event type "Restricted"') as string } });
  });

  it('shows what was in force at a version, resolves other seqs downwards and says so', async () => {
    await world.save({ 'files.yaml': ALLOW });
    const first = world.plane.state().version;
    await world.save({ 'files.yaml': DENY });
    await world.ask('admin', 'POST', '/v1/tokens', { name: 'later', role: 'viewer' });
    const text = async (version: number) => (await world.ask('viewer', 'GET', `/v1/versions/${version}/policy?id=files.yaml`)).body;
    expect((await text(first))['text']).toBe(ALLOW);
    expect(await text(world.plane.state().size - 1)).toMatchObject({ text: DENY, version: world.plane.state().version, note: expect.stringContaining('last version before') as string });
    const diff = await world.ask('viewer', 'GET', `/v1/diff?from=${first}&to=${world.plane.state().version}`);
    expect(diff.body['changes']).toMatchObject([{ policy: 'files.yaml', kind: 'changed', parts: [{ path: ['default'], before: 'allow', after: 'deny' }] }]);
    expect(JSON.stringify(diff.body['texts'])).toContain('+default: deny');
    const unchanged = await world.ask('viewer', 'GET', `/v1/diff?from=${first}&to=${first}`);
    expect(unchanged.body).toMatchObject({ changes: [], texts: [], imposed: [], ended: [] });
  });
});

describe('what operators decide', () => {
  freshPlane('each test');

  it('[L6] repeats a request with the same key once, and refuses another under it', async () => {
    const ask = (body: object) => world.ask('responder', 'POST', '/v1/restrictions', body, { 'idempotency-key': 'k-1' });
    const first = await ask({ reason: 'drill', ttlMs: 60_000 });
    world.now += 5_000;
    const second = await ask({ reason: 'drill', ttlMs: 60_000 });
    expect(second.body).toMatchObject({ replayed: true, version: first.body['version'] });
    expect(world.plane.state().restrictions.size).toBe(1);
    expect((await ask({ reason: 'drill', ttlMs: 61_000 })).body).toMatchObject({ error: { code: 'idempotency-conflict' } });
    expect((await world.ask('admin', 'POST', '/v1/tokens', { name: 'a', role: 'viewer' }, { 'idempotency-key': 'k-2' })).status).toBe(400);
    expect((await world.ask('responder', 'POST', '/v1/restrictions', { reason: 'x' }, { 'idempotency-key': 'x'.repeat(300) })).status).toBe(400);
  });

  it('restricts, says what lifting would open and what stays, and lifts', async () => {
    world.fleet.views = [proxyView(), proxyView({ server: 'github' }), proxyView({ labels: { env: 'prod' } })];
    const { body } = await world.ask('responder', 'POST', '/v1/restrictions', { reason: 'drill', server: ['files'] });
    const { id } = body['restriction'] as { id: string };
    await world.ask('responder', 'POST', '/v1/restrictions', { reason: 'also', labels: { env: ['pr*'] } });
    const opened = await world.ask('viewer', 'GET', `/v1/restrictions/${id}`);
    expect(opened.body['proxies']).toHaveLength(2);
    expect(opened.body['stays']).toMatchObject([{ reason: 'also' }]);
    expect((await world.ask('admin', 'POST', `/v1/restrictions/${id}/lift`, { reason: 'over', expected: 0 })).body).toMatchObject({ error: { code: 'expected-version' } });
    expect((await world.ask('admin', 'POST', `/v1/restrictions/${id}/lift`, { reason: 'over' })).status).toBe(200);
    expect((await world.ask('viewer', 'GET', '/v1/restrictions')).body['restrictions']).toMatchObject([{ reason: 'also' }]);
  });

  it('[R1][R3] rolls back, holds, and writes back only what nobody touched since', async () => {
    await world.save({ 'files.yaml': ALLOW, 'other.yaml': ALLOW, 'third.yaml': ALLOW });
    const good = world.plane.state().version;
    await world.save({ 'files.yaml': DENY, 'other.yaml': DENY, 'third.yaml': ALLOW, 'new.yaml': ALLOW });
    await world.save({ 'other.yaml': 'version: "1"\n# somebody is working here\nrulez: 1\n' });
    const { status, body } = await world.ask('editor', 'POST', '/v1/rollback', { to: good, reason: 'bad', writeBack: true });
    expect(status, JSON.stringify(body)).toBe(200);
    expect(body['version']).toBeGreaterThan(good);
    const files = Object.fromEntries((body['files'] as { policy: string; did: string }[]).map(({ policy, did }) => [policy, did]));
    expect(files).toEqual({ 'files.yaml': 'restored', 'other.yaml': 'left', 'new.yaml': 'set-aside' });
    expect(readFileSync(join(world.policies, 'files.yaml'), 'utf8')).toBe(ALLOW);
    expect(readFileSync(join(world.policies, 'other.yaml'), 'utf8')).toContain('somebody is working');
    expect(existsSync(join(world.policies, 'new.yaml'))).toBe(false);
    expect(readFileSync(join(world.policies, 'new.yaml.withdrawn'), 'utf8')).toBe(ALLOW);
    const holds = (await world.ask('viewer', 'GET', '/v1/holds')).body['holds'] as { policy: string }[];
    expect(holds.map((hold) => hold.policy)).toContain('files.yaml');
    expect((await world.ask('editor', 'POST', '/v1/holds/release', { policy: 'files.yaml' })).status).toBe(200);
  });

  it('[L6] writes files back without a rollback only where no key promises to do the same again', async () => {
    await world.save({ 'files.yaml': ALLOW });
    const good = world.plane.state().version;
    await world.save({ 'files.yaml': DENY });
    await world.ask('editor', 'POST', '/v1/rollback', { to: good, reason: 'bad' });
    const { size } = world.plane.state();
    const again = (headers: Readonly<Record<string, string>>) => world.ask('editor', 'POST', '/v1/rollback', { to: good, reason: 'the files too', writeBack: true }, headers);
    expect(await again({ 'idempotency-key': 'k' })).toMatchObject({ status: 409, body: { error: { code: 'already-done', message: expect.stringContaining('ask again without it') as string } } });
    expect(readFileSync(join(world.policies, 'files.yaml'), 'utf8')).toBe(DENY);
    expect(await again({})).toMatchObject({ status: 200, body: { recorded: [] } });
    expect(world.plane.state().size).toBe(size);
  });

  it('[L2] records a lockdown as soon as whoever holds the log lets go, serves others meanwhile, and says so where nobody does', async () => {
    const held = world.holdLog();
    const lockdown = world.ask('responder', 'POST', '/v1/restrictions', { reason: 'incident', ttlMs: 60_000 });
    expect((await world.ask('viewer', 'GET', '/v1/restrictions')).body['restrictions']).toEqual([]);
    held.release();
    expect(await lockdown).toMatchObject({ status: 200, body: { recorded: [{ event: { type: 'RestrictionImposed' } }] } });
    const stuck = world.holdLog();
    const refused = await world.ask('responder', 'POST', '/v1/restrictions', { reason: 'another', server: ['files'] });
    stuck.release();
    expect(refused).toMatchObject({ status: 503, body: { error: { code: 'unavailable', message: expect.stringMatching(/another program holds log\.db.*ask again/) as string } } });
    expect(refused.headers.get('retry-after')).toBe('1');
    expect(world.plane.state().restrictions.size).toBe(1);
  });

  it('[F3] confirms a waiting removal', async () => {
    await world.save({ 'files.yaml': ALLOW, 'guard.yaml': GUARD });
    await world.save({ 'guard.yaml': null });
    const [change] = (await world.ask('viewer', 'GET', '/v1/changes')).body['changes'] as { change: string }[];
    expect(world.plane.state().policies.size).toBe(2);
    expect((await world.ask('editor', 'POST', `/v1/changes/${change?.change ?? ''}/confirm`, {})).status).toBe(200);
    expect([...world.plane.state().policies.keys()]).toEqual(['files.yaml']);
  });

  it('makes join tokens and limits attempts to join', async () => {
    const { body } = await world.ask('admin', 'POST', '/v1/join-tokens', { labels: { env: 'prod' }, ttlMs: 60_000 });
    expect(body['token']).toMatch(/^portcullis-join\.v1\./);
    expect([...world.plane.state().joinTokens.values()]).toMatchObject([{ token: body['id'], labels: { env: 'prod' }, state: 'open' }]);
    const statuses: number[] = [];
    for (let n = 0; n < 40; n += 1) statuses.push((await world.ask(null, 'POST', '/v1/join', { n })).status);
    expect(statuses.filter((status) => status === 200)).toHaveLength(30);
    expect(statuses.at(-1)).toBe(429);
    world.now += 2_000;
    expect((await world.ask(null, 'POST', '/v1/join', {})).status).toBe(200);
  });
});

describe('streams', () => {
  freshPlane('each test');

  it('sends decisions that pass the filter, and how many were missed', async () => {
    const read = await openStream('/v1/decisions/stream?tool=read');
    world.decisions.arrive([decisionRow(1), decisionRow(2, { name: 'write' }), decisionRow(3)]);
    const two = await read((text) => text.split('data: ').length > 2);
    expect(two).toContain('id: 1\nevent: decision');
    expect(two).not.toContain('"write"');
    world.decisions.arrive(Array.from({ length: 6_000 }, (_, n) => decisionRow(n + 10)));
    expect(await read((text) => text.includes('event: missed'))).toMatch(/event: missed\ndata: {"count":\d+}/);
  });

  it('resumes events after the last one seen, without gap', async () => {
    for (let n = 0; n < 5; n += 1) await world.ask('responder', 'POST', '/v1/restrictions', { reason: `r${n}`, server: [`s${n}`] });
    const from = world.plane.state().size - 3;
    const read = await openStream('/v1/events/stream', { 'last-event-id': String(from - 1) });
    await world.ask('responder', 'POST', '/v1/restrictions', { reason: 'live', server: ['live'] });
    const text = await read((all) => all.includes('live'));
    expect([...text.matchAll(/^id: (\d+)$/gm)].map((match) => Number(match[1]))).toEqual([from, from + 1, from + 2, from + 3]);
    expect((await world.ask('viewer', 'GET', '/v1/events/stream', undefined, { 'last-event-id': 'x' })).status).toBe(400);
  });

  it('[O3] refuses a place beyond the newest event, and takes an empty Last-Event-ID for none', async () => {
    const { size } = world.plane.state();
    for (const [path, last] of [['/v1/events/stream', '9999'], ['/v1/events/stream', String(size)], [`/v1/events/stream?from=${size + 1}`, '']] as const) {
      expect(await world.ask('viewer', 'GET', path, undefined, { 'last-event-id': last }), `${path} ${last}`).toMatchObject({ status: 404, body: { error: { message: expect.stringContaining(`the newest is ${size - 1}`) as string } } });
    }
    const fromNow = await openStream('/v1/events/stream', { 'last-event-id': String(size - 1) });
    const fromFirst = await openStream('/v1/events/stream?from=0', { 'last-event-id': '' });
    const live = await openStream('/v1/events/stream', { 'last-event-id': '' });
    await world.ask('responder', 'POST', '/v1/restrictions', { reason: 'live', server: ['live'] });
    const ids = (text: string) => [...text.matchAll(/^id: (\d+)$/gm)].map((match) => Number(match[1]));
    for (const read of [fromNow, live]) expect(ids(await read((all) => all.includes('live')))).toEqual([size]);
    expect(ids(await fromFirst((all) => all.includes('live')))[0]).toBe(0);
  });

  it('[O1] ends the streams of a token that is revoked, and no others', async () => {
    const { body } = await world.ask('admin', 'POST', '/v1/tokens', { name: 'ada', role: 'viewer' });
    const follow = async (path: string, token: string) => {
      const response = await world.api.request(path, { headers: { authorization: `Bearer ${token}` } });
      const reader = response.body!.getReader();
      await reader.read();
      return reader;
    };
    const ended = await Promise.all(['/v1/events/stream', '/v1/decisions/stream'].map((path) => follow(path, String(body['token']))));
    const other = await follow('/v1/events/stream', world.tokens.viewer);
    await world.ask('admin', 'POST', `/v1/tokens/${String(body['id'])}/revoke`, {});
    for (const reader of ended) for (let read = await reader.read(); !read.done; read = await reader.read()) expect(Buffer.from(read.value).toString()).not.toContain('after');
    await world.ask('responder', 'POST', '/v1/restrictions', { reason: 'after', server: ['after'] });
    let text = '';
    while (!text.includes('after')) text += new TextDecoder().decode((await other.read()).value as Uint8Array);
  });

  it('[O3] has no place left for one who takes all of its own, and places for others; closes streams that nobody reads any more', async () => {
    const OF_ONE = 25;
    const open = async (token: string) => {
      const abort = new AbortController();
      const { status } = await world.api.request('/v1/decisions/stream', { headers: { authorization: `Bearer ${token}` }, signal: abort.signal });
      return { status, abort };
    };
    for (let round = 0; round < 3; round += 1) {
      const opened = await Promise.all(ROLES.flatMap((role) => Array.from({ length: OF_ONE }, async () => ({ role, ...(await open(world.tokens[role])) }))));
      expect(opened.filter(({ status }) => status !== 200)).toEqual([]);
      expect((await world.ask('viewer', 'GET', '/v1/decisions/stream')).body).toMatchObject({ error: { code: 'too-many' } });
      for (const { role, abort } of opened) if (role === 'viewer') abort.abort();
      const again = await Promise.all(Array.from({ length: OF_ONE }, () => open(world.tokens.viewer)));
      expect(again.map(({ status }) => status)).toEqual(again.map(() => 200));
      expect((await world.ask('viewer', 'GET', '/v1/events/stream')).body).toMatchObject({ error: { code: 'too-many', message: expect.stringContaining('streams are open') as string } });
      for (const { abort } of [...opened, ...again]) abort.abort();
    }
    for (let n = 0; n < OF_ONE; n += 1) expect((await open(world.tokens.viewer)).status).toBe(200);
    expect((await world.ask('viewer', 'GET', '/v1/decisions/stream')).body).toMatchObject({ error: { code: 'too-many', message: expect.stringContaining('of this token') as string } });
    expect((await open(world.tokens.responder)).status).toBe(200);
  });

  it('[O3] takes no place for HEAD, nor for one who went before the answer', async () => {
    const gone = AbortSignal.abort();
    for (let n = 0; n < 120; n += 1) {
      for (const path of ['/v1/events/stream', '/v1/decisions/stream']) {
        const head = await world.api.request(path, { method: 'HEAD', headers: { authorization: `Bearer ${world.tokens.viewer}` } });
        expect([head.status, head.headers.get('allow')]).toEqual([405, 'GET']);
        await world.api.request(path, { headers: { authorization: `Bearer ${world.tokens.viewer}` }, signal: gone });
      }
    }
    const read = await openStream('/v1/events/stream');
    expect(await read((text) => text.includes('connected'))).toContain('connected');
  });
});

/** Reads a stream until what has come satisfies; the stream stays open for the next question. */
async function openStream(path: string, headers: Readonly<Record<string, string>> = {}): Promise<(enough: (text: string) => boolean) => Promise<string>> {
  const response = await world.api.request(path, { headers: { authorization: `Bearer ${world.tokens.viewer}`, ...headers } });
  expect(response.headers.get('content-type')).toBe('text/event-stream');
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
  let text = '';
  return async (enough) => {
    while (!enough(text)) text += (await reader.read()).value ?? '';
    return text;
  };
}

describe('what a request must be', () => {
  freshPlane('all tests');

  it.each([
    ['POST', '/v1/restrictions', {}, 'reason is missing: it must be of type string'],
    ['POST', '/v1/restrictions', { reason: 'x', ttlMs: 1 }, 'ttlMs must be at least 1000'],
    ['POST', '/v1/restrictions', { reason: 7 }, 'reason must be of type string'],
    ['POST', '/v1/restrictions', { reason: '  ' }, 'reason must say why'],
    ['POST', '/v1/join-tokens', { labels: { 'a b': 'x' }, ttlMs: 60_000 }, 'must be letters, digits'],
    ['GET', '/v1/log?limit=100000000', undefined, 'limit must be at most'],
    ['GET', '/v1/log?actr=x', undefined, 'fields that are not known here: actr'],
    ['GET', '/v1/log?before=', undefined, 'before must be a whole number'],
    ['GET', '/v1/log?from=9&before=3', undefined, 'from is after before'],
    ['GET', '/v1/log?actor=', undefined, 'actor must be at least 1 characters long'],
    ['GET', '/v1/log?limit=5&limit=6', undefined, 'limit must be of type string'],
    ['GET', '/v1/diff?from=&to=', undefined, 'from must be a whole number; to must be a whole number'],
    ['GET', '/v1/diff?from=0x0&to=0', undefined, 'from must be a whole number'],
    ['GET', '/v1/enforced?fromMs=9&toMs=5', undefined, 'fromMs is after toMs'],
    ['GET', '/v1/decisions?hots=h', undefined, 'fields that are not known here: hots'],
    ['GET', '/v1/decisions/stream?hots=h', undefined, 'fields that are not known here: hots'],
    ['GET', '/v1/status?since=1', undefined, 'fields that are not known here: since'],
    ['GET', '/v1/wait?version=1e0', undefined, 'version must be a whole number'],
    ['POST', '/v1/restrictions?ttlMs=1000', { reason: 'x' }, 'fields that are not known here: ttlMs'],
  ])('[O3] %s %s %j is told: %s', async (method, url, body, told) => {
    const { status, body: answer } = await world.ask('admin', method, url, body);
    expect(status).toBe(400);
    expect(JSON.stringify(answer)).toContain(told);
  });
});

/** What the commands build on is what a real plane answers. */
import { randomBytes } from 'node:crypto';
import { checkIdentity } from '@portcullis/policy-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { API_URL, decisionRow, openApi, proxyView } from '../../../../test/api/open-api.ts';
import type { ApiWorld } from '../../../../test/api/open-api.ts';
import { misfit } from './answers.ts';

let world: ApiWorld;
beforeAll(() => {
  world = openApi();
});
afterAll(() => world.close());

async function asked(method: string, path: string, body?: unknown): Promise<Record<string, unknown>> {
  const { status, body: answered } = await world.ask('admin', method, path, body);
  expect(status, `${method} ${path}: ${JSON.stringify(answered)}`).toBeLessThan(300);
  expect(misfit(`${method} ${path.split('?')[0] ?? ''}`, answered)).toBeNull();
  return answered;
}

describe('the answers that commands build on', () => {
  it('are those of a plane in which everything has happened', async () => {
    world.fleet.views = [proxyView({ labels: { env: 'prod' }, problems: ['one'] })];
    world.decisions.rows = [decisionRow(1)];
    await world.save({ 'files.yaml': 'version: "1"\n', 'guard.yaml': 'version: "1"\nmatch: { server: "*" }\nhide: [write_file]\n' });
    const first = world.plane.state().version;
    await world.save({ 'files.yaml': 'version: "1"\ndefault: deny\n', 'other.yaml': 'version: "1"\n' });
    await world.save({ 'bad.yaml': 'nonsense: [' });
    await world.save({ 'guard.yaml': null });
    const { restriction } = (await asked('POST', '/v1/restrictions', { reason: 'drill', tools: ['a*'], labels: { env: ['prod'] }, ttlMs: 60_000 })) as { restriction: { id: string } };
    await asked('POST', '/v1/rollback', { to: first, reason: 'bad' });
    const joinToken = await asked('POST', '/v1/join-tokens', { labels: { env: 'prod' } });
    await asked('POST', '/v1/tokens', { name: 'ada', role: 'viewer' });
    const now = world.plane.state().version;
    const diff = await asked('GET', `/v1/diff?from=${first}&to=${now}`);
    expect(diff['imposed']).toMatchObject([{ id: restriction.id }]);
    expect(await asked('GET', `/v1/diff?from=${now}&to=${first}`)).toMatchObject({ imposed: [], ended: [{ id: restriction.id }] });
    for (const path of [
      '/v1/status', '/v1/proxies', '/v1/hosts', '/v1/enforced?fromMs=0&toMs=0', `/v1/wait?version=${first}&timeoutMs=0`, '/v1/decisions', '/v1/log?limit=100', `/v1/versions/${now}`, `/v1/versions/${now}/policy?id=files.yaml`,
      '/v1/holds', '/v1/join-tokens', '/v1/tokens', `/v1/restrictions/${restriction.id}`,
    ]) await asked('GET', path);
    await asked('POST', `/v1/restrictions/${restriction.id}/lift`, { reason: 'over' });
    await asked('POST', '/v1/holds/release', { policy: 'files.yaml' });
    await asked('POST', `/v1/join-tokens/${String(joinToken['id'])}/revoke`, {});
    await asked('POST', '/v1/key/rotate', { reason: 'drill' });
    expect(misfit('STREAM decision', decisionRow(1))).toBeNull();
  });

  it('are told from those that lack a field, or have another kind of value in it', () => {
    const event = { seq: 1, atMs: 1, actor: { kind: 'plane', id: 'plane' }, event: { type: 'WatchRecovered' } };
    expect(misfit('POST /v1/holds/release', { version: 1, recorded: [event] })).toBeNull();
    expect(misfit('POST /v1/holds/release', { version: 1, recorded: [event, { ...event, actor: null }] })).toBe('its recorded[1].actor is no object');
    expect(misfit('POST /v1/holds/release', { version: '1', recorded: [] })).toBe('its version is no number');
    expect(misfit('POST /v1/holds/release', Object.create({ version: 1, recorded: [] }))).toBe('its version is no number');
    expect(misfit('GET /v1/holds', [])).toBe('the answer is no object');
    expect(misfit('GET /v1/something/new', null)).toBe('the answer is no object');
    expect(misfit('GET /v1/something/new', {})).toBeNull();
  });
});

describe('the plane, asked who it is', () => {
  it('[O4] signs the nonce of anybody, says as much without one, and refuses what is no nonce', async () => {
    const { log, publicKey } = (await world.ask(null, 'GET', '/v1/identity')).body as { log: string; publicKey: string };
    const nonce = randomBytes(32).toString('base64url');
    const proof = await world.ask(null, 'GET', `/v1/identity?nonce=${nonce}`);
    expect(checkIdentity(JSON.stringify(proof.body), nonce, { log, publicKey, url: API_URL })).toEqual({ ok: true, value: null });
    for (const bad of ['', 'x', `${nonce}x`, '%00']) expect((await world.ask(null, 'GET', `/v1/identity?nonce=${bad}`)).status).toBe(400);
  });
});

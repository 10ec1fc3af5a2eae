/** What `status` and `hold list` say of holds, of who was turned away, and of one of something. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openApi, proxyView } from '../../../../test/api/open-api.ts';
import type { ApiWorld } from '../../../../test/api/open-api.ts';
import type { HoldView, StatusView } from '../api/views.ts';
import { holdText, statusLines } from './status.ts';

let world: ApiWorld;
beforeEach(() => {
  world = openApi();
});
afterEach(() => world.close());

async function holds(): Promise<readonly string[]> {
  const { holds: all } = (await world.ask('viewer', 'GET', '/v1/holds')).body as { holds: readonly HoldView[] };
  return all.map((hold) => holdText(hold).split(';')[0] ?? '');
}

async function status(): Promise<string> {
  const view = (await world.ask('viewer', 'GET', '/v1/status')).body as unknown as StatusView;
  return statusLines(view, world.fleet.views, world.now).join('\n');
}

function text(n: number): string {
  return `version: "1"\ndescription: edition ${n}\n`;
}

describe('a hold', () => {
  it('[R3] says what the file holds now: what it keeps out, something else, or nothing', async () => {
    await world.save({ 'a.yaml': text(1) });
    const first = world.plane.state().version;
    const rollback = async (): Promise<void> => {
      expect((await world.ask('admin', 'POST', '/v1/rollback', { to: first, reason: 'bad' })).status).toBe(200);
    };
    await world.save({ 'a.yaml': text(2) });
    await rollback();
    await world.save({ 'a.yaml': text(3) });
    await rollback();
    expect(await holds()).toEqual([expect.stringMatching(/^content [0-9a-f]{12} would stay out$/), expect.stringMatching(/^content [0-9a-f]{12} stays out, which its file holds$/)]);
    await world.save({ 'b.yaml': text(2) });
    expect(await holds()).toEqual([expect.stringMatching(/stays out, which b.yaml holds$/), expect.stringMatching(/stays out, which its file holds$/)]);
    await world.save({ 'a.yaml': text(4), 'b.yaml': null });
    expect(await holds()).toEqual([expect.stringMatching(/would stay out$/), expect.stringMatching(/would stay out$/)]);
    expect(await status()).toContain('no file holds it now');
  });

  it('[R3] of an absence says whether the file is gone or there', async () => {
    await world.save({ 'a.yaml': text(1), 'b.yaml': text(1) });
    const first = world.plane.state().version;
    await world.save({ 'b.yaml': null });
    const pending = world.plane.outstanding().removals[0];
    if (pending !== undefined) expect((await world.ask('admin', 'POST', `/v1/changes/${pending.change}/confirm`, {})).status).toBe(200);
    expect((await world.ask('admin', 'POST', '/v1/rollback', { to: first, reason: 'bad' })).status).toBe(200);
    expect(await holds()).toEqual(['its file is gone, and stays in force']);
    await world.save({ 'b.yaml': text(1) });
    expect(await holds()).toEqual(['its removal would stay out']);
  });
});

it('says one of one', async () => {
  await world.save({ 'a.yaml': text(1) });
  world.fleet.views = [proxyView()];
  await world.ask('admin', 'POST', '/v1/restrictions', { reason: 'drill' });
  const said = await status();
  expect(said).toContain('(1 proxy)');
  expect(said).toContain('1 policy from');
  expect(said).toContain('1 proxy on 0 hosts');
  expect(said).not.toMatch(/\b1 (proxies|hosts|policies|events)\b/);
});

it('shows who was turned away, and keeps what was proved apart from claims', async () => {
  const one = { host: 'h-1', hostName: 'laptop', server: 'git', proved: true, from: '192.0.2.1', reason: 'revoked', message: 'join it anew', count: 3, firstMs: world.now - 60_000, lastMs: world.now - 5_000 } as const;
  world.fleet.refused = [one, { ...one, hostName: null, proved: false, reason: 'unauthorised', count: 1 }, { ...one, host: null, hostName: null, server: null, proved: false, reason: 'bad-frame', count: 1 }, ...Array.from({ length: 20 }, () => one)];
  const said = await status();
  expect(said).toContain('laptop (h-1)/git from 192.0.2.1: revoked: join it anew (3 times since');
  expect(said).toContain('Somebody from 192.0.2.1 who claims to be h-1/git: unauthorised');
  expect(said).toContain('Somebody from 192.0.2.1: bad-frame');
  expect(said).toContain('and 13 more');
});

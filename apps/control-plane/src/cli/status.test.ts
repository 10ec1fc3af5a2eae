/** What `status` and `hold list` say of holds, of who was turned away, and of one of something. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openApi, proxyView } from '../../../../test/api/open-api.ts';
import type { ApiWorld } from '../../../../test/api/open-api.ts';
import { operators } from '../../../../test/api/operate.ts';
import type { HoldView, StatusView } from '../api/views.ts';
import { holdText, statusLines } from './status.ts';

let world: ApiWorld;
beforeEach(() => {
  world = openApi();
});
afterEach(() => world.close());

async function holds(): Promise<readonly string[]> {
  const { holds: all } = (await world.ask('viewer', 'GET', '/v1/holds')).body as { holds: readonly HoldView[] };
  return all.map((hold) => holdText(hold).split('. Held')[0] ?? '');
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
    expect(await holds()).toEqual([expect.stringMatching(/^no file has content [0-9a-f]{12} now; .* would stay out$/), expect.stringMatching(/^its file still has content [0-9a-f]{12}, which stays out of force$/)]);
    await world.save({ 'b.yaml': text(2) });
    expect(await holds()).toEqual([expect.stringMatching(/^b.yaml still has content/), expect.stringMatching(/^its file still has content/)]);
    await world.save({ 'a.yaml': text(4), 'b.yaml': null });
    expect(await holds()).toEqual([expect.stringMatching(/would stay out$/), expect.stringMatching(/would stay out$/)]);
    expect(await status()).toContain('no file has content');
  });

  it('[R3] of an absence says whether the file is gone or there', async () => {
    await world.save({ 'a.yaml': text(1), 'b.yaml': text(1) });
    const first = world.plane.state().version;
    await world.save({ 'b.yaml': null });
    const pending = world.plane.outstanding().removals[0];
    if (pending !== undefined) expect((await world.ask('admin', 'POST', `/v1/changes/${pending.change}/confirm`, {})).status).toBe(200);
    expect((await world.ask('admin', 'POST', '/v1/rollback', { to: first, reason: 'bad' })).status).toBe(200);
    expect(await holds()).toEqual(['its file is gone, and the policy stays in force']);
    await world.save({ 'b.yaml': text(1) });
    expect(await holds()).toEqual(['its file is there; were it removed, the policy would stay in force']);
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

describe('the fleet', () => {
  const DAY_MS = 24 * 3_600_000;
  const gone = () => proxyView({ host: 'h2', hostName: 'given-back', server: 'old', connected: false, state: 'offline', lastSeen: world.now - DAY_MS - 1_000, problems: ['a problem of theirs'] });
  const away = () => proxyView({ host: 'h3', hostName: 'lunch', connected: false, state: 'offline', lastSeen: world.now - DAY_MS + 1_000 });

  it('lists who was seen within a day and counts the others, which --all lists', async () => {
    world.fleet.views = [proxyView({ lastSeen: world.now - 3 * DAY_MS }), gone(), away()];
    const shown = await status();
    expect(shown).toContain('lunch');
    expect(shown).not.toMatch(/given-back|a problem of theirs/);
    expect(shown).toContain('1 more proxy, offline and not seen for over a day: --all');
    // One that is connected is listed whatever was last heard of it.
    expect(shown).toMatch(/^one /m);
    const by = await operators(world);
    expect((await by.operate('viewer', ['proxies'])).out).not.toContain('given-back');
    for (const command of ['proxies', 'status']) expect((await by.operate('viewer', [command, '--all'])).out).toMatch(/given-back[^]*a problem of theirs/);
    await world.ask('responder', 'POST', '/v1/restrictions', { reason: 'x' });
    const asked = await by.operate('admin', ['lift', 'r-5', '--reason', 'x']);
    expect(asked.err.replaceAll(/\n +│ /g, ' ')).toContain('decide again on: one/files, lunch/files and 1 not seen for over a day.');
    await by.close();
  });

  it('shows versions as versions, and none of restrictions before there ever was one', async () => {
    const part = { version: 5, digest: 'd' };
    world.fleet.views = [proxyView({ policies: part, restrictions: part })];
    expect(await status()).toMatch(/^one +files +current +@5 +– /m);
    await world.ask('responder', 'POST', '/v1/restrictions', { reason: 'x' });
    expect(await status()).toMatch(/^one +files +current +@5 +@5 /m);
  });

  it('says after a start that proxies are waited for, and for how long at most', async () => {
    world.fleet.views = [away(), gone()];
    expect(await status()).not.toContain('to come back');
    const view = (await world.ask('viewer', 'GET', '/v1/status')).body as unknown as StatusView;
    expect(statusLines({ ...view, startedAtMs: world.now - 5_000 }, world.fleet.views, world.now).join('\n')).toContain('The plane started 5 s ago and waits for 1 proxy to come back; each tries at least every 30 s');
  });
});

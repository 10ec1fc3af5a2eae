import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openApi } from '../../../../test/api/open-api.ts';
import type { ApiWorld } from '../../../../test/api/open-api.ts';
import { policyFor } from '../../../../test/domain/story.ts';

let world: ApiWorld;
beforeEach(() => {
  world = openApi();
});
afterEach(() => world.close());

const g1 = policyFor('a', 1);
const g2 = policyFor('a', 2);
const g3 = policyFor('a', 3);

const text = (file: string): string => readFileSync(join(world.policies, file), 'utf8');

/** Saves and gives the version that it became. */
async function saved(files: Readonly<Record<string, string | null>>): Promise<number> {
  await world.save(files);
  return world.plane.state().version;
}

async function rollBack(to: number, writeBack: boolean): Promise<Record<string, unknown>> {
  const { status, body } = await world.ask('editor', 'POST', '/v1/rollback', { to, reason: 'bad', writeBack });
  expect(status, JSON.stringify(body)).toBe(200);
  return body;
}

describe('writing back', () => {
  it('[R3] is possible after a rollback without it, and records nothing then', async () => {
    await saved({ 'a.yaml': g1, 'b.yaml': policyFor('b') });
    const second = await saved({ 'a.yaml': g2 });
    await saved({ 'a.yaml': g3 });
    expect((await rollBack(second, false))['files']).toBeNull();
    const { size, version } = world.plane.state();
    expect(await rollBack(second, true)).toMatchObject({ to: second, version, changes: [], recorded: [], files: [{ policy: 'a.yaml', did: 'restored' }] });
    expect(text('a.yaml')).toBe(g2);
    expect(await rollBack(second, true)).toMatchObject({ files: [] });
    expect((await world.ask('editor', 'POST', '/v1/rollback', { to: second, reason: 'bad' })).body).toMatchObject({ error: { code: 'already-done' } });
    expect((await world.ask('editor', 'POST', '/v1/rollback', { to: second, reason: 'bad', writeBack: true, expected: 0 })).body).toMatchObject({ error: { code: 'expected-version' } });
    expect(world.plane.state().size).toBe(size);
  });

  it('[R3] replaces what an earlier rollback withdrew, of each policy', async () => {
    const first = await saved({ 'a.yaml': g1, 'b.yaml': policyFor('b') });
    const second = await saved({ 'a.yaml': g2 });
    await saved({ 'a.yaml': g3, 'b.yaml': policyFor('b', 2) });
    await rollBack(second, false);
    expect((await rollBack(first, true))['files']).toEqual([
      { policy: 'a.yaml', did: 'restored', detail: null },
      { policy: 'b.yaml', did: 'restored', detail: null },
    ]);
    expect([text('a.yaml'), text('b.yaml')]).toEqual([g1, policyFor('b')]);
  });

  it('[R3] leaves what somebody wrote since, and says nothing of it where this rollback did not concern it', async () => {
    const first = await saved({ 'a.yaml': g1, 'b.yaml': policyFor('b') });
    const second = await saved({ 'a.yaml': g1, 'b.yaml': policyFor('b', 2) });
    await saved({ 'a.yaml': g2 });
    await rollBack(second, false);
    await saved({ 'a.yaml': 'rulez: 1' });
    expect((await rollBack(first, true))['files']).toEqual([{ policy: 'b.yaml', did: 'restored', detail: null }]);
    expect(text('a.yaml')).toBe('rulez: 1');
  });

  it('[R3] sets aside what was withdrawn under another name, and restores what had been removed', async () => {
    const first = await saved({ 'a.yaml': g1, 'b.yaml': policyFor('b'), 'c.yaml': policyFor('c') });
    await saved({ 'a.yaml': g2, 'c.yaml': null });
    await rollBack(first, false);
    await saved({ 'a.yaml': null, 'renamed.yaml': g2 });
    expect((await rollBack(first, true))['files']).toEqual([
      { policy: 'c.yaml', did: 'restored', detail: null },
      { policy: 'renamed.yaml', did: 'set-aside', detail: 'renamed.yaml.withdrawn' },
    ]);
    // That file is gone by somebody's own act, and its removal waits.
    expect(existsSync(join(world.policies, 'a.yaml'))).toBe(false);
  });

  it('[R3] makes nothing outside the directory, not even a folder', async () => {
    const outside = join(world.policies, '..', 'outside');
    mkdirSync(outside);
    mkdirSync(join(world.policies, 'team'));
    // So many that two are no fifth, whose removal would wait.
    const others = Object.fromEntries(Array.from({ length: 10 }, (_, n) => [`p${n}.yaml`, policyFor(`s${n}`)]));
    const first = await saved({ ...others, 'team/x.yaml': policyFor('x'), 'deep/er/y.yaml': policyFor('y') });
    await saved({ 'team/x.yaml': null, 'deep/er/y.yaml': null });
    rmSync(join(world.policies, 'team'), { recursive: true });
    rmSync(join(world.policies, 'deep'), { recursive: true });
    symlinkSync(outside, join(world.policies, 'team'));
    symlinkSync(outside, join(world.policies, 'deep'));
    const files = (await rollBack(first, true))['files'];
    expect(files).toEqual(['deep/er/y.yaml', 'team/x.yaml'].map((policy) => ({ policy, did: 'left', detail: 'its path leaves the policy directory' })));
    expect(readdirSync(outside)).toEqual([]);
    // With folders of its own it can be done.
    for (const name of ['team', 'deep']) rmSync(join(world.policies, name));
    expect((await rollBack(first, true))['files']).toMatchObject([{ did: 'restored' }, { did: 'restored' }]);
    expect(text('deep/er/y.yaml')).toBe(policyFor('y'));
  });

  it('[R3] never replaces a file that was set aside before', async () => {
    const first = await saved({ 'a.yaml': g1 });
    writeFileSync(join(world.policies, 'b.yaml.withdrawn.2'), 'of somebody else');
    for (const [n, content] of ['one', 'two', 'three'].entries()) {
      await saved({ 'b.yaml': policyFor('b', content) });
      const aside = ['b.yaml.withdrawn', 'b.yaml.withdrawn.3', 'b.yaml.withdrawn.4'][n];
      expect((await rollBack(first, true))['files']).toEqual([{ policy: 'b.yaml', did: 'set-aside', detail: aside }]);
    }
    expect(readdirSync(world.policies)).toHaveLength(5);
    expect(['', '.2', '.3', '.4'].map((end) => text(`b.yaml.withdrawn${end}`))).toEqual([policyFor('b', 'one'), 'of somebody else', policyFor('b', 'two'), policyFor('b', 'three')]);
  });
});

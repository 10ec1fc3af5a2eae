/** What lockdown, restrict and lift say and answer where they miss what they name, or are asked by somebody who may not. */
import { Readable } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openApi, proxyView } from '../../../../test/api/open-api.ts';
import type { ApiWorld } from '../../../../test/api/open-api.ts';
import { operators } from '../../../../test/api/operate.ts';
import type { Operators } from '../../../../test/api/operate.ts';

let world: ApiWorld;
let by: Operators;
beforeEach(async () => {
  world = openApi();
  by = await operators(world);
  world.fleet.views = [proxyView({ server: 'filesystem', labels: { env: 'prod' } }), proxyView({ server: 'github', labels: { env: 'staging' } })];
  Object.assign(world.fleet, { wanted: 2, enforcing: 2 });
});
afterEach(async () => {
  await by.close();
  world.close();
});

const lockdown = (...args: readonly string[]) => by.operate('responder', ['lockdown', '--reason', 'incident', ...args]);

describe('a restriction', () => {
  it('of what is known says how many proxies it is about, and is done', async () => {
    const said = await lockdown('--server', 'file*', '--label', 'env=prod');
    expect(said).toMatchObject({ code: 0, err: '' });
    expect(said.out).toContain('It applies to 1 of 2 known proxies.');
    expect(said.out).toContain('Enforced by 2 of 2 connected proxies');
  });

  it('of a mistyped server or label is recorded, and is no success: it restricts nobody, and says what there is', async () => {
    for (const [args, missing, known] of [[['--server', 'filesytem'], 'No known proxy is called filesytem.', 'Known servers: filesystem, github.'], [['--label', 'env=prd'], 'No known host carries env=prd.', 'Known labels: env=prod, env=staging.']] as const) {
      const said = await lockdown(...args);
      expect(said.code).toBe(1);
      expect(said.err).toContain('restricts NOBODY: it applies to 0 of 2 known proxies.');
      expect(said.err).toContain(`${missing} ${known}`);
      expect(said.out).not.toContain('Enforced by');
    }
    expect(world.plane.state().restrictions.size).toBe(2);
    // The same again is in force already, and as wrong as before.
    const again = await lockdown('--server', 'filesytem');
    expect(again.code).toBe(1);
    expect(again.err).toContain('restricts NOBODY');
  });

  it('of one known and one mistyped server is no success either', async () => {
    const said = await lockdown('--server', 'filesystem', '--server', 'gitub');
    expect(said.code).toBe(1);
    expect(said.err).toContain('No known proxy is called gitub.');
    expect(said.out).toContain('It applies to 1 of 2 known proxies.');
    const json = await lockdown('--server', 'git', '--json');
    expect(json.code).toBe(1);
    expect(JSON.parse(json.out)).toMatchObject({ audience: { proxies: 0, known: 2, strayServers: ['git'], servers: ['filesystem', 'github'] } });
    expect(JSON.parse(json.err)).toMatchObject({ error: { code: 'reaches-nobody', message: expect.stringContaining('filesystem, github') as string } });
  });

  it('of what nobody has together says so', async () => {
    const said = await lockdown('--server', 'github', '--label', 'env=prod');
    expect(said.code).toBe(1);
    expect(said.err).toContain('no known proxy has all of them');
  });

  it('in a fleet of which nothing is known yet is done: there is nothing to hold it against', async () => {
    world.fleet.views = [];
    Object.assign(world.fleet, { wanted: 0, enforcing: 0 });
    const said = await lockdown('--server', 'filesytem');
    expect(said).toMatchObject({ code: 0, err: '' });
    expect(said.out).toContain('No proxy is known yet');
  });

  it('of nothing named is refused: what takes everything away is called lockdown', async () => {
    for (const args of [[], ['--server', 'filesystem']]) {
      const said = await by.operate('admin', ['restrict', '--reason', 'x', ...args]);
      expect(said.code).toBe(2);
      expect(said.err).toMatch(/--tool .* --read-only .* portcullis lockdown/);
    }
    expect(world.plane.state().restrictions.size).toBe(0);
    expect((await by.operate('responder', ['restrict', '--reason', 'x', '--read-only'])).code).toBe(0);
    expect((await by.operate('responder', ['restrict', '--reason', 'x', '--tool', 'write_*'])).code).toBe(0);
  });
});

describe('[O1] lifting', () => {
  it('asks nothing of those who may not: with and without a terminal, with and without --yes', async () => {
    await lockdown();
    const id = [...world.plane.state().restrictions.keys()][0] ?? '';
    const asked: string[] = [];
    for (const role of ['viewer', 'responder', 'editor'] as const) {
      for (const interactive of [true, false]) for (const yes of [[], ['--yes']]) {
        const said = await by.operate(role, ['lift', id, '--reason', 'over', ...yes], { interactive, progress: (text) => void asked.push(text) });
        expect(said.code).toBe(4);
        expect(said.err).toContain(`has the role ${role}; this needs admin`);
        // The token comes from the environment: --as has no say in it.
        expect(said.err).not.toContain('--as');
        expect(said.err).not.toContain('--yes');
      }
    }
    expect(asked).toEqual([]);
    expect(world.plane.state().restrictions.size).toBe(1);
    const admin = await by.operate('admin', ['lift', id, '--reason', 'over'], { interactive: true, input: Readable.from(['y\n']) });
    expect(admin.code).toBe(0);
    expect(world.plane.state().restrictions.size).toBe(0);
  });
});

/** `--policy`: one host without a plane, with real processes, files and a real client and server. */
import { mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { PORTCULLIS_PROXY, run, until } from '../world/process.ts';
import { aloneWorld, type AloneAgent, type AloneWorld } from './alone-world.ts';

const OPEN = 'version: "1"\n';
const NO_LIST = 'version: "1"\ntools: { list_directory: { rules: [{ name: no lists, action: deny }] } }\n';
const BROKEN = 'version: "1"\ndefault: maybe\n';
const LONG_MS = 20_000;

let world: AloneWorld;
beforeEach(() => {
  world = aloneWorld();
});
afterEach(() => world.end());

const denied = async (agent: AloneAgent): Promise<boolean> => (await agent.call('list_directory', { path: world.directory })).denied;
const problem = (): Promise<string> => until('a problem', async () => (await world.status()).alone[0]?.running.at(-1)?.alone.problems[0], LONG_MS, 100);

describe('a proxy that runs alone', () => {
  it('enforces a directory, follows its edits, and tells the agent', async () => {
    world.save('files.yaml', OPEN);
    const agent = await world.start();
    expect(await denied(agent)).toBe(false);
    world.save('guard.yaml', 'version: "1"\nmatch: { server: "*" }\nhide: [list_directory]\n');
    await until('the guard', async () => !(await agent.tools()).includes('list_directory'), LONG_MS);
    await until('the announcement', () => agent.announcements() > 0, LONG_MS);
    expect(await world.words()).toMatch(/files: one proxy runs, alone\n.*\n {4}policies in .*policies\n {4}in force for \d+ s: files\.yaml, guard\.yaml/);
    rmSync(join(world.policies, 'guard.yaml'));
    await until('the guard to be gone', async () => (await agent.tools()).includes('list_directory'), LONG_MS);
  });

  it('[F2] keeps the last good content of a file that breaks, also for the next session, and says line and column', async () => {
    world.save('files.yaml', NO_LIST);
    const agent = await world.start();
    expect(await denied(agent)).toBe(true);
    world.save('files.yaml', BROKEN);
    expect(await problem()).toContain('files.yaml:2:10');
    expect(await denied(agent)).toBe(true);
    expect((await agent.call('list_allowed_directories', {})).denied).toBe(false);
    expect(agent.stderr()).toContain('files.yaml:2:10');
    await agent.close();
    const next = await world.start();
    expect(await denied(next)).toBe(true);
    expect((await next.call('list_allowed_directories', {})).denied).toBe(false);
    world.save('files.yaml', OPEN);
    await until('the mended file', async () => !(await denied(next)), LONG_MS);
    expect((await world.status()).alone[0]?.running[0]?.alone.problems).toEqual([]);
  });

  it('[P3] denies everything while nothing valid was ever there, and says which line; and opens when it is mended', async () => {
    world.save('files.yaml', OPEN);
    world.save('guard.yaml', BROKEN);
    const agent = await world.start();
    expect(await agent.tools()).toEqual([]);
    const { text } = await agent.call('list_allowed_directories', {});
    expect(text).toContain('[POLICY DENIED] Every call is denied: no valid policies');
    expect(text).toContain('guard.yaml:2:10');
    world.save('guard.yaml', 'version: "1"\nmatch: { server: "*" }\n');
    await until('the mended guard', async () => !(await denied(agent)), LONG_MS);
  });

  it('[F3] takes one file, and takes its vanishing, or that of its directory, for no removal', async () => {
    const folder = join(world.policies, 'inner');
    mkdirSync(folder);
    const file = join(folder, 'files.yaml');
    writeFileSync(file, NO_LIST);
    // Beside it lies what is none of its business.
    writeFileSync(join(folder, 'other.yaml'), BROKEN);
    const agent = await world.start(file);
    expect(await denied(agent)).toBe(true);
    expect((await agent.call('list_allowed_directories', {})).denied).toBe(false);
    rmSync(file);
    expect(await problem()).toContain('files.yaml');
    expect((await agent.call('list_allowed_directories', {})).denied).toBe(false);
    expect(await denied(agent)).toBe(true);
    renameSync(folder, `${folder}-away`);
    const { alone } = await until('the loss', async () => (await world.status()).alone[0]?.running.find((one) => one.alone.lostSinceMs !== null), LONG_MS, 100);
    expect(alone.problems[0]).toContain('does not exist');
    expect(await denied(agent)).toBe(true);
    const next = await world.start(file);
    expect(await denied(next)).toBe(true);
    expect((await next.call('list_allowed_directories', {})).denied).toBe(false);
    renameSync(`${folder}-away`, folder);
    writeFileSync(file, OPEN);
    await until('the file to be back', async () => !(await denied(agent)) && !(await denied(next)), LONG_MS);
  });

  it('[E2] says what to write where no policy is for this server', async () => {
    world.save('github.yaml', OPEN);
    const agent = await world.start();
    expect((await agent.call('list_allowed_directories', {})).text).toContain('files.yaml');
    expect(await world.words()).toContain('none of its policies is for this server');
    world.save('prod.yaml', 'version: "1"\nmatch: { server: files, labels: { env: prod } }\n');
    await until('the policy to be named', async () => (await world.words()).includes('only an enrolled host has: prod.yaml'), LONG_MS, 100);
    expect(agent.stderr()).toContain('select by labels');
  });

  it('counts across two processes', async () => {
    world.save('files.yaml', 'version: "1"\ntools: { list_directory: { rules: [{ name: two a day, rate_limit: 2/day }] } }\n');
    const [one, other] = [await world.start(), await world.start()];
    expect([await denied(one), await denied(other), await denied(one), await denied(other)]).toEqual([false, false, true, true]);
  });

  it.each(['{"url":"https://p"}', 'damaged'])('[P7] is refused on an enrolled host, even one whose enrolment is %s', async (enrolment) => {
    world.save('files.yaml', OPEN);
    writeFileSync(join(world.home, 'host.json'), enrolment);
    const { code, stderr } = await run(process.execPath, [PORTCULLIS_PROXY, '--policy', world.policies, '--', process.execPath, '-e', 'console.log("started")'], { PORTCULLIS_HOME: world.home });
    expect(code).toBe(1);
    expect(stderr).toContain('--policy is refused: this host is enrolled');
  });
});

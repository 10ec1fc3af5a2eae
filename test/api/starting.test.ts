/** What a start says and leaves behind, and what a plane notices while it runs: against a real `portcullis serve`. */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { saveByRename, startPlane, type PlaneProcess } from '../world/plane.ts';
import { PORTCULLIS, run, until, type Finished } from '../world/process.ts';

let directory: string;
let plane: PlaneProcess;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'portcullis-starting-'));
});
afterEach(async () => {
  await plane.stop();
  rmSync(directory, { recursive: true, force: true });
});

const announced = (): string => readFileSync(join(plane.home, 'plane.json'), 'utf8');

function serve(home: string, data: string, listen: string): Promise<Finished> {
  mkdirSync(plane.policies, { recursive: true });
  return run(process.execPath, [PORTCULLIS, 'serve', '--policies', plane.policies, '--data', data, '--listen', listen], { PORTCULLIS_HOME: home });
}

describe('a start', () => {
  it('on a taken port makes nothing: no data, no keys, no tokens', async () => {
    plane = await startPlane(directory);
    const [home, data] = [join(directory, 'other-home'), join(directory, 'other-data')];
    const refused = await serve(home, data, new URL(plane.url()).host);
    expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining('is taken') as string });
    expect([home, data].filter(existsSync)).toEqual([]);
  });

  it('under the home of a plane that runs is refused, and the commands still find the first one', async () => {
    plane = await startPlane(directory);
    const before = announced();
    const refused = await serve(plane.home, join(directory, 'other-data'), '127.0.0.1:0');
    expect(refused).toMatchObject({ code: 1, stderr: expect.stringMatching(/runs already.*PORTCULLIS_HOME=DIR/) as string });
    expect(refused.stderr.trim().split('\n')).toHaveLength(1);
    expect(existsSync(join(directory, 'other-data'))).toBe(false);
    expect(announced()).toBe(before);
    expect((await plane.operate('status')).code).toBe(0);
  });

  it('where no folder can be made says so and ends', async ({ skip }) => {
    if (!existsSync('/proc/self')) return skip();
    plane = await startPlane(directory);
    const data = await serve(join(directory, 'other-home'), '/proc/portcullis', '127.0.0.1:0');
    expect(data).toMatchObject({ code: 1, stderr: expect.stringMatching(/^the data directory \/proc\/portcullis cannot be made: ENOENT.*\n$/) as string });
    const below = await serve(join(directory, 'other-home'), join(directory, 'not/there'), '127.0.0.1:0');
    expect(below).toMatchObject({ code: 1, stderr: expect.stringContaining(`because ${join(directory, 'not')} is not there`) as string });
    const home = await serve('/proc/portcullis', join(directory, 'other-data'), '127.0.0.1:0');
    expect(home).toMatchObject({ code: 1, stderr: expect.stringMatching(/token cannot be kept in \/proc\/portcullis.*ENOENT/) as string });
  });

  it('[F3] while the policy directory is away keeps what is in force, records that, takes a lockdown, and sees the directory when it is back', async () => {
    saveByRename(join(directory, 'policies', 'github.yaml'), 'version: "1"\n');
    plane = await startPlane(directory);
    const inForce = async () => ((await plane.ask('status')) as { readonly policies: readonly unknown[] }).policies.length;
    const events = async () => JSON.stringify(await plane.ask('log'));
    await until('the policy in force', async () => (await inForce()) === 1);
    await plane.stop();
    renameSync(plane.policies, join(directory, 'away'));
    await plane.startAgain();
    await until('the record of it', async () => (await events()).includes('WatchFailed'));
    expect((await plane.operate('lockdown', '--reason', 'drill')).code).toBe(0);
    expect(await inForce()).toBe(1);
    renameSync(join(directory, 'away'), plane.policies);
    await until('the directory to be seen', async () => (await events()).includes('WatchRecovered'));
    expect(await inForce()).toBe(1);
  });

  it('takes the place of a plane that was killed', async () => {
    plane = await startPlane(directory);
    await plane.kill9();
    expect(existsSync(join(plane.home, 'plane.json'))).toBe(true);
    await plane.startAgain();
    expect((await plane.operate('status')).code).toBe(0);
  });

  it('names a server that its policies admit, and says how to write a policy where none does', async () => {
    saveByRename(join(directory, 'policies', 'github.yaml'), 'version: "1"\n');
    plane = await startPlane(directory);
    await until('the lines for a first proxy', () => plane.running().output().includes('--server github'));
    expect(plane.running().output()).toContain(`PORTCULLIS_HOME=${plane.home} node `);
    expect(plane.running().output()).not.toContain('filesystem');
    await plane.stop();
    rmSync(directory, { recursive: true });
    plane = await startPlane(directory);
    await until('the lines for a first policy', () => plane.running().output().includes('--server filesystem'));
    expect(plane.running().output()).toContain(join(directory, 'policies', 'filesystem.yaml'));
  });
});

describe('a running plane', () => {
  it('announces itself again when the announcement is gone', async () => {
    plane = await startPlane(directory);
    const before = announced();
    rmSync(join(plane.home, 'plane.json'));
    await until('the announcement', () => existsSync(join(plane.home, 'plane.json')));
    expect(announced()).toBe(before);
  });

  it('[L2][O3] whose data directory was deleted says no to a lockdown, why, and shows it in its status', async () => {
    plane = await startPlane(directory);
    rmSync(join(directory, 'data'), { recursive: true });
    const refused = await plane.operate('lockdown', '--reason', 'incident', '--timeout', '1s');
    expect(refused).toMatchObject({ code: 1, stderr: expect.stringMatching(/not the file that this plane opened.*restart the plane/) as string });
    const status = await plane.operate('status');
    expect(status.stdout).toContain('NOT RECORDING: the log cannot be written');
    expect(plane.running().output()).toContain('portcullis: the log cannot be written');
    expect(plane.running().output()).not.toMatch(/^ +at /m);
    expect(await plane.running().stop('SIGTERM', 8_000)).toBe(0);
  });
});

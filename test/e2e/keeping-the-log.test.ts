/** Keeping the log with real processes: a new key, a backup that is restored, erasing, and a warning of who could undo all of it. */
import { cpSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { enrolHost, FILESYSTEM_SERVER, startAgent, type AgentInWorld, type HostInWorld } from '../world/host.ts';
import { startPlane, type PlaneProcess } from '../world/plane.ts';
import { PORTCULLIS_PROXY, run, until } from '../world/process.ts';

interface Recorded {
  readonly seq: number;
  readonly id: string;
  readonly event: { readonly type: string };
}

let directory: string;
let plane: PlaneProcess;
let agents: AgentInWorld[];

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'portcullis-keeping-'));
  agents = [];
  plane = await startPlane(directory);
  plane.save('files.yaml', 'version: "1"\ntools: { write_file: { rules: [{ name: read only, action: deny }] } }\n');
  await until('the policy', async () => ((await plane.ask('status')) as { readonly policies: readonly unknown[] }).policies.length === 1);
});
afterEach(async () => {
  await Promise.all(agents.map((agent) => agent.close().catch(() => undefined)));
  await plane.stop();
  rmSync(directory, { recursive: true, force: true });
});

const data = (): string => join(directory, 'data');
async function agentOn(host: HostInWorld): Promise<AgentInWorld> {
  const project = join(directory, 'project');
  mkdirSync(project, { recursive: true });
  const agent = await startAgent(host, 'files', [process.execPath, FILESYSTEM_SERVER, project]);
  agents.push(agent);
  return agent;
}
const current = async (): Promise<boolean> => {
  const { proxies } = (await plane.ask('proxies')) as { readonly proxies: readonly { readonly state: string }[] };
  return proxies.length > 0 && proxies.every(({ state }) => state === 'current');
};
const works = async (agent: AgentInWorld): Promise<boolean> => !(await agent.call('list_allowed_directories', {})).isError;

describe('a new signing key', () => {
  it('[L4] is for an admin; proxies follow, a restart goes on, and log verify accepts the old and the new', async () => {
    const agent = await agentOn(await enrolHost(plane, 'laptop', {}));
    await until('it to be in force', current);
    const out = join(directory, 'out');
    await plane.operate('log', 'export', '--out', out, '--data', data());
    cpSync(join(out, 'checkpoint'), join(directory, 'kept'));
    expect(await plane.operate('key', 'rotate', '--reason', 'x')).toMatchObject({ code: 4 });
    expect((await plane.operate('key', 'rotate', '--reason', 'yearly', '--as', 'admin')).stdout).toContain('signs with a new key');
    expect(await plane.operate('lockdown', '--reason', 'after the new key')).toMatchObject({ code: 0 });
    expect(await agent.tools()).toEqual([]);
    await plane.kill9();
    await plane.startAgain();
    expect(await plane.operate('status', '--wait', String(((await plane.ask('status')) as { version: number }).version), '--timeout', '20s')).toMatchObject({ code: 0 });
    const verified = await plane.operate('log', 'verify', '--data', data(), '--checkpoint', join(directory, 'kept'));
    expect(verified).toMatchObject({ code: 0, stdout: expect.stringContaining('replaced once') as string });
  });
});

describe('a backup', () => {
  /** A running plane's directory is copied, it goes on, is lost, and comes back as it was. */
  async function lose(): Promise<void> {
    await plane.kill9();
    cpSync(data(), join(directory, 'backup'), { recursive: true });
    await plane.startAgain();
    expect(await plane.operate('restrict', '--tool', 'move_file', '--reason', 'will be lost')).toMatchObject({ code: 0 });
    expect(await plane.operate('log', 'restore', '--data', data(), '--recovery-key', join(data(), 'recovery.key'), '--reason', 'x')).toMatchObject({ code: 1, stderr: expect.stringContaining('in use') as string });
    await plane.kill9();
    rmSync(data(), { recursive: true });
    cpSync(join(directory, 'backup'), data(), { recursive: true });
  }

  it('[W3] is followed by hosts after log restore with the recovery key', async () => {
    const agent = await agentOn(await enrolHost(plane, 'laptop', {}));
    await until('it to be in force', current);
    await lose();
    const restored = await plane.operate('log', 'restore', '--data', data(), '--recovery-key', join(data(), 'recovery.key'), '--reason', 'the disk died');
    expect(restored).toMatchObject({ code: 0, stdout: expect.stringContaining('follow by themselves') as string });
    await plane.startAgain();
    await until('it to be back', current, 30_000);
    expect(await agent.tools()).toContain('move_file');
    expect(await plane.operate('lockdown', '--reason', 'still obeyed')).toMatchObject({ code: 0 });
    expect(await agent.tools()).toEqual([]);
    expect((await plane.operate('log', 'verify', '--data', data())).stdout).toContain('came back from a backup');
  }, 90_000);

  it('[W3] without the recovery key is refused, shown to operators, and followed after trust LOG on the host', async () => {
    const host = await enrolHost(plane, 'laptop', {});
    const agent = await agentOn(host);
    await until('it to be in force', current);
    await lose();
    rmSync(join(data(), 'recovery.key'));
    const { log } = JSON.parse((await plane.operate('log', 'restore', '--data', data(), '--without-recovery-key', '--reason', 'all lost', '--json')).stdout) as { readonly log: string };
    await plane.startAgain();
    await until('operators to see it', async () => (await plane.operate('status')).stdout.includes(`portcullis-proxy trust ${log}`), 30_000);
    expect(await agent.tools()).not.toContain('move_file');
    const trust = (name: string) => run(process.execPath, [PORTCULLIS_PROXY, 'trust', name], { PORTCULLIS_HOME: host.home });
    expect(await trust('portcullis.local/00000000')).toMatchObject({ code: 1, stderr: expect.stringContaining('nothing was changed') as string });
    expect(await trust(log)).toMatchObject({ code: 0 });
    expect((await trust(log)).stdout).toContain('already');
    await until('the running proxy to follow', current, 45_000);
    expect(await agent.tools()).toContain('move_file');
    expect((await plane.operate('status')).stdout).not.toContain('portcullis-proxy trust');
  }, 120_000);
});

describe('what people wrote, and what they are told', () => {
  it('log erase takes a reason away, says who did it, and leaves the log valid', async () => {
    await plane.operate('lockdown', '--reason', 'Anna Schmidt called', '--timeout', '1s');
    const [imposed] = ((await plane.ask('log', '--type', 'RestrictionImposed')) as { readonly events: readonly Recorded[] }).events;
    const seq = String(imposed!.seq);
    expect(await plane.operate('log', 'erase', seq, '--reason', 'she asked', '--as', 'admin')).toMatchObject({ code: 1, stderr: expect.stringContaining('lift it first') as string });
    await plane.operate('lift', `r-${seq}`, '--reason', 'over', '--yes', '--as', 'admin', '--timeout', '1s');
    expect(await plane.operate('log', 'erase', seq, '--reason', 'she asked')).toMatchObject({ code: 4 });
    expect(await plane.operate('log', 'erase', seq, '--reason', 'she asked', '--as', 'admin')).toMatchObject({ code: 0, stdout: expect.stringContaining(`event ${seq}`) as string });
    const log = await plane.operate('log');
    expect(log.stdout).not.toContain('Anna');
    expect(log.stdout).toContain('(erased)');
    expect(await plane.operate('log', 'erase', seq, '--reason', 'again', '--as', 'admin')).toMatchObject({ code: 1 });
    expect(await plane.operate('log', 'verify', '--data', data())).toMatchObject({ code: 0 });
  }, 60_000);

  it('diff says what callers can do now, and a proxy under the plane\'s user is warned of', async () => {
    const { version: before } = (await plane.ask('status')) as { readonly version: number };
    plane.save('files.yaml', 'version: "1"\nhide: [write_file]\ntools: { read_file: { rules: [{ name: no, action: deny }] } }\n');
    await until('the change', async () => ((await plane.ask('status')) as { readonly version: number }).version > before);
    const { version } = (await plane.ask('status')) as { readonly version: number };
    const { reach } = (await plane.ask('diff', String(before), String(version))) as { readonly reach: { readonly changes: readonly object[] } };
    expect(reach.changes).toMatchObject([
      { server: 'files', labels: {}, tool: 'read_file', visible: { before: true, after: true }, calls: { before: 'allowed', after: 'denied' } },
      { server: 'files', labels: {}, tool: 'write_file', visible: { before: true, after: false }, calls: { before: 'denied', after: 'denied' } },
    ]);
    expect((await plane.operate('diff', String(before), String(version))).stdout).toContain('files read_file: every call denied');
    expect(await run(process.execPath, [PORTCULLIS_PROXY, 'join', '--local'], { PORTCULLIS_HOME: plane.home })).toMatchObject({ code: 0 });
    const agent = await agentOn({ name: 'here', home: plane.home });
    expect(await works(agent)).toBe(true);
    await until('the warning', async () => (await plane.operate('proxies')).stdout.includes("runs under the plane's user"));
  }, 60_000);
});

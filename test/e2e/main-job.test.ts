/** The main job with real processes: a plane, hosts, proxies, MCP clients and servers. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { enrolHost, EVERYTHING_SERVER, FILESYSTEM_SERVER, startAgent, type AgentInWorld, type HostInWorld } from '../world/host.ts';
import { startPlane, type PlaneProcess } from '../world/plane.ts';
import { until } from '../world/process.ts';

interface Status {
  readonly version: number;
  readonly policies: readonly unknown[];
  readonly problems: readonly { readonly file: string; readonly line: number; readonly column: number; readonly code: string; readonly message: string }[];
  readonly restrictions: readonly { readonly id: string }[];
}

let directory: string;
let plane: PlaneProcess;
let agents: AgentInWorld[];

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'portcullis-e2e-'));
  agents = [];
  plane = await startPlane(directory);
});

afterEach(async () => {
  await Promise.all(agents.map((agent) => agent.close().catch(() => undefined)));
  await plane.stop();
  rmSync(directory, { recursive: true, force: true });
});

describe('policies reach proxies', () => {
  it('[P3] denies without a snapshot, says why, and lists nothing', async () => {
    const host = await enrolHost(plane, 'host', {});
    await plane.kill9();
    const agent = await filesAgent(host);
    expect(await agent.tools()).toEqual([]);
    const denied = await agent.call('list_allowed_directories', {});
    expect(denied.denied).toBe(true);
    expect(denied.text).toContain('No policy has reached this host yet');
  });

  it('[E2] denies a server that no policy admits, with the line to write', async () => {
    plane.save('other.yaml', 'version: "1"\n');
    const agent = await filesAgent(await enrolHost(plane, 'host', {}));
    await inForce();
    const denied = await agent.call('list_allowed_directories', {});
    expect(denied.denied).toBe(true);
    expect(denied.text).toContain('files.yaml');
  });

  it('[W8] selects by the labels of enrolment: one host is limited, the other is not', async () => {
    plane.save('files.yaml', 'version: "1"\n');
    plane.save('prod.yaml', 'version: "1"\nmatch: { server: "*", labels: { env: prod } }\ntools:\n  list_directory: { rules: [{ name: not in prod, action: deny }] }\n');
    await published(2);
    const prod = await filesAgent(await enrolHost(plane, 'prod', { env: 'prod' }));
    const dev = await filesAgent(await enrolHost(plane, 'dev', { env: 'dev' }));
    await inForce();
    expect((await prod.call('list_directory', { path: project() })).denied).toBe(true);
    expect((await dev.call('list_directory', { path: project() })).denied).toBe(false);
  });

  it('[P3][P6] keeps the last good policies and the lockdown when proxy and plane are both restarted', async () => {
    plane.save('files.yaml', 'version: "1"\ntools: { write_file: { rules: [{ name: read only, action: deny }] } }\n');
    await published(1);
    const host = await enrolHost(plane, 'host', {});
    const first = await filesAgent(host);
    await inForce();
    await first.close();
    await plane.kill9();
    const second = await filesAgent(host);
    expect((await second.call('list_allowed_directories', {})).isError).toBe(false);
    expect((await second.call('write_file', { path: join(project(), 'x'), content: 'x' })).denied).toBe(true);
    await plane.startAgain();
    await until('the proxy to be back', async () => (await plane.operate('lockdown', '--reason', 'drill', '--timeout', '10')).code === 0);
    await plane.kill9();
    await second.close();
    const third = await filesAgent(host);
    expect(await third.tools()).toEqual([]);
    expect((await third.call('list_allowed_directories', {})).text).toContain('drill');
  });

  it('[P5] lets a call in flight finish while its tool is taken away', async () => {
    plane.save('everything.yaml', 'version: "1"\n');
    await published(1);
    const agent = await startAgent(await enrolHost(plane, 'host', {}), 'everything', [process.execPath, EVERYTHING_SERVER]);
    agents.push(agent);
    await inForce();
    const long = agent.call('trigger-long-running-operation', { duration: 2, steps: 2 });
    plane.save('everything.yaml', 'version: "1"\nhide: ["*"]\n');
    await until('the tools to go', async () => (await agent.tools()).length === 0);
    expect((await long).text).toMatch(/completed/i);
    expect((await long).isError).toBe(false);
  });

  it('[P8] passes plumbing under a lockdown, with empty lists', async () => {
    plane.save('everything.yaml', 'version: "1"\n');
    await published(1);
    const agent = await startAgent(await enrolHost(plane, 'host', {}), 'everything', [process.execPath, EVERYTHING_SERVER]);
    agents.push(agent);
    await inForce();
    expect((await agent.client.listResources()).resources.length).toBeGreaterThan(0);
    expect((await plane.operate('lockdown', '--reason', 'drill')).code).toBe(0);
    await agent.client.ping();
    expect(await agent.tools()).toEqual([]);
    expect((await agent.client.listResources()).resources).toEqual([]);
    expect((await agent.client.listPrompts()).prompts).toEqual([]);
    await expect(agent.client.getPrompt({ name: 'simple-prompt' })).rejects.toThrow(/drill/);
  });
});

describe('what authors and operators see', () => {
  it('[F2] keeps the last good content, publishes other files, and says file, line and column', async () => {
    plane.save('files.yaml', 'version: "1"\ndefault: deny\ntools:\n  list_directory:\n');
    await published(1);
    const agent = await filesAgent(await enrolHost(plane, 'host', {}));
    await inForce();
    plane.save('files.yaml', 'version: "1"\ndefault: deny\ntools:\n  list_directory:\n    rulez: []\n');
    plane.save('other.yaml', 'version: "1"\n');
    await published(2);
    const status = await until('the problem', async () => {
      const now = await statusOf();
      return now.problems.length > 0 ? now : undefined;
    });
    expect(status.problems[0]).toMatchObject({ file: 'files.yaml', line: 5, code: 'UNKNOWN_KEY' });
    expect((await agent.call('list_directory', { path: project() })).denied).toBe(false);
    expect((await agent.call('write_file', { path: join(project(), 'x'), content: '' })).denied).toBe(true);
    expect(plane.running().output()).toContain('files.yaml:5:');
  });

  it('[F6] publishes what changed while the plane was down once, and nothing on a restart without changes', async () => {
    plane.save('files.yaml', 'version: "1"\n');
    await published(1);
    const { version } = await statusOf();
    await plane.stop();
    await plane.startAgain();
    await settled();
    expect((await statusOf()).version).toBe(version);
    await plane.kill9();
    plane.save('files.yaml', 'version: "1"\ndefault: deny\n');
    await plane.startAgain();
    await until('the change', async () => (await statusOf()).version > version);
    await settled();
    expect((await events('PolicySetPublished')).length).toBe(2);
  });

  it('[F3] waits for a confirmation before a removal that loosens', async () => {
    plane.save('files.yaml', 'version: "1"\n');
    plane.save('guard.yaml', 'version: "1"\nmatch: { server: "*" }\nhide: [write_file]\n');
    await published(2);
    rmSync(join(plane.policies, 'guard.yaml'));
    const pending = await until('the question', async () => ((await plane.ask('status')) as { pendingRemovals: readonly { change: string; removes: readonly string[] }[] }).pendingRemovals[0]);
    expect(pending.removes).toEqual(['guard.yaml']);
    expect((await statusOf()).policies.length).toBe(2);
    expect((await plane.operate('confirm', pending.change)).code).not.toBe(0);
    expect((await plane.operate('confirm', pending.change, '--as', 'admin')).code).toBe(0);
    expect((await statusOf()).policies.length).toBe(1);
  });

  it('[O1] refuses to loosen as responder, and allows to restrict', async () => {
    plane.save('files.yaml', 'version: "1"\n');
    await published(1);
    expect((await plane.operate('restrict', '--reason', 'drill', '--tool', 'write_*')).code).toBe(0);
    const [restriction] = (await statusOf()).restrictions;
    const refused = await plane.operate('lift', restriction?.id ?? '', '--reason', 'done', '--yes');
    expect(refused.code).not.toBe(0);
    expect(refused.stderr + refused.stdout).toContain('--as admin');
    expect((await plane.operate('lift', restriction?.id ?? '', '--reason', 'done', '--yes', '--as', 'admin')).code).toBe(0);
  });
});

async function filesAgent(host: HostInWorld): Promise<AgentInWorld> {
  const agent = await startAgent(host, 'files', [process.execPath, FILESYSTEM_SERVER, project()]);
  agents.push(agent);
  return agent;
}

function project(): string {
  const path = join(directory, 'project');
  mkdirSync(path, { recursive: true });
  writeFileSync(join(path, 'notes.txt'), 'x');
  return path;
}

async function statusOf(): Promise<Status> {
  return (await plane.ask('status')) as Status;
}

async function published(policies: number): Promise<void> {
  await until(`${policies} policies in force`, async () => (await statusOf()).policies.length === policies);
}

/** Every connected proxy enforces the head. */
async function inForce(): Promise<void> {
  await until('a connected proxy', async () => ((await plane.ask('proxies')) as { proxies: readonly { connected: boolean }[] }).proxies.some((proxy) => proxy.connected));
  const done = await plane.operate('status', '--wait', String((await statusOf()).version), '--timeout', '10');
  expect(done.code, done.stdout + done.stderr).toBe(0);
}

/** Longer than every quiet period and one poll of the watcher. */
async function settled(): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, 3_000));
}

async function events(type: string): Promise<readonly unknown[]> {
  return ((await plane.ask('log', '--type', type, '--limit', '100')) as { events: readonly unknown[] }).events;
}

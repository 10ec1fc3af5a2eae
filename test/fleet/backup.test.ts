/** A plane that came back from a backup, with real processes: what its operators and its hosts see, and both ways out. */
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { enrolHost, FILESYSTEM_SERVER, startAgent } from '../world/host.ts';
import type { AgentInWorld, HostInWorld } from '../world/host.ts';
import { startPlane } from '../world/plane.ts';
import type { PlaneProcess } from '../world/plane.ts';
import { PORTCULLIS_PROXY, run, until } from '../world/process.ts';

/** Machines are busy. */
const LONG_MS = 40_000;

let directory: string;
let plane: PlaneProcess;
let agents: AgentInWorld[];

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'portcullis-backup-'));
  agents = [];
  plane = await startPlane(directory);
});
afterEach(async () => {
  await Promise.all(agents.map((agent) => agent.close().catch(() => undefined)));
  await plane.stop();
  rmSync(directory, { recursive: true, force: true });
});

const data = (): string => join(directory, 'data');
const backup = (): string => join(directory, 'backup');

/** A policy under which the only tool that can be called is this one. */
function only(tool: string): string {
  return `version: "1"\ndefault: deny\ntools:\n  ${tool}: {}\n`;
}

async function agentOn(host: HostInWorld): Promise<AgentInWorld> {
  const agent = await startAgent(host, 'files', [process.execPath, FILESYSTEM_SERVER, directory]);
  agents.push(agent);
  return agent;
}

async function permits(agent: AgentInWorld, tool: string): Promise<boolean> {
  return !(await agent.call(tool, { path: directory })).denied;
}

async function inForce(agent: AgentInWorld, tool: string): Promise<void> {
  await until(`${tool} to be permitted`, () => permits(agent, tool), LONG_MS, 50);
}

async function statusOf(host: HostInWorld): Promise<string> {
  return (await run(process.execPath, [PORTCULLIS_PROXY, 'status'], { PORTCULLIS_HOME: host.home })).stdout;
}

/** What a proxy of the host has seen of the log, as an auditor is given it. */
function checkpointOf(host: HostInWorld): string {
  const root = join(host.home, 'last-good');
  const newest = readdirSync(root, { recursive: true, encoding: 'utf8' }).filter((name) => /checkpoint-\d+-[0-9a-f]+\.0$/.test(name)).sort().at(-1);
  if (newest === undefined) throw new Error('the host has no checkpoint');
  const file = join(directory, 'seen-by-a-host');
  writeFileSync(file, readFileSync(join(root, newest), 'utf8').split('\n').slice(1).join('\n'));
  return file;
}

it('[L7] is refused by hosts that have seen more, says so to its operators, and goes on under a new log: with the recovery key, and with `trust` where that is lost', async () => {
  const [laptop, desktop] = [await enrolHost(plane, 'laptop', {}), await enrolHost(plane, 'desktop', {})];
  plane.save('files.yaml', only('list_directory'));
  const first = await agentOn(laptop);
  await inForce(first, 'list_directory');
  await first.close();
  await plane.stop();
  cpSync(data(), backup(), { recursive: true });

  // What the backup does not have: a version, and what is none.
  await plane.startAgain();
  plane.save('files.yaml', only('directory_tree'));
  await plane.ask('join-token', 'create', '--as', 'admin');
  for (const host of [laptop, desktop]) await inForce(await agentOn(host), 'directory_tree');
  await Promise.all(agents.map((agent) => agent.close()));
  await plane.kill9();
  rmSync(data(), { recursive: true });
  cpSync(backup(), data(), { recursive: true });
  plane.save('files.yaml', only('list_directory'));
  await plane.startAgain();

  const refusing = await agentOn(laptop);
  const advice = /has seen \d+ events of this log, which has \d+, and refuses it: .*portcullis log restore/;
  await until('operators to see it', async () => advice.test((await plane.operate('status')).stdout.replace(/\s+/g, ' ')), LONG_MS, 200);
  await until('the host to see it', async () => (await statusOf(laptop)).includes('other-history'), LONG_MS, 200);
  expect([await permits(refusing, 'directory_tree'), await permits(refusing, 'list_directory')]).toEqual([true, false]);
  const verified = await plane.operate('log', 'verify', '--data', data(), '--checkpoint', checkpointOf(laptop));
  expect(verified.code, verified.stdout + verified.stderr).toBe(1);
  await refusing.close();

  // With the recovery key hosts follow by themselves.
  await plane.stop();
  const restored = await plane.operate('log', 'restore', '--data', data(), '--recovery-key', join(data(), 'recovery.key'), '--reason', 'the disk died');
  expect(restored.code, restored.stdout + restored.stderr).toBe(0);
  await plane.startAgain();
  await inForce(await agentOn(laptop), 'list_directory');

  // Without it each host is told.
  await plane.stop();
  rmSync(join(data(), 'recovery.key'));
  const alone = await plane.operate('log', 'restore', '--data', data(), '--without-recovery-key', '--reason', 'and the key is lost');
  expect(alone.code, alone.stdout + alone.stderr).toBe(0);
  await plane.startAgain();
  const { log } = (await plane.ask('status')) as { readonly log: string };
  const stranger = await agentOn(desktop);
  await until('the host to say what to do', async () => (await statusOf(desktop)).includes(`trust ${log}`), LONG_MS, 200);
  expect(await permits(stranger, 'directory_tree')).toBe(true);
  await stranger.close();
  const trusted = await run(process.execPath, [PORTCULLIS_PROXY, 'trust', log], { PORTCULLIS_HOME: desktop.home });
  expect(trusted.code, trusted.stdout + trusted.stderr).toBe(0);
  await inForce(await agentOn(desktop), 'list_directory');
}, 240_000);

/** What `portcullis-proxy status` says on a host about its link to the plane, with real processes. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { enrolHost, FILESYSTEM_SERVER, startAgent, type AgentInWorld, type HostInWorld } from '../world/host.ts';
import { startPlane, type PlaneProcess } from '../world/plane.ts';
import { PORTCULLIS_PROXY, run, until } from '../world/process.ts';

interface Status {
  readonly servers: readonly { readonly server: string; readonly policies: readonly string[]; readonly running: readonly { readonly link: { readonly kind: string; readonly sinceMs: number; readonly problem?: string; readonly reason?: string } }[] }[];
}

let directory: string;
let plane: PlaneProcess;
let agent: AgentInWorld | null = null;

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'portcullis-host-'));
  plane = await startPlane(directory);
  plane.save('files.yaml', 'version: "1"\n');
});

afterEach(async () => {
  await agent?.close().catch(() => undefined);
  await plane.stop();
  rmSync(directory, { recursive: true, force: true });
});

it('[O3] says on the host that the plane is away since when, and that it refuses the host, with what to do', async () => {
  const startedAt = Date.now();
  const host = await enrolHost(plane, 'laptop', {});
  agent = await startAgent(host, 'files', [process.execPath, FILESYSTEM_SERVER, directory]);
  const connected = await linkIs(host, ({ kind }) => kind === 'connected');
  expect(connected.sinceMs).toBeGreaterThanOrEqual(startedAt);
  expect(await words(host)).toContain('linked to the plane');

  await plane.kill9();
  const away = await linkIs(host, ({ kind, problem }) => kind === 'connecting' && problem?.includes('ECONNREFUSED') === true);
  expect(await words(host)).toMatch(/NOT linked to the plane for \d+ s \(.*ECONNREFUSED.*\): what is in force stays/);
  // Each further try is the same trouble.
  await until('another try', async () => (await linkOf(host))?.sinceMs === away.sinceMs);

  await plane.startAgain();
  await linkIs(host, ({ kind }) => kind === 'connected');
  const enrolment = JSON.parse(readFileSync(join(host.home, 'host.json'), 'utf8')) as { readonly host: string };
  const revoked = await plane.operate('host', 'revoke', enrolment.host, '--as', 'admin');
  expect(revoked.code, revoked.stderr).toBe(0);
  await linkIs(host, ({ kind, reason }) => kind === 'refused' && reason === 'revoked');
  const said = await words(host);
  expect(said).toContain('REFUSED by the plane');
  expect(said).toContain('portcullis-proxy join');
  expect(said).toContain('files.yaml');
  expect((await agent.call('list_allowed_directories', {})).denied).toBe(false);

  await agent.close();
  agent = null;
  await until('the end', async () => (await linkOf(host)) === undefined);
  expect(await words(host)).toContain('files: no proxy runs now');
});

async function linkOf({ home }: HostInWorld) {
  const { code, stdout, stderr } = await run(process.execPath, [PORTCULLIS_PROXY, 'status', '--json'], { PORTCULLIS_HOME: home });
  expect(code, stderr).toBe(0);
  return (JSON.parse(stdout) as Status).servers[0]?.running[0]?.link;
}

async function linkIs(host: HostInWorld, wanted: (link: NonNullable<Awaited<ReturnType<typeof linkOf>>>) => boolean) {
  return until('the link to be so', async () => {
    const link = await linkOf(host);
    return link !== undefined && wanted(link) && link;
  }, 45_000, 100);
}

async function words({ home }: HostInWorld): Promise<string> {
  return (await run(process.execPath, [PORTCULLIS_PROXY, 'status'], { PORTCULLIS_HOME: home })).stdout;
}

/** `portcullis-proxy doctor`, with a real plane, real proxies and real damage. */
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Diagnosis } from '../../apps/proxy/src/doctor/doctor.ts';
import type { Finding } from '../../apps/proxy/src/doctor/finding.ts';
import { enrolHost, FILESYSTEM_SERVER, startAgent, type AgentInWorld } from '../world/host.ts';
import { startPlane, type PlaneProcess } from '../world/plane.ts';
import { PORTCULLIS_PROXY, run, until } from '../world/process.ts';

let directory: string;
let plane: PlaneProcess | null = null;
let agent: AgentInWorld | null = null;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'portcullis-doctor-'));
});
afterEach(async () => {
  await agent?.close().catch(() => undefined);
  await plane?.stop();
  [agent, plane] = [null, null];
  rmSync(directory, { recursive: true, force: true });
});

async function doctor(home: string): Promise<Diagnosis & { readonly code: number }> {
  const { code, stdout, stderr } = await run(process.execPath, [PORTCULLIS_PROXY, 'doctor', '--json'], { PORTCULLIS_HOME: home });
  expect(stderr).toBe('');
  return { ...(JSON.parse(stdout) as Diagnosis), code };
}

function levelOf({ findings }: Diagnosis, check: Finding['check']): Finding['level'] | undefined {
  return ['wrong', 'warning', 'ok'].map((level) => findings.find((one) => one.check === check && one.level === level)?.level).find((level) => level !== undefined);
}

function said({ findings }: Diagnosis): string {
  return findings.map(({ message }) => message).join('\n');
}

describe('doctor', () => {
  it('[O3] says of a host that never joined what to do', async () => {
    const home = join(directory, 'home');
    expect((await doctor(home)).code).toBe(1);
    mkdirSync(home, { mode: 0o700 });
    const empty = await doctor(home);
    expect(empty).toMatchObject({ ok: false, code: 1 });
    expect(levelOf(empty, 'folder')).toBe('ok');
    expect(said(empty)).toContain('portcullis-proxy join');
    expect(readdirSync(home)).toEqual([]);
    writeFileSync(join(home, 'host.json'), '{');
    expect(said(await doctor(home))).toContain('every call is denied');
  });

  it('[O3] finds nothing wrong where all is well, and each thing that is not', async () => {
    plane = await startPlane(directory);
    plane.save('files.yaml', 'version: "1"\ntools: { list_directory: { rules: [{ name: some, rate_limit: 100/day }] } }\n');
    const { home } = await enrolHost(plane, 'laptop', {});
    chmodSync(home, 0o700);
    agent = await startAgent({ name: 'laptop', home }, 'files', [process.execPath, FILESYSTEM_SERVER, directory]);
    await until('a call', async () => (await agent?.call('list_directory', { path: directory }))?.denied === false, 20_000);
    const well = await doctor(home);
    expect(well, said(well)).toMatchObject({ ok: true, code: 0 });
    for (const check of ['folder', 'enrolment', 'plane', 'clock', 'server', 'counters'] as const) expect(levelOf(well, check), check).toBe('ok');
    const words = await run(process.execPath, [PORTCULLIS_PROXY, 'doctor'], { PORTCULLIS_HOME: home });
    expect(words.stdout).toContain('ok      counters   counts can be kept, in one file');

    chmodSync(join(home, 'host.key'), 0o644);
    chmodSync(home, 0o777);
    const open = await doctor(home);
    expect(said(open)).toContain('chmod 600');
    expect(said(open)).toContain('chmod 700');
    chmodSync(join(home, 'host.key'), 0o600);
    chmodSync(home, 0o700);

    await plane.kill9();
    const cut = await until('the proxy to notice', async () => {
      const now = await doctor(home);
      return said(now).includes('has no link to the plane') && now;
    }, 20_000, 100);
    expect(levelOf(cut, 'plane')).toBe('wrong');
    expect(said(cut)).toContain('what was in force last stays in force');
    expect(levelOf(cut, 'counters')).toBe('ok');

    await agent.close();
    agent = null;
    const counts = readdirSync(join(home, 'last-good'), { recursive: true, encoding: 'utf8' }).find((file) => file.endsWith('counters.db')) ?? '';
    for (const rest of ['-wal', '-shm']) rmSync(join(home, 'last-good', `${counts}${rest}`), { force: true });
    writeFileSync(join(home, 'last-good', counts), 'this is no database, and long enough to be looked at as one'.repeat(100));
    const damaged = await doctor(home);
    expect(levelOf(damaged, 'counters')).toBe('wrong');
    expect(said(damaged)).toContain('Move it away to count from zero');
  });
});

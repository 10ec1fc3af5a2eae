/** "What did host H enforce at time T?", held against what an agent saw at T: through a lockdown, a lift, and a plane that was away. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Certainty, Enforced } from '../../apps/control-plane/src/fleet/fleet.ts';
import { enrolHost, FILESYSTEM_SERVER, startAgent, type AgentInWorld, type HostInWorld } from '../world/host.ts';
import { startPlane, type PlaneProcess } from '../world/plane.ts';
import { until } from '../world/process.ts';

interface Row extends Enforced {
  readonly certainty: Certainty;
}

let directory: string;
let plane: PlaneProcess;
let host: HostInWorld;
const agents: AgentInWorld[] = [];

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'portcullis-enforced-'));
  plane = await startPlane(directory);
  plane.save('files.yaml', 'version: "1"\n');
  await until('the policy', async () => ((await plane.ask('status')) as { readonly policies: readonly unknown[] }).policies.length === 1);
  host = await enrolHost(plane, 'laptop', {});
});
afterEach(async () => {
  await Promise.all(agents.splice(0).map((agent) => agent.close().catch(() => undefined)));
  await plane.stop();
  rmSync(directory, { recursive: true, force: true });
});

async function agentInForce(): Promise<AgentInWorld> {
  const project = join(directory, 'project');
  mkdirSync(project, { recursive: true });
  const agent = await startAgent(host, 'files', [process.execPath, FILESYSTEM_SERVER, project]);
  agents.push(agent);
  await until('the proxy to be current', current);
  return agent;
}

async function current(): Promise<boolean> {
  const { proxies } = (await plane.ask('proxies')) as { readonly proxies: readonly { readonly state: string }[] };
  return proxies.length > 0 && proxies.every(({ state }) => state === 'current');
}

async function between(fromMs: number, toMs: number): Promise<readonly Row[]> {
  const found = JSON.parse(readFileSync(join(plane.home, 'plane.json'), 'utf8')) as { readonly tokens: { readonly responder: string } };
  const token = readFileSync(found.tokens.responder, 'utf8').trim();
  const answer = await fetch(`${plane.url()}/v1/enforced?fromMs=${fromMs}&toMs=${toMs}`, { headers: { authorization: `Bearer ${token}` } });
  return ((await answer.json()) as { readonly enforced: readonly Row[] }).enforced;
}

const at = async (ms: number): Promise<readonly Row[]> => ((await plane.ask('enforced', '--at', new Date(ms).toISOString())) as { readonly enforced: readonly Row[] }).enforced;

interface Seen {
  readonly fromMs: number;
  readonly toMs: number;
  readonly denied: boolean;
}

/** Calls all the time, and notes when each call was allowed or denied. */
function watch(agent: AgentInWorld): { readonly end: () => Promise<readonly Seen[]> } {
  const seen: Seen[] = [];
  const ending = new AbortController();
  const loop = (async () => {
    while (!ending.signal.aborted) {
      const fromMs = Date.now();
      const { denied } = await agent.call('list_allowed_directories', {});
      seen.push({ fromMs, toMs: Date.now(), denied });
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  })();
  return {
    end: async () => {
      ending.abort();
      await loop;
      return seen;
    },
  };
}

const lockdown = async (): Promise<{ readonly version: number; readonly id: string }> => {
  const done = (await plane.ask('lockdown', '--reason', 'drill')) as { readonly version: number; readonly restriction: { readonly id: string } };
  return { version: done.version, id: done.restriction.id };
};

describe('what a host enforced', () => {
  it('is, at every moment, what an agent saw then, or one of those that are listed', async () => {
    const agent = await agentInForce();
    const watching = watch(agent);
    const closed: (readonly [from: number, before: number])[] = [];
    for (let round = 0; round < 3; round++) {
      const { version, id } = await lockdown();
      if (round === 1) {
        await plane.kill9();
        await new Promise((resolve) => setTimeout(resolve, 500));
        await plane.startAgain();
        await until('the proxy to be back', current);
      }
      const lifted = (await plane.ask('lift', id, '--reason', 'over', '--yes', '--as', 'admin')) as { readonly version: number };
      closed.push([version, lifted.version]);
    }
    const seen = await watching.end();
    // A sign of life after the last call, so that the last interval reaches it.
    await until('the next heartbeat', async () => (await between(Date.now(), Date.now()))[0]!.toMs >= (seen.at(-1)?.toMs ?? 0));
    const denies = (version: number): boolean => closed.some(([from, before]) => version >= from && version < before);
    const signs = await between(0, Date.now());
    for (const { fromMs, notBeforeMs, boot } of signs) if (boot === signs[0]?.boot && notBeforeMs !== null) expect(fromMs).toBeGreaterThanOrEqual(notBeforeMs);
    let [certain, either] = [0, 0];
    for (const one of seen) {
      const rows = await between(one.fromMs, one.toMs);
      const versions = rows.map(({ restrictionsVersion }) => restrictionsVersion);
      // Where two are listed, it may have been a version between them, too: the plane that died had heard of it, and not written it.
      const possible = Array.from({ length: Math.max(...versions) - Math.min(...versions) + 1 }, (_, n) => denies(Math.min(...versions) + n));
      expect(possible, JSON.stringify({ one, rows })).toContain(one.denied);
      const moments = await between(one.toMs, one.toMs);
      if (rows.length === 1 && moments[0]?.certainty === 'certain') certain++;
      else either++;
    }
    console.log(`${seen.length} calls, ${seen.filter(({ denied }) => denied).length} of them denied: ${certain} explained by one interval for certain, ${either} by one of two or the last known`);
    expect(certain).toBeGreaterThan(seen.length / 4);
    expect(new Set(seen.map(({ denied }) => denied)).size).toBe(2);
  }, 120_000);

  it('is certain while it was heard of, and the last that is known while it was not', async () => {
    const agent = await agentInForce();
    const { version } = await lockdown();
    const [locked] = await at(Date.now());
    expect(locked).toMatchObject({ host: expect.any(String) as string, server: 'files', restrictionsVersion: version });
    expect(await at(locked!.fromMs)).toMatchObject([{ certainty: 'certain', restrictionsVersion: version }]);
    expect(await at(0)).toEqual([]);

    // The plane is away: nobody heard of the proxy, which went on with what it had.
    await plane.kill9();
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    const away = Date.now();
    expect((await agent.call('list_allowed_directories', {})).denied).toBe(true);
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    await plane.startAgain();
    await until('the proxy to be back', current);
    expect(await at(away)).toMatchObject([{ certainty: 'last-known', restrictionsVersion: version, boot: locked!.boot }]);

    // The proxy is killed, and another takes its place under other policies.
    process.kill(agent.pid()!, 'SIGKILL');
    await until('it to be missed', async () => !(await current()));
    const dead = Date.now();
    plane.save('files.yaml', 'version: "1"\ndefault: deny\n');
    const after = await until('the change', async () => {
      const { policiesVersion } = (await plane.ask('status')) as { readonly policiesVersion: number };
      return policiesVersion > version ? policiesVersion : undefined;
    });
    await agentInForce();
    const now = await at(Date.now());
    expect(now.find(({ boot }) => boot !== locked!.boot)).toMatchObject({ policiesVersion: after, restrictionsVersion: version });
    const then = await at(dead);
    expect(then.find(({ boot }) => boot === locked!.boot)).toMatchObject({ restrictionsVersion: version });
    expect(then.find(({ boot }) => boot === locked!.boot)?.certainty).not.toBe('certain');
    const table = await plane.operate('enforced', '--at', new Date(away).toISOString(), '--host', locked!.host);
    expect(table.stdout).toContain('last known');
    for (const line of table.stdout.split('\n').slice(0, 2)) expect(line.length).toBeLessThanOrEqual(100);
  }, 120_000);
});

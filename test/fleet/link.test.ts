/** Plane and proxies over real sockets, with a real log and real disks. */
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { lastGoodDirectory } from '../../apps/proxy/src/store/last-good.ts';
import type { Enforcing } from '../../apps/proxy/src/link/enforce.ts';
import { allows, enrol, startPlane, startProxy, temporary, until } from './plane-fixture.ts';
import type { RunningPlane } from './plane-fixture.ts';
import { policyOf } from './world.ts';

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

function folder(prefix: string): string {
  const { dir, remove } = temporary(prefix);
  cleanups.push(remove);
  return dir;
}

async function plane(dataDir = folder('plane'), port = 0): Promise<RunningPlane> {
  const running = await startPlane(dataDir, port);
  let stopped = false;
  const stop: RunningPlane['stop'] = async (how) => {
    if (stopped) return;
    stopped = true;
    await running.stop(how);
  };
  cleanups.push(() => stop('kill'));
  return { ...running, stop };
}

function refusalOf({ link }: Enforcing): string | null {
  const { state } = link.status();
  return state.kind === 'refused' ? state.reason : null;
}

async function proxy(home: string, server: string, upstream?: string): Promise<Enforcing & { readonly told: string[] }> {
  const started = await startProxy(home, server, upstream);
  let open = true;
  const close = async (): Promise<void> => {
    if (open) await started.close();
    open = false;
  };
  cleanups.push(close);
  return { ...started, close };
}

const lockdown = { kind: 'restrict', selector: { server: [], labels: {} }, tools: null, readOnly: false, expiresAtMs: null } as const;

function current(running: RunningPlane, count: number): () => boolean {
  return () => {
    const progress = running.fleet.progress(running.plane.state().version);
    return progress.wanted === count && progress.enforcing === count;
  };
}

describe('the link over real sockets', () => {
  it('[W4] [W6] [W9] [P3] publishes, locks down, lifts; unaffected proxies learn each version too', async () => {
    const running = await plane();
    const home = folder('home');
    await enrol(running, home, { env: 'prod' });
    running.publish([policyOf('github.yaml', ['read']), policyOf('files.yaml', ['list'], { server: ['files'] })]);
    const github = await proxy(home, 'github');
    expect(allows(github, 'read')).toBe(false);
    const files = await proxy(home, 'files');
    await until('both current', current(running, 2));
    expect([allows(github, 'read'), allows(github, 'write'), allows(files, 'list')]).toEqual([true, false, true]);

    running.publish([policyOf('github.yaml', ['read', 'write']), policyOf('files.yaml', ['list'], { server: ['files'] })]);
    await until('both current', current(running, 2));
    expect(allows(github, 'write')).toBe(true);
    await until('files learned the version', () => (files.link.status().policies?.version ?? 0) === running.plane.state().version);

    const imposed = running.execute(lockdown);
    await until('locked down', current(running, 2));
    expect([allows(github, 'read'), allows(files, 'list'), github.gate.lists().empty]).toEqual([false, false, true]);
    const progress = running.fleet.progress(imposed);
    expect(progress.tookMs).toHaveLength(2);

    running.execute({ kind: 'lift', restriction: [...running.plane.state().restrictions.keys()][0] ?? '', expected: null });
    await until('lifted', current(running, 2));
    expect(allows(github, 'read')).toBe(true);
    expect(running.fleet.proxies().map(({ state, server }) => `${server} ${state}`)).toEqual(['files current', 'github current']);
  });

  it('[P3] [P6] [W9] restarts with the plane down under what was in force, restriction included', async () => {
    const running = await plane();
    const home = folder('home');
    await enrol(running, home, {});
    running.publish([policyOf('github.yaml', ['read', 'write'])]);
    const first = await proxy(home, 'github');
    await until('current', current(running, 1));
    running.execute({ ...lockdown, tools: ['write'] });
    await until('restricted', current(running, 1));
    await running.stop('kill');
    await first.close();

    const second = await proxy(home, 'github');
    expect([allows(second, 'read'), allows(second, 'write')]).toEqual([true, false]);
    expect(second.link.staleMs()).toBeGreaterThan(0);

    const again = await plane(running.dataDir, running.port);
    await until('welcomed', () => second.link.staleMs() === 0);
    again.execute({ kind: 'lift', restriction: [...again.plane.state().restrictions.keys()][0] ?? '', expected: null });
    await until('lifted', () => allows(second, 'write'));
  });

  it('[W7] a plane that comes back with a later version reaches proxies that waited', async () => {
    const running = await plane();
    const homes = [folder('home'), folder('home'), folder('home')];
    for (const home of homes) await enrol(running, home, {});
    running.publish([policyOf('github.yaml', ['read'])]);
    const proxies = await Promise.all(homes.map((home) => proxy(home, 'github')));
    await until('current', current(running, 3));
    await running.stop('goodbye');
    const again = await plane(running.dataDir, running.port);
    again.publish([policyOf('github.yaml', ['write'])]);
    await until('all have it', () => proxies.every((one) => allows(one, 'write')), 20_000);
    await until('all said so', current(again, 3));
  });

  it('[W8] revoking closes the socket at once and refuses the host; the last good policy stays', async () => {
    const running = await plane();
    const home = folder('home');
    const host = await enrol(running, home, {});
    running.publish([policyOf('github.yaml', ['read'])]);
    const one = await proxy(home, 'github');
    await until('current', current(running, 1));
    running.execute({ kind: 'revoke-host', host });
    await until('told', () => refusalOf(one) === 'revoked');
    expect(allows(one, 'read')).toBe(true);
    expect(one.told.join()).toContain('revoked');
    expect(running.fleet.proxies()).toEqual([]);
  });

  it('[W8] relabelling moves a connected proxy to its new cut', async () => {
    const running = await plane();
    const home = folder('home');
    const host = await enrol(running, home, { env: 'dev' });
    running.publish([policyOf('dev.yaml', ['read', 'write'], { labels: { env: ['dev'] } }), policyOf('prod.yaml', ['read'], { labels: { env: ['prod'] } })]);
    const one = await proxy(home, 'github');
    await until('current', current(running, 1));
    expect(allows(one, 'write')).toBe(true);
    running.execute({ kind: 'relabel', host, labels: { env: 'prod' }, confirm: false });
    await until('moved', () => !allows(one, 'write'));
    await until('current', current(running, 1));
    expect(allows(one, 'read')).toBe(true);
  });

  it('[W5] what a proxy cannot enforce is refused once, shown to operators, and a later good version flows', async () => {
    const running = await plane();
    const home = folder('home');
    await enrol(running, home, {});
    running.publish([policyOf('github.yaml', ['read'])]);
    const one = await proxy(home, 'github');
    await until('current', current(running, 1));
    const broken = { ...policyOf('github.yaml', ['read']), invented: true };
    running.publish([broken]);
    await until('refused', () => running.fleet.proxies()[0]?.state === 'refused');
    expect(running.fleet.proxies()[0]?.problems.join()).toContain('unknown field "invented"');
    expect(allows(one, 'read')).toBe(true);
    expect(running.fleet.progress(running.plane.state().version).missing[0]?.why).toContain('unsupported');
    running.execute(lockdown);
    await until('a restriction still arrives', () => !allows(one, 'read'));
    running.execute({ kind: 'lift', restriction: [...running.plane.state().restrictions.keys()][0] ?? '', expected: null });
    running.publish([policyOf('github.yaml', ['write'])]);
    await until('the next one arrives', () => allows(one, 'write'));
    await until('current', current(running, 1));
  });

  it('decisions arrive once each, also those made without a plane', async () => {
    const running = await plane();
    const home = folder('home');
    await enrol(running, home, {});
    running.publish([policyOf('github.yaml', ['read'])]);
    const one = await proxy(home, 'github');
    await until('current', current(running, 1));
    for (let call = 0; call < 700; call++) allows(one, call % 2 === 0 ? 'read' : 'write');
    await until('stored', () => running.decisions.boots({ limit: 10 })[0]?.stored === 700);
    await running.stop('kill');
    for (let call = 0; call < 300; call++) allows(one, 'read');
    await one.close();
    const again = await plane(running.dataDir, running.port);
    const two = await proxy(home, 'github');
    await until('the rest', () => again.decisions.boots({ limit: 10 }).find(({ boot }) => boot === one.boot)?.stored === 1000);
    expect(again.decisions.boots({ limit: 10 }).find(({ boot }) => boot === one.boot)).toMatchObject({ highest: 999, missing: 0 });
    const [row] = again.decisions.query({ limit: 1, decision: 'deny' });
    expect(row).toMatchObject({ server: 'github', name: 'write', kind: 'tool', reason: 'default', freshness: 'fresh' });
    expect(row?.argumentsHmac).toMatch(/^[0-9a-f]{64}$/);
    expect(two.boot).not.toBe(one.boot);
  }, 60_000);

  it('[W8] a copied key is shown, and one name with two upstreams', async () => {
    const running = await plane();
    const [home, copy] = [folder('home'), folder('home')];
    await enrol(running, home, {});
    running.publish([policyOf('github.yaml', ['read'])]);
    for (const file of ['host.json', 'host.key']) writeFileSync(path.join(copy, file), readFileSync(path.join(home, file)), { mode: 0o600 });
    await proxy(home, 'github', 'npx server-github');
    await until('there', current(running, 1));
    await proxy(copy, 'github', 'node evil.js');
    await until('both', current(running, 2));
    const problems = running.fleet.proxies().flatMap((view) => view.problems).join('\n');
    expect(problems).toContain('in use twice');
    expect(problems).toContain('stands for 2 upstreams');
  });

  it('what was enforced when: intervals with their uncertainty', async () => {
    const running = await plane();
    const home = folder('home');
    const host = await enrol(running, home, {});
    const first = running.publish([policyOf('github.yaml', ['read'])]);
    await proxy(home, 'github');
    await until('current', current(running, 1));
    const second = running.publish([policyOf('github.yaml', ['write'])]);
    await until('current', current(running, 1));
    const rows = running.fleet.enforced({ host, fromMs: 0, toMs: Date.now(), limit: 10 });
    expect(rows.map(({ policiesVersion }) => policiesVersion)).toEqual([second, first]);
    expect(rows[0]?.notBeforeMs).toBe(rows[1]?.toMs);
    expect(rows[0]?.fromMs).toBeGreaterThanOrEqual(rows[1]?.toMs ?? Infinity);
  });

  it('[P3] two proxies of one server share what is on disk; damaged files never open the gate', async () => {
    const running = await plane();
    const home = folder('home');
    await enrol(running, home, {});
    running.publish([policyOf('github.yaml', ['read'])]);
    const [one, two] = [await proxy(home, 'github'), await proxy(home, 'github')];
    await until('current', current(running, 2));
    running.publish([policyOf('github.yaml', ['write'])]);
    await until('current', current(running, 2));
    await running.stop('kill');
    await Promise.all([one.close(), two.close()]);
    const directory = lastGoodDirectory(home, running.plane.state().log, 'github');
    for (const name of readdirSync(directory).filter((file) => file.startsWith('restrictions-'))) writeFileSync(path.join(directory, name), 'x');
    const three = await proxy(home, 'github');
    expect([allows(three, 'read'), allows(three, 'write')]).toEqual([false, false]);
    expect(three.told.join()).toContain('cannot be read');
  });

  it('[P6] a lockdown whose files were removed from the host while the plane is away is not lifted: every call is denied, and says why', async () => {
    const running = await plane();
    const home = folder('home');
    await enrol(running, home, {});
    running.publish([policyOf('github.yaml', ['read'])]);
    const one = await proxy(home, 'github');
    await until('current', current(running, 1));
    running.execute(lockdown);
    await until('locked down', current(running, 1));
    await running.stop('kill');
    await one.close();
    const directory = lastGoodDirectory(home, running.plane.state().log, 'github');
    const newest = readdirSync(directory).filter((name) => name.startsWith('restrictions-')).sort().at(-1)?.slice(0, 'restrictions-'.length + 16) ?? '';
    for (const name of readdirSync(directory).filter((file) => file.startsWith(newest))) rmSync(path.join(directory, name));

    const two = await proxy(home, 'github');
    const { decision } = two.gate.judge({ kind: 'tool', name: 'read', arguments: {} }, { name: 'test' });
    expect(decision).toMatchObject({ decision: 'deny', reason: 'no-snapshot', message: expect.stringContaining('their files are gone') as string });
    expect(decision.message).not.toContain('No policy has reached this host yet');
    expect(two.told.join()).toContain('their files are gone');

    const again = await plane(running.dataDir, running.port);
    await until('locked down again', current(again, 1));
    again.execute({ kind: 'lift', restriction: [...again.plane.state().restrictions.keys()][0] ?? '', expected: null });
    await until('lifted', () => allows(two, 'read'));
  });

  it('[W1] refuses an Origin, a frame before hello, a binary frame, an unknown host, and other paths', async () => {
    const running = await plane();
    const attempt = (url: string, options: object, act: (socket: WebSocket) => void): Promise<string> =>
      new Promise((resolve) => {
        const socket = new WebSocket(url, options);
        socket.on('unexpected-response', (_request, response) => resolve(String(response.statusCode)));
        socket.on('message', () => act(socket));
        socket.on('close', (code, reason) => resolve(`${code} ${reason.toString()}`));
        socket.on('error', () => undefined);
      });
    const link = `${running.url.replace('http', 'ws')}/v1/link`;
    expect(await attempt(link, { origin: 'https://evil.example' }, () => undefined)).toBe('403');
    expect(await attempt(`${link}/x`, {}, () => undefined)).toBe('404');
    expect(await attempt(link, {}, (socket) => socket.send('{"frame":"goodbye"}'))).toBe('4700 bad-frame');
    expect(await attempt(link, {}, (socket) => socket.send(Buffer.from([1])))).toBe('4700 bad-frame');
    expect(await attempt(link, {}, (socket) => socket.send('{"frame":"hello"'))).toBe('4700 bad-frame');
    expect(await attempt(link, {}, (socket) => socket.send('x'.repeat(9_000)))).toBe('4700 bad-frame');
  });
});

/** How `portcullis-proxy` itself lives and ends: the program, not only its relay; real processes, a dying upstream, a plane that hangs. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { startProxy, script, type Proxied } from '../relay/proxied.ts';
import { call, request } from '../relay/wired.ts';
import { enrolHost } from '../world/host.ts';
import { startPlane } from '../world/plane.ts';
import { PORTCULLIS_PROXY, until } from '../world/process.ts';

let directory: string;
const cleanups: (() => unknown)[] = [];
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'portcullis-life-'));
});
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
  rmSync(directory, { recursive: true, force: true });
});

const ECHO = 'reply(message.id, { content: [{ type: "text", text: "done" }] });';

/** The program with these options of its own, around a server; alone under `policy`. */
function alone(policy: string, command: readonly string[], env: NodeJS.ProcessEnv = {}): Proxied {
  const file = join(directory, 'bench.yaml');
  writeFileSync(file, policy);
  return program(['--server', 'bench', '--policy', file], command, { PORTCULLIS_HOME: join(directory, 'home'), ...env });
}

function program(options: readonly string[], command: readonly string[], env: NodeJS.ProcessEnv): Proxied {
  // What a wrapper puts before `--` are the program's own options.
  const wrapper = join(directory, 'wrapper.mjs');
  writeFileSync(wrapper, `process.argv.splice(2, 0, ...${JSON.stringify(options)});\nawait import(${JSON.stringify(PORTCULLIS_PROXY)});\n`);
  const proxy = startProxy(wrapper, command, env);
  cleanups.push(() => proxy.process.kill('SIGKILL'));
  return proxy;
}

describe('the program', () => {
  it.each([['process.exit(0)', 0], ['process.exit(3)', 3], ['process.kill(process.pid, "SIGTERM")', 143], ['process.kill(process.pid, "SIGKILL")', 137]] as const)('ends as its server does: %s', async (act, code) => {
    const proxy = alone('version: "1"\n', [process.execPath, '-e', act]);
    expect(await proxy.ended).toEqual({ code, signal: null });
  });

  it('gives its server the whole environment but its own variables', async () => {
    const proxy = alone('version: "1"\n', script('reply(message.id, { env: process.env });'), { API_KEY: 'k', PORTCULLIS_TOKEN: 't', Portcullis_Other: 'o' });
    proxy.send(call(1, 'env'));
    const { result } = (await proxy.next(1)) as { result: { env: Record<string, string> } };
    expect(result.env['API_KEY']).toBe('k');
    expect(Object.keys(result.env).filter((name) => /portcullis/i.test(name))).toEqual([]);
  });

  it('answers a call whose server dies, and gives its count back', async () => {
    const once = 'version: "1"\ntools: { once: { rules: [{ name: once a day, rate_limit: 1/day }] } }\n';
    const first = alone(once, script('if (message.method === "tools/call") process.exit(9);'));
    first.send(call(1, 'once'));
    expect(await first.next(1)).toMatchObject({ error: { message: 'The upstream server has ended (exit code 9)' } });
    expect((await first.ended).code).toBe(9);
    const second = alone(once, script(ECHO));
    second.send(call(2, 'once'));
    expect(await second.next(2)).toMatchObject({ result: { content: [{ text: 'done' }] } });
    second.send(call(3, 'once'));
    expect(await second.next(3)).toMatchObject({ result: { isError: true } });
  });

  it('answers calls while its plane hangs, and ends when it is told to', async () => {
    const plane = await startPlane(directory);
    cleanups.push(() => plane.stop());
    plane.save('bench.yaml', 'version: "1"\n');
    const { home } = await enrolHost(plane, 'host', {});
    const before = program(['--server', 'bench'], script(ECHO), { PORTCULLIS_HOME: home });
    let id = 0;
    await until('the policy', async () => {
      before.send(call(++id, 'x'));
      return JSON.stringify(await before.next(id)).includes('done');
    }, 20_000, 50);
    before.process.stdin.end();
    await before.ended;
    const { port } = new URL(plane.url());
    await plane.kill9();
    await tarPit(Number(port));

    const after = program(['--server', 'bench'], script(`globalThis.on ??= setInterval(() => undefined, 1000); process.on('SIGTERM', () => process.exit(4)); ${ECHO}`), { PORTCULLIS_HOME: home });
    after.send(request(1, 'tools/list'));
    after.send(call(2, 'x'));
    expect(await after.next(2)).toMatchObject({ result: { content: [{ text: 'done' }] } });
    after.process.kill('SIGTERM');
    expect((await after.ended).code).toBe(4);

    // Nothing was ever in force for this one: it waits for the plane, and ends all the same.
    const idle = "process.on('SIGTERM', () => process.exit(4)); setInterval(() => undefined, 1000); process.stderr.write('up\\n');";
    const never = program(['--server', 'other'], [process.execPath, '-e', idle], { PORTCULLIS_HOME: home });
    await until('its server', () => never.stderr().includes('up'), 20_000);
    never.process.kill('SIGTERM');
    expect((await never.ended).code).toBe(4);
  });
});

/** Takes connections and never says a word. */
async function tarPit(port: number): Promise<void> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
  });
  await until('the port to be free', () => new Promise<boolean>((resolve) => {
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => resolve(true));
  }), 20_000, 50);
  cleanups.push(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
}

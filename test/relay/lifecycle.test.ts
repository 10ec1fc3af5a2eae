/** The relay as a process around a child: how both live, talk and end. Real processes, real pipes. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, it } from 'vitest';
import { buildProxy, script, startProxy } from './proxied.ts';
import type { Proxied } from './proxied.ts';
import { call, request } from './wired.ts';

let fixture = '';
beforeAll(async () => {
  fixture = await buildProxy();
});

const ECHO = 'reply(message.id, { content: [{ type: "text", text: String(process.pid) }] });';

function alive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

function childrenOf(pid: number): readonly number[] {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter((word) => word !== '').map(Number);
}

async function childPid(proxy: Proxied): Promise<number> {
  proxy.send(call('pid', 'pid'));
  const answer = (await proxy.next('pid')) as { result: { content: { text: string }[] } };
  return Number(answer.result.content[0]?.text);
}

async function waitUntil(holds: () => boolean, ms = 3000): Promise<void> {
  for (const end = performance.now() + ms; !holds(); ) {
    if (performance.now() > end) throw new Error('did not happen in time');
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

describe('ends as its child ends', () => {
  it.each([0, 1, 7, 255])('mirrors exit code %i', async (code) => {
    const proxy = startProxy(fixture, [process.execPath, '-e', `process.exit(${code})`]);
    expect(await proxy.ended).toEqual({ code, signal: null });
  });

  it.each([['SIGTERM', 143], ['SIGKILL', 137], ['SIGSEGV', 139]] as const)('shows %s as %i', async (signal, code) => {
    const proxy = startProxy(fixture, [process.execPath, '-e', `process.kill(process.pid, '${signal}')`]);
    expect((await proxy.ended).code).toBe(code);
  });

  it('says in one line what cannot be started', async () => {
    const missing = startProxy(fixture, ['/nonexistent/server']);
    expect((await missing.ended).code).toBe(127);
    expect(missing.stderr()).toBe('portcullis-proxy: cannot start /nonexistent/server: no such command; give its full path or mend PATH\n');
    expect((await startProxy(fixture, ['/bin/sh/server']).ended).code).toBe(127);
    expect((await startProxy(fixture, ['']).ended).code).toBe(126);
    const notExecutable = startProxy(fixture, [fixture]);
    expect((await notExecutable.ended).code).toBe(126);
  });

  it('answers what the child left open, and counts it back', async () => {
    const proxy = startProxy(fixture, script('if (message.method === "tools/call") process.exit(3);'));
    proxy.send(request(1, 'tools/list'));
    proxy.send(call(2, 'x'));
    expect(await proxy.next(2)).toEqual({ jsonrpc: '2.0', id: 2, error: { code: -31502, message: 'The upstream server has ended (exit code 3)' } });
    expect(await proxy.next(1)).toMatchObject({ error: { code: -31502 } });
    expect((await proxy.ended).code).toBe(3);
    expect(proxy.record().judged[0]?.outcome).toBe('error');
  });

  it('passes on the last words of a child that has ended, whole', async () => {
    const proxy = startProxy(fixture, [process.execPath, '-e', `process.stdout.write(JSON.stringify({ jsonrpc: '2.0', method: 'notifications/message', params: { data: 'x'.repeat(5e6) } }) + '\\n')`]);
    const last = (await proxy.next()) as { params: { data: string } };
    expect(last.params.data.length).toBe(5e6);
    expect((await proxy.ended).code).toBe(0);
  });

  it('does not wait for a grandchild that keeps the pipe open', async () => {
    const proxy = startProxy(fixture, ['/bin/sh', '-c', 'sleep 20 2>/dev/null & exit 5']);
    const started = performance.now();
    expect((await proxy.ended).code).toBe(5);
    expect(performance.now() - started).toBeLessThan(5000);
  });
});

describe('ends its child', () => {
  it('when input ends: with the answers to what was asked, slow as they may be', async () => {
    const proxy = startProxy(fixture, script('setTimeout(() => reply(message.id, {}), 2600);'));
    proxy.send(call(1, 'slow'));
    proxy.process.stdin.end(JSON.stringify(call(2, 'slow')) + '\n');
    expect(await proxy.next(1)).toMatchObject({ result: {} });
    expect(await proxy.next(2)).toMatchObject({ result: {} });
    expect(await proxy.ended).toEqual({ code: 0, signal: null });
  });

  it('when input ends and the child does not care', async () => {
    const proxy = startProxy(fixture, script(`setInterval(() => undefined, 1000); process.on('SIGTERM', () => undefined); ${ECHO}`));
    const pid = await childPid(proxy);
    const started = performance.now();
    proxy.process.stdin.end();
    expect((await proxy.ended).code).toBe(137);
    expect(performance.now() - started).toBeLessThan(4000);
    expect(alive(pid)).toBe(false);
  });

  it.each(['SIGTERM', 'SIGINT', 'SIGHUP'] as const)('on %s, well under the second that probing clients leave', async (signal) => {
    const obedient = startProxy(fixture, script(`setInterval(() => undefined, 1000); process.on('${signal}', () => process.exit(9)); ${ECHO}`));
    await childPid(obedient);
    obedient.process.kill(signal);
    expect((await obedient.ended).code).toBe(9);

    const stubborn = startProxy(fixture, script(`setInterval(() => undefined, 1000); for (const s of ['SIGTERM', 'SIGINT', 'SIGHUP']) process.on(s, () => undefined); ${ECHO}`));
    const pid = await childPid(stubborn);
    const started = performance.now();
    stubborn.process.kill(signal);
    expect((await stubborn.ended).code).toBe(137);
    expect(performance.now() - started).toBeLessThan(1000);
    expect(alive(pid)).toBe(false);
  });

  it('on a signal that comes before there is anything to judge by, and when the child ends before that', async () => {
    const killed = startProxy(fixture, [process.execPath, '-e', 'setInterval(() => undefined, 1000); process.stderr.write("up\\n");'], { GATE: 'never' });
    await waitUntil(() => killed.stderr().includes('up'), 20_000);
    const [pid = 0] = childrenOf(killed.process.pid ?? 0);
    killed.process.kill('SIGTERM');
    expect((await killed.ended).code).toBe(143);
    expect(alive(pid)).toBe(false);
    expect((await startProxy(fixture, [process.execPath, '-e', 'process.exit(7)'], { GATE: 'never' }).ended).code).toBe(7);
  });

  it('when nobody reads its output any more', async () => {
    const proxy = startProxy(fixture, script(`setInterval(() => say({ jsonrpc: '2.0', method: 'notifications/message', params: {} }), 20); ${ECHO}`));
    const pid = await childPid(proxy);
    proxy.process.stdout.destroy();
    await waitUntil(() => !alive(pid), 6000);
    await proxy.ended;
  });

  it('even when it is killed itself: the child sees the end of its input', async () => {
    const proxy = startProxy(fixture, script(ECHO));
    const pid = await childPid(proxy);
    proxy.process.kill('SIGKILL');
    await waitUntil(() => !alive(pid));
  });
});

describe('passes on', () => {
  it('its environment but for its own variables, its arguments and its standard error', async () => {
    const proxy = startProxy(fixture, script('console.error("to stderr"); reply(message.id, { env: process.env });'), { API_KEY: 'k', PORTCULLIS_TOKEN: 't', portcullis_home: 'h' });
    proxy.send(call(1, 'env'));
    const { result } = (await proxy.next(1)) as { result: { env: Record<string, string> } };
    expect(result.env['API_KEY']).toBe('k');
    expect(Object.keys(result.env).filter((name) => /portcullis/i.test(name))).toEqual([]);
    proxy.process.stdin.end();
    await proxy.ended;
    expect(proxy.stderr()).toContain('to stderr\n');
  });

  it('10 MB both ways, byte for byte, in time that grows with the bytes', async () => {
    const proxy = startProxy(fixture, script('reply(message.id, { text: message.params.arguments.text, hash: require("node:crypto").createHash("sha256").update(message.params.arguments.text).digest("hex") });'));
    await new Promise((resolve) => setTimeout(resolve, 300));
    const times: number[] = [];
    for (const [id, megabytes] of [[1, 1], [2, 10]] as const) {
      const text = 'é"\\{}\n'.repeat((megabytes * 1e6) / 7);
      const started = performance.now();
      proxy.send(call(id, 'echo', { text }));
      const { result } = (await proxy.next(id)) as { result: { text: string; hash: string } };
      times.push(performance.now() - started);
      expect(result.text === text).toBe(true);
      expect(result.hash).toBe(createHash('sha256').update(text).digest('hex'));
    }
    expect(times[1]).toBeLessThan(Math.max(60, times[0] ?? 0) * 40);
    proxy.process.stdin.end();
    await proxy.ended;
  });

  it('no more than its readers take: a client that does not read makes the upstream wait', async () => {
    const proxy = startProxy(fixture, script(`
      let sent = 0;
      const pour = () => { while (sent < 400 && process.stdout.write(JSON.stringify({ jsonrpc: '2.0', method: 'notifications/message', params: { n: sent++, data: 'x'.repeat(100000) } }) + '\\n')); process.stderr.write('sent ' + sent + '\\n'); if (sent < 400) process.stdout.once('drain', pour); else reply(message.id, {}); };
      pour();`));
    proxy.process.stdout.pause();
    proxy.send(call(1, 'pour'));
    await waitUntil(() => proxy.stderr().includes('sent '));
    await new Promise((resolve) => setTimeout(resolve, 700));
    const sent = Number(/.*sent (\d+)\n$/s.exec(proxy.stderr())?.[1]);
    expect(sent).toBeLessThan(100);
    proxy.process.stdout.resume();
    for (let n = 0; n < 400; n++) expect(await proxy.next()).toMatchObject({ params: { n } });
    expect(await proxy.next(1)).toMatchObject({ result: {} });
    proxy.process.stdin.end();
    await proxy.ended;
  });

  it('no answers of its own that nobody reads: a client that only writes is not read any more', async () => {
    const proxy = startProxy(fixture, script(ECHO), { POLICY_TEXT: 'version: "1"\ndefault: deny\n' });
    proxy.process.stdout.pause();
    const lines = Array.from({ length: 1000 }, (_, n) => JSON.stringify(call(n, 'no', { pad: 'x'.repeat(100) }))).join('\n');
    let stuck = false;
    for (let n = 0; n < 200 && !stuck; n++) {
      if (!proxy.process.stdin.write(`${lines}\n`)) stuck = !(await Promise.race([new Promise((resolve) => proxy.process.stdin.once('drain', () => resolve(true))), new Promise((resolve) => setTimeout(() => resolve(false), 1500))]));
    }
    expect(stuck).toBe(true);
    proxy.process.kill('SIGTERM');
    proxy.process.stdout.destroy();
    await proxy.ended;
  });

  it('thousands of calls in flight, each to its own answer, allowed and denied ones mixed', async () => {
    const proxy = startProxy(fixture, script('setTimeout(() => reply(message.id, { echo: message.params.arguments.n }), Math.random() * 20);'), { POLICY_TEXT: 'version: "1"\ntools: { no: { rules: [{ name: n, action: deny }] } }\n' });
    const ids = Array.from({ length: 3000 }, (_, n) => n);
    for (const n of ids) proxy.send(call(n, n % 3 === 0 ? 'no' : 'yes', { n }));
    await Promise.all(ids.map(async (n) => expect(await proxy.next(n)).toMatchObject({ result: n % 3 === 0 ? { isError: true } : { echo: n } })));
    proxy.process.stdin.end();
    expect((await proxy.ended).code).toBe(0);
    expect(proxy.record().judged.filter(({ outcome }) => outcome === 'ok').length).toBe(2000);
  });
});

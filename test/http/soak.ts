/** Many agents that come and are cut off at any moment: nothing of them is left, no process, no socket, no file, no listener. */
import { readdirSync } from 'node:fs';
import { connect } from 'node:net';
import { describe, expect, it } from 'vitest';
import { script } from '../relay/proxied.ts';
import { mulberry32 } from '../relay/seeded.ts';
import { call, request } from '../relay/wired.ts';
import { until } from '../world/process.ts';
import { PATIENCE_MS } from './bridged.ts';
import { ask, listen, open } from './listened.ts';
import { startUpstream } from './upstream.ts';

/** Longer than any step here takes on a busy machine, short enough to wait for. */
const IDLE_MS = 8_000;
/** At once: a machine for tests has two cores, and each session in front of a process starts one. */
const TOGETHER = 10;

const SERVER = script(`
  if (message.method === 'initialize') reply(message.id, { protocolVersion: '2025-11-25', capabilities: { tools: {} }, serverInfo: { name: 'c', version: '1' } });
  else if (message.params && message.params.name === 'pid') reply(message.id, { content: [{ type: 'text', text: String(process.pid) }] });
  else if (message.params && message.params.name === 'chatter') setInterval(() => say({ jsonrpc: '2.0', method: 'notifications/message', params: { data: 'x'.repeat(10000) } }), 5);`);

function openFiles(): number {
  return readdirSync('/proc/self/fd').length;
}

function alive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** A POST that is cut in the middle: of its head, of its body, or after it. */
async function cutPost(url: string, session: string, at: number): Promise<void> {
  const { hostname, port } = new URL(url);
  const body = JSON.stringify(call(7, 'hang'));
  const bytes = `POST /mcp HTTP/1.1\r\nHost: localhost\r\nMcp-Session-Id: ${session}\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
  await new Promise<void>((resolve) => {
    const socket = connect(Number(port), hostname, () => {
      socket.write(bytes.slice(0, Math.floor(bytes.length * at)), () => {
        setTimeout(() => socket.destroy(), 5);
      });
    });
    socket.on('error', () => undefined).on('close', () => resolve());
  });
}

async function inTurns(count: number, act: (n: number) => Promise<void>): Promise<void> {
  let next = 0;
  await Promise.all(Array.from({ length: TOGETHER }, async () => {
    for (let n = next++; n < count; n = next++) await act(n);
  }));
}

/** Declares the tests for so many sessions. */
export function soak(sessionsToOpen: number): void {
  const seed = Number(process.env['SEED'] ?? 20261122);
  describe(`${sessionsToOpen} sessions, opened and cut (seed ${seed})`, () => {
    it('in front of processes', { timeout: 60_000 + sessionsToOpen * 500 }, async () => {
      const random = mulberry32(seed);
      const before = openFiles();
      const listener = await listen(SERVER, { idle: { sessionMs: IDLE_MS, requestMs: IDLE_MS } });
      const pids: number[] = [];
      await inTurns(sessionsToOpen, async (n) => {
        // Where too many processes run, the answer is 503 until some have ended.
        const session = await until('a session', async () => (await ask(listener.url, { body: request('i', 'initialize', { protocolVersion: '2025-11-25' }) })).headers['mcp-session-id']?.toString(), PATIENCE_MS, 50);
        const headers = { 'mcp-session-id': session };
        const heard = await ask(listener.url, { body: call(1, 'pid'), headers });
        expect(heard.text).toContain('content');
        pids.push(Number((heard.messages[0]?.result as { content: { text: string }[] }).content[0]?.text));
        const stream = await open(listener.url, { method: 'GET', headers: { ...headers, accept: 'text/event-stream' } });
        const chatter = await open(listener.url, { body: call(2, 'chatter'), headers }).catch(() => null);
        await cutPost(listener.url, session, random());
        await cutPost(listener.url, session, 1);
        stream.cut();
        chatter?.cut();
        if (n % 3 === 0) await ask(listener.url, { method: 'DELETE', headers });
      });
      expect(pids).toHaveLength(sessionsToOpen);
      await until('every process to end, though nobody said goodbye', () => !pids.some(alive), PATIENCE_MS * 3);
      expect(listener.gate.listening()).toBe(0);
      // Every call that was let through has an outcome.
      expect(listener.gate.judged.filter(({ outcome, decision }) => decision.decision === 'allow' && outcome === null)).toEqual([]);
      await listener.close();
      await until('every socket and pipe to close', () => openFiles() <= before, PATIENCE_MS);
    });

    it('in front of a URL', { timeout: 60_000 + sessionsToOpen * 100 }, async () => {
      const random = mulberry32(seed);
      const before = openFiles();
      let sessions = 0;
      const upstream = await startUpstream(({ seen, json, event, response }) => {
        if (seen.message?.method === 'initialize') json({ jsonrpc: '2.0', id: seen.message.id, result: { protocolVersion: '2025-11-25', capabilities: { tools: {} }, serverInfo: { name: 'u', version: '1' } } }, 200, { 'mcp-session-id': `s${sessions++}` });
        else if (seen.method === 'GET' || seen.message?.params?.['name'] === 'chatter') {
          const timer = setInterval(() => event({ jsonrpc: '2.0', method: 'notifications/message', params: { data: 'x'.repeat(10_000) } }), 5);
          response.on('close', () => clearInterval(timer));
          event({ jsonrpc: '2.0', method: 'notifications/message', params: {} });
        } else return seen.message?.params?.['name'] === 'hang';
        return true;
      });
      const listener = await listen(upstream.url);
      await inTurns(sessionsToOpen, async (n) => {
        const session = String((await ask(listener.url, { body: request('i', 'initialize', { protocolVersion: '2025-11-25' }) })).headers['mcp-session-id']);
        const headers = { 'mcp-session-id': session };
        const stream = await open(listener.url, { method: 'GET', headers: { ...headers, accept: 'text/event-stream' } });
        const chatter = await open(listener.url, { body: call(2, 'chatter'), headers });
        await cutPost(listener.url, session, random());
        await cutPost(listener.url, session, 1);
        stream.cut();
        chatter.cut();
        if (n % 2 === 0) await ask(listener.url, { method: 'DELETE', headers });
      });
      await until('every exchange with the upstream to end', async () => (await upstream.connections()) <= TOGETHER + 2, PATIENCE_MS);
      // Sessions that were ended are forgotten; the others the upstream still has.
      expect(listener.gate.listening()).toBe(Math.floor(sessionsToOpen / 2));
      await listener.close();
      expect(listener.gate.listening()).toBe(0);
      await upstream.close();
      await until('every socket to close', () => openFiles() <= before, PATIENCE_MS);
      expect(listener.gate.judged.filter(({ outcome, decision }) => decision.decision === 'allow' && outcome === null)).toEqual([]);
    });
  });
}

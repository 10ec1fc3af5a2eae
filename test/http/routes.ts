/**
 * Every way from an agent to an upstream that has HTTP in it, with a recording upstream that keeps the bytes it gets and an agent that
 * sends any: what reaches the upstream on one of them must be what was judged.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { RelayLimits } from '../../apps/proxy/src/relay/limits.ts';
import type { PolicyGate } from '../relay/policy-gate.ts';
import { script } from '../relay/proxied.ts';
import { request } from '../relay/wired.ts';
import { until } from '../world/process.ts';
import { bridge, PATIENCE_MS } from './bridged.ts';
import { ask, listen } from './listened.ts';
import { SESSION, startUpstream } from './upstream.ts';

export interface Route {
  readonly gate: PolicyGate;
  /** Sends the bytes as one message. Resolves to everything that the agent hears of it, once a later message has been answered. */
  deliver(bytes: Buffer): Promise<string>;
  /** What the upstream got since it was last asked, one message a line, but for those that `deliver` sends to know that it is done. */
  reached(): Promise<Buffer>;
  close(): Promise<void>;
}

export const ROUTES = ['stdio to a URL', 'HTTP to a URL', 'HTTP to a process'] as const;

const MARK = '"portcullis-mark"';
const marked = (n: number): object => request(`mark-${n}`, 'ping', { mark: 'portcullis-mark' });

export function openRoute(route: (typeof ROUTES)[number], policy: string, limits: Partial<RelayLimits> = {}): Promise<Route> {
  switch (route) {
    case 'stdio to a URL':
      return stdioToUrl(policy, limits);
    case 'HTTP to a URL':
      return httpToUrl(policy, limits);
    case 'HTTP to a process':
      return httpToProcess(policy, limits);
  }
}

/** One message a line: an HTTP body is one message, whatever line ends are in it. */
function asLines(bodies: readonly string[]): Buffer {
  return Buffer.from(bodies.filter((body) => !body.includes(MARK)).map((body) => `${body.replaceAll('\n', ' ')}\n`).join(''));
}

async function stdioToUrl(policy: string, limits: Partial<RelayLimits>): Promise<Route> {
  const upstream = await startUpstream();
  const agent = bridge(upstream.url, policy, {}, limits);
  let marks = 0;
  return {
    gate: agent.gate,
    async deliver(bytes) {
      const before = agent.lines.length;
      agent.stdin.write(Buffer.concat([bytes, Buffer.from('\n')]));
      const mark = ++marks;
      agent.send(marked(mark));
      await agent.next(`mark-${mark}`);
      return agent.lines.slice(before).filter((line) => !line.includes(`"mark-${mark}"`)).join('\n');
    },
    reached: () => Promise.resolve(asLines(upstream.seen.splice(0).flatMap(({ method, body }) => (method === 'POST' ? [body] : [])))),
    close: async () => {
      await agent.close();
      await upstream.close();
    },
  };
}

async function httpToUrl(policy: string, limits: Partial<RelayLimits>): Promise<Route> {
  const upstream = await startUpstream();
  const listener = await listen(upstream.url, { policy, limits });
  return {
    gate: listener.gate,
    deliver: async (bytes) => (await ask(listener.url, { body: bytes, headers: { 'mcp-session-id': SESSION } })).text,
    reached: () => Promise.resolve(asLines(upstream.seen.splice(0).flatMap(({ method, body }) => (method === 'POST' ? [body] : [])))),
    close: async () => {
      await listener.close();
      await upstream.close();
    },
  };
}

/** Keeps every byte of its input, and answers what is a request. */
const RECORDING_CHILD = `
  const file = process.argv[1];
  process.stdin.on('data', (chunk) => require('node:fs').appendFileSync(file, chunk));
`;

async function httpToProcess(policy: string, limits: Partial<RelayLimits>): Promise<Route> {
  const directory = mkdtempSync(join(tmpdir(), 'portcullis-route-'));
  const file = join(directory, 'stdin');
  const [node = '', flag = '', code = ''] = script(`
    if (message.method === 'initialize') reply(message.id, { protocolVersion: message.params.protocolVersion, capabilities: { tools: {} }, serverInfo: { name: 'child', version: '1' } });
    else if (message.id !== undefined && message.method) reply(message.id, { content: [{ type: 'text', text: 'done' }] });`);
  const listener = await listen([node, flag, `${RECORDING_CHILD}\n${code.replace('const message = JSON.parse(line);', 'let message; try { message = JSON.parse(line); } catch { return; }')}`, file], { policy, limits });
  const first = await ask(listener.url, { body: request('init', 'initialize', { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'agent', version: '1' } }) });
  const headers = { 'mcp-session-id': String(first.headers['mcp-session-id']) };
  let read = readFileSync(file).length;
  let marks = 0;
  return {
    gate: listener.gate,
    deliver: async (bytes) => (await ask(listener.url, { body: bytes, headers })).text,
    async reached() {
      const mark = ++marks;
      await ask(listener.url, { body: marked(mark), headers });
      const all = await until('the process to have read everything', () => {
        const bytes = readFileSync(file);
        return bytes.includes(`"mark-${mark}"`) ? bytes : undefined;
      }, PATIENCE_MS);
      const text = all.subarray(read).toString('utf8');
      read = all.length;
      // Lines as they are: a line end inside a message would make two.
      return Buffer.from(text.split('\n').filter((line) => line !== '' && !line.includes(MARK)).map((line) => `${line}\n`).join(''));
    },
    close: async () => {
      await listener.close();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

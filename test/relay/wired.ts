/** A session with its two ends in the test's hands: what goes in as bytes, what comes out as lines. */
import { createFraming } from '../../apps/proxy/src/relay/framing.ts';
import { DEFAULT_LIMITS } from '../../apps/proxy/src/relay/limits.ts';
import type { RelayLimits } from '../../apps/proxy/src/relay/limits.ts';
import { createSession } from '../../apps/proxy/src/relay/session.ts';
import type { Session } from '../../apps/proxy/src/relay/session.ts';
import { createPolicyGate } from './policy-gate.ts';
import type { PolicyGate } from './policy-gate.ts';

export interface Wired {
  readonly gate: PolicyGate;
  readonly session: Session;
  /** Bytes from the agent; objects are sent as one line. Returns what this makes the session say, line by line. */
  fromClient(message: Uint8Array | string | object): Heard;
  fromServer(message: Uint8Array | string | object): Heard;
  /** Hears what the session says because of something else, a policy swap say. */
  during(act: () => void): Heard;
}

export interface Heard {
  readonly toClient: readonly string[];
  readonly toServer: readonly string[];
}

export function wire(policy: string | PolicyGate, limits: Partial<RelayLimits> = {}): Wired {
  const gate = typeof policy === 'string' ? createPolicyGate(policy) : policy;
  const all = { ...DEFAULT_LIMITS, ...limits };
  let toClient = '';
  let toServer = '';
  const session = createSession(gate, all, {
    toClient: (bytes) => {
      toClient += bytes.toString();
    },
    toServer: (bytes) => {
      toServer += bytes.toString();
    },
  });
  const client = createFraming(all.maxLineBytes, session.client);
  const server = createFraming(all.maxLineBytes, session.server);
  const hear = (act: () => void): Heard => {
    toClient = toServer = '';
    act();
    return { toClient: lines(toClient), toServer: lines(toServer) };
  };
  return {
    gate,
    session,
    fromClient: (message) => hear(() => client.push(bytesOf(message))),
    fromServer: (message) => hear(() => server.push(bytesOf(message))),
    during: hear,
  };
}

export function bytesOf(message: Uint8Array | string | object): Buffer {
  if (message instanceof Uint8Array) return Buffer.from(message);
  return Buffer.from(typeof message === 'string' ? message : `${JSON.stringify(message)}\n`);
}

function lines(text: string): string[] {
  return text === '' ? [] : text.replace(/\n$/, '').split('\n');
}

export function call(id: number | string, name: string, args: object = {}): { jsonrpc: '2.0'; id: number | string; method: string; params: object } {
  return { jsonrpc: '2.0', id, method: 'tools/call', params: { name, arguments: args } };
}

export function request(id: number | string, method: string, params?: object): object {
  return { jsonrpc: '2.0', id, method, ...(params === undefined ? {} : { params }) };
}

export function result(id: number | string, value: unknown): object {
  return { jsonrpc: '2.0', id, result: value };
}

/** The handshake, both ways; the upstream chooses the revision. */
export function handshake(wired: Wired, revision = '2025-11-25', capabilities: object = { tools: {}, resources: {}, prompts: {} }): string {
  wired.fromClient(request('init', 'initialize', { protocolVersion: revision, capabilities: {}, clientInfo: { name: 'agent-x', version: '1' } }));
  const heard = wired.fromServer(result('init', { protocolVersion: revision, capabilities, serverInfo: { name: 's', version: '1' } }));
  wired.fromClient({ jsonrpc: '2.0', method: 'notifications/initialized' });
  return heard.toClient[0] ?? '';
}

/** The listener in this process, in front of whatever a test wants, and a client that sends any bytes and hears every header. */
import { EventEmitter } from 'node:events';
import { request as httpRequest } from 'node:http';
import type { IncomingHttpHeaders, IncomingMessage, OutgoingHttpHeaders } from 'node:http';
import { PassThrough } from 'node:stream';
import { createChildFront } from '../../apps/proxy/src/http/child-front.ts';
import { runListener } from '../../apps/proxy/src/http/serve.ts';
import type { ListenerRun } from '../../apps/proxy/src/http/serve.ts';
import { DEFAULT_LIMITS } from '../../apps/proxy/src/relay/limits.ts';
import type { RelayLimits } from '../../apps/proxy/src/relay/limits.ts';
import { createPolicyGate } from '../relay/policy-gate.ts';
import type { PolicyGate } from '../relay/policy-gate.ts';
import { until } from '../world/process.ts';
import { PATIENCE_MS } from './bridged.ts';
import type { Message } from './upstream.ts';

export { createChildFront };

export interface Listened {
  readonly url: string;
  readonly gate: PolicyGate;
  readonly told: string[];
  close(): Promise<number>;
}

export interface ListenOptions {
  readonly policy?: string;
  readonly token?: string;
  readonly names?: readonly string[];
  readonly limits?: Partial<RelayLimits>;
  readonly idle?: ListenerRun['idle'];
  readonly headers?: Readonly<Record<string, string>>;
  readonly env?: NodeJS.ProcessEnv;
}

/** In front of a URL, or of a command. */
export async function listen(behind: string | readonly string[], options: ListenOptions = {}): Promise<Listened> {
  const gate = createPolicyGate(options.policy ?? 'version: "1"\n');
  const signals = new EventEmitter();
  const told: string[] = [];
  const [command = '', ...args] = typeof behind === 'string' ? [] : behind;
  const ended = runListener({
    upstream: typeof behind === 'string' ? { kind: 'remote', target: { url: new URL(behind), headers: options.headers ?? {} } } : { kind: 'child', command, args },
    listen: { host: '127.0.0.1', port: 0, names: options.names ?? [], token: options.token ?? null },
    gate,
    env: options.env ?? process.env,
    // Every process of the listener writes there.
    stderr: new PassThrough().setMaxListeners(0).resume(),
    limits: { ...DEFAULT_LIMITS, ...options.limits },
    tell: (line) => told.push(line),
    signals,
    ...(options.idle === undefined ? {} : { idle: options.idle }),
  });
  const url = await until('the listener', () => /listening on (\S+)/.exec(told.join('\n'))?.[1], PATIENCE_MS);
  return {
    url,
    gate,
    told,
    close: async () => {
      signals.emit('SIGTERM', 'SIGTERM');
      return (await ended).code;
    },
  };
}

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
  /** The messages in it, be they events or one JSON text. */
  readonly messages: readonly Message[];
}

export interface Asked {
  readonly method?: string;
  readonly path?: string;
  readonly headers?: OutgoingHttpHeaders;
  readonly body?: object | string | Buffer;
}

export const BOTH = 'application/json, text/event-stream';

/** One request, and its whole answer. */
export async function ask(url: string, asked: Asked): Promise<Answer> {
  const open = await begin(url, asked);
  let text = '';
  for await (const chunk of open.message as AsyncIterable<Buffer>) text += chunk.toString('utf8');
  return { status: open.message.statusCode ?? 0, headers: open.message.headers, text, messages: messagesIn(text) };
}

export interface Open {
  readonly message: IncomingMessage;
  /** Everything that has come so far. */
  readonly text: () => string;
  next(which: (message: Message) => boolean): Promise<Message>;
  cut(): void;
}

/** One request, and its answer as it comes. */
export async function begin(url: string, { method = 'POST', path, headers = {}, body }: Asked): Promise<{ readonly message: IncomingMessage; readonly cut: () => void }> {
  const target = new URL(url);
  const bytes = body === undefined ? undefined : Buffer.isBuffer(body) ? body : Buffer.from(typeof body === 'string' ? body : JSON.stringify(body));
  return new Promise((resolve, reject) => {
    const sent = httpRequest({ host: target.hostname, port: target.port, path: path ?? `${target.pathname}${target.search}`, method, headers: { 'content-type': 'application/json', 'accept': BOTH, ...headers, ...(bytes === undefined ? {} : { 'content-length': bytes.length }) }, agent: false });
    sent.on('error', reject);
    sent.on('response', (message) => resolve({ message, cut: () => void sent.destroy() }));
    sent.end(bytes);
  });
}

export async function open(url: string, asked: Asked): Promise<Open> {
  const { message, cut } = await begin(url, asked);
  let text = '';
  message.on('data', (chunk: Buffer) => (text += chunk.toString('utf8')));
  message.on('error', () => undefined);
  return { message, cut, text: () => text, next: (which) => until('an event', () => messagesIn(text.slice(0, text.lastIndexOf('\n\n') + 2)).find(which), PATIENCE_MS) };
}

function messagesIn(text: string): Message[] {
  if (/^\s*[{[]/.test(text)) {
    const value = JSON.parse(text) as Message | Message[];
    return Array.isArray(value) ? value : [value];
  }
  return text.split(/\r?\n\r?\n/).flatMap((event) => {
    const data = event.split(/\r?\n/).flatMap((line) => (line.startsWith('data:') ? [line.slice(5).trim()] : [])).join('\n');
    return /^[{[]/.test(data) ? [JSON.parse(data) as Message] : [];
  });
}

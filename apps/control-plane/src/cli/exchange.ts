/**
 * HTTP for the commands, one connection for each request. Where a plane of this machine is asked, the first thing that crosses the connection
 * is the question who listens, and the token follows on that very connection or not at all. Not `fetch`: it holds the caller's signal weakly,
 * so that Ctrl-C stops working once memory has been collected, and it may send a request over any connection.
 */
import { randomBytes } from 'node:crypto';
import { Agent, request } from 'node:http';
import type { ClientRequest, IncomingMessage } from 'node:http';
import { Agent as TlsAgent, request as tlsRequest } from 'node:https';
import { checkIdentity } from '@portcullis/policy-core/identity';
import type { ExpectedIdentity } from '@portcullis/policy-core/identity';

/** A signature and a few rotations. */
const MAX_PROOF_BYTES = 64 * 1024;
/** A plane signs in well under a millisecond. */
const PROOF_TIMEOUT_MS = 5_000;

export interface Question {
  readonly method: 'GET' | 'POST' | 'PATCH';
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | null;
  /** Who must prove that it listens before headers and body are sent; null = whoever is there. */
  readonly expected: ExpectedIdentity | null;
}

/** What listens is not who was expected. Nothing of the question was sent. */
export class Impostor extends Error {}

/** Asks, and gives the response as soon as its head is there. The signal ends it at any time, the body included; errors are those of the socket, and Impostor. */
export async function exchange(question: Question, signal: AbortSignal): Promise<IncomingMessage> {
  const agent = oneConnection(question.url.protocol === 'https:');
  if (question.expected !== null) await prove(question.expected, question.url, agent, signal);
  return ask(question, agent, signal);
}

async function prove(expected: ExpectedIdentity, { origin }: URL, agent: Agent, signal: AbortSignal): Promise<void> {
  const nonce = randomBytes(32).toString('base64url');
  const late = new AbortController();
  const timer = setTimeout(() => late.abort(new Impostor('it does not say who it is')), PROOF_TIMEOUT_MS);
  const stop = (): void => late.abort(signal.reason);
  signal.addEventListener('abort', stop, { once: true });
  if (signal.aborted) stop();
  try {
    const response = await ask({ method: 'GET', url: new URL(`/v1/identity?nonce=${nonce}`, origin), headers: {}, body: null }, agent, late.signal);
    const checked = checkIdentity(await textOf(response, MAX_PROOF_BYTES), nonce, expected);
    if (!checked.ok) throw new Impostor(response.statusCode === 200 ? checked.message : `it answered ${response.statusCode ?? 'nothing'} when it was asked who it is`);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', stop);
  }
}

function ask({ method, url, headers, body }: Omit<Question, 'expected'>, agent: Agent, signal: AbortSignal): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const length = body === null ? {} : { 'content-length': String(Buffer.byteLength(body)) };
    const asked: ClientRequest = (url.protocol === 'https:' ? tlsRequest : request)(url, { method, agent, headers: { ...headers, ...length } });
    const stop = (): void => {
      asked.destroy(signal.reason instanceof Error ? signal.reason : new Error('interrupted'));
    };
    signal.addEventListener('abort', stop, { once: true });
    asked.on('close', () => signal.removeEventListener('abort', stop));
    asked.on('error', reject);
    asked.on('response', resolve);
    if (signal.aborted) stop();
    asked.end(body ?? undefined);
  });
}

/** The whole body as text; throws where it is longer than `limit` bytes or cut short. */
export async function textOf(response: IncomingMessage, limit: number): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > limit) throw new Error(`the answer is longer than ${limit} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

/** An agent that opens one connection and never another: what was proved is true of this one. */
function oneConnection(tls: boolean): Agent {
  const agent = tls ? new TlsAgent({ keepAlive: true, maxSockets: 1 }) : new Agent({ keepAlive: true, maxSockets: 1 });
  // Documented as the place to decide how connections are made (node:http, `agent.createConnection`); its types leave it out.
  const connecting = agent as unknown as { createConnection: (options: object, done: (error: Error | null) => void) => unknown };
  const connect = connecting.createConnection.bind(agent);
  let connected = false;
  connecting.createConnection = (options, done) => {
    if (connected) return done(new Error('it hung up'));
    connected = true;
    return connect(options, done);
  };
  return agent;
}

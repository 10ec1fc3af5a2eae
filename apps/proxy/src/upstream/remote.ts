/**
 * The upstream behind a URL. Plain requests over kept connections: no redirects (they would carry credentials to wherever the
 * answer points, and an agent past us), no compression (what cannot be read cannot be judged), no time limit on a stream.
 */
import { Agent as HttpAgent, request as httpRequest } from 'node:http';
import type { ClientRequest, IncomingMessage } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';

/** Where the upstream is, and what every request to it carries besides what the protocol needs: credentials, mostly. */
export interface RemoteTarget {
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
}

export interface RemoteRequest {
  readonly method: string;
  /** Path and query; the target's own where it is left out. */
  readonly path?: string;
  readonly headers: Readonly<Record<string, string | readonly string[]>>;
  readonly body?: Buffer;
  /** Called once the request is handed to the system, whatever comes of it. */
  readonly onSent?: () => void;
}

export type RemoteAnswer =
  | { readonly ok: true; readonly status: number; readonly message: IncomingMessage }
  /** No answer, and why, for a person. */
  | { readonly ok: false; readonly problem: string };

export interface Exchange {
  readonly answer: Promise<RemoteAnswer>;
  /** Ends the request and its answer, wherever they are. */
  abort(): void;
}

export interface Remote {
  readonly target: RemoteTarget;
  send(request: RemoteRequest): Exchange;
  /** Closes every connection. */
  close(): void;
}

/** Servers close a silent connection after 5 s (Node's default); a request must not meet that moment. */
const IDLE_CONNECTION_MS = 4_000;
/** More at once are more than one agent's: subscriptions and slow calls each hold one. */
const MAX_CONNECTIONS = 1024;
/** A server that sends more header than this is not answering but filling memory. */
const MAX_HEADER_BYTES = 64 * 1024;

export function createRemote(target: RemoteTarget): Remote {
  const secure = target.url.protocol === 'https:';
  const options = { keepAlive: true, timeout: IDLE_CONNECTION_MS, maxSockets: MAX_CONNECTIONS, scheduling: 'lifo' } as const;
  const agent = secure ? new HttpsAgent(options) : new HttpAgent(options);
  const open = new Set<ClientRequest>();

  function send({ method, path, headers, body, onSent }: RemoteRequest): Exchange {
    const { url } = target;
    const outgoing = { ...headers, ...target.headers, ...(body === undefined ? {} : { 'content-length': String(body.length) }) };
    const all = {
      protocol: url.protocol,
      hostname: url.hostname.replace(/^\[|\]$/g, ''),
      port: url.port,
      path: path ?? `${url.pathname}${url.search}`,
      method,
      agent,
      headers: outgoing,
      maxHeaderSize: MAX_HEADER_BYTES,
    };
    let sent: ClientRequest;
    try {
      sent = secure ? httpsRequest(all) : httpRequest(all);
    } catch (error) {
      onSent?.();
      return { answer: Promise.resolve(noAnswer(target, error)), abort: () => undefined };
    }
    open.add(sent);
    const answer = new Promise<RemoteAnswer>((resolve) => {
      sent.once('response', (message) => resolve({ ok: true, status: message.statusCode ?? 0, message }));
      sent.on('error', (error) => resolve(noAnswer(target, error)));
      sent.once('close', () => {
        open.delete(sent);
        resolve(noAnswer(target, null));
      });
    });
    if (onSent !== undefined) for (const event of ['finish', 'close'] as const) sent.once(event, onSent);
    sent.end(body);
    return { answer, abort: () => void sent.destroy() };
  }

  return {
    target,
    send,
    close() {
      for (const one of open) one.destroy();
      agent.destroy();
    },
  };
}

function noAnswer({ url }: RemoteTarget, error: unknown): RemoteAnswer {
  const code = error instanceof Error && 'code' in error ? String(error.code) : null;
  const reason = code === null ? (error instanceof Error ? error.message : 'the connection was closed') : (REASONS.get(code) ?? code);
  return { ok: false, problem: `The upstream ${url.origin} does not answer: ${reason}` };
}

const REASONS: ReadonlyMap<string, string> = new Map([
  ['ECONNREFUSED', 'nothing listens there'],
  ['ENOTFOUND', 'the host name is not known'],
  ['EAI_AGAIN', 'the host name cannot be looked up now'],
  ['ETIMEDOUT', 'the connection timed out'],
  ['ECONNRESET', 'the connection was closed'],
  ['HPE_HEADER_OVERFLOW', 'its header is too long'],
  ['DEPTH_ZERO_SELF_SIGNED_CERT', 'its certificate is not trusted (set NODE_EXTRA_CA_CERTS)'],
  ['SELF_SIGNED_CERT_IN_CHAIN', 'its certificate is not trusted (set NODE_EXTRA_CA_CERTS)'],
  ['UNABLE_TO_VERIFY_LEAF_SIGNATURE', 'its certificate is not trusted (set NODE_EXTRA_CA_CERTS)'],
]);

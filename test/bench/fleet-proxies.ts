/**
 * Thousands of proxies in one process: each has a socket of its own, proves its host's key, verifies every frame as a real proxy does, and
 * acknowledges. They store and enforce nothing. Also the readers of the bare broadcast that the fleet is compared with.
 */
import { createPublicKey, randomBytes, randomUUID, verify } from 'node:crypto';
import type { Socket } from 'node:net';
import { canonicalJson, linkLimits, plainFrame, readDown, signedFrame, signerOf, signHeader, verifierOf } from '@portcullis/policy-core';
import type { Held, HelloHeader, SignBytes, Verify } from '@portcullis/policy-core';
import { WebSocket } from 'ws';
import { continued } from '../../apps/proxy/src/guard/witness.ts';
import type { Witnessed } from '../../apps/proxy/src/guard/witness.ts';
import { makeBackoff } from '../../apps/proxy/src/link/backoff.ts';

export interface Fleet {
  readonly do: 'connect';
  readonly url: string;
  readonly planeKey: string;
  readonly hosts: readonly { readonly id: string; readonly seed: string }[];
  readonly proxies: number;
}

export interface Readers {
  readonly do: 'read';
  readonly url: string;
  readonly key: string;
  readonly readers: number;
}

export type Order =
  | Fleet
  | Readers
  /** That many proxies stop reading, or all of them read again. */
  | { readonly do: 'stall'; readonly proxies: number }
  /** What the last connections that found themselves at the head cost. */
  | { readonly do: 'weigh' };

export interface Weighed {
  readonly connections: number;
  readonly upBytes: number;
  readonly downBytes: number;
}

/** Connections opened at once by one process: below the plane's bound on those that have not said who they are. */
const AT_ONCE = 100;
/** A header of a restriction is about as long. */
const SIGNED_BYTES = 400;
/** An acknowledgement is about as long. */
const REPLY = JSON.stringify({ frame: 'ack', held: 'x'.repeat(260) });

interface Proxy {
  readonly host: { readonly id: string; readonly sign: SignBytes };
  readonly server: string;
  readonly boot: string;
  held: Held;
  /** The log's tree as it was shown last. */
  seen: Witnessed | null;
  /** Which log that is. */
  log: string;
  readonly planeKey: string;
  socket: WebSocket | null;
}

const proxies: Proxy[] = [];
let counter = 0;
let weighed: Weighed = { connections: 0, upBytes: 0, downBytes: 0 };

process.on('message', (order: Order) => {
  void obey(order).then((answer) => process.send?.(answer));
});
process.on('disconnect', () => process.exit(0));

async function obey(order: Order): Promise<unknown> {
  switch (order.do) {
    case 'connect':
      return connectAll(order);
    case 'read':
      return readAll(order);
    case 'stall':
      for (const [index, { socket }] of proxies.entries()) if (socket !== null && index < order.proxies) socket.pause();
      if (order.proxies === 0) for (const { socket } of proxies) socket?.resume();
      return true;
    case 'weigh': {
      const answer = weighed;
      weighed = { connections: 0, upBytes: 0, downBytes: 0 };
      return answer;
    }
  }
}

async function connectAll(order: Fleet): Promise<number> {
  const verifier = verifierOf(order.planeKey);
  if (verifier === null) throw new Error('not a key');
  const hosts = order.hosts.map(({ id, seed }) => ({ id, sign: signerOf(Buffer.from(seed, 'base64')).sign }));
  for (let index = 0; index < order.proxies; index += 1) {
    const host = hosts[index % hosts.length];
    if (host === undefined) throw new Error('no host');
    proxies.push({ host, server: `s${Math.floor(index / hosts.length)}`, boot: randomUUID(), held: { policies: null, restrictions: null, pending: true, inFlight: 0 }, seen: null, log: '', planeKey: order.planeKey, socket: null });
  }
  for (let start = 0; start < proxies.length; start += AT_ONCE) {
    await Promise.all(proxies.slice(start, start + AT_ONCE).map((proxy) => new Promise<void>((welcomed) => open(proxy, order.url, verifier, welcomed))));
  }
  return proxies.length;
}

/** Connects for ever, as a real proxy does. */
function open(proxy: Proxy, url: string, verifier: Verify, welcomed: () => void): void {
  const backoff = makeBackoff(Math.random);
  const attempt = (): void => {
    const socket = new WebSocket(`${url.replace('http', 'ws')}/v1/link`, { perMessageDeflate: false, skipUTF8Validation: true });
    proxy.socket = socket;
    socket.on('error', () => undefined);
    socket.on('close', () => setTimeout(attempt, backoff.next()));
    socket.on('message', (data: Buffer) => {
      if (take(proxy, socket, data.toString(), verifier) === 'welcomed') {
        backoff.reset();
        weigh(socket);
        welcomed();
      }
    });
  };
  attempt();
}

/** Bytes of the handshake, HTTP's part included; what comes later belongs to no reconnect. */
function weigh(socket: WebSocket): void {
  const stream = (socket as unknown as { readonly _socket: Socket })._socket;
  weighed = { connections: weighed.connections + 1, upBytes: weighed.upBytes + stream.bytesWritten, downBytes: weighed.downBytes + stream.bytesRead };
}

function take(proxy: Proxy, socket: WebSocket, text: string, verifier: Verify): 'welcomed' | undefined {
  const read = readDown(text, verifier);
  if (!read.ok) throw new Error(read.message);
  const frame = read.value;
  const { held } = proxy;
  switch (frame.frame) {
    case 'challenge':
      proxy.log = frame.log;
      socket.send(hello(proxy, frame.log, frame.nonce));
      return undefined;
    case 'welcome':
    case 'checkpoint': {
      const next = continued(proxy.seen, frame.frame === 'welcome' ? frame.shown : frame, proxy.log, [proxy.planeKey]);
      if (!next.ok) throw new Error(next.problem);
      proxy.seen = next.witnessed;
      return frame.frame === 'welcome' ? 'welcomed' : undefined;
    }
    case 'snapshot':
      proxy.held = { ...held, policies: { version: frame.signed.version, digest: frame.signed.digest }, pending: held.restrictions === null };
      break;
    case 'restrict':
      proxy.held = { ...held, restrictions: { version: frame.signed.version, digest: frame.signed.digest }, pending: held.policies === null };
      break;
    case 'advance': {
      if (held.policies === null || held.restrictions === null) return undefined;
      const { version } = frame.signed;
      proxy.held = { ...held, policies: { ...held.policies, version }, restrictions: { ...held.restrictions, version }, pending: false };
      break;
    }
    default:
      return undefined;
  }
  socket.send(plainFrame({ frame: 'ack', ...proxy.held, heard: null }));
  return undefined;
}

function hello({ host, server, boot, held, seen }: Proxy, log: string, nonce: string): string {
  counter += 1;
  const { policies, restrictions, pending } = held;
  const header = canonicalJson({
    protocol: linkLimits.LINK_PROTOCOL, log, host: host.id, server, upstream: 'npx server', boot, nonce, answer: randomBytes(32).toString('base64url'),
    counter, build: '0.1.0', features: [], policies, restrictions, pending, checkpoint: seen === null ? null : { size: seen.size, root: seen.root },
  } satisfies HelloHeader);
  return signedFrame('hello', header, signHeader(host.sign, 'connect', header));
}

/** Each reader verifies one signature over the first bytes of what comes, and replies. */
async function readAll({ url, key, readers }: Readers): Promise<number> {
  const publicKey = createPublicKey({ key: Buffer.from(key, 'base64'), format: 'der', type: 'spki' });
  const one = (): Promise<void> =>
    new Promise((opened, failed) => {
      const socket = new WebSocket(url, { perMessageDeflate: false, skipUTF8Validation: true });
      socket.on('open', opened);
      socket.on('error', failed);
      socket.on('message', (data: Buffer) => {
        const signature = Buffer.from(data.toString('latin1', SIGNED_BYTES, SIGNED_BYTES + 88), 'base64');
        if (!verify(null, data.subarray(0, SIGNED_BYTES), publicKey, signature)) throw new Error('a signature that does not hold');
        socket.send(REPLY);
      });
    });
  for (let start = 0; start < readers; start += AT_ONCE) await Promise.all(Array.from({ length: Math.min(AT_ONCE, readers - start) }, one));
  return readers;
}

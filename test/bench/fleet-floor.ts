/**
 * The least that a push to a fleet could cost on this machine: a bare `ws` broadcast of as many bytes from one process to as many sockets in
 * others, each of which verifies one Ed25519 signature and replies. This process is the one that broadcasts.
 */
import { generateKeyPairSync, sign } from 'node:crypto';
import type { AddressInfo } from 'node:net';
import { WebSocketServer } from 'ws';

export type Ask = { readonly do: 'listen' } | { readonly do: 'broadcast'; readonly bytes: number };

const SIGNED_BYTES = 400;

const { privateKey, publicKey } = generateKeyPairSync('ed25519');
const server = new WebSocketServer({ port: 0, host: '127.0.0.1', perMessageDeflate: false, backlog: 4096 });
let onReply: () => void = () => undefined;
server.on('connection', (socket) => {
  socket.on('error', () => undefined);
  socket.on('message', () => onReply());
});

process.on('message', (ask: Ask) => {
  if (ask.do === 'listen') process.send?.({ url: `ws://127.0.0.1:${(server.address() as AddressInfo).port}`, key: publicKey.export({ format: 'der', type: 'spki' }).toString('base64') });
  else void broadcast(ask.bytes).then((took) => process.send?.(took));
});
process.on('disconnect', () => process.exit(0));

/** Milliseconds from the beginning to each reply, ascending. */
function broadcast(bytes: number): Promise<readonly number[]> {
  const header = Buffer.alloc(SIGNED_BYTES, 'h');
  const signature = Buffer.from(sign(null, header, privateKey).toString('base64'));
  const frame = Buffer.concat([header, signature, Buffer.alloc(Math.max(0, bytes - SIGNED_BYTES - signature.length), 'b')]);
  const wanted = server.clients.size;
  const took: number[] = [];
  const began = performance.now();
  return new Promise((resolve) => {
    onReply = () => {
      took.push(performance.now() - began);
      if (took.length === wanted) resolve(took);
    };
    for (const socket of server.clients) socket.send(frame, { binary: false });
  });
}

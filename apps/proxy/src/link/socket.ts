/** A WebSocket to the plane, with every limit that keeps what answers there from hurting us. */
import { linkLimits } from '@portcullis/policy-core';
import { WebSocket } from 'ws';

const HANDSHAKE_MS = 10_000;

/** Opens one; what comes of it is told by its events. */
export function openSocket(url: string): WebSocket {
  return new WebSocket(url, {
    perMessageDeflate: false,
    maxPayload: linkLimits.MAX_DOWN_BYTES,
    maxFragments: linkLimits.MAX_FRAGMENTS,
    maxBufferedChunks: linkLimits.MAX_BUFFERED_CHUNKS,
    handshakeTimeout: HANDSHAKE_MS,
    followRedirects: false,
  });
}

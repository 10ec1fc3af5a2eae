/** What one session may make the relay hold: every number that bounds the relay's memory or time stands here. */
import type { JsonLimits } from '@portcullis/policy-core';

export interface RelayLimits {
  /** The longest line, in bytes, in either direction. Not below LEAST_LINE_BYTES in earnest. */
  readonly maxLineBytes: number;
  /** For every message that the relay reads as JSON. */
  readonly json: JsonLimits;
  /** Requests without an answer, in each direction. */
  readonly maxPending: number;
  /** Messages in one batch, in each direction. */
  readonly maxBatch: number;
  /** Bytes of our own answers that a reader may leave unread before we stop reading what causes them. */
  readonly maxUnreadBytes: number;
}

/** Official clients die on a line above 10 MiB, so a smaller cap would refuse what works without us. */
export const LEAST_LINE_BYTES = 10 * 1024 * 1024;

export const DEFAULT_LIMITS: RelayLimits = {
  // Room for what servers in the field send (base64 images, file contents) without letting one line take the host's memory.
  maxLineBytes: 64 * 1024 * 1024,
  json: {
    // JSON.stringify dies near 10 000; no published tool schema or argument comes near 128.
    maxDepth: 128,
    // A value costs about 50 bytes once parsed, so a message costs at most about as much as the longest line.
    maxValues: 1_000_000,
  },
  // Official clients wait 60 s for an answer; a client with this many open requests is not waiting for them.
  maxPending: 4096,
  // The batches of 2025-03-26 in the field hold a handful.
  maxBatch: 100,
  maxUnreadBytes: 1024 * 1024,
};

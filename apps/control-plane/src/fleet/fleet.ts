/** The fleet as operators see it. */
import { linkLimits } from '@portcullis/policy-core';
import type { CloseReason } from '@portcullis/policy-core';

export { createFleet } from './create.ts';
export type { FleetOptions, LiveFleet } from './create.ts';

export interface Fleet {
  /** Connected proxies, and those seen before. */
  proxies(): readonly ProxyView[];
  /** What each proxy must enforce for version `version`, and who does not yet. Counts connected proxies of enrolled hosts. */
  progress(version: number): Progress;
  /** Who was not let in of late, the latest first. */
  turnedAway(): readonly TurnedAway[];
  onChange(listener: () => void): () => void;
  /** What was or may have been enforced between two times, newest first: "what did host H enforce at time T?" is `fromMs = toMs = T`. */
  enforced(query: EnforcedQuery): readonly Enforced[];
}

/** Somebody who wanted to connect as a proxy and was refused, several times perhaps. */
export interface TurnedAway {
  /** The host's id; null where nothing was said that could be read. */
  readonly host: string | null;
  /** Null where the host is not known, or was not proved. */
  readonly hostName: string | null;
  readonly server: string | null;
  /** Whether it holds the host's key. Otherwise host and server are what somebody claims. */
  readonly proved: boolean;
  /** The address that it last came from. */
  readonly from: string | null;
  readonly reason: CloseReason;
  /** What is the matter and what to do. */
  readonly message: string;
  readonly count: number;
  readonly firstMs: number;
  readonly lastMs: number;
}

export interface EnforcedQuery {
  readonly host?: string;
  readonly server?: string;
  readonly fromMs: number;
  readonly toMs: number;
  readonly limit: number;
}

/**
 * One proxy under one pair of contents. It was certainly in force from `fromMs` to `toMs`; it may have been since `notBeforeMs` and until
 * `notAfterMs`. A proxy keeps what it has while it is cut off, so that after `toMs` it is the last that is known.
 */
export interface Enforced {
  readonly host: string;
  readonly server: string;
  readonly boot: string;
  readonly policiesVersion: number;
  readonly policiesDigest: string;
  readonly restrictionsVersion: number;
  readonly restrictionsDigest: string;
  /** First acknowledgement of these contents. */
  readonly fromMs: number;
  /** The last moment for which it is known that they were still held: a sign of life, or the sending of what came after them. */
  readonly toMs: number;
  /** Last sign of the contents before; null where there were none in this boot. Between the two it may have been either. */
  readonly notBeforeMs: number | null;
  /** First sign of what came after it in this boot; when the process said goodbye; or when another of this host and server was first heard. Null where there is none of these. */
  readonly notAfterMs: number | null;
  /** Whether nothing else can have come before `notAfterMs`: the proxy was away and came back with the very same contents, or it ended. */
  readonly sameAfter: boolean;
}

/** What is known of one moment: it was so; it was this or what is listed beside it; or nothing else was heard of since. */
export type Certainty = 'certain' | 'either' | 'last-known';

/** What an interval that the query gave says of the moment `atMs`. */
export function certaintyAt({ fromMs, toMs, notAfterMs, sameAfter }: Enforced, atMs: number): Certainty {
  if (atMs < fromMs) return 'either';
  if (atMs <= toMs) return 'certain';
  // Who is connected is heard of within this time, so that longer before the next sign it was away, with what it had.
  return notAfterMs !== null && !sameAfter && atMs >= notAfterMs - linkLimits.SILENCE_MS && atMs < notAfterMs ? 'either' : 'last-known';
}

export interface ProxyView {
  readonly host: string;
  readonly hostName: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly server: string;
  readonly upstream: string;
  readonly boot: string;
  readonly connected: boolean;
  /** `current`: enforces the head. `behind`: has not acknowledged it yet. `refused`: said no to it. `offline`: no socket. */
  readonly state: 'current' | 'behind' | 'refused' | 'offline';
  /** The versions whose content it acknowledged; null before its first acknowledgement. */
  readonly policies: { readonly version: number; readonly digest: string } | null;
  readonly restrictions: { readonly version: number; readonly digest: string } | null;
  readonly since: number | null;
  readonly lastSeen: number;
  readonly problems: readonly string[];
  /** Allowed calls that had no answer when it acknowledged last. */
  readonly inFlight: number;
}

export interface Progress {
  readonly version: number;
  readonly wanted: number;
  readonly enforcing: number;
  /** Milliseconds from the commit of `version` to each acknowledgement that this process has seen, ascending. */
  readonly tookMs: readonly number[];
  readonly missing: readonly { readonly host: string; readonly hostName: string; readonly server: string; readonly why: string }[];
  readonly notReached: readonly { readonly host: string; readonly hostName: string; readonly server: string; readonly lastSeen: number }[];
}

/** The fleet as operators see it. */

export { createFleet } from './create.ts';
export type { FleetOptions, LiveFleet } from './create.ts';

export interface Fleet {
  /** Connected proxies, and those seen before. */
  proxies(): readonly ProxyView[];
  /** What each proxy must enforce for version `version`, and who does not yet. Counts connected proxies of enrolled hosts. */
  progress(version: number): Progress;
  onChange(listener: () => void): () => void;
  /** What was enforced between two times, newest first: "what did host H enforce at time T?" is `fromMs = toMs = T`. */
  enforced(query: EnforcedQuery): readonly Enforced[];
}

export interface EnforcedQuery {
  readonly host?: string;
  readonly server?: string;
  readonly fromMs: number;
  readonly toMs: number;
  readonly limit: number;
}

/** One proxy under one pair of contents. It was certainly in force from `fromMs` to `toMs`; it may have been since `notBeforeMs`. */
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
  /** Last sign that they were still held. */
  readonly toMs: number;
  /** Last sign of the contents before; null where there were none in this boot. Between the two it may have been either. */
  readonly notBeforeMs: number | null;
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

/** The fleet as operators see it. */

export interface Fleet {
  /** Connected proxies, and those seen before. */
  proxies(): readonly ProxyView[];
  /** What each proxy must enforce for version `version`, and who does not yet. Counts connected proxies of enrolled hosts. */
  progress(version: number): Progress;
  onChange(listener: () => void): () => void;
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

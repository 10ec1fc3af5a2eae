/** What proxies decided, kept apart from the log: volume never touches the log. */

export interface DecisionStore {
  /** At least once: a row that is there already (host, boot, n) is passed over. Never throws for a full disk: it counts what it lost. */
  ingest(from: { readonly host: string; readonly server: string }, rows: readonly DecisionRow[]): void;
  query(query: DecisionQuery): readonly StoredDecision[];
  onIngested(listener: (rows: readonly StoredDecision[]) => void): () => void;
  close(): void;
}

/** One decision as a proxy reports it. */
export interface DecisionRow {
  readonly boot: string;
  /** Gapless within a boot; a gap is a loss, and shown. */
  readonly n: number;
  readonly atMs: number;
  readonly kind: 'tool' | 'resource' | 'prompt' | 'method' | 'refused';
  /** Tool name, URI, prompt name or method. */
  readonly name: string;
  readonly decision: 'allow' | 'deny';
  readonly reason: string;
  readonly rule: string | null;
  readonly message: string | null;
  /** Policy and restriction ids that determined it, the one that spoke first. */
  readonly sources: readonly string[];
  readonly observed: readonly string[];
  readonly policiesVersion: number | null;
  readonly restrictionsVersion: number | null;
  readonly freshness: 'fresh' | 'stale' | 'expired' | 'none';
  /** HMAC-SHA256 of the canonical arguments under the host's key, hex; null where there are none. */
  readonly argumentsHmac: string | null;
  readonly client: string | null;
}

export interface StoredDecision extends DecisionRow {
  readonly id: number;
  readonly host: string;
  readonly server: string;
}

export interface DecisionQuery {
  readonly limit: number;
  readonly before?: number;
  readonly host?: string;
  readonly server?: string;
  readonly tool?: string;
  readonly decision?: 'allow' | 'deny';
  readonly sinceMs?: number;
}

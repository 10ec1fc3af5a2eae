/** What proxies decided, kept apart from the log: volume never touches the log. */
import type { DecisionRow } from '@portcullis/policy-core';

export type { DecisionRow };

export interface DecisionStore {
  /** At least once: a row that is there already (host, boot, n) is passed over. Never throws for a full disk: it counts what it lost. */
  ingest(from: { readonly host: string; readonly server: string }, rows: readonly DecisionRow[]): void;
  query(query: DecisionQuery): readonly StoredDecision[];
  onIngested(listener: (rows: readonly StoredDecision[]) => void): () => void;
  close(): void;
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

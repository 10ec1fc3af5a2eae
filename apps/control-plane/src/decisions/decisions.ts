/** What proxies decided, kept apart from the log: volume never touches the log. */
import type { DecisionRow } from '@portcullis/policy-core';

export type { DecisionRow };
export { openDecisions } from './open-decisions.ts';

export interface DecisionStore {
  /** At least once: a row that is there already (host, boot, n) is passed over. Never throws for a full disk: it counts what it lost. */
  ingest(from: { readonly host: string; readonly server: string }, rows: readonly DecisionRow[]): void;
  query(query: DecisionQuery): readonly StoredDecision[];
  /** How complete the decisions of each boot are, newest first. */
  boots(query: { readonly host?: string; readonly server?: string; readonly limit: number }): readonly BootRecord[];
  /** Decisions that this process could not store. */
  lost(): number;
  onIngested(listener: (rows: readonly StoredDecision[]) => void): () => void;
  close(): void;
}

export interface StoredDecision extends DecisionRow {
  readonly id: number;
  readonly host: string;
  readonly server: string;
}

/** The decisions of one boot of a proxy. */
export interface BootRecord {
  readonly host: string;
  readonly server: string;
  readonly boot: string;
  /** The highest `n` seen. */
  readonly highest: number;
  readonly stored: number;
  /** Decisions below the highest that never arrived. */
  readonly missing: number;
  readonly lastMs: number;
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

/** What is asked, what is answered. */
import type { JsonObject } from './json.ts';
import type { Position } from './policy.ts';

/** One use of an upstream that a policy can speak about. Plumbing never becomes a call. */
export type Call =
  | { readonly kind: 'tool'; readonly name: string; readonly arguments: JsonObject }
  | { readonly kind: 'resource'; readonly method: string; readonly uri: string }
  | { readonly kind: 'prompt'; readonly name: string; readonly arguments: JsonObject }
  | { readonly kind: 'method'; readonly method: string; readonly params: JsonObject };

/** Everything besides the call that a decision may depend on. */
export interface CallContext {
  readonly server: string;
  readonly labels: Readonly<Record<string, string>>;
  /** What the server name really is on this host (command line or URL origin); null where nothing says so (tests, `eval`). */
  readonly upstream: string | null;
  readonly clientName: string | null;
  /** Milliseconds since 1970, UTC. */
  readonly nowMs: number;
  /** How long the snapshot has not been known to be current; 0 = fresh. */
  readonly staleMs: number;
}

/** The closed list of reasons. */
export const REASONS = [
  'allowed', 'no-snapshot', 'no-policy', 'wrong-upstream', 'restricted', 'stale', 'hidden', 'default', 'rule', 'limit', 'error',
  'ambiguous-uri', 'unparsable',
] as const;
export type Reason = (typeof REASONS)[number];

export interface Decision {
  readonly decision: 'allow' | 'deny';
  readonly reason: Reason;
  /** What the agent is told, without prefix; null on allow. */
  readonly message: string | null;
  /** The name of the rule that speaks; `(hidden)`, `(default deny)` and the like where no rule does; null on allow. */
  readonly rule: string | null;
  /** Everything that determined the outcome, the one that speaks first (E4). */
  readonly matched: readonly Determinant[];
  /** What rules and policies in observe mode would have denied. */
  readonly observed: readonly Determinant[];
}

/** One cause of a decision. */
export interface Determinant {
  readonly by: 'restriction' | 'policy' | 'hide' | 'default' | 'rule' | 'limit' | 'error';
  /** Policy id or restriction id. */
  readonly source: string;
  readonly rule: string | null;
  /** The entry as written, where a rule or an entry speaks. */
  readonly entry: string | null;
  readonly at: Position | null;
}

/** What the upstream made of an allowed call. `error` = a JSON-RPC error, which gives counters back. */
export type Outcome = 'ok' | 'error' | 'tool_error' | 'none';

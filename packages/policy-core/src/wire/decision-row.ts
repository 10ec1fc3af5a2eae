/** One decision as a proxy reports it, the same on the wire, in the proxy's spool and in the plane's store. */
import { MAX_DECISION_TEXT, MAX_NAME_CHARS } from './limits.ts';
import type { Shape } from './shape.ts';
import { formed, list, nullable, object, oneOf, text, whole } from './shape.ts';

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

/** What one row keeps of the policies that determined it: enough to name them, whatever a hostile policy set does. */
export const MAX_SOURCES = 64;

const shortText = text(MAX_DECISION_TEXT);
const names = list(shortText, MAX_SOURCES);

export const decisionRow: Shape<DecisionRow> = object<DecisionRow>({
  boot: text(MAX_NAME_CHARS),
  n: whole(),
  atMs: whole(),
  kind: oneOf(['tool', 'resource', 'prompt', 'method', 'refused']),
  name: shortText,
  decision: oneOf(['allow', 'deny']),
  reason: text(MAX_NAME_CHARS),
  rule: nullable(shortText),
  message: nullable(shortText),
  sources: names,
  observed: names,
  policiesVersion: nullable(whole()),
  restrictionsVersion: nullable(whole()),
  freshness: oneOf(['fresh', 'stale', 'expired', 'none']),
  argumentsHmac: nullable(formed(/^[0-9a-f]{64}$/, 'a SHA-256 in hex')),
  client: nullable(shortText),
});

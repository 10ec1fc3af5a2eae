/** A small world for the fleet's tests: policies that list tools, restrictions of tools, and planes' states made without a log. */
import type { PlaneState } from '../../apps/control-plane/src/domain/state.ts';
import type { Labels, Policy, Restriction } from '@portcullis/policy-core';

/** Seeded, so that a failing run can be repeated (mulberry32). */
export function randomFrom(seed: number): () => number {
  let a = seed >>> 0;
  return () => {
    a = (a + 0x6d2b79f5) >>> 0;
    let t = Math.imul(a ^ (a >>> 15), a | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

const at = { line: 1, column: 1 };

/** A policy that permits exactly `tools`. */
export function policyOf(id: string, tools: readonly string[], match: { server?: readonly string[]; labels?: Record<string, readonly string[]> } = {}): Policy {
  return {
    model: 1,
    id,
    description: null,
    match: { server: match.server ?? ['github'], labels: match.labels ?? {}, upstream: [] },
    admits: true,
    mode: 'enforce',
    default: 'deny',
    defaultAt: at,
    onStale: null,
    hide: [],
    readOnly: null,
    tools: tools.map((pattern) => ({ pattern, at, rules: [] })),
    resources: null,
    prompts: null,
    methods: null,
  };
}

export function restrictionOf(id: string, tools: readonly string[] | null, selector: { server?: readonly string[]; labels?: Record<string, readonly string[]> } = {}): Restriction {
  return {
    id,
    selector: { server: selector.server ?? [], labels: selector.labels ?? {} },
    scope: tools === null ? { kind: 'all' } : { kind: 'tools', globs: tools },
    readOnly: false,
    reason: `incident ${id}`,
    actor: 'token-1',
    imposedAtMs: 1_700_000_000_000,
    expiresAtMs: null,
  };
}

export const LOG = 'portcullis.test/00000001';

export interface WorldParts {
  readonly version: number;
  readonly policiesVersion: number;
  readonly restrictionsVersion: number;
  readonly restrictions: readonly Restriction[];
  readonly publicKey?: string;
  readonly hosts?: readonly { readonly host: string; readonly publicKey: string; readonly labels: Labels; readonly revoked?: boolean }[];
}

/** A state with the parts that distribution looks at. */
export function stateOf(parts: WorldParts): PlaneState {
  return {
    log: LOG,
    publicKey: parts.publicKey ?? '',
    recoveryKeySha256: '0'.repeat(64),
    rotations: [],
    restorations: [],
    endedRestrictions: new Map(),
    size: parts.version + 1,
    version: parts.version,
    policiesVersion: parts.policiesVersion,
    restrictionsVersion: parts.restrictionsVersion,
    policies: new Map(),
    refused: new Map(),
    pendingRemovals: new Map(),
    holds: [],
    restrictions: new Map(parts.restrictions.map((restriction) => [restriction.id, { restriction, since: 0 }])),
    joinTokens: new Map(),
    hosts: new Map(
      (parts.hosts ?? []).map((host) => [host.host, { name: host.host, enrolledAtMs: 0, revoked: false, since: 0, ...host }]),
    ),
    operatorTokens: new Map(),
    watch: { failed: false, problem: null, sinceMs: 0 },
    idempotency: new Map(),
  };
}

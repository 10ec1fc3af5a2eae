/**
 * A policy after parsing: every default filled in, every shorthand expanded, every part with its place in the source.
 * It is plain JSON, because a snapshot carries exactly this to the proxies (no YAML on hosts).
 */

/** Place in the source text; both count from 1, columns in UTF-16 code units. */
export interface Position {
  readonly line: number;
  readonly column: number;
}

/** Raised when a field changes its meaning or a new one must be understood; a proxy refuses a model it does not know. */
export const POLICY_MODEL = 1;

export interface Policy {
  readonly model: typeof POLICY_MODEL;
  /** Path relative to the policy directory, `/` between segments. */
  readonly id: string;
  readonly description: string | null;
  readonly match: Match;
  /** Whether this policy admits the servers it matches (E2), or is a guard, which only takes away. */
  readonly admits: boolean;
  readonly mode: Mode;
  readonly default: 'allow' | 'deny';
  /** Where `default` stands, or the first line where it is left out. */
  readonly defaultAt: Position;
  readonly onStale: OnStale | null;
  readonly hide: readonly PlacedName[];
  /** Null where the policy says nothing about read-only restrictions. */
  readonly readOnly: readonly PlacedName[] | null;
  /** In file order. */
  readonly tools: readonly Entry[];
  readonly resources: readonly Entry[] | null;
  readonly prompts: readonly Entry[] | null;
  readonly methods: readonly Entry[] | null;
}

export interface Match {
  /** Globs over server names; never empty. */
  readonly server: readonly string[];
  /** Each label must have one of its values (globs). */
  readonly labels: Readonly<Record<string, readonly string[]>>;
  /** Globs over what the name must really be (command line or URL origin); empty = anything. */
  readonly upstream: readonly string[];
}

export type Mode = 'enforce' | 'observe';

export interface OnStale {
  readonly afterMs: number;
  readonly do: 'deny';
}

/** A name or glob with its place. */
export interface PlacedName {
  readonly name: string;
  readonly at: Position;
}

/** One key under tools, resources, prompts or methods. */
export interface Entry {
  /** As written: an exact name, a glob, or `*`. */
  readonly pattern: string;
  readonly at: Position;
  readonly rules: readonly Rule[];
}

export interface Rule {
  readonly name: string;
  readonly at: Position;
  readonly action: 'evaluate' | 'deny';
  /** The rule's own mode, or the policy's: `observe` wins. */
  readonly mode: Mode;
  /** The rule applies only when these all hold. */
  readonly when: readonly Condition[];
  /** These must all hold, else the rule denies. A `rate_limit` is expanded to a condition and a counter, as Intercept does. */
  readonly conditions: readonly Condition[];
  readonly counter: Counter | null;
  /** What the agent is told; null = the default text for this kind of denial. */
  readonly onDeny: string | null;
}

export interface Condition {
  /** `args.…`, `state.…`, `proxy.…`, `client.…` or `time.…`, as written. */
  readonly path: string;
  readonly op: Operator;
  readonly value: PolicyValue;
  readonly at: Position;
}

export const OPERATORS = [
  'eq', 'neq', 'in', 'not_in', 'lt', 'lte', 'gt', 'gte', 'regex', 'contains', 'exists',
  'not_contains', 'starts_with', 'ends_with', 'glob', 'path_within', 'host_in', 'max_length', 'type',
] as const;
export type Operator = (typeof OPERATORS)[number];

export const WINDOWS = ['minute', 'hour', 'day'] as const;
export type Window = (typeof WINDOWS)[number];

export interface Counter {
  /** The counter's own name; `state.<entry>.<name>` reads it, where `*` is spelled `_global`. */
  readonly name: string;
  readonly window: Window;
  readonly amount: { readonly kind: 'fixed'; readonly value: string } | { readonly kind: 'argument'; readonly path: string };
  /** The inclusive bound as a decimal text, or null where no condition of the rule bounds its own counter (never enforced). */
  readonly limit: string | null;
  readonly from: 'rate_limit' | 'spend_limit' | 'state';
}

/**
 * A value that a policy text holds, resolved as YAML 1.1 by Go's yaml.v3 does it. Integers and floats stay decimal texts,
 * because what a number is decides how it compares and how it is rendered.
 */
export type PolicyValue =
  | { readonly kind: 'null' }
  | { readonly kind: 'bool'; readonly value: boolean }
  | { readonly kind: 'string'; readonly value: string }
  /** Fits int64. */
  | { readonly kind: 'int'; readonly value: string }
  /** Above int64, fits uint64: equals its decimal text and is no number in comparisons. */
  | { readonly kind: 'uint'; readonly value: string }
  /** `NaN`, `+Inf`, `-Inf`, or the shortest text that reads back as the same double. */
  | { readonly kind: 'float'; readonly value: string }
  /** As Go prints it: `2024-01-15 00:00:00 +0000 UTC`. */
  | { readonly kind: 'timestamp'; readonly value: string }
  | { readonly kind: 'list'; readonly items: readonly PolicyValue[] }
  /** Keys as Go prints them, in the order in which it prints them: texts by their bytes, numbers by their value. */
  | { readonly kind: 'map'; readonly entries: readonly (readonly [key: string, value: PolicyValue])[] };

/** A test that a policy carries about itself. */
export interface PolicyTest {
  readonly name: string;
  readonly at: Position;
  /** RFC 3339; the tests' clock where the policy names none is 2026-01-05T12:00:00Z. */
  readonly server: string | null;
  readonly labels: Readonly<Record<string, string>>;
  readonly client: string | null;
  /** One step for `call`, several for `calls`; counters start empty and are shared by the steps. */
  readonly steps: readonly PolicyTestStep[];
}

export interface PolicyTestStep {
  readonly call: PolicyTestCall;
  readonly atMs: number;
  readonly expect: 'allow' | 'deny';
  /** The name of the rule that must speak, where the author says so. */
  readonly rule: string | null;
  /** What the upstream answers to an allowed call; gives counters back on `error`. */
  readonly outcome: 'ok' | 'error' | 'tool_error' | 'none';
  readonly at: Position;
}

export type PolicyTestCall =
  | { readonly kind: 'tool'; readonly name: string; readonly arguments: PolicyValue | null }
  | { readonly kind: 'resource'; readonly uri: string }
  | { readonly kind: 'prompt'; readonly name: string; readonly arguments: PolicyValue | null }
  | { readonly kind: 'method'; readonly method: string };

/** What evaluating the policies of one proxy finds out about one call, before anything is counted. */
import type { Call, CallContext, Determinant, Reason } from '../call.ts';
import type { CounterStore } from '../counter.ts';
import type { Policy } from '../policy.ts';
import type { CompiledRule } from './rule.ts';

/** One sufficient cause of a denial. */
export interface Cause {
  readonly reason: Reason;
  readonly message: string;
  /** What is reported as the rule: its name, or `(hidden)`, `(default deny)` and the like. */
  readonly rule: string;
  /** Null where the cause is that something is missing (no admitting policy). */
  readonly determinant: Determinant | null;
}

/** A rule that counts this call if the call is allowed. */
export interface Counted {
  readonly policy: Policy;
  readonly rule: CompiledRule;
  readonly observed: boolean;
}

export interface Evaluation {
  /** Every cause that denies, in the order of E4; empty = allowed as far as conditions go. */
  readonly causes: readonly Cause[];
  /** What policies and rules in observe mode would have denied. */
  readonly observed: readonly Determinant[];
  readonly counted: readonly Counted[];
}

/** All policies that apply to one proxy, compiled. Immutable: a new snapshot is a new Enforcement (E6). */
export interface Enforcement {
  /** Judges a call by conditions alone: reads counters, reserves nothing. Never throws (E5). */
  evaluate(call: Call, context: CallContext, counters: CounterStore): Evaluation;
  /** Whether a policy in enforce mode hides the name. Only tools are hidden; a resource or prompt is denied by an entry instead. */
  hides(kind: 'tool' | 'resource' | 'prompt', name: string): boolean;
  /** Whether `hides` can ever be true. */
  readonly hidesAny: boolean;
  /** Whether a call passes a read-only restriction: every policy that has `read_only` lists its name, and one has it. */
  readsOnly(call: Call): boolean;
  /** The same for a name in a list. */
  listsAsReadOnly(name: string): boolean;
  /** Some policy admits the server (E2). */
  readonly admitted: boolean;
  /** A policy in enforce mode knows another upstream under this server's name: every call is denied. */
  readonly wrongUpstream: boolean;
  /** Whether any rule reads or keeps a count, so that a counter store is needed. */
  readonly usesCounters: boolean;
  /** The strictest `on_stale` of the policies in enforce mode, or null: keep the last good for ever. */
  readonly onStaleMs: number | null;
  /** The policies that apply, in the order of their ids' bytes. */
  readonly policies: readonly Policy[];
  /** What an allowed call was allowed by: every policy that applies. */
  readonly allowedBy: readonly Determinant[];
}

/**
 * All that the relay knows of policy: it asks, and does what it is told. Whether a snapshot has arrived, where it came
 * from and what is counted is behind this face.
 */
import type { Call, Decision, Outcome } from '@portcullis/policy-core';

export interface Gate {
  /** Judges one call now. Synchronous, because messages keep their order (P5: an in-flight call keeps the answer it got). */
  judge(call: Call, client: { readonly name: string | null }): Judgement;
  /** What lists may show right now. Asked anew for every list, so that a swap shows at once. */
  lists(): ListFilter;
  /** Records a message that was not forwarded because it is ambiguous (reason `unparsable`, P2). */
  refuse(refusal: { readonly what: string; readonly detail: string }): void;
  /** Calls the listener whenever what lists may show has changed; returns how to stop that. */
  onListsChanged(listener: (changed: ListsChanged) => void): () => void;
}

export interface Judgement {
  readonly decision: Decision;
  /** What the upstream made of it. Called exactly once, for allowed calls only. */
  settle(outcome: Outcome): void;
}

export interface ListFilter {
  tool(name: string): boolean;
  resource(uri: string): boolean;
  prompt(name: string): boolean;
  /** A policy hides something, so that a hidden name must answer as a name that nobody lists (P4). */
  readonly hidesTools: boolean;
  /** Lockdown, or no policy: lists are empty. */
  readonly empty: boolean;
}

export interface ListsChanged {
  readonly tools: boolean;
  readonly resources: boolean;
  readonly prompts: boolean;
}

/** What may be asked of the plane, and the two ways in which it answers. */
import type { Labels, Policy, Problem, Rotation, Selector } from '@portcullis/policy-core';
import type { Actor, Auth, GitFacts, Role } from './events.ts';

export type Command =
  /** The whole policy directory, settled. Policies that it does not name are gone from the directory. */
  | { readonly kind: 'offer'; readonly documents: ReadonlyMap<string, OfferedDocument>; readonly git: GitFacts | null; readonly removals: 'wait' | 'accept' }
  | { readonly kind: 'confirm'; readonly change: string; readonly expected: number | null }
  /** `filesFollow`: the files are about to say what is in force again, so that what they still hold is no news. */
  | { readonly kind: 'rollback'; readonly to: number; readonly expected: number | null; readonly filesFollow?: true }
  /** Every hold of one policy. */
  | { readonly kind: 'release'; readonly policy: string; readonly expected: number | null }
  | {
      readonly kind: 'restrict';
      readonly selector: Selector;
      /** Null = every method but plumbing. */
      readonly tools: readonly string[] | null;
      readonly readOnly: boolean;
      readonly expiresAtMs: number | null;
    }
  | { readonly kind: 'lift'; readonly restriction: string; readonly expected: number | null }
  | { readonly kind: 'expire'; readonly restriction: string }
  | { readonly kind: 'create-join-token'; readonly token: string; readonly secretSha256: string; readonly labels: Labels; readonly expiresAtMs: number }
  | { readonly kind: 'revoke-join-token'; readonly token: string }
  | { readonly kind: 'enrol'; readonly token: string; readonly secretSha256: string; readonly host: string; readonly name: string; readonly publicKey: string }
  | { readonly kind: 'relabel'; readonly host: string; readonly labels: Labels; readonly confirm: boolean }
  | { readonly kind: 'revoke-host'; readonly host: string }
  | { readonly kind: 'create-operator-token'; readonly token: string; readonly secretSha256: string; readonly name: string; readonly role: Role }
  | { readonly kind: 'revoke-operator-token'; readonly token: string }
  /** The next plane key, made outside; both keys have signed. */
  | { readonly kind: 'rotate-key'; readonly rotation: Rotation }
  /** A log that goes on under another name: only on a plane that serves nobody. */
  | { readonly kind: 'restore-log'; readonly log: string; readonly publicKey: string; readonly recoveryKeySha256: string; readonly statement: { readonly recoveryKey: string; readonly signature: string } | null }
  /** Records that texts are erased; the store erases them. */
  | { readonly kind: 'erase'; /** What was asked for, in words: what is left of it differs from one time to the next. */ readonly target: string; readonly seqs: readonly number[]; readonly hosts: readonly string[]; readonly operators: readonly string[] }
  | { readonly kind: 'watch-failed'; readonly problem: string }
  | { readonly kind: 'watch-recovered' };

/** One file of an offer, already judged on its own. */
export type OfferedDocument =
  | { readonly kind: 'valid'; readonly textSha256: string; readonly textBytes: number; readonly modelSha256: string; readonly modelBytes: number; readonly policy: Policy }
  | { readonly kind: 'invalid'; readonly textSha256: string; readonly problems: readonly Problem[] }
  | { readonly kind: 'unreadable'; readonly problem: Problem };

/** Who asks, when, why; ids come from outside because the core makes none. */
export interface Meta {
  /** The plane's clock. Compute `expiresAtMs` of a command from this very value: a retry under the same key is compared by time to live. */
  readonly nowMs: number;
  readonly actor: Actor;
  readonly auth: Auth;
  readonly reason: string | null;
  readonly idem: string | null;
  readonly cause: string | null;
}

/** A command answered no. */
export interface Refusal {
  readonly code: RefusalCode;
  /** What happened and what to do next. */
  readonly message: string;
  /** Set where the very same may be taken in a moment, and nothing was recorded. */
  readonly soon?: true;
}

export const REFUSAL_CODES = [
  'not-found', 'already-done', 'expected-version', 'idempotency-conflict', 'invalid', 'reason-required', 'expired', 'used', 'forbidden',
  'needs-confirmation', 'limit', 'unavailable',
] as const;
export type RefusalCode = (typeof REFUSAL_CODES)[number];

/** What the plane knows: a fold of the log and nothing else (L5). */
import type { Labels, Problem, Restoration, Restriction, Rotation } from '@portcullis/policy-core';
import type { Actor, ContentRef, Hold, Role } from './events.ts';

export interface PlaneState {
  /** Empty before PlaneInitialised. */
  readonly log: string;
  readonly publicKey: string;
  readonly recoveryKeySha256: string;
  /** How this log's key came to be the present one, oldest first. */
  readonly rotations: readonly Rotation[];
  /** How hosts come from earlier logs to this one, oldest first; those without a statement of the recovery key are left out. */
  readonly restorations: readonly Restoration[];
  /** Number of events; the next seq. */
  readonly size: number;
  /** Seq of the last version event; -1 before the first. */
  readonly version: number;
  /** Seq of the last event that changed the policies in force. */
  readonly policiesVersion: number;
  /** Seq of the last event that changed the restrictions. */
  readonly restrictionsVersion: number;
  readonly policies: ReadonlyMap<string, PolicyInForce>;
  /** By policy id: the content that was refused last and why; gone once that policy publishes. What of it still stands: `outstanding`. */
  readonly refused: ReadonlyMap<string, Refused>;
  /** Removals that wait for `confirm`, by change id; the confirmed one stays until the next. What of it still stands: `outstanding`. */
  readonly pendingRemovals: ReadonlyMap<string, PendingRemoval>;
  readonly holds: readonly HeldContent[];
  readonly restrictions: ReadonlyMap<string, RestrictionInForce>;
  /** The restrictions that ended last. */
  readonly endedRestrictions: ReadonlyMap<string, EndedRestriction>;
  readonly joinTokens: ReadonlyMap<string, JoinToken>;
  readonly hosts: ReadonlyMap<string, Host>;
  readonly operatorTokens: ReadonlyMap<string, OperatorToken>;
  readonly watch: { readonly failed: boolean; readonly problem: string | null; readonly sinceMs: number };
  /** The newest outcomes by `<actor id> <idempotency key>` (L6); older ones are in the log. */
  readonly idempotency: ReadonlyMap<string, IdempotentOutcome>;
}

export interface PolicyInForce {
  readonly policy: string;
  readonly content: ContentRef;
  /** Seq of the event that brought this content into force. */
  readonly since: number;
  readonly sinceMs: number;
}

export interface Refused {
  readonly policy: string;
  readonly textSha256: string | null;
  readonly why: 'invalid' | 'unreadable' | 'removal' | 'held' | 'set';
  readonly problems: readonly Problem[];
  /** What happened and what to do next. */
  readonly message: string;
  readonly seq: number;
  readonly atMs: number;
}

export interface PendingRemoval {
  readonly change: string;
  readonly removes: readonly string[];
  readonly problems: readonly Problem[];
  /** What happened and what to do next. */
  readonly message: string;
  readonly seq: number;
  readonly atMs: number;
  readonly confirmed: boolean;
}

export interface HeldContent extends Hold {
  readonly since: number;
  readonly sinceMs: number;
  readonly by: Actor;
  readonly reason: string | null;
}

export interface RestrictionInForce {
  readonly restriction: Restriction;
  readonly since: number;
}

export interface EndedRestriction {
  readonly how: 'lifted' | 'expired';
  /** The version that ended it. */
  readonly seq: number;
}

export interface JoinToken {
  readonly token: string;
  readonly secretSha256: string;
  readonly labels: Labels;
  readonly expiresAtMs: number;
  readonly state: 'open' | 'used' | 'revoked';
}

export interface Host {
  readonly host: string;
  readonly name: string;
  readonly publicKey: string;
  readonly labels: Labels;
  readonly enrolledAtMs: number;
  readonly revoked: boolean;
  /** Seq of the last event about it. */
  readonly since: number;
}

export interface OperatorToken {
  readonly token: string;
  readonly secretSha256: string;
  readonly name: string;
  readonly role: Role;
  readonly createdAtMs: number;
  readonly revoked: boolean;
}

export interface IdempotentOutcome {
  /** SHA-256 (hex) of the command's canonical JSON. */
  readonly commandSha256: string;
  readonly seqs: readonly number[];
}

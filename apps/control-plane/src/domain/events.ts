/**
 * The facts that the log records. These names and fields are the storage format: version them with care.
 *
 * An event's body is a payload, bound to its entry by hash, so that an entry stays small however many files change.
 * Reasons and actor details are separate, salted, erasable payloads. Policy texts are payloads of their own, never erased.
 */
import type { Labels, Problem, Restriction } from '@portcullis/policy-core';

export type PlaneEvent =
  | PlaneInitialised
  | PolicySetPublished
  | ChangeRefused
  | RemovalConfirmed
  | RolledBack
  | HoldReleased
  | RestrictionImposed
  | RestrictionLifted
  | RestrictionExpired
  | JoinTokenCreated
  | JoinTokenRevoked
  | HostEnrolled
  | HostRelabelled
  | HostRevoked
  | OperatorTokenCreated
  | OperatorTokenRevoked
  | WatchFailed
  | WatchRecovered
  | KeyRotated
  | LogRestored
  | TextErased;

export type EventType = PlaneEvent['type'];

/** The compiler asks for every type. */
const TYPES: Readonly<Record<EventType, true>> = {
  PlaneInitialised: true, PolicySetPublished: true, ChangeRefused: true, RemovalConfirmed: true, RolledBack: true, HoldReleased: true,
  RestrictionImposed: true, RestrictionLifted: true, RestrictionExpired: true, JoinTokenCreated: true, JoinTokenRevoked: true, HostEnrolled: true,
  HostRelabelled: true, HostRevoked: true, OperatorTokenCreated: true, OperatorTokenRevoked: true, WatchFailed: true, WatchRecovered: true,
  KeyRotated: true, LogRestored: true, TextErased: true,
};
export const EVENT_TYPES: ReadonlySet<string> = new Set(Object.keys(TYPES));

/** Events that may change what someone must enforce; their seq is a version. */
export const VERSION_EVENTS: ReadonlySet<EventType> = new Set<EventType>([
  'PlaneInitialised',
  'PolicySetPublished',
  'RolledBack',
  'RestrictionImposed',
  'RestrictionLifted',
  'RestrictionExpired',
  'HostEnrolled',
  'HostRelabelled',
  'HostRevoked',
  'KeyRotated',
]);

/** An event as the log holds it. */
export interface Recorded {
  readonly seq: number;
  /** UUIDv7. */
  readonly id: string;
  readonly atMs: number;
  readonly actor: Actor;
  readonly auth: Auth;
  /** Null where none was given, or where it was erased (then `reasonErased`). */
  readonly reason: string | null;
  readonly reasonErased: boolean;
  /** The caller's idempotency key, unique among the actor's commands (L6). */
  readonly idem: string | null;
  /** SHA-256 (hex) of the command that the key stands for; null where there is no key. */
  readonly commandSha256: string | null;
  /** The id of the event that led to this one. */
  readonly cause: string | null;
  readonly event: PlaneEvent;
}

export interface Actor {
  readonly kind: 'operator' | 'host' | 'files' | 'plane';
  /** An opaque id that may stay for ever: token id, host id, `directory`, `plane`. */
  readonly id: string;
}

export interface Auth {
  readonly method: 'token' | 'local' | 'join-token' | 'host-key' | 'none';
  /** What was used, never a secret: the token's id. */
  readonly ref: string | null;
}

export interface PlaneInitialised {
  readonly type: 'PlaneInitialised';
  /** The log's origin and id. */
  readonly log: string;
  /** Ed25519, base64 of the 32 raw bytes: signs checkpoints, snapshots and leases. */
  readonly publicKey: string;
  /** SHA-256 (hex) of the recovery public key, which is kept off the machine. */
  readonly recoveryKeySha256: string;
}

export interface PolicySetPublished {
  readonly type: 'PolicySetPublished';
  readonly changes: readonly PolicyChange[];
  /** Set where the directory is a git checkout and the files equal the commit's. */
  readonly git: GitFacts | null;
}

export type PolicyChange =
  | { readonly kind: 'added' | 'changed'; readonly policy: string; readonly content: ContentRef }
  | { readonly kind: 'removed'; readonly policy: string };

/** The text (what people wrote) and the normalised model (what proxies enforce), both payloads. */
export interface ContentRef {
  /** SHA-256 of the text's bytes, hex. */
  readonly textSha256: string;
  readonly textBytes: number;
  /** SHA-256 of the normalised policy's canonical JSON, hex. */
  readonly modelSha256: string;
  /** Length of that canonical JSON, so that the size of a set is known without reading it. */
  readonly modelBytes: number;
}

export interface GitFacts {
  readonly commit: string;
  readonly branch: string | null;
  /** What the commit claims; git does not verify it. */
  readonly claimedAuthor: string;
  /** The first line of its message. */
  readonly subject: string;
}

export interface ChangeRefused {
  readonly type: 'ChangeRefused';
  readonly policy: string | null;
  /** The refused content; for `set` that of the document that crossed the limit; null where there is none (unreadable, a removal, an absence). */
  readonly textSha256: string | null;
  readonly why: 'invalid' | 'unreadable' | 'removal' | 'held' | 'set';
  readonly problems: readonly Problem[];
  /** What happened and what to do next, for people. Holds nothing that may have to be erased. */
  readonly message: string;
  /** Set for `removal`: what `confirm` takes. */
  readonly change: string | null;
  /** Set for `removal`: the policies that would go. */
  readonly removes: readonly string[];
}

export interface RemovalConfirmed {
  readonly type: 'RemovalConfirmed';
  readonly change: string;
  readonly removes: readonly string[];
}

export interface RolledBack {
  readonly type: 'RolledBack';
  /** The version whose policies are in force again. */
  readonly to: number;
  readonly changes: readonly PolicyChange[];
  readonly holds: readonly Hold[];
  /** Holds that end because their content is in force again. */
  readonly released: readonly Hold[];
}

/** Content (or its absence) that a rollback withdrew. */
export interface Hold {
  readonly policy: string;
  /** SHA-256 of the withdrawn text, hex; `absent` where the rollback undid a removal. */
  readonly content: string;
}

export interface HoldReleased {
  readonly type: 'HoldReleased';
  readonly holds: readonly Hold[];
}

export interface RestrictionImposed {
  readonly type: 'RestrictionImposed';
  readonly restriction: Restriction;
}

export interface RestrictionLifted {
  readonly type: 'RestrictionLifted';
  readonly restriction: string;
}

export interface RestrictionExpired {
  readonly type: 'RestrictionExpired';
  readonly restriction: string;
}

export interface JoinTokenCreated {
  readonly type: 'JoinTokenCreated';
  readonly token: string;
  /** SHA-256 of the secret part, hex. */
  readonly secretSha256: string;
  readonly labels: Labels;
  readonly expiresAtMs: number;
}

export interface JoinTokenRevoked {
  readonly type: 'JoinTokenRevoked';
  readonly token: string;
}

export interface HostEnrolled {
  readonly type: 'HostEnrolled';
  readonly host: string;
  /** What the host calls itself; shown, never trusted. */
  readonly name: string;
  /** Ed25519, base64 of the 32 raw bytes. */
  readonly publicKey: string;
  readonly labels: Labels;
  /** The join token that was used up. */
  readonly token: string;
}

export interface HostRelabelled {
  readonly type: 'HostRelabelled';
  readonly host: string;
  readonly labels: Labels;
}

export interface HostRevoked {
  readonly type: 'HostRevoked';
  readonly host: string;
}

export interface OperatorTokenCreated {
  readonly type: 'OperatorTokenCreated';
  readonly token: string;
  readonly secretSha256: string;
  readonly name: string;
  readonly role: Role;
}

export interface OperatorTokenRevoked {
  readonly type: 'OperatorTokenRevoked';
  readonly token: string;
}

export interface WatchFailed {
  readonly type: 'WatchFailed';
  readonly problem: string;
}

export interface WatchRecovered {
  readonly type: 'WatchRecovered';
}

export interface KeyRotated {
  readonly type: 'KeyRotated';
  readonly publicKey: string;
  readonly previousKey: string;
  /** Over the new key, by the old one and by the new one; base64. */
  readonly signatures: { readonly previous: string; readonly next: string };
}

/** From here on the log goes on under another name and key: its plane came back from a backup, and what was after it is lost. */
export interface LogRestored {
  readonly type: 'LogRestored';
  readonly previousLog: string;
  /** The events that were kept; the seq of this one. */
  readonly previousSize: number;
  /** The new origin and id. */
  readonly log: string;
  readonly publicKey: string;
  /** The recovery key from here on: the same as before, or a new one where the old one was lost. */
  readonly recoveryKeySha256: string;
  /** With which hosts follow; null where the recovery key was lost, and each host has to be told. */
  readonly statement: { readonly recoveryKey: string; readonly signature: string } | null;
}

/** Reasons and names of these events are gone; their hashes stay, and the log is as valid as before. */
export interface TextErased {
  readonly type: 'TextErased';
  readonly seqs: readonly number[];
  /** Hosts and operators' tokens whose names went. */
  readonly hosts: readonly string[];
  readonly operators: readonly string[];
}

/** Stands where a text was erased. */
export const ERASED = '(erased)';

export const ROLES = ['viewer', 'responder', 'editor', 'admin'] as const;
export type Role = (typeof ROLES)[number];

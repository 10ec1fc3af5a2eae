/** What the API stands on, and what a request carries once it has been let in. */
import type { OpenAPIHono } from '@hono/zod-openapi';
import type { IdentityProof } from '@portcullis/policy-core';
import type { DecisionStore } from '../decisions/decisions.ts';
import type { Refusal } from '../domain/command.ts';
import type { Auth } from '../domain/events.ts';
import type { OperatorToken } from '../domain/state.ts';
import type { Fleet } from '../fleet/fleet.ts';
import type { Plane } from '../plane.ts';
import type { FollowStatus } from '../follow.ts';
import type { WriteBack } from './write-back.ts';

export interface ApiParts {
  readonly plane: Plane;
  readonly fleet: Fleet;
  readonly decisions: DecisionStore;
  /** How the watcher of the policy directory is, and what of it the log could not take. */
  readonly watch: () => FollowStatus;
  /** The policy directory, absolute. */
  readonly directory: string;
  /** Restores files on disk after a rollback. */
  readonly writeBack: WriteBack;
  /** Host names (without port) under which the plane answers; others are refused (DNS rebinding). */
  readonly hostNames: ReadonlySet<string>;
  /** Ids of the tokens that this machine's own users use. */
  readonly localTokens: ReadonlySet<string>;
  /** GET /v1/identity?nonce=…: proof that this plane listens, before anybody sends it a token. */
  readonly identify: (nonce: string) => IdentityProof;
  /** POST /v1/join: what a host may ask that has nothing but a join token. */
  readonly join: (body: unknown) => Joined;
  readonly startedAtMs: number;
  readonly now: () => number;
  readonly random: (bytes: number) => Buffer;
  /** Where what should never happen is written. */
  readonly complain: (text: string) => void;
}

export type Joined = { readonly ok: true; readonly body: object } | { readonly ok: false; readonly refusal: Refusal };

export interface Variables {
  readonly operator: Operator;
}

/** Who asks, after the token has been recognised. */
export interface Operator {
  readonly token: OperatorToken;
  readonly auth: Auth;
}

export type Api = OpenAPIHono<{ Variables: Variables; Bindings: Bindings }>;

/** What the HTTP server adds to a request; absent when a test calls the app directly. */
export interface Bindings {
  readonly incoming?: { readonly socket?: { readonly remoteAddress?: string } };
}

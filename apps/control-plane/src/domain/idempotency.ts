/**
 * Idempotency (L6): a key is an actor's own. The same key with the same command has the stored outcome; with another command
 * it is a conflict. The keys are in the log, so they never run out.
 */
import { canonicalJson, digestOf } from '@portcullis/policy-core';
import type { Command, Meta, Refusal } from './command.ts';
import { idempotencyKey } from './fold.ts';
import type { IdempotentOutcome, PlaneState } from './state.ts';

/** Longest key: a UUID with a prefix fits many times. */
export const MAX_IDEMPOTENCY_KEY_LENGTH = 200;

export type Remembered =
  | { readonly kind: 'new'; readonly commandSha256: string | null }
  | { readonly kind: 'replay'; readonly seqs: readonly number[] }
  | { readonly kind: 'refused'; readonly refusal: Refusal };

/** Looks up an outcome that the state no longer holds. */
export type OlderOutcome = (actorId: string, idem: string) => IdempotentOutcome | undefined;

export function remembered(state: PlaneState, command: Command, meta: Meta, older: OlderOutcome = () => undefined): Remembered {
  if (meta.idem === null) return { kind: 'new', commandSha256: null };
  if (meta.idem === '' || meta.idem.length > MAX_IDEMPOTENCY_KEY_LENGTH) {
    return { kind: 'refused', refusal: { code: 'invalid', message: `an idempotency key has 1 to ${MAX_IDEMPOTENCY_KEY_LENGTH} characters` } };
  }
  const commandSha256 = fingerprint(command, meta);
  const outcome = state.idempotency.get(idempotencyKey(meta.actor, meta.idem)) ?? older(meta.actor.id, meta.idem);
  if (outcome === undefined) return { kind: 'new', commandSha256 };
  if (outcome.commandSha256 === commandSha256) return { kind: 'replay', seqs: outcome.seqs };
  return { kind: 'refused', refusal: { code: 'idempotency-conflict', message: 'this idempotency key was used for another command: use a new key' } };
}

/**
 * SHA-256 (hex) of what the caller asked for. What the plane itself makes for each try (ids, secrets) plays no part, and an
 * end counts as a time to live: a retry asks for the same.
 */
export function fingerprint(command: Command, meta: Meta): string {
  const asked = new Map<string, unknown>(Object.entries(command));
  if (command.kind === 'create-join-token' || command.kind === 'create-operator-token') {
    asked.delete('token');
    asked.delete('secretSha256');
  }
  if (command.kind === 'enrol') asked.delete('host');
  if (command.kind === 'rotate-key') asked.delete('rotation');
  if (command.kind === 'erase') for (const found of ['seqs', 'hosts', 'operators']) asked.delete(found);
  if ('expiresAtMs' in command && command.expiresAtMs !== null) asked.set('expiresAtMs', command.expiresAtMs - meta.nowMs);
  if (command.kind === 'offer') asked.set('documents', [...command.documents].map(([id, document]) => [id, document.kind === 'unreadable' ? document.kind : document.textSha256]));
  return digestOf(canonicalJson({ ...Object.fromEntries(asked), reason: meta.reason }));
}

/** From a request to a command and back: who asks, why, under which key; and the outcome as a response. */
import type { Command } from '../domain/command.ts';
import { VERSION_EVENTS } from '../domain/events.ts';
import type { Recorded } from '../domain/events.ts';
import { idempotencyKey } from '../domain/fold.ts';
import type { PlaneState } from '../domain/state.ts';
import { answer, refusal } from './answer.ts';
import type { ApiParts, Operator } from './parts.ts';
import { eventView } from './views.ts';

export interface Why {
  readonly operator: Operator;
  readonly idem: string | null;
  readonly reason?: string | undefined;
}

/**
 * Executes a command for an operator. On success answers `version`, the recorded events, whether they were recorded before
 * under the same Idempotency-Key, and what `more` adds.
 */
export function act(parts: ApiParts, command: Command, why: Why, more: (recorded: readonly Recorded[], state: PlaneState) => object = () => ({})): Response {
  const executed = parts.plane.execute(command, {
    nowMs: momentOf(parts, why),
    actor: { kind: 'operator', id: why.operator.token.token },
    auth: why.operator.auth,
    reason: why.reason ?? null,
    idem: why.idem,
    cause: null,
  });
  if (!executed.ok) return refusal(executed.refusal);
  const { recorded, state, replayed } = executed;
  const version = recorded.findLast(({ event }) => VERSION_EVENTS.has(event.type))?.seq ?? state.version;
  return answer({ version, recorded: recorded.map(eventView), replayed, ...more(recorded, state) });
}

/**
 * The moment that a command starts from. A repeated request with the same key starts from the moment of the first one, so
 * that `ttlMs` means the same end and the two are one command (L6).
 */
export function momentOf(parts: Pick<ApiParts, 'plane' | 'now'>, why: Pick<Why, 'operator' | 'idem'>): number {
  if (why.idem === null) return parts.now();
  const key = idempotencyKey({ kind: 'operator', id: why.operator.token.token }, why.idem);
  const [first] = parts.plane.state().idempotency.get(key)?.seqs ?? [];
  return (first === undefined ? undefined : parts.plane.history.at(first)?.atMs) ?? parts.now();
}

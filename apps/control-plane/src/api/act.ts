/** From a request to a command and back: who asks, why, under which key; and the outcome as a response. */
import type { Command } from '../domain/command.ts';
import { VERSION_EVENTS } from '../domain/events.ts';
import type { Recorded } from '../domain/events.ts';
import type { PlaneState } from '../domain/state.ts';
import { answer, refusal } from './answer.ts';
import type { ApiParts, Operator } from './parts.ts';
import { eventView } from './views.ts';

export interface Why {
  readonly operator: Operator;
  readonly idem: string | null;
  readonly reason?: string | undefined;
  /** Where the command holds a moment that was counted from now. */
  readonly nowMs?: number;
}

/**
 * Executes a command for an operator. On success answers `version`, the recorded events, whether they were recorded before
 * under the same Idempotency-Key, and what `more` adds.
 */
export function act(parts: ApiParts, command: Command, why: Why, more: (recorded: readonly Recorded[], state: PlaneState) => object = () => ({})): Response {
  // The same moment as in the command's own times, so that a repeated request is the same command (L6).
  const nowMs = why.nowMs ?? parts.now();
  const executed = parts.plane.execute(command, {
    nowMs,
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

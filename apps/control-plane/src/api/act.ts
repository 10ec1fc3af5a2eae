/** From a request to a command and back: who asks, why, under which key; and the outcome as a response. */
import type { Command, Meta } from '../domain/command.ts';
import { VERSION_EVENTS } from '../domain/events.ts';
import type { Recorded } from '../domain/events.ts';
import type { PlaneState } from '../domain/state.ts';
import type { Executed } from '../plane.ts';
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
export function act(parts: ApiParts, command: Command, why: Why, more: More = () => ({})): Response {
  return actWith(parts, (meta) => parts.plane.execute(command, meta), why, more);
}

type More = (recorded: readonly Recorded[], state: PlaneState) => object;

/** The same for what is more than one command. */
export function actWith(parts: ApiParts, execute: (meta: Meta) => Executed, why: Why, more: More = () => ({})): Response {
  // The same moment as in the command's own times, so that a repeated request is the same command (L6).
  const nowMs = why.nowMs ?? parts.now();
  const executed = execute({
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

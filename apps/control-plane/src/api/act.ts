/** From a request to a command and back: who asks, why, under which key; and the outcome as a response. */
import { setTimeout as sleep } from 'node:timers/promises';
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

/** Pauses before what a busy log refused is asked for again, three seconds in all: a lockdown should not need a second person's try. */
const PAUSES_MS = [50, 100, 200, 400, 800, 1_600];

/**
 * Executes a command for an operator. On success answers `version`, the recorded events, whether they were recorded before
 * under the same Idempotency-Key, and what `more` adds.
 */
export function act(parts: ApiParts, command: Command, why: Why, more: More = () => ({})): Promise<Response> {
  return actWith(parts, (meta) => parts.plane.execute(command, meta), why, more);
}

type More = (recorded: readonly Recorded[], state: PlaneState) => object;

/** The same for what is more than one command. */
export async function actWith(parts: ApiParts, execute: (meta: Meta) => Executed, why: Why, more: More = () => ({})): Promise<Response> {
  // The same moment as in the command's own times, so that a repeated request is the same command (L6).
  const nowMs = why.nowMs ?? parts.now();
  const meta: Meta = {
    nowMs,
    actor: { kind: 'operator', id: why.operator.token.token },
    auth: why.operator.auth,
    reason: why.reason ?? null,
    idem: why.idem,
    cause: null,
  };
  const executed = await executePatiently(() => execute(meta));
  if (!executed.ok) return refusal(executed.refusal);
  const { recorded, state, replayed } = executed;
  const version = recorded.findLast(({ event }) => VERSION_EVENTS.has(event.type))?.seq ?? state.version;
  return answer({ version, recorded: recorded.map(eventView), replayed, ...more(recorded, state) });
}

/** Others are served in the pauses. */
async function executePatiently(execute: () => Executed): Promise<Executed> {
  for (const pauseMs of PAUSES_MS) {
    const executed = execute();
    if (executed.ok || executed.refusal.soon !== true) return executed;
    await sleep(pauseMs);
  }
  return execute();
}

/** Whether the policy directory can be read: recorded when that changes, because silence must not look like peace (F3). */
import type { Command } from '../command.ts';
import type { PlaneState } from '../state.ts';
import type { Decided } from './answer.ts';
import { recorded } from './answer.ts';

/** Recorded once for each new problem. */
export function watchFailed(state: PlaneState, command: Extract<Command, { kind: 'watch-failed' }>): Decided {
  if (state.watch.failed && state.watch.problem === command.problem) return recorded();
  return recorded({ type: 'WatchFailed', problem: command.problem });
}

export function watchRecovered(state: PlaneState): Decided {
  return state.watch.failed ? recorded({ type: 'WatchRecovered' }) : recorded();
}

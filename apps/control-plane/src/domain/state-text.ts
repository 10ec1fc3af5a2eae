/** A state as text and back: what a stored fold holds. JSON, with each map as the list of its entries in their order. */
import { NOTHING } from './fold.ts';
import type { PlaneState } from './state.ts';

/** Raised when the same events fold into something else than before, or a state is written in another way: stored folds are then made anew. */
export const FOLD_FORM = 2;

type MapField = { [K in keyof PlaneState]: PlaneState[K] extends ReadonlyMap<string, unknown> ? K : never }[keyof PlaneState];

/** The compiler asks for every map of the state. */
const MAPS: Readonly<Record<MapField, true>> = { policies: true, refused: true, pendingRemovals: true, restrictions: true, endedRestrictions: true, joinTokens: true, hosts: true, operatorTokens: true, idempotency: true };

/** One line. The same state has the same text, because a fold fills its maps in the order of the log. */
export function stateText(state: PlaneState): string {
  return JSON.stringify(state, (_key, value: unknown) => (value instanceof Map ? [...(value as Map<string, unknown>)] : value));
}

/** The state of a text that `stateText` made and that a signature vouches for: its form is not checked again. */
export function stateOf(text: string): PlaneState {
  const fields = JSON.parse(text) as Record<string, unknown>;
  for (const field of Object.keys(MAPS)) fields[field] = new Map(fields[field] as readonly (readonly [string, unknown])[]);
  return { ...NOTHING, ...(fields as unknown as PlaneState) };
}

/** A version is the seq of an event that may change what someone must enforce; any other seq means the last version before it. */
import { VERSION_EVENTS } from '../domain/events.ts';
import type { Recorded } from '../domain/events.ts';
import type { History } from '../plane.ts';

export interface ResolvedVersion {
  readonly version: number;
  readonly asked: number;
  /** Set where `asked` is no version: which one is meant instead, in words. */
  readonly note: string | null;
  readonly event: Recorded;
}

/** Resolves `asked`; undefined where the log is not that long yet. */
export function resolveVersion(history: History, size: number, asked: number): ResolvedVersion | undefined {
  if (asked >= size) return undefined;
  const [event] = history.read({ limit: 1, before: asked + 1, types: [...VERSION_EVENTS] });
  if (event === undefined) return undefined;
  const note = event.seq === asked ? null : `${asked} is the event ${history.at(asked)?.event.type ?? ''}, which changes nothing that is enforced; this is ${event.seq}, the last version before it.`;
  return { version: event.seq, asked, note, event };
}

/** A version is the seq of an event that may change what someone must enforce; any other seq means the last version before it. */
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
export function resolveVersion(history: Pick<History, 'versionAt' | 'at'>, asked: number): ResolvedVersion | undefined {
  const version = history.versionAt(asked);
  const event = version === undefined ? undefined : history.at(version);
  if (version === undefined || event === undefined) return undefined;
  const note = version === asked ? null : `${asked} is the event ${history.at(asked)?.event.type ?? ''}, which changes nothing that is enforced; this is ${version}, the last version before it.`;
  return { version, asked, note, event };
}

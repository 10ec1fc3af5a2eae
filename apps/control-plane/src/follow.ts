/** From the policy directory to the log: the watcher's offers are published, and what it cannot see is recorded. */
import { RENAME_HINT, watchPolicies } from '@portcullis/policy-files';
import type { Offer, WatchStatus } from '@portcullis/policy-files';
import type { Meta } from './domain/command.ts';
import type { PlaneState } from './domain/state.ts';
import { gitFacts } from './git.ts';
import type { Plane } from './plane.ts';
import { createPublisher } from './publish.ts';

/** An offer that the plane could not take (a full disk, say) is put to it again after this. */
const RETRY_MS = 10_000;

export interface FollowOptions {
  readonly plane: Plane;
  readonly directory: string;
  readonly pollOnly: boolean;
  readonly removals: 'wait' | 'accept';
  readonly now: () => number;
  /** Told in one line what the log cannot take. */
  readonly complain: (text: string) => void;
  readonly onBug: (error: unknown) => void;
}

/** Changes of files that the log could not take. They are not in force, and are put to it again. */
export interface Unrecorded {
  readonly documents: number;
  readonly sinceMs: number;
  readonly reason: string;
}

export interface FollowStatus extends WatchStatus {
  readonly unrecorded?: Unrecorded;
}

export interface Following {
  /** Resolves when the directory has been put to the plane as it was found at first; never where it cannot be seen. */
  readonly first: Promise<void>;
  readonly status: () => FollowStatus;
  readonly close: () => Promise<void>;
}

/** Watches `directory` until closed. */
export function followDirectory({ plane, directory, pollOnly, removals, now, complain, onBug }: FollowOptions): Following {
  let retry: NodeJS.Timeout | undefined;
  let closed = false;
  let missing: { readonly documents: Set<string>; readonly sinceMs: number; readonly reason: string } | undefined;
  const again = (offer: Offer): void => {
    clearTimeout(retry);
    if (!closed) retry = setTimeout(() => publisher.publish(offer), RETRY_MS);
  };
  let tellFirst: () => void = () => undefined;
  const first = new Promise<void>((resolve) => (tellFirst = resolve));
  const publisher = createPublisher({
    plane,
    removals,
    git: (changed) => gitFacts(directory, changed),
    now,
    onPublished: (executed, offer) => {
      tellFirst();
      if (executed.ok) {
        missing = undefined;
        return;
      }
      const { message: reason } = executed.refusal;
      if (missing?.reason !== reason) complain(`The directory's change is not recorded: ${reason}`);
      missing = { documents: new Set([...(missing?.documents ?? []), ...differing(offer, plane.state())]), sinceMs: missing?.sinceMs ?? now(), reason };
      if (executed.refusal.code === 'unavailable') again(offer);
    },
    onBug,
  });
  const meta = (): Meta => ({ nowMs: now(), actor: { kind: 'files', id: 'directory' }, auth: { method: 'none', ref: null }, reason: null, idem: null, cause: null });
  const watcher = watchPolicies({
    directory,
    pollOnly,
    inForce: (id) => {
      const content = plane.state().policies.get(id)?.content;
      return content === undefined ? undefined : { bytes: content.textBytes };
    },
    onOffer: (offer) => {
      clearTimeout(retry);
      publisher.publish(offer);
    },
    onFailed: (problem) => void plane.execute({ kind: 'watch-failed', problem: problem.message }, meta()),
    onAlmost: (id) => complain(`${id} is no policy by its name, and is ignored: ${RENAME_HINT}`),
    onRecovered: () => void plane.execute({ kind: 'watch-recovered' }, meta()),
  });
  return {
    first,
    status: () => ({ ...watcher.status(), ...(missing === undefined ? {} : { unrecorded: { ...missing, documents: missing.documents.size } }) }),
    close: async () => {
      closed = true;
      clearTimeout(retry);
      await watcher.close();
      await publisher.idle();
    },
  };
}

/** What of an offer's news is not what is in force: at a start everything is news. */
function differing({ documents, changed, removed }: Offer, { policies }: PlaneState): readonly string[] {
  const isOther = (id: string): boolean => {
    const file = documents.get(id);
    return file?.kind !== 'content' || file.sha256 !== policies.get(id)?.content.textSha256;
  };
  return [...[...changed].filter(isOther), ...[...removed].filter((id) => policies.has(id))];
}

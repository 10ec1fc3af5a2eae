/** From the policy directory to the log: the watcher's offers are published, and what it cannot see is recorded. */
import type { Meta } from './domain/command.ts';
import { gitFacts } from './git.ts';
import type { Plane } from './plane.ts';
import { createPublisher } from './publish.ts';
import { watchPolicies } from './watch/watch.ts';
import type { Offer, WatchStatus } from './watch/watch.ts';

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

export interface Following {
  readonly status: () => WatchStatus;
  readonly close: () => Promise<void>;
}

/** Watches `directory` until closed. */
export function followDirectory({ plane, directory, pollOnly, removals, now, complain, onBug }: FollowOptions): Following {
  let retry: NodeJS.Timeout | undefined;
  let closed = false;
  const again = (offer: Offer): void => {
    clearTimeout(retry);
    if (!closed) retry = setTimeout(() => publisher.publish(offer), RETRY_MS);
  };
  const publisher = createPublisher({
    plane,
    removals,
    git: (changed) => gitFacts(directory, changed),
    now,
    onPublished: (executed, offer) => {
      if (executed.ok) return;
      complain(`The directory's change is not recorded: ${executed.refusal.message}`);
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
    onRecovered: () => void plane.execute({ kind: 'watch-recovered' }, meta()),
  });
  return {
    status: watcher.status,
    close: async () => {
      closed = true;
      clearTimeout(retry);
      await watcher.close();
      await publisher.idle();
    },
  };
}

/** Offers of the policy directory on their way into the log: published one after the other, counted and put again while the log cannot take them. */
import type { Offer } from '@portcullis/policy-files';
import type { GitFacts } from './domain/events.ts';
import type { PlaneState } from './domain/state.ts';
import type { ChangedFiles } from './git.ts';
import type { Executed, Plane } from './plane.ts';
import { createPublisher } from './publish.ts';
import { putAgain } from './put-again.ts';
import type { Timers } from './timers.ts';

export interface OfferingOptions {
  readonly plane: Plane;
  readonly removals: 'wait' | 'accept';
  readonly git: (changed: ChangedFiles) => Promise<GitFacts | null>;
  readonly now: () => number;
  readonly timers?: Pick<Timers, 'after'>;
  /** Told after each offer that was put to the plane. */
  readonly onPut: (executed: Executed) => void;
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

export interface Offering {
  /** The directory as it is now, in place of every earlier offer. */
  readonly put: (offer: Offer) => void;
  readonly unrecorded: () => Unrecorded | undefined;
  /** Resolves when nothing is left to publish; nothing is put again after it was called. */
  readonly close: () => Promise<void>;
}

export function createOffering({ plane, removals, git, now, timers, onPut, complain, onBug }: OfferingOptions): Offering {
  let missing: { readonly documents: Set<string>; readonly sinceMs: number; readonly reason: string } | undefined;
  const again = putAgain<Offer>((offer) => publisher.publish(offer), timers);
  const publisher = createPublisher({
    plane,
    removals,
    git,
    now,
    onPublished: (executed, offer) => {
      onPut(executed);
      if (executed.ok) {
        missing = undefined;
        again.taken();
        return;
      }
      const { message: reason } = executed.refusal;
      if (missing?.reason !== reason) complain(`The directory's change is not recorded: ${reason}`);
      missing = { documents: new Set([...(missing?.documents ?? []), ...differing(offer, plane.state())]), sinceMs: missing?.sinceMs ?? now(), reason };
      if (executed.refusal.code === 'unavailable') again.refused(offer);
    },
    onBug,
  });
  return {
    put: (offer) => {
      again.replace(offer);
      publisher.publish(offer);
    },
    unrecorded: () => (missing === undefined ? undefined : { ...missing, documents: missing.documents.size }),
    close: async () => {
      again.stop();
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

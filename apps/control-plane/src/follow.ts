/** From the policy directory to the log: the watcher's offers are published, and what it cannot see is recorded. */
import { RENAME_HINT, watchPolicies } from '@portcullis/policy-files';
import type { WatchStatus } from '@portcullis/policy-files';
import type { Command, Meta } from './domain/command.ts';
import { gitFacts } from './git.ts';
import { createOffering } from './offering.ts';
import type { Unrecorded } from './offering.ts';
import type { Executed, Plane } from './plane.ts';
import { putAgain } from './put-again.ts';

/** What is recorded about the watching itself. */
type Sight = Extract<Command, { kind: 'watch-failed' | 'watch-recovered' }>;

/** Why git does not answer, in different words: enough to see what is wrong. */
const MAX_GIT_REASONS = 10;

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
  let tellFirst: () => void = () => undefined;
  const first = new Promise<void>((resolve) => (tellFirst = resolve));
  const told = new Set<string>();
  // Once for each reason: it would be said again with every change.
  const unanswered = (why: string): void => {
    if (told.size >= MAX_GIT_REASONS || told.has(why)) return;
    told.add(why);
    complain(`git says nothing of this checkout, so that the log names neither commit nor author: ${why}`);
  };
  const offering = createOffering({ plane, removals, git: (changed) => gitFacts(directory, changed, unanswered), now, onPut: () => tellFirst(), complain, onBug });
  const sights = createSights(plane, now);
  const see = (sight: Sight): void => {
    const executed = sights.put(sight);
    if (!executed.ok) complain(`That the directory ${sight.kind === 'watch-failed' ? 'cannot be watched' : 'is watched again'} is not recorded: ${executed.refusal.message}`);
  };
  const watcher = watchPolicies({
    directory,
    pollOnly,
    inForce: (id) => {
      const content = plane.state().policies.get(id)?.content;
      return content === undefined ? undefined : { bytes: content.textBytes };
    },
    onOffer: offering.put,
    onFailed: (problem) => see({ kind: 'watch-failed', problem: problem.message }),
    onAlmost: (id) => complain(`${id} is no policy by its name, and is ignored: ${RENAME_HINT}`),
    onRecovered: () => see({ kind: 'watch-recovered' }),
  });
  return {
    first,
    status: () => {
      const unrecorded = offering.unrecorded();
      return { ...watcher.status(), ...(unrecorded === undefined ? {} : { unrecorded }) };
    },
    close: async () => {
      await watcher.close();
      sights.stop();
      await offering.close();
    },
  };
}

/** Puts what is seen of the directory to the plane, the newest of it again until it is recorded. */
function createSights(plane: Plane, now: () => number): { readonly put: (sight: Sight) => Executed; readonly stop: () => void } {
  const meta = (): Meta => ({ nowMs: now(), actor: { kind: 'files', id: 'directory' }, auth: { method: 'none', ref: null }, reason: null, idem: null, cause: null });
  const attempt = (sight: Sight): Executed => {
    const executed = plane.execute(sight, meta());
    if (executed.ok) again.taken();
    else if (executed.refusal.code === 'unavailable') again.refused(sight);
    return executed;
  };
  const again = putAgain<Sight>(attempt);
  return {
    put: (sight) => {
      again.replace(sight);
      return attempt(sight);
    },
    stop: again.stop,
  };
}

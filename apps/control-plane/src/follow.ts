/** From the policy directory to the log: the watcher's offers are published, and what it cannot see is recorded. */
import { RENAME_HINT, watchPolicies } from '@portcullis/policy-files';
import type { WatchStatus } from '@portcullis/policy-files';
import type { Meta } from './domain/command.ts';
import { gitFacts } from './git.ts';
import { createOffering } from './offering.ts';
import type { Unrecorded } from './offering.ts';
import type { Plane } from './plane.ts';

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
  const offering = createOffering({ plane, removals, git: (changed) => gitFacts(directory, changed), now, onPut: () => tellFirst(), complain, onBug });
  const meta = (): Meta => ({ nowMs: now(), actor: { kind: 'files', id: 'directory' }, auth: { method: 'none', ref: null }, reason: null, idem: null, cause: null });
  const watcher = watchPolicies({
    directory,
    pollOnly,
    inForce: (id) => {
      const content = plane.state().policies.get(id)?.content;
      return content === undefined ? undefined : { bytes: content.textBytes };
    },
    onOffer: offering.put,
    onFailed: (problem) => void plane.execute({ kind: 'watch-failed', problem: problem.message }, meta()),
    onAlmost: (id) => complain(`${id} is no policy by its name, and is ignored: ${RENAME_HINT}`),
    onRecovered: () => void plane.execute({ kind: 'watch-recovered' }, meta()),
  });
  return {
    first,
    status: () => {
      const unrecorded = offering.unrecorded();
      return { ...watcher.status(), ...(unrecorded === undefined ? {} : { unrecorded }) };
    },
    close: async () => {
      await watcher.close();
      await offering.close();
    },
  };
}

/**
 * What a proxy stands on when it begins with a log: the folder of that log and server, what was enforced of it last (P3, P6), and, where the log
 * goes on from another and has brought nothing yet, what that one left in force.
 */
import { existsSync, symlinkSync } from 'node:fs';
import { join, relative } from 'node:path';
import { verifierOfAny } from '@portcullis/policy-core';
import { effective } from '../guard/guard.ts';
import type { Effective, GuardState } from '../guard/guard.ts';
import { restore } from '../guard/restore.ts';
import { restoreWitnessed } from '../guard/witness.ts';
import type { Witnessed } from '../guard/witness.ts';
import type { Enrolment, FormerLog } from '../host/enrolment.ts';
import { lastGoodDirectory, openLastGood } from '../store/last-good.ts';
import type { LastGood } from '../store/last-good.ts';

export interface Footing {
  readonly directory: string;
  readonly lastGood: LastGood;
  readonly state: GuardState;
  /** The log's tree as it was seen last. */
  readonly witnessed: Witnessed | null;
  /** Of a former log; null where there is none, or where this log has brought its own. */
  readonly before: Effective | null;
  /** Why nothing is in force though something was once, as the beginning of a sentence; null otherwise. */
  readonly closed: string | null;
  readonly problems: readonly string[];
}

/** Reads it. Null where the enrolment holds no usable key. Throws where the folder cannot be used. */
export function openFooting(home: string, enrolment: Enrolment, server: string): Footing | null {
  const verify = verifierOfAny([enrolment.planeKey, ...enrolment.formerKeys]);
  if (verify === null) return null;
  const directory = lastGoodDirectory(home, enrolment.log, server);
  const lastGood = openLastGood(directory);
  const stored = lastGood.read();
  const own = restore(enrolment.log, server, stored, verify);
  // A damaged record of this log is no reason to go back to another one: then everything is denied.
  const last = stored.policies.length === 0 && own.closed === null ? lastOf(enrolment.formerLogs, home, server) : NOTHING_LAST;
  shareCounters(directory, enrolment.formerLogs, home, server);
  const forgetting = enrolment.formerLogs.length === 0 ? lastGood : { ...lastGood, write: writeThenForget(lastGood, enrolment.formerLogs, home, server) };
  return { directory, lastGood: forgetting, state: own.state, witnessed: restoreWitnessed(lastGood.checkpoints(), enrolment.log, [enrolment.planeKey, ...enrolment.formerKeys]), before: last.effective, closed: own.closed ?? last.closed, problems: [...own.problems, ...last.problems] };
}

/** Once this log has brought policies, what a former one left must not come back when their files are removed. */
function writeThenForget(lastGood: LastGood, former: readonly FormerLog[], home: string, server: string): LastGood['write'] {
  return async (record) => {
    await lastGood.write(record);
    if (record.kind !== 'policies') return;
    const directories = former.map(({ log }) => lastGoodDirectory(home, log, server)).filter((directory) => existsSync(directory));
    await Promise.all(directories.map((directory) => openLastGood(directory).forget().catch(() => undefined)));
  };
}

interface Last extends Pick<Footing, 'closed' | 'problems'> {
  readonly effective: Effective | null;
}

const NOTHING_LAST: Last = { effective: null, closed: null, problems: [] };

function lastOf(former: readonly FormerLog[], home: string, server: string): Last {
  for (const { log, keys } of former) {
    const directory = lastGoodDirectory(home, log, server);
    const verify = verifierOfAny(keys);
    if (verify === null || !existsSync(directory)) continue;
    const { state, closed, problems } = restore(log, server, openLastGood(directory).read(), verify);
    const last = effective(state);
    if (last !== null || closed !== null) return { effective: last, closed, problems };
  }
  return NOTHING_LAST;
}

/** What was counted goes on being counted: a limit does not begin anew because a plane was restored. */
function shareCounters(directory: string, former: readonly FormerLog[], home: string, server: string): void {
  const own = join(directory, COUNTERS);
  if (existsSync(own)) return;
  const known = former.map(({ log }) => join(lastGoodDirectory(home, log, server), COUNTERS)).find((file) => existsSync(file));
  if (known === undefined) return;
  try {
    symlinkSync(relative(directory, known), own);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
}

const COUNTERS = 'counters.db';

export function countersFile(directory: string): string {
  return join(directory, COUNTERS);
}

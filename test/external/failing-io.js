/**
 * With failing-io.c preloaded: for the kind of failure in argv[3], works with a copy of the base data directory (argv[2]) again and again, each
 * time with the next system call failing, until no call is left to fail. Prints one JSON object a run.
 */
import { accessSync, cpSync, rmSync } from 'node:fs';
import { openPlane } from '../../apps/control-plane/dist/plane.js';
import { workOnce } from '../crash/work.js';

const [, , base, kind, copy, from, step] = process.argv;
/** Enough for restrictions, a lift, a change-set and a rollback. */
const COMMANDS = 6;

for (let n = Number(from); ; n += Number(step)) {
  rmSync(copy, { recursive: true, force: true });
  cpSync(base, copy, { recursive: true });
  const opened = openPlane({ dataDir: copy, now: () => 1, onBug: () => undefined });
  if (!opened.ok) throw new Error(opened.problem);
  const { plane } = opened;
  const told = [];
  plane.onRecorded((recorded) => told.push(...recorded.map(({ id }) => id)));
  accessSync(`/failing-io/${kind}/${n}${copy}/`);
  const results = [];
  for (let command = 0; command < COMMANDS; command++) results.push(workOnce(plane, command, 1_000 + command));
  const failed = disarm();
  const size = plane.state().size;
  plane.close();
  const acknowledged = results.flatMap((result) => (result.ok ? result.recorded : []));
  const refused = results.map((result) => !result.ok && result.refusal.code === 'unavailable');
  const again = openPlane({ dataDir: copy, now: () => 1, onBug: () => undefined });
  const found = again.ok ? acknowledged.every(({ seq, id }) => again.plane.history.at(seq)?.id === id) : again.problem;
  const more = again.ok ? again.plane.state().size - size : 0;
  if (again.ok) again.plane.close();
  console.log(JSON.stringify({ n, failed, refused: refused.filter(Boolean).length, lastRefused: refused.at(-1), toldAll: JSON.stringify(told) === JSON.stringify(acknowledged.map(({ id }) => id)), found, more }));
  if (!failed) break;
}

function disarm() {
  try {
    accessSync('/failing-io/off');
    return true;
  } catch {
    return false;
  }
}

/**
 * Opens the plane in argv[2] and works, for ever or for argv[3] commands; prints a line for each event once it was acknowledged. With
 * the environment's LESS_DURABLE=1 the log is opened with synchronous=NORMAL, behind the plane's back.
 */
import { readSync, writeSync } from 'node:fs';
import { createHash } from 'node:crypto';
import Database from 'better-sqlite3';
import { openPlane } from '../../apps/control-plane/dist/plane.js';
import { workOnce } from './work.js';

if (process.env.LESS_DURABLE === '1') {
  const pragma = Database.prototype.pragma;
  Database.prototype.pragma = function lying(source, options) {
    if (source === 'synchronous = FULL') return pragma.call(this, 'synchronous = NORMAL', options);
    return source === 'synchronous' ? 2 : pragma.call(this, source, options);
  };
}

const [, , dataDir, commands = 'Infinity'] = process.argv;
// Whoever starts many of these has the next one ready, and says when it is to begin.
if (process.env.WAIT === '1') readSync(0, Buffer.alloc(1));
// Folds are kept often, so that the process is also killed while it writes one.
const opened = openPlane({ dataDir, now: () => Date.now(), folds: { least: 50, segment: 512, every: 40 } });
if (!opened.ok) {
  console.error(opened.problem);
  process.exit(1);
}
const { plane } = opened;
// Written at once, so that what stands on the pipe was acknowledged whatever happens next.
const acknowledge = ({ seq, id, ...rest }) => writeSync(1, `${seq} ${id} ${createHash('sha256').update(JSON.stringify(rest.event)).digest('hex')}\n`);
acknowledge(plane.history.at(plane.state().size - 1));
for (let n = 0; n < Number(commands); n++) {
  const done = workOnce(plane, n, Date.now());
  if (done.ok) done.recorded.forEach(acknowledge);
  else if (done.refusal.code === 'unavailable') throw new Error(done.refusal.message);
}
plane.close();

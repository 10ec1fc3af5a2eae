/** Opens the plane in argv[2] and records one restriction after the other; prints each seq once it was acknowledged. */
import { writeSync } from 'node:fs';
import { openPlane } from '../../apps/control-plane/dist/plane.js';

const opened = openPlane({ dataDir: process.argv[2], now: () => Date.now() });
if (!opened.ok) {
  console.error(opened.problem);
  process.exit(1);
}
const { plane } = opened;
const meta = { nowMs: Date.now(), actor: { kind: 'operator', id: 'op' }, auth: { method: 'local', ref: null }, reason: 'an incident', idem: null, cause: null };
for (;;) {
  const { size } = plane.state();
  const imposed = plane.execute({ kind: 'restrict', selector: { server: [`s-${size}`], labels: {} }, tools: null, readOnly: false, expiresAtMs: null }, meta);
  if (!imposed.ok) throw new Error(imposed.refusal.message);
  const id = imposed.recorded[0].event.restriction.id;
  // Written at once, so that what stands on the pipe was acknowledged whatever happens next.
  writeSync(1, `${imposed.recorded[0].seq} ${imposed.recorded[0].id}\n`);
  const lifted = plane.execute({ kind: 'lift', restriction: id, expected: null }, meta);
  if (!lifted.ok) throw new Error(lifted.refusal.message);
  writeSync(1, `${lifted.recorded[0].seq} ${lifted.recorded[0].id}\n`);
}

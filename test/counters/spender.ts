/** A process that takes from one counter as fast as it can, and says after each success that it did. */
import { writeSync } from 'node:fs';
import { sqliteCounters } from '../../apps/proxy/src/store/counters.ts';

const [path = '', limit = '0', amount = '1', attempts = '0', nowMs = '0'] = process.argv.slice(2);
const store = sqliteCounters(path);
const key = { server: 's', policy: 'p.yaml', entry: 't', counter: 'c', window: 'day' } as const;
for (let i = 0; i < Number(attempts); i++) {
  if (store.reserve([{ key, amount, limit }], Number(nowMs)).ok) writeSync(1, '+');
}
store.close();

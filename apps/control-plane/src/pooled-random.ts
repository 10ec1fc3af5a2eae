/** Random bytes, asked of the operating system a few thousand at a time: an event needs three handfuls, and asking costs more than using. */
import { randomBytes } from 'node:crypto';

/** Enough for some fifty events. */
const POOL_BYTES = 4_096;

/** Gives cryptographically random bytes; none of them twice. Larger amounts than the pool are asked for by themselves. */
export function pooledRandom(): (bytes: number) => Buffer {
  let pool = Buffer.alloc(0);
  let used = 0;
  return (bytes) => {
    if (bytes > POOL_BYTES) return randomBytes(bytes);
    if (used + bytes > pool.length) {
      pool = randomBytes(POOL_BYTES);
      used = 0;
    }
    used += bytes;
    // A copy: nobody who is given bytes can see or change those of others.
    const given = Buffer.from(pool.subarray(used - bytes, used));
    pool.fill(0, used - bytes, used);
    return given;
  };
}

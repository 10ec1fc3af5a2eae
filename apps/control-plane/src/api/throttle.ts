/** Token buckets by caller: how often somebody without a credential may try. */

/** Callers remembered at once; the longest unheard of is forgotten first, which only ever refills a bucket early. */
const MAX_CALLERS = 10_000;

export interface Throttle {
  /** Takes one try; false = too many. */
  admit(caller: string, nowMs: number): boolean;
}

/** A bucket per caller that holds `burst` tries and gains one each `refillMs`. */
export function createThrottle(burst: number, refillMs: number): Throttle {
  const buckets = new Map<string, { readonly tries: number; readonly atMs: number }>();
  return {
    admit: (caller, nowMs) => {
      const known = buckets.get(caller) ?? { tries: burst, atMs: nowMs };
      const tries = Math.min(burst, known.tries + Math.max(0, nowMs - known.atMs) / refillMs);
      buckets.delete(caller);
      buckets.set(caller, { tries: tries >= 1 ? tries - 1 : tries, atMs: nowMs });
      const [oldest] = buckets.keys();
      if (buckets.size > MAX_CALLERS && oldest !== undefined) buckets.delete(oldest);
      return tries >= 1;
    },
  };
}

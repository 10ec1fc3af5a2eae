/** When to connect again: full-jitter exponential, from half a second to half a minute, for ever (DESIGN section 6). */

export interface Backoff {
  /** Milliseconds to wait before the next attempt. */
  next(): number;
  /** The plane asked to be left alone for so long. */
  atLeast(range: readonly number[]): void;
  /** The connection held for a while: the next trouble is a new one. */
  reset(): void;
}

const FIRST_MS = 500;
const MOST_MS = 30_000;

export function makeBackoff(random: () => number): Backoff {
  let attempts = 0;
  let asked: number | null = null;
  return {
    next: () => {
      if (asked !== null) {
        const wait = asked;
        asked = null;
        return wait;
      }
      const most = Math.min(MOST_MS, FIRST_MS * 2 ** Math.min(attempts, 16));
      attempts += 1;
      return random() * most;
    },
    atLeast: ([least = 0, most = least]) => {
      const from = Math.min(least, MOST_MS);
      asked = from + random() * Math.max(0, Math.min(most, MOST_MS) - from);
    },
    reset: () => {
      attempts = 0;
    },
  };
}

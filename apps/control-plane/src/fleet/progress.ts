/** How long each version took to reach each proxy, from its commit to the acknowledgement: the whole tail, because the tail is the product. */

export interface ProgressClock {
  /** `version` has just been committed. */
  recorded(version: number): void;
  /** A proxy that enforced `before` now enforces `version`, and with it every version between. */
  enforced(before: number, version: number): void;
  /** Ascending. */
  tookMs(version: number): readonly number[];
}

/** Versions whose times are kept: whoever asks is waiting for one of the last. */
const MAX_VERSIONS = 128;

/** Times by the monotonic clock, because a wall clock that is set would make an answer arrive before its question. */
export function makeProgress(monotonic: () => number = () => performance.now()): ProgressClock {
  const versions = new Map<number, { readonly atMs: number; readonly took: number[] }>();
  return {
    recorded: (version) => {
      versions.set(version, { atMs: monotonic(), took: [] });
      for (const oldest of versions.keys()) if (versions.size > MAX_VERSIONS) versions.delete(oldest);
    },
    enforced: (before, version) => {
      const now = monotonic();
      for (const [known, { atMs, took }] of versions) if (known > before && known <= version) took.push(now - atMs);
    },
    tookMs: (version) => [...(versions.get(version)?.took ?? [])].sort((a, b) => a - b),
  };
}

/**
 * Keys that some parser takes for another key. Go's encoding/json matches names regardless of case, with the folds of
 * Unicode (U+017F for s, U+212A for k), and one SDK ended a name at NUL (CVE-2026-27896, GHSA-q382-vc8q-7jhj). A message with
 * such a key means one thing here and another there, so it is refused (P2).
 */

/** Keys made of these alone cannot fold to anything but themselves. */
const PLAIN = /^[a-z0-9_.$/-]*$/;

/**
 * What the least careful parser might take the key for: compatibility forms, case, controls, format characters and
 * white space are levelled.
 */
export function fold(key: string): string {
  if (PLAIN.test(key)) return key;
  const level = key.normalize('NFKC').replace(/[\p{Cc}\p{Cf}\s]/gu, '');
  return level.toUpperCase().toLowerCase();
}

/** The keys that a reader looks for, ready to be compared. */
export interface ReservedKeys {
  readonly exact: ReadonlySet<string>;
  readonly folded: ReadonlySet<string>;
}

export function reserve(keys: readonly string[]): ReservedKeys {
  return { exact: new Set(keys), folded: new Set(keys.map(fold)) };
}

/** The first key that is not reserved but may be taken for one that is; null where there is none. */
export function findDisguise(keys: Iterable<string>, reserved: ReservedKeys): string | null {
  for (const key of keys) if (!reserved.exact.has(key) && reserved.folded.has(fold(key))) return key;
  return null;
}

/** The first key that may be taken for an earlier one; null where there is none. */
export function findCollision(keys: readonly string[]): string | null {
  const seen = new Set<string>();
  for (const key of keys) {
    const folded = fold(key);
    if (seen.has(folded)) return key;
    seen.add(folded);
  }
  return null;
}

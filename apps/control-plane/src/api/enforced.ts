/** When a version counts as enforced. */
import type { Progress } from '../fleet/fleet.ts';

/**
 * Every connected proxy enforces it; and where proxies are known, at least one is connected. Right after a restart of the plane
 * nobody is connected yet, and to call that enforced would be to call a gate shut that nobody stands at.
 */
export function isEnforced({ wanted, enforcing, notReached }: Progress): boolean {
  return enforcing >= wanted && (wanted > 0 || notReached.length === 0);
}

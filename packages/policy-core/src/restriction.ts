/** An operator-imposed overlay that only takes permissions away. */
import type { Selector } from './selector.ts';

export interface Restriction {
  readonly id: string;
  readonly selector: Selector;
  /** `all`: every method but plumbing. `tools`: tools/call of the tools that one of the globs matches. */
  readonly scope: { readonly kind: 'all' } | { readonly kind: 'tools'; readonly globs: readonly string[] };
  /** What every selecting policy lists under `read_only` still passes. */
  readonly readOnly: boolean;
  readonly reason: string;
  readonly actor: string;
  /** Milliseconds since 1970. A proxy never ends a restriction by the clock: it ends by an event only. */
  readonly imposedAtMs: number;
  readonly expiresAtMs: number | null;
}

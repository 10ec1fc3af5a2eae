/** The entries of one section of a policy, ready to be found by name: exact names in a map, globs one after the other. */
import { compileGlob, isExact } from '../glob.ts';
import type { Glob } from '../glob.ts';
import type { Counter, Entry, Policy } from '../policy.ts';
import type { Section, counterIndex } from './counters.ts';
import { counterKey } from './counters.ts';
import { compileRule } from './rule.ts';
import type { CompiledRule } from './rule.ts';

export interface CompiledSection {
  /** Entries without `*` and `?`. Asking costs the same however many there are. */
  readonly exact: ReadonlyMap<string, CompiledEntry>;
  /** In file order. */
  readonly globs: readonly (CompiledEntry & { readonly matches: Glob })[];
  /** The bare `*`. */
  readonly star: CompiledEntry | null;
  readonly isEmpty: boolean;
}

export interface CompiledEntry {
  readonly entry: Entry;
  /** Compiled when a call first reaches the entry, so that a policy of many tools is in force at once. */
  rules(): readonly CompiledRule[];
}

/** Compiles a section; null (a policy without that section) is an empty one. */
export function compileSection(policy: Policy, section: Section, server: string, findCounters: ReturnType<typeof counterIndex>): CompiledSection {
  const exact = new Map<string, CompiledEntry>();
  const globs: (CompiledEntry & { matches: Glob })[] = [];
  let star: CompiledEntry | null = null;
  for (const entry of policy[section] ?? []) {
    const rules = lazily(() =>
      entry.rules.map((rule) =>
        compileRule(rule, entry, findCounters(section, entry, rule.counter), (counter: Counter) => counterKey(server, policy.id, section, entry, counter)),
      ),
    );
    if (entry.pattern === '*') star = { entry, rules };
    else if (isExact(entry.pattern)) exact.set(entry.pattern, { entry, rules });
    else globs.push({ entry, rules, matches: compileGlob(entry.pattern) });
  }
  return { exact, globs, star, isEmpty: exact.size === 0 && globs.length === 0 && star === null };
}

function lazily<T>(make: () => T): () => T {
  let made: T | undefined;
  return () => (made ??= make());
}

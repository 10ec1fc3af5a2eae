/** The entries of one section of a policy, ready to be found by name: exact names in a map, globs one after the other. */
import type { CounterKey } from '../counter.ts';
import { compileGlob, isExact, namesNothing } from '../glob.ts';
import type { Glob } from '../glob.ts';
import type { Counter, Entry, Policy } from '../policy.ts';
import type { Section, counterIndex } from './counters.ts';
import { counterKey } from './counters.ts';
import { compileRule } from './rule.ts';
import type { CompiledRule, SharedTests } from './rule.ts';
import { sieveOf } from './sieve.ts';
import type { Sieve } from './sieve.ts';

export interface CompiledSection {
  /** Entries without `*` and `?`. Asking costs the same however many there are. */
  readonly exact: ReadonlyMap<string, CompiledEntry>;
  /** In file order. */
  readonly globs: readonly GlobEntry[];
  /** Those that name nothing, as the bare `*` does; in file order. */
  readonly stars: readonly GlobEntry[];
  /** Whether one of them is the bare `*`. */
  readonly hasStar: boolean;
  readonly isEmpty: boolean;
}

export interface GlobEntry extends CompiledEntry {
  readonly matches: Glob;
}

export interface CompiledEntry {
  readonly entry: Entry;
  /** Compiled when a call first reaches the entry, so that a policy of many tools is in force at once; null until then. */
  rules: EntryRules | null;
  readonly compile: () => EntryRules;
}

/** In file order; what the sieve lets through need only be shown to the rules beyond it. */
export interface EntryRules {
  readonly sieve: Sieve;
  readonly beyond: readonly CompiledRule[];
  readonly all: readonly CompiledRule[];
}

/** The rules of an entry. */
export function rulesOf(compiled: CompiledEntry): EntryRules {
  return (compiled.rules ??= compiled.compile());
}

/** Compiles a section; that of a policy which does not have it is empty. */
export function compileSection(policy: Policy, section: Section, server: string, findCounters: ReturnType<typeof counterIndex>, shared: SharedTests): CompiledSection {
  const exact = new Map<string, CompiledEntry>();
  const globs: GlobEntry[] = [];
  const stars: GlobEntry[] = [];
  const observes = policy.mode === 'observe';
  for (const entry of policy[section] ?? []) {
    const keyOf = (counter: Counter): CounterKey => counterKey(server, policy.id, section, entry, counter);
    const compile = (): EntryRules =>
      sieved(entry.rules.map((rule) => compileRule(rule, { entry, observes, findCounter: findCounters(section, entry, rule.counter), keyOf, shared })));
    const compiled: CompiledEntry = { entry, rules: null, compile };
    if (isExact(entry.pattern)) exact.set(entry.pattern, compiled);
    else (namesNothing(entry.pattern) ? stars : globs).push({ ...compiled, matches: compileGlob(entry.pattern) });
  }
  return { exact, globs, stars, hasStar: stars.some(({ entry }) => entry.pattern === '*'), isEmpty: exact.size + globs.length + stars.length === 0 };
}

function sieved(all: readonly CompiledRule[]): EntryRules {
  const sieves = all.map(sieveOf);
  return { sieve: sieves.flatMap((sieve) => sieve ?? []), beyond: all.filter((_rule, index) => sieves[index] === null), all };
}

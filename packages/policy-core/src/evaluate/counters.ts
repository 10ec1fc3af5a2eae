/** Which counter a rule counts in, and which one a `state.…` path reads. */
import type { CounterKey } from '../counter.ts';
import type { Counter, Entry, Policy } from '../policy.ts';
import type { FindCounter } from './paths.ts';

export const SECTIONS = ['tools', 'resources', 'prompts', 'methods'] as const;
export type Section = (typeof SECTIONS)[number];

/** How the keys of other sections than tools begin, and of tools that are called so. */
const SECTION_PREFIX = new RegExp(`^(${SECTIONS.join('|')}): `);

/**
 * The key of an entry's counter. Entries of other sections than tools carry the section's name, so that a prompt and a
 * tool of one name count apart; so does a tool whose own name begins like that.
 */
export function counterKey(server: string, policy: string, section: Section, entry: Entry, counter: Counter): CounterKey {
  return {
    server,
    policy,
    entry: section === 'tools' && !SECTION_PREFIX.test(entry.pattern) ? entry.pattern : `${section}: ${entry.pattern}`,
    counter: counter.name,
    window: counter.window,
  };
}

/**
 * Compiles the lookup of `<entry>.<counter>` within one policy. A rule's own counter comes first, then the entries of
 * its own section, then the other sections. `*` is spelled `_global`, unless an entry has that very name.
 */
export function counterIndex(policy: Policy, server: string): (section: Section, entry: Entry, own: Counter | null) => FindCounter {
  let index: Map<Section, Map<string, CounterKey>> | null = null;
  return (section, entry, own) => (name) => {
    if (own !== null && name === counterName(entry.pattern, own)) return counterKey(server, policy.id, section, entry, own);
    index ??= indexed(policy, server);
    for (const searched of [section, ...SECTIONS]) {
      const key = index.get(searched)?.get(name);
      if (key !== undefined) return key;
    }
    return null;
  };
}

function indexed(policy: Policy, server: string): Map<Section, Map<string, CounterKey>> {
  return new Map(
    SECTIONS.map((section) => {
      const keys = new Map<string, CounterKey>();
      const entries = policy[section] ?? [];
      // Where a dotted name could be cut in two ways, Intercept's reading (entries without a dot) comes first; the wildcard comes last.
      const ranked = [...entries].sort((a, b) => rank(a.pattern) - rank(b.pattern));
      for (const entry of ranked) {
        for (const { counter } of entry.rules) {
          if (counter === null) continue;
          const name = counterName(entry.pattern, counter);
          if (!keys.has(name)) keys.set(name, counterKey(server, policy.id, section, entry, counter));
        }
      }
      return [section, keys];
    }),
  );
}

function counterName(pattern: string, counter: Counter): string {
  return `${pattern === '*' ? '_global' : pattern}.${counter.name}`;
}

function rank(pattern: string): number {
  return pattern === '*' ? 2 : pattern.includes('.') ? 1 : 0;
}

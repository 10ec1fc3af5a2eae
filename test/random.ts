/** Seeded randomness for laws: the same seed gives the same cases, and a failing seed is printed. */
export interface Random {
  /** A whole number from 0 to below `bound`. */
  below(bound: number): number;
  chance(probability: number): boolean;
  pick<T>(items: readonly T[]): T;
  /** Up to `most` results, often none. */
  some<T>(most: number, make: () => T): T[];
  shuffled<T>(items: readonly T[]): T[];
}

/** Mulberry32: small, fast, and good enough to wander through cases. */
export function random(seed: number): Random {
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
  const below = (bound: number): number => Math.floor(next() * bound);
  return {
    below,
    chance: (probability) => next() < probability,
    pick(items) {
      const item = items[below(items.length)];
      if (item === undefined && items.length === 0) throw new Error('nothing to pick from');
      return item as (typeof items)[number];
    },
    some: (most, make) => Array.from({ length: below(most + 1) }, make),
    shuffled(items) {
      const rest = [...items];
      for (let i = rest.length - 1; i > 0; i--) {
        const j = below(i + 1);
        [rest[i], rest[j]] = [rest[j] as (typeof rest)[number], rest[i] as (typeof rest)[number]];
      }
      return rest;
    },
  };
}

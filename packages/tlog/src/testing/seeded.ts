/** A seeded source of choices for the tests' properties (mulberry32), and the one-step alterations that a verifier has to notice. */

export interface Seeded {
  /** A whole number from 0, below `limit`. */
  below(limit: number): number;
  /** The bytes with one bit turned. */
  flipped(bytes: Uint8Array): Uint8Array;
  /** The proof with one hash altered, dropped, doubled, added or moved; never equal to what was given. */
  altered(proof: readonly Uint8Array[]): readonly Uint8Array[];
}

export function seeded(seed: number): Seeded {
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const below = (limit: number): number => Math.floor(next() * limit);
  const flipped = (bytes: Uint8Array): Uint8Array => {
    const copy = Uint8Array.from(bytes);
    const i = below(copy.length);
    copy[i] = (copy[i] ?? 0) ^ (1 << below(8));
    return copy;
  };
  const altered = (proof: readonly Uint8Array[]): readonly Uint8Array[] => {
    const list = [...proof];
    const i = below(list.length);
    const chosen = list[i];
    const other = list[(i + 1) % Math.max(1, list.length)];
    if (chosen === undefined || other === undefined) return [new Uint8Array(32)];
    switch (below(6)) {
      case 0:
        list.splice(i, 1);
        break;
      case 1:
        list.splice(i, 0, chosen);
        break;
      case 2:
        list.push(Uint8Array.from({ length: 32 }, () => below(256)));
        break;
      case 3:
        list.unshift(Uint8Array.from({ length: 32 }, () => below(256)));
        break;
      case 4:
        if (Buffer.compare(chosen, other) === 0) list[i] = flipped(chosen);
        else [list[i], list[(i + 1) % list.length]] = [other, chosen];
        break;
      default:
        list[i] = flipped(chosen);
    }
    return list;
  };
  return { below, flipped, altered };
}

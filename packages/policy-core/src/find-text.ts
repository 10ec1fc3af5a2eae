/**
 * Finding one text in another in time linear in both (E5). The engine's own search is faster by far on ordinary texts, and
 * takes the product of the two lengths on texts that are made for it, so it is used for short needles only.
 */

/** Up to this many code units the engine's search takes milliseconds for a megabyte of any text. */
export const SHORT_NEEDLE = 32;

/** The first place of the needle in the text at or behind `from`, in code units; -1 where there is none. */
export type Find = (text: string, from: number) => number;

export function compileFind(needle: string): Find {
  if (needle.length <= SHORT_NEEDLE) return (text, from) => text.indexOf(needle, from);
  const borders = bordersOf(needle);
  // Knuth, Morris, Pratt: no place of the text is looked at again.
  return (text, from) => {
    let matched = 0;
    for (let at = from; at < text.length; at++) {
      matched = extended(needle, borders, matched, text.charCodeAt(at));
      if (matched === needle.length) return at + 1 - matched;
    }
    return -1;
  };
}

/** For each beginning of the needle the length of the longest text that both begins and ends it. */
function bordersOf(needle: string): Uint32Array {
  const borders = new Uint32Array(needle.length);
  for (let at = 1; at < needle.length; at++) borders[at] = extended(needle, borders, borders[at - 1] ?? 0, needle.charCodeAt(at));
  return borders;
}

/** How much of the needle ends at a code unit, where `matched` of it ended at the one before. */
function extended(needle: string, borders: Uint32Array, matched: number, unit: number): number {
  let length = matched;
  while (length > 0 && needle.charCodeAt(length) !== unit) length = borders[length - 1] ?? 0;
  return needle.charCodeAt(length) === unit ? length + 1 : 0;
}

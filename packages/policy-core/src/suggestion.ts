/** "Did you mean": the nearest of a few known words. */

/** Words longer than this are not compared: the comparison is quadratic in their length. */
const MAX_WORD = 64;

/** The known word that the author most likely meant, or null. Case and `-` for `_` do not count as differences. */
export function nearest(word: string, known: Iterable<string>): string | null {
  if (word.length === 0 || word.length > MAX_WORD) return null;
  const folded = fold(word);
  let best: string | null = null;
  let bestDistance = Math.floor(Math.max(3, folded.length) / 3) + 1;
  for (const candidate of known) {
    if (candidate.length > MAX_WORD || Math.abs(candidate.length - word.length) >= bestDistance) continue;
    const distance = editDistance(folded, fold(candidate));
    if (distance < bestDistance) [best, bestDistance] = [candidate, distance];
  }
  return best;
}

/** Optimal string alignment: insertions, deletions, substitutions, and swaps of neighbours. */
export function editDistance(left: string, right: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: right.length + 1 }, (_, index) => index);
  for (let i = 1; i <= left.length; i++) {
    const row = [i];
    for (let j = 1; j <= right.length; j++) {
      const same = left[i - 1] === right[j - 1];
      let cost = Math.min((last[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1, (last[j - 1] ?? 0) + (same ? 0 : 1));
      if (i > 1 && j > 1 && left[i - 1] === right[j - 2] && left[i - 2] === right[j - 1]) cost = Math.min(cost, (beforeLast[j - 2] ?? 0) + 1);
      row.push(cost);
    }
    [beforeLast, last] = [last, row];
  }
  return last[right.length] ?? 0;
}

function fold(word: string): string {
  return word.trim().toLowerCase().replaceAll('-', '_');
}

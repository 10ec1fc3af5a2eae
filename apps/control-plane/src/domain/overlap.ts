/**
 * Whether two selectors can apply to one proxy. Removing a policy loosens only where another one stays in force (F3), and no
 * list of servers is complete, so the question is about all servers that the globs describe, not about those seen so far.
 */
import type { Match } from '@portcullis/policy-core';

/**
 * Whether some server with some labels is selected by both. `upstream` plays no part: it says what a server must really be,
 * not which servers a policy is about.
 */
export function overlaps(a: Match, b: Match): boolean {
  if (!anyMeet(a.server, b.server)) return false;
  return Object.entries(a.labels).every(([label, values]) => !Object.hasOwn(b.labels, label) || anyMeet(values, b.labels[label] ?? []));
}

/**
 * One of `others` that overlaps with a match, or undefined. Most policies name their servers, and those are looked up by name: asking about
 * a thousand of thousands takes milliseconds.
 */
export function overlapAmong(others: Iterable<readonly [string, Match]>): (match: Match) => string | undefined {
  type Other = readonly [string, Match];
  const named = new Map<string, Other[]>();
  const globbed: Other[] = [];
  const all = [...others];
  for (const other of all) {
    const { server } = other[1];
    if (server.some(isGlob)) globbed.push(other);
    else for (const name of server) {
      const known = named.get(name);
      if (known === undefined) named.set(name, [other]);
      else known.push(other);
    }
  }
  return (match) => {
    const candidates = match.server.some(isGlob) ? all : [...match.server.flatMap((name) => named.get(name) ?? []), ...globbed];
    return candidates.find(([, other]) => overlaps(match, other))?.[0];
  };
}

function isGlob(pattern: string): boolean {
  return /[*?]/.test(pattern);
}

function anyMeet(left: readonly string[], right: readonly string[]): boolean {
  return left.some((a) => right.some((b) => globsMeet(a, b)));
}

/** Whether some text matches both globs (`*` any run, `?` one code point). Work and memory: product and length of the patterns. */
export function globsMeet(left: string, right: string): boolean {
  if (left === right) return true;
  if (!isGlob(left) && !isGlob(right)) return false;
  const a = Array.from(left);
  const b = Array.from(right);
  // reach[j]: what is before position i of `a` and what is before position j of `b` can spell the same text.
  let reach: boolean[] = Array.from({ length: b.length + 1 }, () => false);
  for (let i = 0; i <= a.length; i++) {
    const row: boolean[] = [];
    for (let j = 0; j <= b.length; j++) {
      const above = i > 0 && (reach[j] ?? false);
      const before = j > 0 && (row[j - 1] ?? false);
      const diagonal = i > 0 && j > 0 && (reach[j - 1] ?? false);
      // A star may stand for nothing more (step past it), or swallow what the other side spells.
      const aStar = i > 0 && a[i - 1] === '*';
      const bStar = j > 0 && b[j - 1] === '*';
      row.push((i === 0 && j === 0) || (aStar && (above || before)) || (bStar && (above || before)) || (!aStar && !bStar && diagonal && sameCodePoint(a[i - 1], b[j - 1])));
    }
    reach = row;
  }
  return reach[b.length] ?? false;
}

function sameCodePoint(a: string | undefined, b: string | undefined): boolean {
  return a === b || a === '?' || b === '?';
}

/**
 * Globs, everywhere the same (DESIGN section 4): `*` is any run of characters, `/` and `.` included; `?` is one code
 * point; everything else is itself. Anchored at both ends, case-sensitive.
 *
 * A pattern is cut at its stars. What stands before the first and after the last must be the text's beginning and end;
 * what stands between is found leftmost, one after the other, and never looked at again. So there is nothing to backtrack
 * into, and each part is found in time linear in the text.
 */
import { compileFind, SHORT_NEEDLE } from './find-text.ts';

/** The longest glob that is accepted anywhere: longer than any name or URI that a server lists, short enough to match in no time. */
export const MAX_GLOB_LENGTH = 1024;

/** Whether a text matches the glob that this was compiled from. */
export type Glob = (text: string) => boolean;

/**
 * Whether a pattern has no character of its own, so that it names everything, or everything of some length. Such a glob is as good as the bare
 * `*`: it admits no server and lists nothing under `default: deny`, where a name is to be given.
 */
export function namesNothing(pattern: string): boolean {
  return /^[?]*[*][*?]*$/.test(pattern);
}

/** Compiles a glob. Every string is a valid one; callers bound its length by MAX_GLOB_LENGTH. */
export function compileGlob(pattern: string): Glob {
  if (isExact(pattern)) return (text) => text === pattern;
  if (/^[^?\ud800-\udfff]*$/.test(pattern)) return compileLiteral(pattern.split('*'));
  const segments = pattern.split('*').map(codePoints);
  const first = segments[0] ?? [];
  const last = segments.at(-1) ?? [];
  if (segments.length === 1) {
    return (text) => {
      const points = codePoints(text);
      return points.length === first.length && matchesAt(first, points, 0);
    };
  }
  const between = segments.slice(1, -1).filter((segment) => segment.length > 0);
  return (text) => matchesSegments(first, between, last, codePoints(text));
}

/** Whether a name is to be taken literally. */
export function isExact(pattern: string): boolean {
  return !pattern.includes('*') && !pattern.includes('?');
}

/** Without `?` and without surrogates, code units are as good as code points, and the engine's own search is used. */
function compileLiteral(segments: readonly string[]): Glob {
  const first = segments[0] ?? '';
  const last = segments.at(-1) ?? '';
  const between = segments.slice(1, -1).filter((segment) => segment.length > 0).map((segment) => ({ length: segment.length, find: compileFind(segment) }));
  return (text) => {
    const end = text.length - last.length;
    if (first.length > end || !text.startsWith(first) || !text.endsWith(last)) return false;
    let from = first.length;
    for (const { length, find } of between) {
      const at = find(text, from);
      if (at === -1 || at + length > end) return false;
      from = at + length;
    }
    return true;
  };
}

function matchesSegments(first: readonly string[], between: readonly (readonly string[])[], last: readonly string[], text: readonly string[]): boolean {
  const end = text.length - last.length;
  if (first.length > end || !matchesAt(first, text, 0) || !matchesAt(last, text, end)) return false;
  let from = first.length;
  for (const segment of between) {
    const at = find(segment, text, from, end);
    if (at === -1) return false;
    from = at + segment.length;
  }
  return true;
}

function find(segment: readonly string[], text: readonly string[], from: number, end: number): number {
  if (segment.length > SHORT_NEEDLE) return findLong(segment, text, from, end);
  for (let at = from; at + segment.length <= end; at++) {
    if (matchesAt(segment, text, at)) return at;
  }
  return -1;
}

/**
 * All beginnings of the segment at once, one bit each: bit n says whether the n + 1 first points of the segment end here
 * (Shift-And). With at most MAX_GLOB_LENGTH points that is 32 words for each point of the text.
 */
function findLong(segment: readonly string[], text: readonly string[], from: number, end: number): number {
  const { masks, wild } = masksOf(segment);
  const ends = new Uint32Array(wild.length);
  const last = segment.length - 1;
  for (let at = from; at < end; at++) {
    const mask = masks.get(text[at] ?? '') ?? wild;
    let carry = 1;
    for (let word = 0; word < ends.length; word++) {
      const before = ends[word] ?? 0;
      ends[word] = ((before << 1) | carry) & (mask[word] ?? 0);
      carry = before >>> 31;
    }
    if (((ends[last >>> 5] ?? 0) & (1 << (last & 31))) !== 0) return at - last;
  }
  return -1;
}

/** For each point of the segment where it may stand; `wild` is where any other may, which is where `?` stands. */
function masksOf(segment: readonly string[]): { readonly masks: ReadonlyMap<string, Uint32Array>; readonly wild: Uint32Array } {
  const wild = new Uint32Array(Math.ceil(segment.length / 32));
  const allow = (mask: Uint32Array, index: number): void => {
    mask[index >>> 5] = (mask[index >>> 5] ?? 0) | (1 << (index & 31));
  };
  for (const [index, point] of segment.entries()) if (point === '?') allow(wild, index);
  const masks = new Map<string, Uint32Array>();
  for (const [index, point] of segment.entries()) {
    if (point === '?') continue;
    const mask = masks.get(point) ?? wild.slice();
    allow(mask, index);
    masks.set(point, mask);
  }
  return { masks, wild };
}

function matchesAt(segment: readonly string[], text: readonly string[], at: number): boolean {
  return segment.every((point, index) => point === '?' || point === text[at + index]);
}

/** Iterating a string yields code points; a lone surrogate is one. */
function codePoints(text: string): readonly string[] {
  return Array.from(text);
}

/**
 * `path_within`: whether a path lies in one of some directories (a directory lies in itself).
 *
 * The text is normalised by its words alone (`.`, `..`, doubled separators); no file system is asked, so links are not
 * followed. Where readers of a text could disagree, it is read in every way they might read it: percent-escapes
 * decoded or not, as often as there are any, and a backslash as a separator or as a character. HOLDS means inside
 * however it is read, FAILS outside however it is read, and UNFIT anything between, as well as text that no careful
 * program sends: control characters, not in NFC, names that end in a dot or a space, `~`, a `file://` or other URI
 * (refused, not decoded: a program that takes paths would read it as a relative path).
 *
 * A directory that starts with a drive letter is compared as Windows does: both separators, any case of letters. In
 * other directories a difference in case alone is UNFIT, because half of the world's file systems see none.
 */
import { FAILS, HOLDS, UNFIT } from './judged.ts';
import type { Judged } from './judged.ts';
import { isNormalText } from './text-form.ts';

/** Linux refuses paths above 4,096 bytes, Windows above 32,767 characters. */
const MAX_PATH_LENGTH = 32_767;

/** Nothing is decoded more often than twice by honest programs; what still has escapes after this is refused. */
const MAX_DECODINGS = 4;

const UNSAFE_CHARACTER = /[\u0000-\u001f\u007f-\u009f\u2028\u2029]/;
const ESCAPE = /%[0-9A-Fa-f]{2}/;
const DRIVE = /^[A-Za-z]:(?=[\\/]|$)/;
const URI_START = /^[A-Za-z][A-Za-z0-9+.-]*:/;
const SHORT_NAME = /~\d/;

type Root = 'absolute' | 'relative' | 'drive';

interface NormalPath {
  readonly root: Root;
  /** `c:` for a drive, else empty. */
  readonly drive: string;
  readonly segments: readonly string[];
}

/**
 * Compiles the directories of a `path_within`; throws if one is no path. A relative directory is compared with
 * relative paths only, an absolute one with absolute paths only.
 */
export function compilePathWithin(directories: readonly string[]): (text: string) => Judged {
  const compiled = directories.map((directory) => {
    const normal = normalise(directory, DRIVE.test(directory));
    if (normal === null || !isSafe(directory)) throw new Error(`path_within: ${JSON.stringify(directory)} is not a directory that can be compared`);
    return normal;
  });
  return (text) => {
    let judgement: Judged = FAILS;
    for (const directory of compiled) {
      const here = judge(text, directory);
      if (here === HOLDS) return HOLDS;
      if (here === UNFIT) judgement = UNFIT;
    }
    return judgement;
  };
}

function judge(text: string, directory: NormalPath): Judged {
  const texts = readings(text);
  if (texts === null) return UNFIT;
  let inside = 0;
  let outside = 0;
  for (const reading of texts) {
    for (const backslashSeparates of directory.root === 'drive' ? [true] : [false, true]) {
      const judgement = judgeReading(reading, directory, backslashSeparates);
      if (judgement === UNFIT) return UNFIT;
      if (judgement === HOLDS) inside++;
      else outside++;
    }
  }
  if (outside === 0) return HOLDS;
  return inside === 0 ? FAILS : UNFIT;
}

/** The text, and what remains of it after each round of decoding; null where it is refused. */
function readings(text: string): readonly string[] | null {
  if (text.length > MAX_PATH_LENGTH) return null;
  const all: string[] = [];
  let reading = text;
  for (let round = 0; round <= MAX_DECODINGS; round++) {
    if (!isSafe(reading)) return null;
    all.push(reading);
    if (!ESCAPE.test(reading)) return all;
    const decoded = unescaped(reading);
    if (decoded === null) return null;
    reading = decoded;
  }
  return null;
}

/** One round of percent-decoding; null where the bytes are not UTF-8 or a `%` stands alone. */
function unescaped(text: string): string | null {
  try {
    return decodeURIComponent(text);
  } catch {
    return null;
  }
}

function isSafe(text: string): boolean {
  return !UNSAFE_CHARACTER.test(text) && isNormalText(text);
}

function judgeReading(text: string, directory: NormalPath, backslashSeparates: boolean): Judged {
  const path = normalise(text, directory.root === 'drive' || backslashSeparates);
  if (path === null || path.root !== directory.root) return UNFIT;
  if (path.drive !== directory.drive) return FAILS;
  if (startsWith(path.segments, directory.segments)) return HOLDS;
  if (!startsWith(path.segments.map(folded), directory.segments.map(folded))) return FAILS;
  return directory.root === 'drive' ? HOLDS : UNFIT;
}

/** Null where the text is not a path, climbs above its start, or has a name that systems read differently. */
function normalise(text: string, backslashSeparates: boolean): NormalPath | null {
  const drive = backslashSeparates ? DRIVE.exec(text)?.[0] : undefined;
  if (drive === undefined && (URI_START.test(text) || text.startsWith('~'))) return null;
  const rest = drive === undefined ? text : text.slice(drive.length);
  // Two leading backslashes name a server or a device on Windows.
  if (backslashSeparates && (drive !== undefined ? rest : text).startsWith('\\\\')) return null;
  const names = rest.split(backslashSeparates ? /[\\/]/ : '/');
  const absolute = drive === undefined && (names.length > 1 ? names[0] === '' : false);
  const root: Root = drive !== undefined ? 'drive' : absolute ? 'absolute' : 'relative';
  const segments: string[] = [];
  for (const name of names) {
    if (name === '' || name === '.') continue;
    if (name === '..') {
      if (segments.length === 0 && root === 'relative') return null;
      segments.pop();
    } else if (isDoubtfulName(name, drive !== undefined)) return null;
    else segments.push(name);
  }
  return { root, drive: drive?.toLowerCase() ?? '', segments };
}

/** Windows drops dots and spaces at a name's end, reads `:` as a stream and `~1` as a short name. */
function isDoubtfulName(name: string, onWindows: boolean): boolean {
  if (name.endsWith('.') || name.endsWith(' ') || name.startsWith(' ')) return true;
  return onWindows && (name.includes(':') || SHORT_NAME.test(name));
}

function startsWith(path: readonly string[], directory: readonly string[]): boolean {
  return directory.length <= path.length && directory.every((name, index) => name === path[index]);
}

function folded(name: string): string {
  return name.toUpperCase().toLowerCase();
}

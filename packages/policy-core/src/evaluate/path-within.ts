/**
 * `path_within`: whether a path lies in one of some directories (a directory lies in itself).
 *
 * The text is normalised by its words alone (`.`, `..`, doubled separators); no file system is asked, so links are not
 * followed. Where readers of a text could disagree, it is read in every way they might read it: percent-escapes
 * decoded or not, as often as there are any; a backslash as a separator or as a character; look-alikes of dots and
 * separators (`．．`, `‥`, `／`) as themselves or as what they look like; what follows a `;` in a name kept or dropped, as
 * web servers do. HOLDS means inside however it is read, FAILS outside however it is read, and UNFIT anything between,
 * as well as text that no careful program sends: control characters, not in NFC, `%u002e`, full-width escapes, names
 * that end in a dot or a space, `::$DATA`, `~`, two leading separators (a server on Windows, left open by POSIX), a
 * `file://` or other URI (refused, not decoded: a program that takes paths would read it as a relative path).
 *
 * A directory that starts with a drive letter is compared as Windows does: both separators, any case of letters. In
 * other directories a difference in case alone is UNFIT, because half of the world's file systems see none. UNFIT as well,
 * in every directory, is a name that some file systems take for the directory's: with characters that are not seen or are full-width,
 * with a stream behind it (`.git:x`), or short (`GIT~1`).
 */
import { FAILS, HOLDS, UNFIT } from './judged.ts';
import type { Judged } from './judged.ts';
import { isNormalText } from './text-form.ts';

/** Linux refuses paths above 4,096 bytes, Windows above 32,767 characters. */
const MAX_PATH_LENGTH = 32_767;

/** An honest path has one or two, and one that is escaped twice with a `;` in it six; what has more is refused. */
const MAX_READINGS = 12;

const UNSAFE_CHARACTER = /[\u0000-\u001f\u007f-\u009f\u2028\u2029]/;
const ESCAPE = /%[0-9A-Fa-f]{2}/;
/** Of IIS, and nobody else. */
const UNICODE_ESCAPE = /%u[0-9A-Fa-f]{4}/i;
const PARAMETERS = /;[^/\\]*/g;
const NOT_ASCII = /[^\u0000-\u007f]/;
/** What Windows turns into a slash or backslash on the way to an older code page, beside what NFKC does. */
const LIKE_SLASH = /[\u2044\u2215]/;
const LIKE_BACKSLASH = /[\u00a5\u20a9\u2216]/;
/** A file stream of NTFS: another name for the same file or directory. */
const STREAM = /:\$/;
/** Written by somebody who expects a glob. */
const GLOB = /[*?]/;
const DRIVE = /^[A-Za-z]:(?=[\\/]|$)/;
const URI_START = /^[A-Za-z][A-Za-z0-9+.-]*:/;
const SHORT_NAME = /~\d/;
/** A name that Windows may have made for a longer one, after case has been folded. */
const SHORTENED = /^(?=[^.]{3,8}(?:\.|$))[^.]{1,6}~\d{1,6}(?:\.[^.]{1,3})?$/;
/** A name that is short enough for it to make none. */
const SHORT_ENOUGH = /^[\w!#$%&'()@^`{}-]{1,8}(?:\.[\w!#$%&'()@^`{}-]{1,3})?$/;
const DOUBTFUL_EDGES = /^$|^\p{White_Space}|[.\p{White_Space}]$/u;
/** Some file systems drop them, so that `..` with one inside is `..`, and `.git` with one is `.git`. */
const IGNORABLE = /\p{Default_Ignorable_Code_Point}/gu;

type Root = 'absolute' | 'relative' | 'drive';

interface NormalPath {
  readonly root: Root;
  /** `c:` for a drive, else empty. */
  readonly drive: string;
  readonly segments: readonly string[];
}

interface Directory extends NormalPath {
  /** The segments as they are compared where a likeness is enough to refuse. */
  readonly folded: readonly string[];
}

/**
 * Compiles the directories of a `path_within`; throws if one is no path in its plain form. A relative directory is compared
 * with relative paths only, an absolute one with absolute paths only.
 */
export function compilePathWithin(directories: readonly string[]): (text: string) => Judged {
  const compiled = directories.map((directory) => {
    const normal = plainDirectory(directory);
    if (normal === null) throw new Error(`path_within: ${JSON.stringify(directory)} is not a directory that can be compared`);
    return normal;
  });
  return (text) => {
    const texts = readings(text);
    if (texts === null) return UNFIT;
    let judgement: Judged = FAILS;
    for (const directory of compiled) {
      const here = judge(texts, directory);
      if (here === HOLDS) return HOLDS;
      if (here === UNFIT) judgement = UNFIT;
    }
    return judgement;
  };
}

/** Null for what climbs, for what looks like a glob, and for what does not lie in itself however it is read. */
function plainDirectory(text: string): Directory | null {
  const normal = normalise(text, DRIVE.test(text));
  const texts = readings(text);
  if (text === '' || GLOB.test(text) || text.split(/[\\/]/).includes('..') || normal === null || texts === null) return null;
  const directory = { ...normal, folded: normal.segments.map(folded) };
  return judge(texts, directory) === HOLDS ? directory : null;
}

function judge(texts: readonly string[], directory: Directory): Judged {
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

/** The text, and everything that it becomes by reading it otherwise, in any order and as often as it can be; null where it is refused. */
function readings(text: string): readonly string[] | null {
  if (text.length > MAX_PATH_LENGTH) return null;
  const all = new Set([text]);
  // A Set goes on with what is added meanwhile.
  for (const reading of all) {
    if (all.size > MAX_READINGS || !isSafe(reading)) return null;
    const decoded = ESCAPE.test(reading) ? unescaped(reading) : reading;
    if (decoded === null) return null;
    all.add(decoded).add(reading.replace(PARAMETERS, '')).add(withPlainSeparators(reading));
  }
  return [...all];
}

/** One round of percent-decoding; null where the bytes are not UTF-8 or a `%` stands alone. */
function unescaped(text: string): string | null {
  try {
    return decodeURIComponent(text);
  } catch {
    return null;
  }
}

/** Look-alikes of dots, separators and semicolons as what they look like; all other characters stay. */
function withPlainSeparators(text: string): string {
  if (!NOT_ASCII.test(text)) return text;
  let plain = '';
  for (const character of text) plain += NOT_ASCII.test(character) ? plainSeparator(character) : character;
  return plain;
}

function plainSeparator(character: string): string {
  if (LIKE_SLASH.test(character)) return '/';
  if (LIKE_BACKSLASH.test(character)) return '\\';
  const compatible = character.normalize('NFKC');
  return /[./\\;]/.test(compatible) ? compatible : character;
}

function isSafe(text: string): boolean {
  return !UNSAFE_CHARACTER.test(text) && isNormalText(text) && isNormalText(seen(text)) && !UNICODE_ESCAPE.test(text) && !hasWideEscape(text);
}

/** An escape that appears only where full-width characters are made ordinary ones. */
function hasWideEscape(text: string): boolean {
  if (!NOT_ASCII.test(text) || !/[%\uff05\ufe6a]/.test(text)) return false;
  const compatible = text.normalize('NFKC');
  return compatible.split(ESCAPE).length !== text.split(ESCAPE).length || UNICODE_ESCAPE.test(compatible);
}

function judgeReading(text: string, directory: Directory, backslashSeparates: boolean): Judged {
  const path = normalise(text, directory.root === 'drive' || backslashSeparates);
  if (path === null || path.root !== directory.root) return UNFIT;
  if (path.drive !== directory.drive) return FAILS;
  if (startsWith(path.segments, directory.segments)) return HOLDS;
  const start = path.segments.slice(0, directory.segments.length);
  if (directory.root === 'drive' && startsWith(start.map(caseFolded), directory.segments.map(caseFolded))) return HOLDS;
  return start.length === directory.folded.length && directory.folded.every((name, index) => passesFor(folded(start[index] ?? ''), name)) ? UNFIT : FAILS;
}

/** Null where the text is not a path, climbs above its start, or has a name that systems read differently. */
function normalise(text: string, backslashSeparates: boolean): NormalPath | null {
  const drive = backslashSeparates ? DRIVE.exec(text)?.[0] : undefined;
  if (drive === undefined && (URI_START.test(text) || text.startsWith('~'))) return null;
  const rest = drive === undefined ? text : text.slice(drive.length);
  if ((backslashSeparates ? /^[\\/]{2}/ : /^\/\//).test(rest)) return null;
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

/** Windows drops dots and spaces at a name's end (others might, of any kind), reads `:` as a stream and `~1` as a short name. */
function isDoubtfulName(name: string, onWindows: boolean): boolean {
  if (DOUBTFUL_EDGES.test(seen(name)) || STREAM.test(name)) return true;
  return onWindows && (name.includes(':') || SHORT_NAME.test(name));
}

function startsWith(path: readonly string[], directory: readonly string[]): boolean {
  return directory.length <= path.length && directory.every((name, index) => name === path[index]);
}

/** Whether some file system takes the one name for the other; both are folded. */
function passesFor(name: string, wanted: string): boolean {
  if (name === wanted || name.split(':', 1)[0] === wanted) return true;
  return SHORTENED.test(name) && !SHORT_ENOUGH.test(wanted);
}

/** Without what is not seen, full-width and other compatible characters as ordinary ones, case folded. */
function folded(name: string): string {
  return caseFolded(NOT_ASCII.test(name) ? seen(name).normalize('NFKD') : name);
}

function caseFolded(name: string): string {
  return name.toUpperCase().toLowerCase();
}

function seen(text: string): string {
  return NOT_ASCII.test(text) ? text.replace(IGNORABLE, '') : text;
}

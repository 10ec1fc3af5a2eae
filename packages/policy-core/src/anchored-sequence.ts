/**
 * The regular expressions that people write most, `^[a-z0-9-]{1,40}$` and the like, without an engine: from the beginning of the text one set of
 * characters after the other, each so many times, perhaps to the end. Where what repeats cannot be taken for what follows it, taking as much as
 * there is decides the match, in one walk along the text. What is read here is RE2 syntax; all other expressions are left to the engine.
 */

/** Characters at one place of the text. */
interface CharacterSet {
  /** By code, for those of ASCII: 1 = in the set. */
  readonly ascii: Uint8Array;
  /** Whether all others are in it. */
  readonly others: boolean;
}

interface Item {
  readonly set: CharacterSet;
  readonly least: number;
  readonly most: number;
}

const ASCII = 128;
/** Each place of a pattern costs some hundred bytes; what people write is shorter. */
const MAX_LENGTH = 200;

/** Compiles an expression that RE2 accepts; null where it is of another shape. Linear in the text. */
export function compileSequence(pattern: string): ((text: string) => boolean) | null {
  if (pattern.length > MAX_LENGTH || !/^\^[ -~]*$/.test(pattern)) return null;
  const toEnd = pattern.endsWith('$') && !pattern.endsWith('\\$');
  const items = readItems(pattern.slice(1, toEnd ? -1 : undefined));
  if (items === null || items.some((item, index) => item.least !== item.most && mayFollow(items, index))) return null;
  return (text) => {
    const end = walk(items, text);
    return end !== -1 && (!toEnd || end === text.length);
  };
}

/** The place behind the last item, or -1. */
function walk(items: readonly Item[], text: string): number {
  let at = 0;
  for (const { set, least, most } of items) {
    let times = 0;
    while (times < most && at < text.length) {
      const code = text.charCodeAt(at);
      if (code < ASCII ? set.ascii[code] !== 1 : !set.others) break;
      at += code >= 0xd800 && code <= 0xdbff && isLowSurrogate(text.charCodeAt(at + 1)) ? 2 : 1;
      times++;
    }
    if (times < least) return -1;
  }
  return at;
}

function isLowSurrogate(code: number): boolean {
  return code >= 0xdc00 && code <= 0xdfff;
}

/** Whether a character that an item takes could be one that comes after it. */
function mayFollow(items: readonly Item[], index: number): boolean {
  const repeated = items[index]?.set;
  for (const { set, least } of items.slice(index + 1)) {
    if (repeated !== undefined && overlap(repeated, set)) return true;
    if (least > 0) return false;
  }
  return false;
}

function overlap(a: CharacterSet, b: CharacterSet): boolean {
  return (a.others && b.others) || a.ascii.some((inside, code) => inside === 1 && b.ascii[code] === 1);
}

const CLASS = /\[(\^?)((?:[^\\[\]^]|\\[^A-Za-z0-9]|\\[dws])+)\]/y;
const SINGLE = /\\[^A-Za-z0-9]|\\[dwsDWS]|[^\\^$.|?*+()[\]{}]|\./y;
/** One behind the other means something else. */
const QUANTIFIER = /(?:[*+?]|\{(\d{1,4})(?:(,)(\d{1,4})?)?\})(?![*+?{])/y;

function readItems(source: string): readonly Item[] | null {
  const items: Item[] = [];
  for (let at = 0; at < source.length; ) {
    const listed = matchAt(CLASS, source, at);
    const [head] = listed ?? matchAt(SINGLE, source, at) ?? [];
    const set = head === undefined ? null : listed === null ? singleSet(head) : listedSet(listed[2] ?? '', listed[1] === '^');
    if (head === undefined || set === null) return null;
    at += head.length;
    const quantifier = matchAt(QUANTIFIER, source, at);
    items.push({ set, ...(quantifier === null ? ONCE : boundsOf(quantifier)) });
    at += quantifier?.[0].length ?? 0;
  }
  return items;
}

function matchAt(expression: RegExp, source: string, at: number): RegExpExecArray | null {
  expression.lastIndex = at;
  return expression.exec(source);
}

const ONCE = { least: 1, most: 1 };

function boundsOf([text, least, comma, most]: RegExpExecArray): { readonly least: number; readonly most: number } {
  switch (text) {
    case '*':
      return { least: 0, most: Infinity };
    case '+':
      return { least: 1, most: Infinity };
    case '?':
      return { least: 0, most: 1 };
    default:
      return { least: Number(least), most: comma === undefined ? Number(least) : most === undefined ? Infinity : Number(most) };
  }
}

function singleSet(text: string): CharacterSet {
  if (text === '.') return complement(setOf(['\n']));
  const named = text.startsWith('\\') ? NAMED.get(text.charAt(1).toLowerCase()) : undefined;
  if (named === undefined) return setOf([text.at(-1) ?? '']);
  return text.charAt(1) === text.charAt(1).toLowerCase() ? setOf(named) : complement(setOf(named));
}

/** What stands between the brackets; null where a hyphen does not plainly join two characters or stand for itself. */
function listedSet(content: string, negated: boolean): CharacterSet | null {
  const characters: string[] = [];
  const parts = content.match(/\\?[^]/g) ?? [];
  for (let at = 0; at < parts.length; at++) {
    const part = parts[at] ?? '';
    const named = part.startsWith('\\') ? NAMED.get(part.charAt(1)) : undefined;
    const joins = parts[at + 1] === '-' && at + 2 < parts.length;
    if (part === '-' && at > 0 && at < parts.length - 1) return null;
    if (!joins) characters.push(...(named ?? [part.at(-1) ?? '']));
    else {
      const last = parts[at + 2] ?? '';
      if (named !== undefined || part === '-' || last === '-' || (last.startsWith('\\') && NAMED.has(last.charAt(1)))) return null;
      characters.push(...between(part.at(-1) ?? '', last.at(-1) ?? ''));
      at += 2;
    }
  }
  return negated ? complement(setOf(characters)) : setOf(characters);
}

function between(first: string, last: string): readonly string[] {
  const from = first.charCodeAt(0);
  return Array.from({ length: Math.max(0, last.charCodeAt(0) - from + 1) }, (_, index) => String.fromCharCode(from + index));
}

const DIGITS = between('0', '9');
/** As RE2 has them: of ASCII. */
const NAMED: ReadonlyMap<string, readonly string[]> = new Map([
  ['d', DIGITS],
  ['w', [...DIGITS, ...between('A', 'Z'), ...between('a', 'z'), '_']],
  ['s', ['\t', '\n', '\f', '\r', ' ']],
]);

function setOf(characters: readonly string[]): CharacterSet {
  const ascii = new Uint8Array(ASCII);
  for (const character of characters) ascii[character.charCodeAt(0)] = 1;
  return { ascii, others: false };
}

function complement({ ascii, others }: CharacterSet): CharacterSet {
  return { ascii: ascii.map((inside) => 1 - inside), others: !others };
}

/**
 * What YAML readers read differently. The library follows YAML 1.2, Intercept's reader (a port of libyaml) its own mind
 * between 1.1 and 1.2; where they would see different keys or values, or where one refuses, the text is refused here,
 * with the spelling that all agree on. Works on lexical pieces, before there is any structure.
 */
import { CST } from 'yaml';
import type { ProblemCode } from '../problem.ts';
import { quote } from '../problem.ts';
import type { Findings } from './findings.ts';

/** Takes the pieces of a text one after the other, each with its offset. */
export type Watch = (lexeme: string, offset: number) => void;

type Kind = ReturnType<typeof CST.tokenType> | 'plain' | 'block';

/** The last scalar, as long as a colon may still make it a key. */
interface PossibleKey {
  readonly offset: number;
  readonly plain: boolean;
  readonly oneLine: boolean;
}

/** Reports what readers disagree about. */
export function watchAgreement(findings: Findings): Watch {
  let before: Kind = 'newline';
  let beforeText = '';
  let flowDepth = 0;
  /** The library announces an unquoted scalar by a piece of its own; after a header it is a block. */
  let announced = false;
  let header = false;
  let key: PossibleKey | null = null;
  let keyBeforeColon: PossibleKey | null = null;
  /** A complex key has been reported, and stands on several lines by right. */
  let complex = false;

  const refuse = (code: ProblemCode, offset: number, message: string): void => findings.error(code, offset, message);

  return (lexeme, offset) => {
    const kind = kindOf(lexeme, announced, header);
    if (kind === 'scalar') {
      announced = true;
      return;
    }
    announced = false;
    // An empty value is announced too, and is nothing.
    if (kind === 'plain' && lexeme === '') return;
    if (kind === 'block-scalar-header') header = true;
    else if (kind === 'block') header = false;

    refuseAfter({ before, beforeText, kind, inFlow: flowDepth > 0, keyBeforeColon }, lexeme, offset, refuse);
    refuseScalar(kind, lexeme, offset, flowDepth > 0, refuse);
    keyBeforeColon = null;
    switch (kind) {
      case 'explicit-key-ind':
        complex = true;
        refuse('TYPE', offset, 'a `?` begins a complex key, and keys are simple texts: write `key: value`, or put the text in quotes');
        break;
      case 'tag':
        if (lexeme === '!') refuse('YAML_TAG', offset, 'a `!` alone means nothing in a policy: remove it');
        break;
      case 'map-value-ind':
        if (key !== null && !key.oneLine && !complex) refuse('YAML_SYNTAX', key.offset, 'a key and its colon must stand in one line');
        keyBeforeColon = key;
        key = null;
        complex = false;
        break;
      case 'plain':
      case 'single-quoted-scalar':
      case 'double-quoted-scalar':
        key = { offset, plain: kind === 'plain', oneLine: !lexeme.includes('\n') };
        break;
      case 'newline':
        if (key !== null) key = { ...key, oneLine: false };
        break;
      case 'flow-map-start':
      case 'flow-seq-start':
        flowDepth++;
        key = null;
        break;
      case 'flow-map-end':
      case 'flow-seq-end':
        flowDepth = Math.max(0, flowDepth - 1);
        key = null;
        break;
      case 'comma':
      case 'seq-item-ind':
      case 'doc-start':
        key = null;
        break;
      default:
        break;
    }
    // Indentation comes in several pieces.
    if (kind === 'space' && !lexeme.includes('\t') && before === 'newline') return;
    before = kind;
    beforeText = lexeme;
  };
}

function kindOf(lexeme: string, announced: boolean, header: boolean): Kind {
  if (!announced) return CST.tokenType(lexeme);
  return header ? 'block' : 'plain';
}

interface Neighbours {
  readonly before: Kind;
  readonly beforeText: string;
  readonly kind: Kind;
  readonly inFlow: boolean;
  readonly keyBeforeColon: PossibleKey | null;
}

type Refuse = (code: ProblemCode, offset: number, message: string) => void;

/** Pieces that may not follow each other. */
function refuseAfter({ before, beforeText, kind, inFlow, keyBeforeColon }: Neighbours, lexeme: string, offset: number, refuse: Refuse): void {
  const blank = kind === 'space' || kind === 'newline';
  if (kind === 'space' && lexeme.includes('\t') && (before === 'newline' || before === 'seq-item-ind' || before === 'doc-start')) {
    refuse('YAML_SYNTAX', offset, 'a tab where indentation is: use spaces');
  }
  if ((before === 'tag' || before === 'anchor') && !blank) refuse('YAML_SYNTAX', offset, `a space is missing after ${quote(beforeText)}`);
  if (before === 'alias' && !blank && kind !== 'comma' && kind !== 'flow-seq-end' && kind !== 'flow-map-end') {
    refuse('YAML_SYNTAX', offset, `a space is missing after ${quote(beforeText)}`);
  }
  if ((before === 'single-quoted-scalar' || before === 'double-quoted-scalar') && (kind === 'plain' || kind === 'single-quoted-scalar' || kind === 'double-quoted-scalar')) {
    refuse('YAML_SYNTAX', offset, 'a text goes on behind its closing quote: put the whole text in quotes, or none of it');
  }
  const opensOrEnds = kind === 'comma' || kind === 'flow-seq-end' || kind === 'flow-map-end' || kind === 'flow-seq-start' || kind === 'flow-map-start';
  if (before === 'map-value-ind' && inFlow && opensOrEnds && keyBeforeColon?.plain === true) {
    refuse('YAML_SYNTAX', offset, 'a space is missing after the colon: without it, readers disagree about whether the colon belongs to the key');
  }
}

function refuseScalar(kind: Kind, text: string, offset: number, inFlow: boolean, refuse: Refuse): void {
  switch (kind) {
    case 'plain':
      refusePlain(text, offset, inFlow, refuse);
      return;
    case 'single-quoted-scalar':
    case 'double-quoted-scalar':
      if (!isClosed(text)) refuse('YAML_SYNTAX', offset, 'the closing quote is missing: a quote that is escaped closes nothing, and every line of the text must be indented more than what it belongs to');
      else if (kind === 'double-quoted-scalar') refuseEscapedSlash(text, offset, refuse);
      return;
    case 'block': {
      const tab = tabInIndentation(text);
      if (tab !== -1) refuse('YAML_SYNTAX', offset + tab, 'a tab where indentation is: use spaces');
      return;
    }
    default:
      return;
  }
}

/** The library takes the last character of a quoted scalar that is cut off by its indentation for the closing quote. */
function isClosed(quoted: string): boolean {
  if (quoted.length < 2 || quoted.at(-1) !== quoted.charAt(0)) return false;
  if (quoted.startsWith("'")) return (quoted.split("'").length - 1) % 2 === 0;
  let backslashes = 0;
  while (quoted.at(-2 - backslashes) === '\\') backslashes++;
  return backslashes % 2 === 0;
}

/** YAML 1.2 has this escape for JSON; yaml.v3 refuses it. */
function refuseEscapedSlash(quoted: string, offset: number, refuse: Refuse): void {
  for (let at = quoted.indexOf('\\'); at !== -1; at = quoted.indexOf('\\', at + 2)) {
    if (quoted.charAt(at + 1) === '/') refuse('YAML_SYNTAX', offset + at, 'some readers refuse the escape `\\/`: write `/`, which means the same');
  }
}

/** Where a line of a block has a tab before its indentation is complete, or -1. The first line with content sets the indentation. */
function tabInIndentation(block: string): number {
  let indentation = -1;
  let start = 0;
  for (const line of block.split('\n')) {
    const spaces = /^ */.exec(line)?.[0].length ?? 0;
    if (line.charAt(spaces) === '\t' && (indentation === -1 || spaces < indentation)) return start + spaces;
    if (indentation === -1 && line.slice(spaces).trim() !== '') indentation = spaces;
    start += line.length + 1;
  }
  return -1;
}

function refusePlain(text: string, offset: number, inFlow: boolean, refuse: Refuse): void {
  const tab = /\n *\t/.exec(text);
  if (tab !== null) refuse('YAML_SYNTAX', offset + tab.index + tab[0].length - 1, 'a tab where indentation is: use spaces');
  if (!inFlow) return;
  if (text.startsWith(':')) refuse('YAML_SYNTAX', offset, 'inside brackets, a text that begins with `:` is a key to some readers: put it in quotes');
  // To yaml.v3, whose plain texts end there, it always begins a key.
  const question = text.indexOf('?');
  if (question !== -1) refuse('YAML_SYNTAX', offset + question, 'inside brackets, a `?` ends a text to some readers: put the text in quotes');
}

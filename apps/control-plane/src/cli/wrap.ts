/** Long lines, broken where words end so that they fit a terminal. */
import { printable } from './printable.ts';

/** Old terminals and quoted mails still show this many. */
export const WIDTH = 100;
/** Before what goes on from the line above: text from elsewhere must never begin a line as if it were ours. */
const GOES_ON = '│ ';
/** A command is copied from the terminal, and so stays in one piece; prose after it may stay with it, which does no harm. */
const COMMAND = /portcullis(?:-proxy)? (?:(?![;,)`]|[.:](?: |$)).){1,75}/gu;
/** Stands for a blank that is no place to break; nothing that is printed is this character. */
const GLUE = '\ue000';

/** A word is broken only where nothing else helps, and a continuation holds at least so much. */
const LEAST = 20;

/**
 * A line as lines of at most `width` characters, each made printable; continuations are indented as the line is, and `indent` deeper, and marked. Breaks
 * at blanks, in the middle of a word only where it is longer than a line.
 */
export function wrapped(line: string, width: number = WIDTH, indent = 4): readonly string[] {
  const plain = printable(line);
  const text = Array.from(plain.replaceAll(COMMAND, (command) => command.replaceAll(' ', GLUE)));
  if (text.length <= width) return [plain];
  const own = text.findIndex((point) => point !== ' ');
  const deeper = Math.min(Math.max(own, 0) + indent, width - GOES_ON.length - LEAST);
  const before = ' '.repeat(Math.max(0, deeper)) + GOES_ON;
  const lines: string[] = [];
  let rest = text;
  let room = width;
  while (rest.length > room) {
    const at = breakAt(rest, room, lines.length === 0 ? Math.max(own, 0) : 0);
    lines.push(rest.slice(0, at).join('').trimEnd());
    rest = rest.slice(at);
    while (rest[0] === ' ') rest = rest.slice(1);
    room = width - before.length;
  }
  return [...lines, rest.join('')].map((part, n) => (n === 0 ? part : before + part).replaceAll(GLUE, ' '));
}

/** After the last blank that leaves at most `room`, but not among the first `least`; else at the edge. */
function breakAt(text: readonly string[], room: number, least: number): number {
  const blank = text.lastIndexOf(' ', room);
  return blank > least ? blank : room;
}

/** Something wrong in a policy text, said so that its author can mend it. */

export type Severity = 'error' | 'warning';

export interface Problem {
  /** The policy's id, or the path that the reader knows it by. */
  readonly file: string;
  /** From 1; both are 1 where the problem is the file as a whole. */
  readonly line: number;
  readonly column: number;
  readonly code: ProblemCode;
  readonly severity: Severity;
  /** What is wrong and what to do. */
  readonly message: string;
  /** The line in question with a caret under the place, where the text is at hand. */
  readonly frame: string | null;
}

/** A problem as a terminal shows it: `file:line:column: severity CODE message`, then the frame. */
export function formatProblem(problem: Problem): string {
  const head = `${problem.file}:${problem.line}:${problem.column}: ${problem.severity} ${problem.code} ${problem.message}`;
  return problem.frame === null ? head : `${head}\n${problem.frame}`;
}

/** A line is shown around the place only: a policy text may be one line of a mebibyte. */
const FRAME_WIDTH = 100;

/** The line of a place with a caret under it. `line` is the text of that line without its end. */
export function codeFrame(lineNumber: number, column: number, line: string): string {
  const start = Math.max(0, Math.min(column - 1 - FRAME_WIDTH / 2, line.length - FRAME_WIDTH));
  const shown = plainCharacters(line.slice(start, start + FRAME_WIDTH)).trimEnd();
  const gutter = String(lineNumber);
  return `${gutter} | ${shown}\n${' '.repeat(gutter.length)} | ${' '.repeat(Math.max(0, column - 1 - start))}^`;
}

/** How much of a foreign text a message repeats. */
const QUOTE_LENGTH = 80;

/** Text of an author as a message quotes it: in backticks, one line, bounded, without characters that a terminal would obey. */
export function quote(text: string): string {
  const points = Array.from(text.slice(0, QUOTE_LENGTH * 2));
  const cut = points.length > QUOTE_LENGTH || text.length > QUOTE_LENGTH * 2;
  return `\`${plainCharacters(points.slice(0, QUOTE_LENGTH).join(''))}${cut ? '…' : ''}\``;
}

/** Controls, line separators and what turns the direction of writing become one visible mark each, so that columns still agree. */
function plainCharacters(text: string): string {
  return text.replace(/\t/g, ' ').replace(/[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g, '\ufffd');
}

/** The closed list. A code is an interface: it is added to, never renamed. */
export const PROBLEM_CODES = [
  // the file as bytes
  'FILE_UNREADABLE', 'FILE_TOO_LARGE', 'FILE_NOT_UTF8', 'FILE_OUTSIDE',
  // the text as YAML
  'YAML_SYNTAX', 'YAML_DUPLICATE_KEY', 'YAML_ALIAS', 'YAML_TOO_DEEP', 'YAML_TOO_LARGE', 'YAML_SEVERAL_DOCUMENTS', 'YAML_MERGE', 'YAML_TAG',
  // the document
  'TYPE', 'UNKNOWN_KEY', 'MISSING_KEY', 'VERSION', 'DEFAULT', 'MODE', 'MATCH', 'HIDE', 'DURATION', 'NAME', 'GLOB',
  // rules
  'RULE_NAME', 'RULE_ACTION', 'RULE_EMPTY', 'RULE_CONFLICT', 'RATE_LIMIT', 'SPEND_LIMIT', 'PATH', 'OPERATOR', 'VALUE', 'REGEX',
  'COUNTER', 'COUNTER_DUPLICATE', 'COUNTER_UNKNOWN', 'WINDOW',
  // tests
  'TEST', 'TEST_FAILED',
  // the set
  'SET_TOO_LARGE', 'POLICY_ID',
  // legal but surely wrong
  'NEVER_DENIES', 'NEVER_COUNTED', 'HIDDEN_AND_LISTED', 'UNREACHABLE', 'STEM_TWICE', 'OBSERVE_ADMITS', 'LOOKS_MISTYPED',
] as const;
export type ProblemCode = (typeof PROBLEM_CODES)[number];

/** Collects the problems of one policy text, all at once, each with its place and its line. */
import type { Position } from '../policy.ts';
import { codeFrame } from '../problem.ts';
import type { Problem, ProblemCode, Severity } from '../problem.ts';

/** Of each severity. A reader mends dozens at a time; a hostile text must not make thousands of frames. */
const MAX_PROBLEMS = 200;

export interface Findings {
  /** Reports what is wrong at an offset of the text, once. */
  error(code: ProblemCode, offset: number, message: string): void;
  warn(code: ProblemCode, offset: number, message: string): void;
  /** For places that are known as positions only. */
  errorAt(code: ProblemCode, at: Position, message: string): void;
  warnAt(code: ProblemCode, at: Position, message: string): void;
  at(offset: number): Position;
  /** Whether an error is reported there already. */
  hasError(offset: number): boolean;
  readonly failed: boolean;
  /** Whether an error of any other code is reported. */
  failedBeside(code: ProblemCode): boolean;
  /** In the order of the text. The last says how many more there are, where there are too many to list. */
  problems(): readonly Problem[];
}

/** `text` is the decoded policy text, which offsets and frames refer to; `file` is what its reader knows it by. */
export function collectFindings(file: string, text: string): Findings {
  const lineStarts = startsOfLines(text);
  const bySeverity: Record<Severity, Problem[]> = { error: [], warning: [] };
  const left: Record<Severity, number> = { error: 0, warning: 0 };
  const seen = new Set<string>();

  const at = (offset: number): Position => {
    const index = lastStartUpTo(lineStarts, offset);
    return { line: index + 1, column: offset - (lineStarts[index] ?? 0) + 1 };
  };
  const add = (severity: Severity, code: ProblemCode, { line, column }: Position, message: string): void => {
    const identity = `${line}:${column}:${code}:${message}`;
    if (seen.has(identity)) return;
    if (bySeverity[severity].length >= MAX_PROBLEMS) {
      left[severity]++;
      return;
    }
    seen.add(identity);
    bySeverity[severity].push({ file, line, column, code, severity, message, frame: codeFrame(line, column, lineText(text, lineStarts, line)) });
  };
  const listed = (severity: Severity): readonly Problem[] => {
    const problems = [...bySeverity[severity]].sort((a, b) => a.line - b.line || a.column - b.column);
    const last = problems.at(-1);
    if (left[severity] > 0 && last !== undefined) problems[problems.length - 1] = { ...last, message: `${last.message} (and ${left[severity]} more problems that are not listed)` };
    return problems;
  };
  return {
    error: (code, offset, message) => add('error', code, at(offset), message),
    warn: (code, offset, message) => add('warning', code, at(offset), message),
    errorAt: (code, position, message) => add('error', code, position, message),
    warnAt: (code, position, message) => add('warning', code, position, message),
    at,
    hasError: (offset) => {
      const { line, column } = at(offset);
      return bySeverity.error.some((problem) => problem.line === line && problem.column === column);
    },
    get failed() {
      return bySeverity.error.length > 0;
    },
    failedBeside: (code) => left.error > 0 || bySeverity.error.some((problem) => problem.code !== code),
    problems: () => [...listed('error'), ...listed('warning')],
  };
}

function startsOfLines(text: string): readonly number[] {
  const starts = [0];
  for (let at = text.indexOf('\n'); at !== -1; at = text.indexOf('\n', at + 1)) starts.push(at + 1);
  return starts;
}

function lastStartUpTo(starts: readonly number[], offset: number): number {
  let low = 0;
  let high = starts.length - 1;
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if ((starts[middle] ?? 0) <= offset) low = middle;
    else high = middle - 1;
  }
  return low;
}

function lineText(text: string, starts: readonly number[], line: number): string {
  return text.slice(starts[line - 1] ?? 0, starts[line] ?? text.length).replace(/\r?\n$/, '');
}

/** A problem as a terminal shows it: its line, which holds names and words of others and stays one line, then the frame. */
import { formatProblem } from '@portcullis/policy-core';
import type { Problem } from '@portcullis/policy-core';
import { linesOf, printable } from './printable.ts';

export function problemLines(problem: Problem): readonly string[] {
  const frame = problem.frame === null ? [] : linesOf(problem.frame);
  return [formatProblem({ ...problem, frame: null }), ...frame].map(printable);
}

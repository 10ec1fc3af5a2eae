/** What is being found out about one call. An allowed call that counts nothing allocates none of the lists. */
import type { Determinant } from '../call.ts';
import type { Cause, Counted, Evaluation } from './evaluation.ts';

/** Collects while one call is evaluated, and lives no longer than that: the one mutable thing of the evaluator. */
export interface Findings {
  causes: Cause[] | null;
  observed: Determinant[] | null;
  counted: Counted[] | null;
}

export function noFindings(): Findings {
  return { causes: null, observed: null, counted: null };
}

/** Denies, or notes what would have been denied where the policy or rule only observes. */
export function addCause(findings: Findings, observed: boolean, cause: Cause): void {
  if (!observed) (findings.causes ??= []).push(cause);
  else if (cause.determinant !== null) (findings.observed ??= []).push(cause.determinant);
}

export function addCounted(findings: Findings, counted: Counted): void {
  (findings.counted ??= []).push(counted);
}

const NOTHING: Evaluation = Object.freeze({ causes: [], observed: [], counted: [] });

export function evaluationOf({ causes, observed, counted }: Findings): Evaluation {
  if (causes === null && observed === null && counted === null) return NOTHING;
  return { causes: causes ?? [], observed: observed ?? [], counted: counted ?? [] };
}

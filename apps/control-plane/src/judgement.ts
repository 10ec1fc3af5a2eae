/** What one policy document is worth on its own: parsed, and held against the tests that it carries about itself. */
import { parsePolicy, runPolicyTests } from '@portcullis/policy-core';
import type { Policy, Problem, TestFailure } from '@portcullis/policy-core';

export interface Judgement {
  /** Null where the document may not be published: it has errors, or a test of its own fails. */
  readonly policy: Policy | null;
  /** Errors and warnings. */
  readonly problems: readonly Problem[];
  readonly tests: { readonly passed: number; readonly failed: number };
}

/** Parses a document and runs its tests; a failing test is an error at the test's place. */
export function judgeDocument(source: { readonly id: string; readonly bytes: Uint8Array }): Judgement {
  const parsed = parsePolicy(source);
  if (!parsed.ok) return { policy: null, problems: parsed.problems, tests: { passed: 0, failed: 0 } };
  const report = runPolicyTests(parsed.policy, parsed.tests);
  const failures = report.failures.map((failure) => testProblem(source, failure));
  return {
    policy: failures.length === 0 ? parsed.policy : null,
    problems: [...parsed.problems, ...failures],
    tests: { passed: report.passed, failed: report.failed },
  };
}

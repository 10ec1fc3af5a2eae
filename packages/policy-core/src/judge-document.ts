/** What one policy document is worth on its own: parsed, and held against the tests that it carries about itself. */
import { parsePolicy } from './parse/policy.ts';
import type { Policy } from './policy.ts';
import { codeFrame, quote } from './problem.ts';
import type { Problem } from './problem.ts';
import { runPolicyTests } from './run-tests.ts';
import type { TestFailure } from './run-tests.ts';

export interface Judgement {
  /** Whether the document may be published: it has no errors, and none of its own tests fails. */
  readonly ok: boolean;
  /** Null where the text has errors; a policy whose tests fail can still be asked (`portcullis eval`). */
  readonly policy: Policy | null;
  /** Errors and warnings, failing tests among the errors. */
  readonly problems: readonly Problem[];
  readonly tests: { readonly passed: number; readonly failed: number };
}

/** Parses a document and runs its tests; a failing test is an error at the test's place. */
export function judgeDocument(source: { readonly id: string; readonly bytes: Uint8Array }): Judgement {
  const parsed = parsePolicy(source);
  if (!parsed.ok) return { ok: false, policy: null, problems: parsed.problems, tests: { passed: 0, failed: 0 } };
  const { passed, failed, failures } = runPolicyTests(parsed.policy, parsed.tests);
  const problems = [...parsed.problems, ...testProblems(source, failures)];
  return { ok: failed === 0, policy: parsed.policy, problems, tests: { passed, failed } };
}

function testProblems({ id, bytes }: { readonly id: string; readonly bytes: Uint8Array }, failures: readonly TestFailure[]): readonly Problem[] {
  if (failures.length === 0) return [];
  const lines = new TextDecoder().decode(bytes).split(/\r\n|\r|\n/);
  return failures.map((failure) => ({
    file: id,
    line: failure.at.line,
    column: failure.at.column,
    code: 'TEST_FAILED',
    severity: 'error',
    message: failure.message,
    frame: `${codeFrame(failure.at.line, failure.at.column, lines[failure.at.line - 1] ?? '')}\n${differenceOf(failure)}`,
  }));
}

/** What was expected and what was decided, one under the other, and the line of the rule that spoke. */
function differenceOf({ expected, got }: TestFailure): string {
  const speaker = (rule: string | null): string => (rule === null ? '' : ` by ${quote(rule)}`);
  const line = got.matched[0]?.at?.line;
  const place = got.decision === 'allow' || line === undefined ? '' : ` (line ${line})`;
  const told = got.message === null ? '' : `, saying ${quote(got.message)}`;
  return `- expected ${expected.decision}${speaker(expected.rule)}\n+ decided  ${got.decision}${speaker(got.rule)}${place}${told}`;
}

/** What can only be wrong about policies together: their number, their ids, two files that claim one server by name. */
import { stemOf } from './parse/match.ts';
import type { Policy } from './policy.ts';
import { quote } from './problem.ts';
import type { Problem, ProblemCode, Severity } from './problem.ts';

/** Policies in force together. Every proxy compiles those that select it; the plane compares all of them on every change. */
export const MAX_POLICIES = 5000;

/** Rules in force together. Four times the largest directory that is measured (1,000 policies of 50 rules). */
export const MAX_SET_RULES = 200_000;

/** Ids are paths, and are shown, compared and stored everywhere. */
const MAX_ID_LENGTH = 512;

/**
 * Set-wide problems, each on the document that caused it: the one that crossed a limit in the order of ids, the second
 * of two that clash. No document is asked about another's content (DESIGN section 4).
 */
export function checkPolicySet(policies: readonly Policy[]): readonly Problem[] {
  const ordered = [...policies].sort((a, b) => (a.id < b.id ? -1 : a.id > b.id ? 1 : 0));
  return [...limitProblems(ordered), ...idProblems(ordered), ...stemProblems(ordered)];
}

function limitProblems(ordered: readonly Policy[]): readonly Problem[] {
  const problems: Problem[] = [];
  const tooMany = ordered[MAX_POLICIES];
  if (tooMany !== undefined) problems.push(wholeFile(tooMany.id, 'SET_TOO_LARGE', 'error', `with this file there are ${ordered.length} policies and there may be ${MAX_POLICIES}: join policies of one server into one file`));
  let rules = 0;
  for (const policy of ordered) {
    const before = rules;
    rules += ruleCount(policy);
    if (before <= MAX_SET_RULES && rules > MAX_SET_RULES) {
      problems.push(wholeFile(policy.id, 'SET_TOO_LARGE', 'error', `with this file the policies have more than ${MAX_SET_RULES} rules: remove rules, here or elsewhere`));
    }
  }
  return problems;
}

function ruleCount(policy: Policy): number {
  const entries = [policy.tools, policy.resources ?? [], policy.prompts ?? [], policy.methods ?? []].flat();
  return entries.reduce((sum, entry) => sum + entry.rules.length, 0);
}

function idProblems(ordered: readonly Policy[]): readonly Problem[] {
  return ordered.flatMap(({ id }, index) => {
    const fault = id === ordered[index - 1]?.id ? 'two policies have this id: keep one' : idFault(id);
    return fault === null ? [] : [wholeFile(id, 'POLICY_ID', 'error', fault)];
  });
}

function idFault(id: string): string | null {
  if (id.length > MAX_ID_LENGTH) return `the path may have ${MAX_ID_LENGTH} characters, not ${id.length}: shorten the names`;
  if (!/[^/]\.ya?ml$/.test(id)) return 'a policy file is called `<name>.yaml` or `<name>.yml`';
  if (id.split('/').some((segment) => segment === '' || segment === '.' || segment === '..')) return 'the path must be relative and plain, without empty, `.` or `..` segments';
  return /[\u0000-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069\\]/.test(id) ? 'the path has a backslash, a control character or an invisible character: rename the file' : null;
}

/** Both apply, which is legal; but who wrote `team-a/github.yaml` seldom knows of `team-b/github.yaml`. */
function stemProblems(ordered: readonly Policy[]): readonly Problem[] {
  const first = new Map<string, string>();
  return ordered.flatMap(({ id, match }) => {
    const stem = stemOf(id);
    if (match.server.length !== 1 || match.server[0] !== stem) return [];
    const other = first.get(stem);
    if (other === undefined) {
      first.set(stem, id);
      return [];
    }
    return [wholeFile(id, 'STEM_TWICE', 'warning', `${quote(other)} is for the server ${quote(stem)} too, and a call must be allowed by both: join them, or say in \`match\` what each is for`)];
  });
}

function wholeFile(file: string, code: ProblemCode, severity: Severity, message: string): Problem {
  return { file, line: 1, column: 1, code, severity, message, frame: null };
}

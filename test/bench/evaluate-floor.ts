/**
 * The floor: what a programmer would write by hand for the policies of a workload, without a language in between. It returns
 * the same Decision objects, which the benchmark asserts for every call.
 */
import type { Call, Decision, Determinant, Policy } from '@portcullis/policy-core';
import { RULE_NAMES, TITLE_PATTERN, type ToolPlan, type Workload } from './evaluate-workload.ts';

/** Everything about one tool in one policy that does not depend on the call. */
interface Guard {
  readonly owners: ReadonlySet<unknown>;
  readonly secretRepo: string;
  readonly maxAmount: number;
  readonly branchPrefix: string;
  readonly secretWord: string;
  readonly title: RegExp | null;
  readonly determinants: readonly [Determinant, Determinant, Determinant];
}

const NOTHING: readonly Determinant[] = [];

export function handWritten(workload: Workload): (call: Call) => Decision {
  const guards = new Map<string, Guard[]>();
  workload.plans.forEach((plan, index) => {
    const policy = workload.policies[index];
    if (policy === undefined) throw new Error('a plan without its policy');
    for (const tool of plan.tools) guards.set(tool.tool, [...(guards.get(tool.tool) ?? []), guardOf(tool, policy, workload.regex)]);
  });
  const allowedBy = workload.policies.map((policy): Determinant => ({ by: 'policy', source: policy.id, rule: null, entry: null, at: policy.defaultAt }));
  return (call) => {
    if (call.kind !== 'tool') throw new Error('the workload calls tools only');
    const matched = deniedBy(guards.get(call.name) ?? [], call.arguments);
    const [first] = matched;
    if (first === undefined) return { decision: 'allow', reason: 'allowed', message: null, rule: null, matched: allowedBy, observed: NOTHING };
    return { decision: 'deny', reason: 'rule', message: `Denied by rule "${first.rule ?? ''}"`, rule: first.rule, matched, observed: NOTHING };
  };
}

function deniedBy(guards: readonly Guard[], { owner, repo, amount, branch, title }: Extract<Call, { kind: 'tool' }>['arguments']): readonly Determinant[] {
  let matched: Determinant[] | null = null;
  for (const guard of guards) {
    if (!guard.owners.has(owner) || typeof repo !== 'string' || repo === guard.secretRepo) (matched ??= []).push(guard.determinants[0]);
    if (typeof amount !== 'number' || amount < 0 || amount > guard.maxAmount) (matched ??= []).push(guard.determinants[1]);
    if (typeof branch !== 'string' || !branch.startsWith(guard.branchPrefix) || typeof title !== 'string' || !titlePasses(title, guard)) (matched ??= []).push(guard.determinants[2]);
  }
  return matched ?? NOTHING;
}

function titlePasses(title: string, guard: Guard): boolean {
  return guard.title === null ? !title.includes(guard.secretWord) : guard.title.test(title);
}

function guardOf(plan: ToolPlan, policy: Policy, regex: boolean): Guard {
  const entry = policy.tools.find(({ pattern }) => pattern === plan.tool);
  const determinant = (index: number): Determinant => ({ by: 'rule', source: policy.id, rule: RULE_NAMES[index] ?? '', entry: plan.tool, at: entry?.rules[index]?.at ?? null });
  return {
    owners: new Set(plan.owners),
    secretRepo: plan.secretRepo,
    maxAmount: plan.maxAmount,
    branchPrefix: plan.branchPrefix,
    secretWord: plan.secretWord,
    title: regex ? new RegExp(TITLE_PATTERN) : null,
    determinants: [determinant(0), determinant(1), determinant(2)],
  };
}

/**
 * What the evaluator is measured on: policies about tools, each tool with three rules of two conditions, and calls of which about
 * one in eight is denied. The plans say the same to the hand-written floor and to Cedar.
 */
import { parsePolicy, type Call, type JsonObject, type Policy } from '@portcullis/policy-core';
import { random as randomFrom, type Random } from '../random.ts';

/** The numbers and texts that the rules of one tool in one policy hold. */
export interface ToolPlan {
  readonly tool: string;
  readonly owners: readonly string[];
  readonly secretRepo: string;
  readonly maxAmount: number;
  readonly branchPrefix: string;
  readonly secretWord: string;
}

export interface PolicyPlan {
  readonly id: string;
  readonly tools: readonly ToolPlan[];
}

export interface Workload {
  readonly name: string;
  /** Whether the last condition is a regular expression, which Cedar does not have. */
  readonly regex: boolean;
  readonly plans: readonly PolicyPlan[];
  readonly policies: readonly Policy[];
  readonly calls: readonly Call[];
}

export const SERVER = 'github';

/** The rules of every tool, in the order of the file. */
export const RULE_NAMES = ['our repositories', 'small amounts', 'its own branches'] as const;

/** What titles must match where the workload has regular expressions. Both dialects read it alike. */
export const TITLE_PATTERN = '^[A-Z][A-Za-z0-9 ,.-]{0,79}$';

/** No branch predictor learns the order by heart; every tool is called once at least. */
const LEAST_CALLS = 512;
/** Arguments are shared by calls, because those that a proxy has just read are in the processor's caches. */
const ARGUMENTS = 64;
/** One in so many arguments breaks a rule, some of some tools only. */
const BAD_ONE_IN = 8;
const VAULTS = 8;

/** One policy per entry of `tools`, which says how many of `allTools` tools it speaks about. */
export function makeWorkload(options: { readonly name: string; readonly policies: number; readonly toolsEach: number; readonly allTools: number; readonly regex: boolean; readonly seed: number }): Workload {
  const random = randomFrom(options.seed);
  const plans = Array.from({ length: options.policies }, (_, index) => planPolicy(index, options.toolsEach, options.allTools));
  const policies = plans.map((plan) => parsed(plan, options.regex));
  const sent = Array.from({ length: ARGUMENTS }, () => makeArguments(random));
  const tools = Array.from({ length: Math.max(LEAST_CALLS, options.allTools) }, (_, n) => n % options.allTools);
  const calls = random.shuffled(tools).map((tool): Call => ({ kind: 'tool', name: asReceived(toolName(tool)), arguments: random.pick(sent) }));
  return { name: options.name, regex: options.regex, plans, policies, calls };
}

function planPolicy(index: number, toolsEach: number, allTools: number): PolicyPlan {
  const tools = Array.from({ length: toolsEach }, (_, n) => planTool((index * toolsEach + n) % allTools));
  return { id: `team-${String(index).padStart(4, '0')}.yaml`, tools };
}

function planTool(n: number): ToolPlan {
  return {
    tool: toolName(n),
    owners: ['acme', 'acme-labs', `team-${n}`],
    secretRepo: `vault-${n % VAULTS}`,
    maxAmount: 1_000 + n,
    branchPrefix: 'agent/',
    secretWord: 'password',
  };
}

function toolName(n: number): string {
  return `${['create', 'update', 'merge', 'label'][n % 4] ?? ''}_thing_${n}`;
}

function parsed(plan: PolicyPlan, regex: boolean): Policy {
  const result = parsePolicy({ id: plan.id, bytes: new TextEncoder().encode(policyText(plan, regex)) });
  if (!result.ok) throw new Error(`the workload's policy does not parse: ${result.problems[0]?.message ?? ''}`);
  return asReceived(result.policy);
}

/** What crosses the wire as JSON; the engine keeps texts that were read from it in another form than those that were put together. */
function asReceived<T>(value: T): T {
  return JSON.parse(JSON.stringify(value)) as T;
}

function policyText(plan: PolicyPlan, regex: boolean): string {
  const tools = plan.tools.map(({ tool, owners, secretRepo, maxAmount, branchPrefix, secretWord }) => {
    const title = regex ? `op: regex, value: '${TITLE_PATTERN}'` : `op: not_contains, value: ${secretWord}`;
    return `  ${tool}:
    rules:
      - name: ${RULE_NAMES[0]}
        conditions: [{path: args.owner, op: in, value: [${owners.join(', ')}]}, {path: args.repo, op: neq, value: ${secretRepo}}]
      - name: ${RULE_NAMES[1]}
        conditions: [{path: args.amount, op: gte, value: 0}, {path: args.amount, op: lte, value: ${maxAmount}}]
      - name: ${RULE_NAMES[2]}
        conditions: [{path: args.branch, op: starts_with, value: ${branchPrefix}}, {path: args.title, ${title}}]
`;
  });
  return `version: "1"\nmatch: {server: ${SERVER}}\ntools:\n${tools.join('')}`;
}

function makeArguments(random: Random): JsonObject {
  const good = { owner: random.pick(['acme', 'acme-labs']), repo: `app-${random.below(50)}`, amount: random.below(1_000), branch: `agent/${random.below(1_000)}`, title: 'Mend the gate, part 2', body: 'It does not close.' };
  const bad = [{ owner: 'evil' }, { repo: `vault-${random.below(VAULTS)}` }, { amount: 1_000_000 }, { amount: -1 }, { branch: 'main' }, { title: 'the password' }, { owner: 'evil', branch: 'main' }];
  const sent = random.below(BAD_ONE_IN) === 0 ? { ...good, ...random.pick(bad) } : good;
  return asReceived(sent);
}

/**
 * The same policies in Cedar (cedar-wasm, nodejs build), asked through its fastest face: policies parsed once and kept on the
 * WebAssembly side, each call one `statefulIsAuthorized`. Every rule becomes a `forbid … unless`, under one `permit`.
 */
import * as cedar from '@cedar-policy/cedar-wasm/nodejs';
import type { Call } from '@portcullis/policy-core';
import { RULE_NAMES, type ToolPlan, type Workload } from './evaluate-workload.ts';

export interface CedarAnswer {
  readonly decision: 'allow' | 'deny';
  /** Ids of the rules that deny, as `ruleId` makes them. */
  readonly rules: readonly string[];
}

/** What one call costs, from JavaScript objects to JavaScript objects; and how to read what came back. */
export interface CedarEngine {
  ask(call: Call): cedar.AuthorizationAnswer;
  read(answer: cedar.AuthorizationAnswer): CedarAnswer;
}

export function ruleId(policy: string, tool: string, rule: string): string {
  return `${policy} / ${tool} / ${rule}`;
}

/** Null for a workload that Cedar cannot say (regular expressions). */
export function cedarEngine(workload: Workload): CedarEngine | null {
  if (workload.regex) return null;
  const set = workload.name;
  const forbids = workload.plans.flatMap(({ id, tools }) => tools.flatMap((tool) => forbidsOf(tool).map((text, index) => [ruleId(id, tool.tool, RULE_NAMES[index] ?? ''), text] as const)));
  const parsed = cedar.preparsePolicySet(set, { staticPolicies: { ...Object.fromEntries(forbids), open: 'permit(principal, action, resource);' } });
  if (parsed.type === 'failure') throw new Error(`Cedar does not accept the workload: ${parsed.errors[0]?.message ?? ''}`);
  return { ask: (call) => ask(set, call), read };
}

function forbidsOf({ tool, owners, secretRepo, maxAmount, branchPrefix, secretWord }: ToolPlan): readonly string[] {
  const head = `forbid(principal, action == Action::"${tool}", resource) unless`;
  const has = (name: string): string => `context has ${name} && context.${name}`;
  return [
    `${head} { context has owner && [${owners.map((owner) => `"${owner}"`).join(', ')}].contains(context.owner) && ${has('repo')} != "${secretRepo}" };`,
    `${head} { ${has('amount')} >= 0 && context.amount <= ${maxAmount} };`,
    `${head} { ${has('branch')} like "${branchPrefix}*" && context has title && !(context.title like "*${secretWord}*") };`,
  ];
}

const PRINCIPAL = { type: 'Agent', id: 'agent' };
const RESOURCE = { type: 'Server', id: 'github' };

function ask(preparsedPolicySetId: string, call: Call): cedar.AuthorizationAnswer {
  if (call.kind !== 'tool') throw new Error('the workload calls tools only');
  return cedar.statefulIsAuthorized({
    principal: PRINCIPAL,
    action: { type: 'Action', id: call.name },
    resource: RESOURCE,
    // Arguments of the workload are texts and whole numbers, which JSON and Cedar write alike.
    context: call.arguments as cedar.Context,
    preparsedPolicySetId,
    entities: [],
  });
}

function read(answer: cedar.AuthorizationAnswer): CedarAnswer {
  if (answer.type === 'failure') throw new Error(`Cedar failed: ${answer.errors[0]?.message ?? ''}`);
  const { decision, diagnostics } = answer.response;
  if (diagnostics.errors.length > 0) throw new Error(`a Cedar policy failed: ${diagnostics.errors[0]?.error.message ?? ''}`);
  return { decision, rules: decision === 'allow' ? [] : diagnostics.reason };
}

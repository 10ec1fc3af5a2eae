/** A gate over policy texts, as the proxy has one, that writes down everything it is asked and told. */
import { compilePolicies, decide, memoryCounters, parsePolicy, visibility } from '@portcullis/policy-core';
import type { Call, Decision, Enforcement, Outcome, Restriction } from '@portcullis/policy-core';
import type { Gate, ListsChanged } from '../../apps/proxy/src/relay/gate.ts';

export interface PolicyGate extends Gate {
  readonly judged: { readonly call: Call; readonly client: string | null; readonly decision: Decision; outcome: Outcome | null }[];
  readonly refused: { readonly what: string; readonly detail: string }[];
  /** Sessions that listen for changed lists. */
  listening(): number;
  /** Puts another policy in force and says that lists have changed. */
  swap(policy: string, restrictions?: readonly Restriction[]): void;
}

export const SERVER = 'upstream';
const NOW_MS = Date.UTC(2026, 10, 22, 12);
export const EVERYTHING_CHANGED: ListsChanged = { tools: true, resources: true, prompts: true };

export function lockdown(reason: string): Restriction {
  return { id: 'r1', selector: { server: [], labels: {} }, scope: { kind: 'all' }, readOnly: false, reason, actor: 'ops', imposedAtMs: NOW_MS, expiresAtMs: null };
}

export function createPolicyGate(policy: string, restrictions: readonly Restriction[] = []): PolicyGate {
  const counters = memoryCounters();
  let inForce = { enforcement: compile(policy), restrictions };
  const listeners = new Set<(changed: ListsChanged) => void>();
  const judged: PolicyGate['judged'] = [];
  const refused: { what: string; detail: string }[] = [];
  return {
    judged,
    refused,
    judge(call, client) {
      const context = { server: SERVER, labels: {}, upstream: null, clientName: client.name, nowMs: NOW_MS, staleMs: 0 };
      const verdict = decide({ ...inForce, call, context, counters });
      const entry: PolicyGate['judged'][number] = { call, client: client.name, decision: verdict.decision, outcome: null };
      judged.push(entry);
      return {
        decision: verdict.decision,
        settle(outcome) {
          if (entry.outcome !== null) throw new Error('settled twice');
          if (entry.decision.decision === 'deny') throw new Error('a denied call was settled');
          entry.outcome = outcome;
          verdict.settle(outcome);
        },
      };
    },
    lists: () => visibility(inForce.enforcement, inForce.restrictions),
    refuse: (refusal) => void refused.push(refusal),
    onListsChanged(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    listening: () => listeners.size,
    swap(text, next = []) {
      inForce = { enforcement: compile(text), restrictions: next };
      for (const listener of listeners) listener(EVERYTHING_CHANGED);
    },
  };
}

const compiled = new Map<string, Enforcement>();

function compile(text: string): Enforcement {
  const known = compiled.get(text);
  if (known !== undefined) return known;
  const parsed = parsePolicy({ id: `${SERVER}.yaml`, bytes: new TextEncoder().encode(text) });
  if (!parsed.ok) throw new Error(parsed.problems.map(({ line, message }) => `${line}: ${message}`).join('\n'));
  const enforcement = compilePolicies([parsed.policy], { server: SERVER, labels: {} }, null);
  compiled.set(text, enforcement);
  return enforcement;
}

/**
 * Which policies a call has to be shown to. A policy that only speaks about tools by their exact names need not be asked
 * about other tools, so that a thousand teams' policies cost a call no more than those that mean it.
 */
import type { Call } from '../call.ts';
import type { CompiledPolicy } from './policy.ts';

/** Visits the policies that may have something to say, in the order given. */
export type Dispatch = (call: Call, visit: (policy: CompiledPolicy) => void) => void;

interface Ranked {
  readonly rank: number;
  readonly policy: CompiledPolicy;
}

const NONE: readonly Ranked[] = [];

/** Compiles the dispatch of policies that are in order already. */
export function compileDispatch(policies: readonly CompiledPolicy[]): Dispatch {
  const broad: Ranked[] = [];
  const byTool = new Map<string, Ranked[]>();
  for (const [rank, policy] of policies.entries()) {
    if (policy.onlyTools === null) {
      broad.push({ rank, policy });
      continue;
    }
    for (const name of policy.onlyTools) {
      const sameTool = byTool.get(name);
      if (sameTool === undefined) byTool.set(name, [{ rank, policy }]);
      else sameTool.push({ rank, policy });
    }
  }
  return (call, visit) => {
    if (call.kind === 'tool') visitInOrder(broad, byTool.get(call.name) ?? NONE, visit);
    else for (const policy of policies) visit(policy);
  };
}

/** Both lists are in order; so is what is visited. */
function visitInOrder(some: readonly Ranked[], others: readonly Ranked[], visit: (policy: CompiledPolicy) => void): void {
  let next = 0;
  for (const one of some) {
    for (let other = others[next]; other !== undefined && other.rank < one.rank; other = others[++next]) visit(other.policy);
    visit(one.policy);
  }
  for (let other = others[next]; other !== undefined; other = others[++next]) visit(other.policy);
}

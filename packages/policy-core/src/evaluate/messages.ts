/** What an agent is told when a call is denied, without the prefix. The texts are Intercept's wherever it has one. */
import type { Call } from '../call.ts';
import type { Policy, Rule } from '../policy.ts';
import { quote } from './quote.ts';

export const INTERNAL_ERROR = 'Internal policy error';

/** Longer names are cut in messages: what a caller made up need not come back in full. */
const MAX_NAME_LENGTH = 200;

export function hiddenMessage(call: Call): string {
  return `${subjectOf(call)} is hidden by policy`;
}

export function defaultDenyMessage(call: Call): string {
  return `${subjectOf(call)} is not permitted by policy`;
}

export function ambiguousUriMessage(call: Call): string {
  return `${subjectOf(call)} can be read in more than one way; send it in its normal form`;
}

export function ruleMessage(rule: Rule): string {
  return onDeny(rule) ?? `Denied by rule ${quote(rule.name)}`;
}

/** A limit is reached. A spend limit says which, because its author wrote no message. */
export function limitMessage(rule: Rule): string {
  const text = onDeny(rule);
  if (text !== null) return text;
  const { counter } = rule;
  if (counter?.from === 'spend_limit' && counter.limit !== null) {
    return `Spend limit of ${counter.limit} per ${counter.window} exceeded for ${rule.name}`;
  }
  return `Rate limit exceeded for ${rule.name}`;
}

/** An amount is missing, negative or no number. Intercept has a text for `state`, which tells nothing, and no spend limits. */
export function amountMessage(rule: Rule): string {
  const { counter } = rule;
  if (counter?.from !== 'spend_limit' || counter.amount.kind !== 'argument') return INTERNAL_ERROR;
  return onDeny(rule) ?? `The amount ${quote(counter.amount.path)} must be a number of 0 or more, which ${quote(rule.name)} adds up`;
}

export function noPolicyMessage(server: string): string {
  const file = /^[A-Za-z0-9._-]{1,100}$/.test(server) ? `Add a file \`${server}.yaml\` to the policy directory, or ` : 'Add ';
  return `No policy admits server \`${clipped(server)}\`. ${file}\`match: { server: ${yamlScalar(clipped(server))} }\` to a policy.`;
}

export function wrongUpstreamMessage(policy: Policy): string {
  return `This server is not what policy ${quote(policy.id)} knows under its name: its command line or URL matches none of \`match.upstream\``;
}

export function staleMessage(policy: Policy, staleMs: number): string {
  const seconds = Number.isFinite(staleMs) ? `for ${Math.floor(staleMs / 1000)} s` : 'for an unknown time';
  return `The policy in force has not been confirmed ${seconds}; policy ${quote(policy.id)} allows ${Math.floor((policy.onStale?.afterMs ?? 0) / 1000)} s. Restore the connection to the control plane`;
}

/** An empty text is as good as none, as in Intercept. */
function onDeny(rule: Rule): string | null {
  return rule.onDeny === null || rule.onDeny === '' ? null : rule.onDeny;
}

function subjectOf(call: Call): string {
  switch (call.kind) {
    case 'tool':
      return `Tool ${quote(clipped(call.name))}`;
    case 'resource':
      return `Resource ${quote(clipped(call.uri))}`;
    case 'prompt':
      return `Prompt ${quote(clipped(call.name))}`;
    case 'method':
      return `Method ${quote(clipped(call.method))}`;
  }
}

function clipped(name: string): string {
  return name.length <= MAX_NAME_LENGTH ? name : `${name.slice(0, MAX_NAME_LENGTH)}…`;
}

function yamlScalar(text: string): string {
  return /^[A-Za-z][A-Za-z0-9._-]*$/.test(text) ? text : JSON.stringify(text);
}

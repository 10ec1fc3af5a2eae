/**
 * What the relay says itself, in the shapes that clients of both eras were seen to deliver to the model
 * (a tool denial is a result, because several hosts end the whole run on a protocol error).
 * Never structuredContent: it would have to match the tool's output schema.
 */
import type { Decision } from '@portcullis/policy-core';
import { isModern } from './era.ts';
import { INVALID_PARAMS } from './message.ts';
import type { Id, Request, Unclear } from './message.ts';

/** As much of a request as its answer depends on. */
export interface Asked {
  readonly id: Id;
  readonly method: string;
  /** The client wants a task instead of the result. */
  readonly task: boolean;
  readonly modern: boolean;
}

export function askedBy(request: Request): Asked {
  return { id: request.id, method: request.method, task: Object.hasOwn(request.params, 'task'), modern: isModern(request.params) };
}

/**
 * Own codes stand outside -32768..-32000, which JSON-RPC and MCP reserve; the last three digits are what HTTP would say.
 * -32000 and -32001 mean a closed connection and a timeout to the official clients.
 */
export const DENIED = -31403;
export const TOO_MANY_REQUESTS = -31429;
export const BAD_UPSTREAM = -31502;

const PREFIX = '[POLICY DENIED]';

/** What an agent hears of a denial. */
export function denialText(decision: Decision): string {
  return `${PREFIX} ${decision.message ?? 'not permitted by policy'}`;
}

/** The answer to a denied request. */
export function denial(asked: Asked, decision: Decision): string {
  const text = denialText(decision);
  // A client that asked for a task reads the result as a task's, and loses the reason.
  if (asked.method === 'tools/call' && !asked.task) return deniedToolResult(asked, text);
  return failure(asked.id, asked.method.startsWith('resources/') || asked.method === 'prompts/get' ? INVALID_PARAMS : DENIED, text);
}

function deniedToolResult({ id, modern }: Asked, text: string): string {
  const result = { content: [{ type: 'text', text }], isError: true };
  // Required of every result since 2026-07-28; earlier clients do not know it.
  return JSON.stringify({ jsonrpc: '2.0', id, result: modern ? { ...result, resultType: 'complete' } : result });
}

/** The answer to a name that no list shows, be it hidden or unknown (P4). It depends on nothing but id and name. */
export function unknownTool(id: Id, name: string): string {
  return failure(id, INVALID_PARAMS, `Unknown tool: ${name}`);
}

/** The answer to what was not forwarded because it is unclear; null where there is nobody to answer. */
export function refusal(unclear: Unclear): string | null {
  return unclear.answer ? failure(unclear.id, unclear.code, `Not forwarded by the policy proxy: ${unclear.detail}`) : null;
}

export function failure(id: Id | null, code: number, message: string): string {
  return JSON.stringify({ jsonrpc: '2.0', id, error: { code, message } });
}

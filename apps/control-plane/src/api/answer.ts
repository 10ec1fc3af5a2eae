/** The one shape of every error: `{ "error": { "code", "message" } }`. Messages are ours; no stack trace ever leaves. */
import type { ContentfulStatusCode } from 'hono/utils/http-status';
import type { Refusal, RefusalCode } from '../domain/command.ts';

export type ErrorCode =
  | RefusalCode
  | 'unauthorized'
  | 'wrong-host'
  | 'origin'
  | 'method'
  | 'too-large'
  | 'media-type'
  | 'too-many'
  | 'internal';

const STATUS: Readonly<Record<ErrorCode, ContentfulStatusCode>> = {
  invalid: 400,
  'reason-required': 400,
  unauthorized: 401,
  forbidden: 403,
  origin: 403,
  expired: 403,
  used: 403,
  'not-found': 404,
  method: 405,
  'already-done': 409,
  'expected-version': 409,
  'idempotency-conflict': 409,
  'needs-confirmation': 409,
  limit: 409,
  'too-large': 413,
  'media-type': 415,
  'wrong-host': 421,
  'too-many': 429,
  internal: 500,
  unavailable: 503,
};

/** The least that `Retry-After` can say. */
const SOON_SECONDS = 1;

/** An error as a response. `retryAfterSeconds` is set where waiting helps. */
export function refuse(code: ErrorCode, message: string, retryAfterSeconds?: number): Response {
  const headers: Record<string, string> = { 'content-type': 'application/json', 'cache-control': 'no-store' };
  if (code === 'unauthorized') headers['www-authenticate'] = 'Bearer realm="portcullis"';
  // What a resource does take has to be named (RFC 9110, 15.5.6); only streams refuse a method, and they take one.
  if (code === 'method') headers['allow'] = 'GET';
  if (retryAfterSeconds !== undefined) headers['retry-after'] = String(retryAfterSeconds);
  return new Response(JSON.stringify({ error: { code, message } }), { status: STATUS[code], headers });
}

export function refusal(refused: Refusal): Response {
  return refuse(refused.code, refused.message, refused.soon === true ? SOON_SECONDS : undefined);
}

/** A body that says yes. */
export function answer(body: unknown, status: 200 | 201 = 200): Response {
  return new Response(JSON.stringify(body), { status, headers: { 'content-type': 'application/json', 'cache-control': 'no-store' } });
}

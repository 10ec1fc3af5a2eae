/**
 * One declaration per route: what it takes (checked before its code runs), who may use it, what it answers. The OpenAPI
 * document is made of the same declarations, so that it cannot say anything else.
 */
import { createRoute, z } from '@hono/zod-openapi';
import type { Context } from 'hono';
import { refuse } from './answer.ts';
import type { Api, Bindings, Operator, Variables } from './parts.ts';
import { leastRole, whyNot } from './permissions.ts';
import type { Action } from './permissions.ts';

type Shape = z.ZodObject;
type Infer<S> = S extends z.ZodType ? z.output<S> : undefined;

export interface Declaration<Q, P, B> {
  readonly method: 'get' | 'post' | 'patch' | 'delete';
  /** With `{name}` for parameters. */
  readonly path: string;
  /** What the caller's role must permit. */
  readonly action: Action;
  readonly summary: string;
  /** What the answer holds, in words. */
  readonly answers: string;
  readonly query?: Q;
  readonly params?: P;
  readonly body?: B;
  readonly stream?: boolean;
}

export interface Asked<Q, P, B> {
  readonly query: Infer<Q>;
  readonly params: Infer<P>;
  readonly body: Infer<B>;
  readonly operator: Operator;
  /** The Idempotency-Key header. */
  readonly idem: string | null;
  readonly lastEventId: string | null;
  readonly signal: AbortSignal;
}

/** Adds a route to the API. Everything outside the declared shapes is answered before `handle` is called. */
export function declare<Q extends Shape | undefined = undefined, P extends Shape | undefined = undefined, B extends Shape | undefined = undefined>(
  api: Api,
  declaration: Declaration<Q, P, B>,
  handle: (asked: Asked<Q, P, B>) => Response | Promise<Response>,
): void {
  const { method, path, action, summary, query, params, body } = declaration;
  // A question about less than was asked for, or about everything, is answered wrongly: what is not known is refused, as it is in bodies.
  const asked: z.ZodObject = query ?? z.strictObject({});
  const route = createRoute({
    method,
    path,
    summary,
    description: `Needs the role \`${leastRole(action)}\` or a higher one.`,
    security: [{ operator: [] }],
    middleware: [permit(action)],
    request: {
      query: asked,
      ...(params === undefined ? {} : { params }),
      ...(body === undefined ? {} : { body: { required: true, content: { 'application/json': { schema: body } } } }),
    },
    responses: {
      [method === 'post' && path.endsWith('s') ? 201 : 200]: {
        description: declaration.answers,
        content: declaration.stream === true ? { 'text/event-stream': { schema: z.string() } } : { 'application/json': { schema: z.looseObject({}) } },
      },
      default: { description: 'What went wrong and what to do next.', content: { 'application/json': { schema: ERROR } } },
    },
  });
  // The declared schemas have run when this is called; a generic route cannot tell the compiler so.
  api.openapi(route, ((c: Context<{ Variables: Variables; Bindings: Bindings }>) => {
    const valid = (part: string): unknown => c.req.valid(part as never);
    const key = idempotencyKey(c.req.header('idempotency-key'));
    if (!key.ok) return refuse('invalid', key.message);
    // Hono answers HEAD from the route of GET and drops the body unread, so that a stream would never end.
    if (declaration.stream === true && c.req.method === 'HEAD') return refuse('method', 'A stream answers GET only.');
    return handle({
      query: (query === undefined ? undefined : valid('query')) as Infer<Q>,
      params: (params === undefined ? undefined : valid('param')) as Infer<P>,
      body: (body === undefined ? undefined : valid('json')) as Infer<B>,
      operator: c.get('operator'),
      idem: key.value,
      lastEventId: c.req.header('last-event-id') ?? null,
      signal: c.req.raw.signal,
    });
  }) as never);
}

export const ERROR = z.object({ error: z.object({ code: z.string(), message: z.string() }) }).openapi('Error');

/** Long enough for a UUID with a prefix, short enough to index. */
const MAX_IDEMPOTENCY_KEY = 128;

function idempotencyKey(header: string | undefined): { readonly ok: true; readonly value: string | null } | { readonly ok: false; readonly message: string } {
  if (header === undefined) return { ok: true, value: null };
  if (header.length <= MAX_IDEMPOTENCY_KEY && /^[\x21-\x7e]+$/.test(header)) return { ok: true, value: header };
  return { ok: false, message: `Idempotency-Key must be 1 to ${MAX_IDEMPOTENCY_KEY} visible ASCII characters.` };
}

function permit(action: Action) {
  return async (c: Context<{ Variables: Variables; Bindings: Bindings }>, next: () => Promise<void>): Promise<Response | undefined> => {
    const refused = whyNot(c.get('operator').token, action);
    if (refused !== null) return refuse('forbidden', refused);
    await next();
    return undefined;
  };
}

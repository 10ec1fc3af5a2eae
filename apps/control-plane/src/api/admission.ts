/**
 * What every request passes before any route: it must name this plane as its host (DNS rebinding), must not come from a web
 * page, must carry a token that the log knows, and must be small and unambiguous JSON.
 */
import type { MiddlewareHandler } from 'hono';
import { InexactNumber, parseStrict } from '@portcullis/policy-core';
import type { JsonValue } from '@portcullis/policy-core';
import { refuse } from './answer.ts';
import { recognise } from './operator-token.ts';
import type { ApiParts, Bindings, Variables } from './parts.ts';

/** The largest request is a restriction with many globs; policy texts never come this way. */
const MAX_BODY_BYTES = 64 * 1024;
/** Deeper than any request of the API. */
const MAX_BODY_DEPTH = 16;
/** A body of the largest size made of one-character values would hold more; none that we read does. */
const MAX_BODY_VALUES = 10_000;
const SAFE_METHODS: ReadonlySet<string> = new Set(['GET', 'HEAD']);

/** Paths below /v1 that need no operator token: the document that describes the API, which log this is, and hosts that join (they bring a token of their own). */
const OPEN_PATHS: ReadonlySet<string> = new Set(['/v1/openapi.json', '/v1/identity', '/v1/join']);

type Guard = MiddlewareHandler<{ Variables: Variables; Bindings: Bindings }>;

/** The checks, in the order in which they run. */
export function admission(parts: Pick<ApiParts, 'hostNames' | 'localTokens' | 'plane'>): readonly Guard[] {
  const known = authenticate(parts);
  // Who asks is known before anything of a body is read; and asked again when it has been, because a slow one outlasts a revocation.
  return [checkHost(parts.hostNames), refuseOrigin, known, limitBody, checkJson, known];
}

function checkHost(hostNames: ReadonlySet<string>): Guard {
  return async (c, next) => {
    const asked = [hostName(c.req.header('host')), hostName(new URL(c.req.url).host)];
    if (asked.every((name) => name === undefined || hostNames.has(name)) && asked.some((name) => name !== undefined)) return next();
    return refuse('wrong-host', 'This plane does not answer under that host name. Use the URL that `portcullis serve` printed, or start it with --public-name.');
  };
}

/** The name in `name:port`, lower case; brackets of IPv6 addresses stay. Undefined where there is no header. */
function hostName(header: string | undefined): string | undefined {
  return header?.replace(/:\d*$/, '').toLowerCase();
}

const refuseOrigin: Guard = async (c, next) => {
  if (SAFE_METHODS.has(c.req.method) || c.req.header('origin') === undefined) return next();
  return refuse('origin', 'Requests from web pages may not change anything here.');
};

/**
 * Reads the body once and counts it, whatever its head claims; whoever asks for it later gets these bytes. Hono's own limit makes a new
 * Request of a body without a length, which fails on the Node server's lightweight ones.
 */
const limitBody: Guard = async (c, next) => {
  if (SAFE_METHODS.has(c.req.method)) return next();
  if (Number(c.req.header('content-length') ?? 0) > MAX_BODY_BYTES) return tooLarge();
  const bytes = await readBody(c.req.raw.body);
  if (bytes === 'too-large') return tooLarge();
  if (bytes === 'cut-off') return refuse('invalid', 'The body ended before its end.');
  // The type is that of what is read; what Hono keeps is the promise of it.
  c.req.bodyCache.arrayBuffer = Promise.resolve(bytes) as never;
  return next();
};

function tooLarge(): Response {
  return refuse('too-large', `A request body may have ${MAX_BODY_BYTES} bytes.`);
}

async function readBody(body: ReadableStream<Uint8Array> | null): Promise<ArrayBuffer | 'too-large' | 'cut-off'> {
  if (body === null) return new ArrayBuffer(0);
  const chunks: Uint8Array[] = [];
  let size = 0;
  try {
    for await (const chunk of body) {
      size += chunk.byteLength;
      if (size > MAX_BODY_BYTES) return 'too-large';
      chunks.push(chunk);
    }
  } catch {
    return 'cut-off';
  }
  return Uint8Array.from(Buffer.concat(chunks)).buffer;
}

/** A body that two parsers could read differently is refused before any schema sees it. */
const checkJson: Guard = async (c, next) => {
  if (SAFE_METHODS.has(c.req.method)) return next();
  const bytes = await c.req.arrayBuffer();
  if (bytes.byteLength === 0) return next();
  const type = (c.req.header('content-type') ?? '').split(';')[0]?.trim().toLowerCase();
  if (type !== 'application/json') return refuse('media-type', 'Send the body as application/json.');
  const text = decode(bytes);
  if (text === undefined) return refuse('invalid', 'The body is not UTF-8.');
  const parsed = parseStrict(text, { maxDepth: MAX_BODY_DEPTH, maxValues: MAX_BODY_VALUES });
  if (!parsed.ok) return refuse('invalid', `The body is not plain JSON: ${parsed.problem.message} (at character ${parsed.problem.offset}).`);
  if (hasUnreadableKey(parsed.value)) return refuse('invalid', 'The key "__proto__" means nothing here. Leave it out.');
  return next();
};

/** A schema's record passes over this one key without a word, and nothing that was asked for may be passed over. */
function hasUnreadableKey(value: JsonValue): boolean {
  if (typeof value !== 'object' || value === null || value instanceof InexactNumber) return false;
  return Object.hasOwn(value, '__proto__') || Object.values(value).some(hasUnreadableKey);
}

function decode(bytes: ArrayBuffer): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

function authenticate({ plane, localTokens }: Pick<ApiParts, 'plane' | 'localTokens'>): Guard {
  return async (c, next) => {
    const { path } = c.req;
    if (!path.startsWith('/v1/') || OPEN_PATHS.has(path)) return next();
    const [, presented] = /^Bearer ([\x21-\x7e]+)$/i.exec(c.req.header('authorization') ?? '') ?? [];
    const token = presented === undefined ? undefined : recognise(presented, plane.state().operatorTokens);
    if (token === undefined) return refuse('unauthorized', 'A valid operator token is needed: `Authorization: Bearer pcop_…`.');
    c.set('operator', { token, auth: { method: localTokens.has(token.token) ? 'local' : 'token', ref: token.token } });
    return next();
  };
}

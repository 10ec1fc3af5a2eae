/** The HTTP API: admission, then routes, then one place where what should never happen becomes `internal`. */
import { OpenAPIHono } from '@hono/zod-openapi';
import { HTTPException } from 'hono/http-exception';
import type { z } from 'zod';
import { admission } from './admission.ts';
import { refuse } from './answer.ts';
import type { Api, ApiParts, Bindings, Variables } from './parts.ts';
import { addAccess } from './routes/access.ts';
import { addChanges } from './routes/changes.ts';
import { addHistory } from './routes/history.ts';
import { addKeeping } from './routes/keeping.ts';
import { addOpen } from './routes/open.ts';
import { addOverview } from './routes/overview.ts';
import { addRestrictions } from './routes/restrictions.ts';
import { addStreams } from './routes/streams.ts';

/** How many faults of one request are named; the first ones are what its author mends first. */
const MAX_ISSUES = 5;

/** Builds the API over a plane. The OpenAPI document is at /v1/openapi.json. */
export function createApi(parts: ApiParts): Api {
  const api: Api = new OpenAPIHono<{ Variables: Variables; Bindings: Bindings }>({
    defaultHook: (result) => (result.success ? undefined : refuse('invalid', issues(result.error))),
  });
  api.onError((error) => {
    if (error instanceof HTTPException) return refuse(error.status === 415 ? 'media-type' : 'invalid', error.status === 415 ? 'Send the body as application/json.' : 'The request cannot be read.');
    parts.complain(`api: ${error.stack ?? error.message}`);
    return refuse('internal', 'The plane failed at this request; what happened is on its standard error.');
  });
  api.notFound(() => refuse('not-found', 'There is nothing at this path. /v1/openapi.json lists what there is.'));
  for (const guard of admission(parts)) api.use('*', guard);
  addOpen(api, parts);
  addOverview(api, parts);
  addHistory(api, parts);
  addStreams(api, parts);
  addRestrictions(api, parts);
  addChanges(api, parts);
  addAccess(api, parts);
  addKeeping(api, parts);
  api.openAPIRegistry.registerComponent('securitySchemes', 'operator', { type: 'http', scheme: 'bearer', description: 'An operator token, `pcop_…`.' });
  api.doc31('/v1/openapi.json', { openapi: '3.1.0', info: { title: 'Portcullis', version: '1', description: 'The control plane: what is in force, what was, and what operators may do about it.' } });
  return api;
}

function issues(error: z.core.$ZodError): string {
  const named = error.issues.slice(0, MAX_ISSUES).map((issue) => `${issue.path.join('.') || 'the request'} ${inWords(issue)}`);
  const more = error.issues.length - named.length;
  return named.join('; ') + (more > 0 ? `; and ${more} more` : '');
}

/** Sentences that the schema library makes by itself; ours start otherwise. */
const STOCK = /^(?:Too |Invalid |Unrecognized )/;

/** What must be different, as the end of a sentence about the field. */
function inWords(issue: z.core.$ZodIssue): string {
  if (!STOCK.test(issue.message)) return issue.message;
  switch (issue.code) {
    case 'too_small':
      return `must be at least ${String(issue.minimum)}${COUNTED[issue.origin] ?? ''}`;
    case 'too_big':
      return `must be at most ${String(issue.maximum)}${COUNTED[issue.origin] ?? ''}`;
    case 'invalid_type':
      return issue.message.endsWith('received undefined') ? `is missing: it must be of type ${issue.expected}` : `must be of type ${issue.expected}`;
    case 'invalid_value':
      return `must be ${issue.values.length > 1 ? 'one of ' : ''}${issue.values.map(String).join(', ')}`;
    case 'unrecognized_keys':
      return `has fields that are not known here: ${issue.keys.join(', ')}`;
    case 'invalid_key':
      return issue.issues.map(inWords).join('; ');
    default:
      return issue.message;
  }
}

/** What the bounds of a length count. */
const COUNTED: Readonly<Record<string, string>> = { string: ' characters long', array: ' entries long' };

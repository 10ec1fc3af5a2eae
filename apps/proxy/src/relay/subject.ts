/**
 * What a message asks for, in a policy's words: the calls that must all be allowed before it is forwarded. A message whose
 * named parts are missing, of the wrong type or in disguise asks for nothing clear, and is refused (P2).
 */
import type { Call, JsonObject, JsonValue } from '@portcullis/policy-core';
import { CLIENT_INFO_KEY, isModern, PROTOCOL_VERSION_KEY } from './era.ts';
import { findCollision, findDisguise, reserve } from './fold.ts';
import type { ReservedKeys } from './fold.ts';
import { isObject, own } from './message.ts';
import type { Notification, Request } from './message.ts';
import { hasWrongForm, isPlumbing } from './plumbing.ts';
import type { Sender } from './plumbing.ts';

export type Subject =
  /** No calls: plumbing. */
  | { readonly ok: true; readonly calls: readonly Call[] }
  | { readonly ok: false; readonly fault: 'form' | 'params'; readonly detail: string };

/** Every resource of a subscription is judged; a client that watches more opens a second one. */
const MAX_SUBSCRIBED_RESOURCES = 1000;

/** The parts of `params` that the relay or a policy reads, besides `_meta`. */
const READ_PARTS: ReadonlyMap<string, ReservedKeys> = new Map(
  Object.entries({
    'initialize': ['protocolVersion', 'clientInfo'],
    'tools/list': ['cursor'],
    'tools/call': ['name', 'arguments', 'task'],
    'resources/read': ['uri', 'task'],
    'resources/subscribe': ['uri'],
    'resources/unsubscribe': ['uri'],
    'prompts/get': ['name', 'arguments', 'task'],
    'completion/complete': ['ref'],
    'subscriptions/listen': ['notifications'],
    'notifications/cancelled': ['requestId'],
  }).map(([method, keys]) => [method, reserve(['_meta', ...keys])]),
);
const META_ONLY = reserve(['_meta']);
const META_PARTS = reserve([PROTOCOL_VERSION_KEY, CLIENT_INFO_KEY]);
const REF_PARTS = reserve(['type', 'name', 'uri']);
const LISTEN_PARTS = reserve(['toolsListChanged', 'promptsListChanged', 'resourcesListChanged', 'resourceSubscriptions']);

export function subjectOf(sender: Sender, message: Request | Notification): Subject {
  const { method, params } = message;
  if (hasWrongForm(message.kind, method)) {
    return { ok: false, fault: 'form', detail: message.kind === 'request' ? `${method} is a notification and has no id` : `${method} is a request and needs an id` };
  }
  const disguise = findDisguise(Object.keys(params), READ_PARTS.get(method) ?? META_ONLY);
  if (disguise !== null) return bad(`the key ${JSON.stringify(disguise)} of params may be taken for another`);
  const meta = own(params, '_meta') ?? {};
  if (!isObject(meta)) return bad('_meta must be an object');
  const metaDisguise = findDisguise(Object.keys(meta), META_PARTS);
  if (metaDisguise !== null) return bad(`the key ${JSON.stringify(metaDisguise)} of _meta may be taken for another`);
  if (sender === 'client' && message.kind === 'request') {
    const read = NAMED.get(method);
    if (read !== undefined) return read(params, method);
  }
  return isPlumbing(sender, message.kind, method) ? { ok: true, calls: [] } : { ok: true, calls: [{ kind: 'method', method, params }] };
}

const NAMED: ReadonlyMap<string, (params: JsonObject, method: string) => Subject> = new Map([
  ['tools/call', toolCall],
  ['resources/read', resource],
  ['resources/subscribe', resource],
  ['resources/unsubscribe', resource],
  ['prompts/get', prompt],
  ['completion/complete', completion],
  ['subscriptions/listen', subscription],
]);

function toolCall(params: JsonObject): Subject {
  const named = nameAndArguments(params, 'tools/call');
  return named.ok ? { ok: true, calls: [{ kind: 'tool', ...named.value }] } : named;
}

function prompt(params: JsonObject): Subject {
  const named = nameAndArguments(params, 'prompts/get');
  return named.ok ? { ok: true, calls: [{ kind: 'prompt', ...named.value }] } : named;
}

function resource(params: JsonObject, method: string): Subject {
  const uri = own(params, 'uri');
  // 2026-07-28 has neither of these methods, and its servers say so before they look at what is asked for.
  if (uri === undefined && method !== 'resources/read' && isModern(params)) return { ok: true, calls: [{ kind: 'method', method, params }] };
  return typeof uri === 'string' ? { ok: true, calls: [{ kind: 'resource', method, uri }] } : bad(`${method} needs "uri", a string`);
}

/** A completion tells what its prompt or resource holds, so both the method and what it refers to must be allowed. */
function completion(params: JsonObject, method: string): Subject {
  const itself: Call = { kind: 'method', method, params };
  const ref = own(params, 'ref');
  if (ref === undefined) return { ok: true, calls: [itself] };
  if (!isObject(ref)) return bad('"ref" must be an object');
  const disguise = findDisguise(Object.keys(ref), REF_PARTS);
  if (disguise !== null) return bad(`the key ${JSON.stringify(disguise)} of ref may be taken for another`);
  const type = own(ref, 'type');
  const name = own(ref, 'name');
  const uri = own(ref, 'uri');
  if (type === 'ref/prompt' && typeof name === 'string' && uri === undefined) return { ok: true, calls: [itself, { kind: 'prompt', name, arguments: {} }] };
  if (type === 'ref/resource' && typeof uri === 'string' && name === undefined) return { ok: true, calls: [itself, { kind: 'resource', method, uri }] };
  return bad('"ref" must be {"type":"ref/prompt","name":…} or {"type":"ref/resource","uri":…}');
}

/** Listening is plumbing; the resources it watches are subscribed to, as resources/subscribe did before. */
function subscription(params: JsonObject, method: string): Subject {
  const wanted = own(params, 'notifications') ?? {};
  if (!isObject(wanted)) return bad('"notifications" must be an object');
  const disguise = findDisguise(Object.keys(wanted), LISTEN_PARTS);
  if (disguise !== null) return bad(`the key ${JSON.stringify(disguise)} of notifications may be taken for another`);
  const uris = own(wanted, 'resourceSubscriptions') ?? [];
  if (!Array.isArray(uris)) return bad('"resourceSubscriptions" must be an array');
  if (uris.length > MAX_SUBSCRIBED_RESOURCES) return bad(`more than ${MAX_SUBSCRIBED_RESOURCES} resources in one subscription`);
  const calls: Call[] = [];
  for (const uri of uris as readonly JsonValue[]) {
    if (typeof uri !== 'string') return bad('"resourceSubscriptions" holds what is no string');
    calls.push({ kind: 'resource', method, uri });
  }
  return { ok: true, calls };
}

function nameAndArguments(
  params: JsonObject,
  method: string,
): { readonly ok: true; readonly value: { readonly name: string; readonly arguments: JsonObject } } | { readonly ok: false; readonly fault: 'params'; readonly detail: string } {
  const name = own(params, 'name');
  if (typeof name !== 'string' || name === '') return bad(`${method} needs "name", a string`);
  // Null is how some clients write that there are none; every server reads it so or refuses it.
  const given = own(params, 'arguments') ?? {};
  if (!isObject(given)) return bad('"arguments" must be an object');
  const collision = findCollision(Object.keys(given));
  if (collision !== null) return bad(`the argument ${JSON.stringify(collision)} may be taken for another of this call`);
  return { ok: true, value: { name, arguments: given } };
}

function bad(detail: string): { readonly ok: false; readonly fault: 'params'; readonly detail: string } {
  return { ok: false, fault: 'params', detail };
}

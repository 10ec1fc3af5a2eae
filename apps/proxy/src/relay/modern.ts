/**
 * What only 2026-07-28 has: subscriptions instead of a session's notifications, lists that clients may cache, and requests
 * of the server that travel inside a result (`inputRequests`) instead of on their own.
 */
import type { Call, JsonObject } from '@portcullis/policy-core';
import { SUBSCRIPTION_ID_KEY } from './era.ts';
import { insertMember } from './edit.ts';
import type { Edit } from './edit.ts';
import type { ListsChanged } from './gate.ts';
import { isObject, own } from './message.ts';
import type { Id } from './message.ts';
import { membersOf } from './outline.ts';
import type { Member } from './outline.ts';

/** How long a client may keep a list without asking again: about what an operator would call at once. */
const LONGEST_LIST_TTL_MS = 5_000;
/** Open subscriptions of one client. More are served by the upstream, but hear nothing of policy swaps. */
const MAX_SUBSCRIPTIONS = 64;
/** Questions inside one result; a server with more is not asking. */
const MAX_INPUT_REQUESTS = 100;

const WANTED = { tools: 'toolsListChanged', resources: 'resourcesListChanged', prompts: 'promptsListChanged' } as const;
const KINDS = ['tools', 'resources', 'prompts'] as const;

export interface Subscriptions {
  readonly size: number;
  /** `subscriptions/listen` was forwarded. */
  open(id: Id, params: JsonObject): void;
  /** The upstream acknowledges: from here on the subscription hears of changes. Returns what must be added to what it granted. */
  acknowledge(bytes: Buffer, params: Member, value: JsonObject): Edit[];
  /** The request was answered or cancelled. */
  close(id: Id): void;
  /** What to tell each subscription about changed lists, one message each. */
  notices(changed: ListsChanged): string[];
}

export function createSubscriptions(): Subscriptions {
  const open = new Map<Id, { readonly wanted: ListsChanged; active: boolean }>();
  return {
    get size() {
      return open.size;
    },
    open(id, params) {
      if (open.size < MAX_SUBSCRIPTIONS) open.set(id, { wanted: wantedIn(params), active: false });
    },
    acknowledge(bytes, params, value) {
      const meta = own(value, '_meta');
      const id = isObject(meta) ? own(meta, SUBSCRIPTION_ID_KEY) : undefined;
      const subscription = typeof id === 'string' || typeof id === 'number' ? open.get(id) : undefined;
      if (subscription === undefined) return [];
      subscription.active = true;
      return grant(bytes, params, value, subscription.wanted);
    },
    close(id) {
      open.delete(id);
    },
    notices(changed) {
      return [...open].filter(([, { active }]) => active).flatMap(([id, { wanted }]) => noticesFor(id, wanted, changed));
    },
  };
}

function wantedIn(params: JsonObject): ListsChanged {
  const filter = own(params, 'notifications');
  const wants = (key: string): boolean => isObject(filter) && own(filter, key) === true;
  return { tools: wants(WANTED.tools), resources: wants(WANTED.resources), prompts: wants(WANTED.prompts) };
}

function noticesFor(id: Id, wanted: ListsChanged, changed: ListsChanged): string[] {
  return KINDS.filter((kind) => wanted[kind] && changed[kind]).map((kind) =>
    JSON.stringify({ jsonrpc: '2.0', method: `notifications/${kind}/list_changed`, params: { _meta: { [SUBSCRIPTION_ID_KEY]: id } } }),
  );
}

/** Adds to an acknowledgement what the upstream does not send but the relay does. */
function grant(bytes: Buffer, params: Member, value: JsonObject, wanted: ListsChanged): Edit[] {
  const filter = (params.members ?? []).find((member) => member.key === 'notifications');
  const granted = own(value, 'notifications');
  if (filter === undefined || !isObject(granted)) return [];
  const missing = KINDS.filter((kind) => wanted[kind] && own(granted, WANTED[kind]) !== true);
  const spelled = membersOf(bytes, filter) ?? [];
  const absent = missing.filter((kind) => !spelled.some((member) => member.key === WANTED[kind]));
  const denied = spelled.filter((member) => missing.some((kind) => WANTED[kind] === member.key));
  const edits: Edit[] = denied.map(({ start, end }) => ({ start, end, text: 'true' }));
  if (absent.length > 0) edits.push(insertMember(bytes, filter, absent.map((kind) => `"${WANTED[kind]}":true`).join()));
  return edits;
}

/** Keeps a client from showing an old list long after a policy has changed, and a shared cache from showing it to others. */
export function limitCaching(bytes: Buffer, result: Member): Edit[] {
  return (result.members ?? []).flatMap((member): Edit[] => {
    const written = bytes.toString('latin1', member.start, Math.min(member.end, member.start + 32));
    const { start, end } = member;
    if (member.key === 'ttlMs' && Number(written) > LONGEST_LIST_TTL_MS) return [{ start, end, text: String(LONGEST_LIST_TTL_MS) }];
    return member.key === 'cacheScope' && written === '"public"' ? [{ start, end, text: '"private"' }] : [];
  });
}

/**
 * What the server asks of the agent inside a result or notification, as calls: the same policy speaks about them as about
 * requests of earlier revisions. Null where that cannot be read.
 */
export function inputRequestsOf(holder: JsonObject): Call[] | null {
  const requests = own(holder, 'inputRequests') ?? {};
  if (!isObject(requests)) return null;
  const all = Object.values(requests);
  if (all.length > MAX_INPUT_REQUESTS) return null;
  const calls: Call[] = [];
  for (const request of all) {
    if (!isObject(request)) return null;
    const method = own(request, 'method');
    const params = own(request, 'params') ?? {};
    if (typeof method !== 'string' || !isObject(params)) return null;
    calls.push({ kind: 'method', method, params });
  }
  return calls;
}

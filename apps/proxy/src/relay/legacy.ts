/** What only the revisions up to 2025-11-25 have: one handshake for the whole session, and batches in one of them. */
import type { JsonObject } from '@portcullis/policy-core';
import { nameIn } from './era.ts';
import type { ListsChanged } from './gate.ts';
import { own } from './message.ts';

/** What the handshake has settled so far. */
export interface Handshake {
  readonly clientName: string | null;
  /** The revision that the upstream chose; null before its answer. */
  readonly revision: string | null;
  /** The lists that the upstream has. */
  readonly lists: ListsChanged;
  /** The client has said that it is ready: from here on it may be sent notifications. */
  readonly ready: boolean;
}

export const NO_HANDSHAKE: Handshake = { clientName: null, revision: null, lists: { tools: false, resources: false, prompts: false }, ready: false };

/** The only revision with JSON-RPC batches (removed again in 2025-06-18). */
const REVISION_WITH_BATCHES = '2025-03-26';

export function allowsBatches(handshake: Handshake): boolean {
  return handshake.revision === REVISION_WITH_BATCHES;
}

/** The client has asked for `initialize`. */
export function greeted(handshake: Handshake, params: JsonObject): Handshake {
  return { ...handshake, clientName: nameIn(params, 'clientInfo') };
}

/** The upstream has answered `initialize`. */
export function accepted(handshake: Handshake, result: JsonObject, lists: ListsChanged): Handshake {
  const revision = own(result, 'protocolVersion');
  return { ...handshake, revision: typeof revision === 'string' ? revision : null, lists };
}

/** What to tell the client about changed lists, one message each. Nothing before it is ready: it has not listed anything yet. */
export function listChangeNotices(handshake: Handshake, changed: ListsChanged): string[] {
  if (!handshake.ready) return [];
  return (['tools', 'resources', 'prompts'] as const)
    .filter((kind) => changed[kind] && handshake.lists[kind])
    .map((kind) => JSON.stringify({ jsonrpc: '2.0', method: `notifications/${kind}/list_changed` }));
}

/**
 * The era of one message. Since 2026-07-28 every request says in its `_meta` which revision it speaks and who asks; up to
 * 2025-11-25 `initialize` says it once. What differs beyond that is in legacy.ts and modern.ts.
 */
import type { JsonObject } from '@portcullis/policy-core';
import { isObject, own } from './message.ts';

export const PROTOCOL_VERSION_KEY = 'io.modelcontextprotocol/protocolVersion';
export const CLIENT_INFO_KEY = 'io.modelcontextprotocol/clientInfo';
export const CLIENT_CAPABILITIES_KEY = 'io.modelcontextprotocol/clientCapabilities';
export const SUBSCRIPTION_ID_KEY = 'io.modelcontextprotocol/subscriptionId';

/** A name is for conditions and records; a longer one is not a name. */
const MAX_CLIENT_NAME_CHARACTERS = 256;

/** Whether the request carries the envelope of 2026-07-28. */
export function isModern(params: JsonObject): boolean {
  const meta = own(params, '_meta');
  return isObject(meta) && typeof own(meta, PROTOCOL_VERSION_KEY) === 'string';
}

/** The name in a `clientInfo`; null where there is none. */
export function nameIn(holder: JsonObject | undefined, key: string): string | null {
  const info = holder === undefined ? undefined : own(holder, key);
  const name = isObject(info) ? own(info, 'name') : undefined;
  return typeof name === 'string' && name.length <= MAX_CLIENT_NAME_CHARACTERS ? name : null;
}

/** Who asks: what this request says, else what `initialize` said. */
export function clientNameOf(params: JsonObject, fromInitialize: string | null): string | null {
  const meta = own(params, '_meta');
  return isObject(meta) && isModern(params) ? nameIn(meta, CLIENT_INFO_KEY) : fromInitialize;
}

/**
 * How an event lies in the log (DESIGN section 5). The entry is the exact bytes that the tree covers; it names everything else
 * by hash. The body is a plain payload, kept for ever. Free text and people's names are salted payloads: they can be erased,
 * and the entry, the order and every proof stay valid.
 */
import { hash } from 'node:crypto';
import { canonicalJson } from '@portcullis/policy-core';
import type { Restriction } from '@portcullis/policy-core';
import { MAX_ENTRY_BYTES } from '@portcullis/tlog';
import { ERASED } from '../domain/events.ts';
import type { EventType, PlaneEvent, Recorded } from '../domain/events.ts';
import { SCHEMA, upcast } from './upcast.ts';

/** Salt of an erasable payload: a hash of a short text must not be guessable. */
const SALT_BYTES = 32;

/** Bytes that an entry binds by hash. `salt` is null for what is never erased. */
export interface Payload {
  /** SHA-256 (hex) of the body, or of salt and body. */
  readonly sha256: string;
  readonly salt: Uint8Array | null;
  readonly body: Uint8Array;
}

/** A payload as it is stored; both are null once it was erased. */
export interface StoredPayload {
  readonly salt: Uint8Array | null;
  readonly body: Uint8Array | null;
}

/** Everything about an event but its place in the tree. `n` counts the events of one idempotent command. */
export interface Unsealed extends Omit<Recorded, 'seq' | 'reasonErased'> {
  readonly n: number;
}

export interface EncodedEvent {
  readonly entry: Buffer;
  readonly payloads: readonly Payload[];
}

/**
 * @param seq its place, which is its leaf index
 * @param prev base64 of the tree's root before it
 */
export function encodeEvent(seq: number, prev: string, unsealed: Unsealed, random: (bytes: number) => Uint8Array): EncodedEvent {
  const { open, closed } = separate(unsealed.event);
  const hidden = closed === null ? null : salted(canonicalJson(closed), random);
  const reason = unsealed.reason === null ? null : salted(unsealed.reason, random);
  const body = Buffer.from(canonicalJson(hidden === null ? open : { ...open, hidden_sha256: hidden.sha256 }));
  const payload: Payload = { sha256: payloadHash(null, body), salt: null, body };
  const { id, event, atMs, actor, auth, idem, commandSha256, cause, n } = unsealed;
  const entry = Buffer.from(
    JSON.stringify({
      seq,
      id,
      type: event.type,
      schema: SCHEMA,
      ts_ms: atMs,
      actor: { kind: actor.kind, id: actor.id },
      auth: { method: auth.method, ref: auth.ref },
      reason_sha256: reason?.sha256 ?? null,
      payload_sha256: payload.sha256,
      payload_len: body.length,
      idem: idem === null ? null : { key: idem, command_sha256: commandSha256, n },
      cause,
      prev,
    }),
  );
  if (entry.length > MAX_ENTRY_BYTES) throw new RangeError(`an entry has at most ${MAX_ENTRY_BYTES} bytes, not ${entry.length}`);
  return { entry, payloads: [payload, hidden, reason].filter((one) => one !== null) };
}

/** What `decodeEvent` reads of an entry. */
interface EntryFields {
  readonly seq: number;
  readonly id: string;
  readonly type: EventType;
  readonly schema: number;
  readonly ts_ms: number;
  readonly actor: Recorded['actor'];
  readonly auth: Recorded['auth'];
  readonly reason_sha256: string | null;
  readonly payload_sha256: string;
  readonly idem: { readonly key: string; readonly command_sha256: string; readonly n: number } | null;
  readonly cause: string | null;
}

/** Reads a payload by its hash. */
export type PayloadReader = (sha256: string) => StoredPayload | undefined;

/** Thrown when the log does not hold what it says it holds. Whoever opens or reads it turns this into one clear line. */
export class DamagedLog extends Error {
  override readonly name = 'DamagedLog';
}

/** The event that an entry records. Throws DamagedLog for a payload that is missing or altered, and for an unknown type or schema. */
export function decodeEvent(entry: Uint8Array, payload: PayloadReader): Recorded {
  // The tree covers these bytes and this program wrote them, so their form is not checked again.
  const fields = JSON.parse(Buffer.from(entry.buffer, entry.byteOffset, entry.byteLength).toString('utf8')) as EntryFields;
  const { seq, type } = fields;
  const body = payloadText(seq, fields.payload_sha256, payload);
  if (body === null) throw new DamagedLog(`the payload of event ${seq} was erased, though it may never be`);
  const { hidden_sha256: hidden, ...open } = JSON.parse(body) as Record<string, unknown>;
  const closed = typeof hidden === 'string' ? payloadText(seq, hidden, payload) : null;
  const form = upcast(type, fields.schema, { open, closed: closed === null ? null : (JSON.parse(closed) as Fields) });
  if (form === undefined) throw new DamagedLog(`event ${seq} (${type}) has schema ${fields.schema}, which this version of Portcullis does not know: start the version that wrote it, or a newer one`);
  const reason = fields.reason_sha256 === null ? null : payloadText(seq, fields.reason_sha256, payload);
  const recorded = {
    seq,
    id: fields.id,
    atMs: fields.ts_ms,
    actor: fields.actor,
    auth: fields.auth,
    reason,
    reasonErased: fields.reason_sha256 !== null && reason === null,
    idem: fields.idem?.key ?? null,
    commandSha256: fields.idem?.command_sha256 ?? null,
    cause: fields.cause,
  };
  return { ...recorded, event: unite(type, form.open, form.closed, recorded) };
}

/** The salted payloads that an entry names, directly or through its body, as far as they are still there. */
export function erasableIn(entry: Uint8Array, payload: PayloadReader): readonly string[] {
  const fields = JSON.parse(Buffer.from(entry).toString('utf8')) as EntryFields;
  const body = payloadText(fields.seq, fields.payload_sha256, payload) ?? '{}';
  const { hidden_sha256: hidden } = JSON.parse(body) as { readonly hidden_sha256?: string };
  return [fields.reason_sha256, hidden].filter((sha256) => typeof sha256 === 'string').filter((sha256) => (payload(sha256)?.salt ?? null) !== null);
}

function payloadText(seq: number, sha256: string, payload: PayloadReader): string | null {
  const stored = payload(sha256);
  if (stored === undefined) throw new DamagedLog(`a payload of event ${seq} is missing (${sha256})`);
  if (stored.body === null) return null;
  if (payloadHash(stored.salt, stored.body) !== sha256) throw new DamagedLog(`a payload of event ${seq} is not what was recorded (${sha256})`);
  return Buffer.from(stored.body.buffer, stored.body.byteOffset, stored.body.byteLength).toString('utf8');
}

/** The hash that names a payload. */
export function payloadHash(salt: Uint8Array | null, body: Uint8Array): string {
  return hash('sha256', salt === null ? body : Buffer.concat([salt, body]));
}

function salted(text: string, random: (bytes: number) => Uint8Array): Payload {
  const salt = random(SALT_BYTES);
  const body = Buffer.from(text);
  return { sha256: payloadHash(salt, body), salt, body };
}

type Fields = Readonly<Record<string, unknown>>;

/** What of an event is kept for ever, and what may have to be erased. A restriction's reason and actor are the entry's own. */
function separate(event: PlaneEvent): { readonly open: Fields; readonly closed: Fields | null } {
  switch (event.type) {
    case 'PolicySetPublished': {
      const { type: _type, git, ...open } = event;
      if (git === null) return { open: { ...open, git: null }, closed: null };
      const { commit, branch, claimedAuthor, subject } = git;
      return { open: { ...open, git: { commit, branch } }, closed: { claimedAuthor, subject } };
    }
    case 'HostEnrolled':
    case 'OperatorTokenCreated': {
      const { type: _type, name, ...open } = event;
      return { open, closed: { name } };
    }
    case 'RestrictionImposed': {
      const { reason: _reason, actor: _actor, ...restriction } = event.restriction;
      return { open: { restriction }, closed: null };
    }
    default: {
      const { type: _type, ...open } = event;
      return { open, closed: null };
    }
  }
}

/** The reverse of `separate`. The casts are safe as far as the hashes are: these fields were taken from an event of this type. */
function unite(type: EventType, open: Fields, closed: Fields | null, { actor, reason }: Omit<Recorded, 'event'>): PlaneEvent {
  switch (type) {
    case 'PolicySetPublished':
      return { type, ...open, git: open.git === null ? null : { ...(open.git as object), ...(closed ?? { claimedAuthor: ERASED, subject: ERASED }) } } as unknown as PlaneEvent;
    case 'HostEnrolled':
    case 'OperatorTokenCreated':
      return { type, ...open, ...(closed ?? { name: ERASED }) } as unknown as PlaneEvent;
    case 'RestrictionImposed':
      return { type, restriction: { ...(open.restriction as Restriction), reason: reason ?? ERASED, actor: actor.id } };
    case 'PlaneInitialised':
    case 'ChangeRefused':
    case 'RemovalConfirmed':
    case 'RolledBack':
    case 'HoldReleased':
    case 'RestrictionLifted':
    case 'RestrictionExpired':
    case 'JoinTokenCreated':
    case 'JoinTokenRevoked':
    case 'HostRelabelled':
    case 'HostRevoked':
    case 'OperatorTokenRevoked':
    case 'WatchFailed':
    case 'WatchRecovered':
    case 'KeyRotated':
    case 'LogRestored':
    case 'TextErased':
      return { type, ...open } as unknown as PlaneEvent;
    default: {
      const unknown: never = type;
      throw new DamagedLog(`the log holds an event of type ${String(unknown)}, which this version of Portcullis does not know: start the version that wrote it, or a newer one`);
    }
  }
}

/**
 * One JSON-RPC 2.0 message, read so that nobody can read it otherwise (P1, P2): the bytes as a whole, then the envelope.
 * What is not one clear message is an Unclear, which is never forwarded; it says what to answer and to whom.
 */
import { isUtf8 } from 'node:buffer';
import { parseStrict } from '@portcullis/policy-core/strict-json';
import type { JsonLimits, JsonObject, JsonProblemCode, JsonValue } from '@portcullis/policy-core';
import { findDisguise, reserve } from './fold.ts';
import { membersOf } from './outline.ts';
import type { Member, Range } from './outline.ts';

export type Id = string | number;

export interface Request {
  readonly kind: 'request';
  readonly id: Id;
  readonly method: string;
  readonly params: JsonObject;
}
export interface Notification {
  readonly kind: 'notification';
  readonly method: string;
  readonly params: JsonObject;
}
export interface Response {
  readonly kind: 'response';
  /** Null answers a message whose id the other side could not read. */
  readonly id: Id | null;
  readonly outcome: 'result' | 'error';
}
export type Message = Request | Notification | Response;

/** Why something is not forwarded. */
export interface Unclear {
  readonly code: number;
  readonly detail: string;
  readonly id: Id | null;
  /** False for notifications, which nobody answers, and for answers. */
  readonly answer: boolean;
  /** The id of the other side's request that it would have answered, where it is an answer. */
  readonly answersId: Id | null;
}

export const PARSE_ERROR = -32700;
export const INVALID_REQUEST = -32600;
export const INVALID_PARAMS = -32602;

/** A longer id is no id but a payload that we would have to keep. */
const MAX_ID_CHARACTERS = 1024;
/** A longer method name is none that anybody serves; ids and methods are what the relay remembers of a request. */
const MAX_METHOD_CHARACTERS = 1024;

export const ENVELOPE = reserve(['jsonrpc', 'id', 'method', 'params', 'result', 'error']);

/** Whether the fault is in the JSON (parse error) or in what the JSON says (invalid request). */
const CODE_OF_PROBLEM: Readonly<Record<JsonProblemCode, number>> = {
  SYNTAX: PARSE_ERROR,
  DUPLICATE_KEY: INVALID_REQUEST,
  TOO_DEEP: INVALID_REQUEST,
  TOO_MANY_VALUES: INVALID_REQUEST,
  NUMBER_RANGE: INVALID_REQUEST,
  LONE_SURROGATE: INVALID_REQUEST,
};

/**
 * Reads the bytes of one line, without its line end. Refuses a byte order mark, a carriage return (universal newlines make
 * two messages of it), what is not UTF-8, and what strict JSON refuses.
 */
export function readJson(bytes: Buffer, limits: JsonLimits): { readonly ok: true; readonly value: JsonValue } | { readonly ok: false; readonly unclear: Unclear } {
  const refuse = (code: number, detail: string): { readonly ok: false; readonly unclear: Unclear } => ({ ok: false, unclear: { code, detail, ...addressOf(bytes) } });
  if (bytes.includes(13)) return refuse(PARSE_ERROR, 'a carriage return inside the line; some readers make two messages of it');
  if (bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf) return refuse(PARSE_ERROR, 'a byte order mark before the message');
  const text = decode(bytes);
  if (text === null) return refuse(PARSE_ERROR, 'the line is not UTF-8');
  const read = parseStrict(text, limits);
  if (read.ok) return { ok: true, value: read.value };
  const { code, message, offset } = read.problem;
  return refuse(CODE_OF_PROBLEM[code], offset > 0 ? `${message} (at character ${offset})` : message);
}

/** Reads the envelope. `bytes` are those of this message alone: they show how the id was written. */
export function readMessage(value: JsonValue, bytes: Buffer): { readonly ok: true; readonly message: Message } | { readonly ok: false; readonly unclear: Unclear } {
  const refuse = (detail: string, code = INVALID_REQUEST): { readonly ok: false; readonly unclear: Unclear } => ({ ok: false, unclear: { code, detail, ...addressOf(bytes) } });
  if (!isObject(value)) return refuse('a message is a JSON object');
  const disguise = findDisguise(Object.keys(value), ENVELOPE);
  if (disguise !== null) return refuse(`the key ${JSON.stringify(disguise)} may be taken for a key of the envelope`);
  if (own(value, 'jsonrpc') !== '2.0') return refuse('"jsonrpc" must be "2.0"');
  const hasId = Object.hasOwn(value, 'id');
  const id = hasId ? readId(bytes) : null;
  if (!Object.hasOwn(value, 'method')) return readResponse(value, hasId, id, refuse);
  if (Object.hasOwn(value, 'result') || Object.hasOwn(value, 'error')) return refuse('a message with "method" has no "result" and no "error"');
  const method = own(value, 'method');
  if (typeof method !== 'string' || method === '') return refuse('"method" must be a string');
  if (method.length > MAX_METHOD_CHARACTERS) return refuse(`"method" is longer than ${MAX_METHOD_CHARACTERS} characters`);
  if (hasId && id === null) return refuse('a request id is a string or a whole number');
  // Null is how some clients write that there is nothing.
  const params = own(value, 'params') ?? {};
  if (!isObject(params)) return refuse('"params" must be an object', INVALID_PARAMS);
  return { ok: true, message: id === null ? { kind: 'notification', method, params } : { kind: 'request', id, method, params } };
}

function readResponse(
  value: JsonObject,
  hasId: boolean,
  id: Id | null,
  refuse: (detail: string) => { readonly ok: false; readonly unclear: Unclear },
): ReturnType<typeof readMessage> {
  const isResult = Object.hasOwn(value, 'result');
  if (isResult === Object.hasOwn(value, 'error')) return refuse('a message has either "method", "result" or "error"');
  if (!hasId || (id === null && (isResult || own(value, 'id') !== null))) return refuse('a response has the id of its request');
  return { ok: true, message: { kind: 'response', id, outcome: isResult ? 'result' : 'error' } };
}

/** Text in UTF-8, or null. */
export function decode(bytes: Buffer): string | null {
  return isUtf8(bytes) ? bytes.toString('utf8') : null;
}

/** Whom to answer about bytes that are not a clear message: the id, where there is exactly one and it is one. */
function addressOf(bytes: Buffer): Pick<Unclear, 'id' | 'answer' | 'answersId'> {
  const members = membersOf(bytes, { start: 0, end: bytes.length });
  if (members === null) return { id: null, answer: true, answersId: null };
  const isNotification = members.some((member) => member.key === 'method') && !members.some((member) => member.key === 'id');
  // A refused answer must not be answered: its id is one of the other side's.
  const isResponse = members.some((member) => member.key === 'result' || member.key === 'error') && !members.some((member) => member.key === 'method');
  const id = idAmong(bytes, members);
  return isResponse ? { id: null, answer: false, answersId: id } : { id, answer: !isNotification, answersId: null };
}

function readId(bytes: Buffer): Id | null {
  return idAmong(bytes, membersOf(bytes, { start: 0, end: bytes.length }) ?? []);
}

/** The id as written: a string, or a whole number that every parser reads alike. Null where it is absent, repeated or anything else. */
export function idAmong(bytes: Buffer, members: readonly Member[]): Id | null {
  const ids = members.filter((member) => member.key === 'id');
  const id = ids[0];
  if (id === undefined || ids.length > 1 || findDisguise(members.map((member) => member.key), ID_ONLY) !== null) return null;
  return idAt(bytes, id);
}
const ID_ONLY = reserve(['id']);

/** The id that a response answers. Servers in languages with one number type write 1 as 1.0, and clients take it as 1. */
export function answeredId(bytes: Buffer, range: Range): Id | null {
  const id = idAt(bytes, range);
  if (id !== null) return id;
  const read = parseStrict(bytes.toString('utf8', range.start, Math.min(range.end, range.start + MAX_ID_CHARACTERS)), { maxDepth: 0, maxValues: 1 });
  return read.ok && Number.isSafeInteger(read.value) ? (read.value as number) : null;
}

function idAt(bytes: Buffer, range: Range): Id | null {
  const text = bytes.toString('utf8', range.start, range.end);
  if (/^(0|-?[1-9][0-9]{0,15})$/.test(text)) {
    const number = Number(text);
    return Number.isSafeInteger(number) ? number : null;
  }
  if (!text.startsWith('"') || text.length > MAX_ID_CHARACTERS) return null;
  const read = parseStrict(text, { maxDepth: 1, maxValues: 1 });
  return read.ok && typeof read.value === 'string' ? read.value : null;
}

export function isObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && Object.getPrototypeOf(value) === Object.prototype;
}

/** An own member, whatever it is called. */
export function own(object: JsonObject, key: string): JsonValue | undefined {
  return Object.hasOwn(object, key) ? object[key] : undefined;
}

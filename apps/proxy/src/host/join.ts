/**
 * Enrolment on the host's side. The join token pins whom to trust before the first byte is received; the key is made here and is on
 * disk before it is registered, so that an answer that was lost is asked for again with the same key.
 */
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { checkIdentity, followRotations, joinStatement, readJoinAnswer, readJoinToken, shape, signerOf, signHeader, verifierOf } from '@portcullis/policy-core';
import type { ExpectedIdentity, JoinRequest, JoinToken, Shape } from '@portcullis/policy-core';
import { makeSeed, readEnrolment, writeEnrolment } from './enrolment.ts';
import { planeUrl } from './plane-url.ts';

export type JoinOutcome =
  | { readonly ok: true; readonly host: string; readonly log: string; readonly url: string }
  | { readonly ok: false; readonly why: 'refused' | 'unreachable'; readonly problem: string };

/** A plane answers in milliseconds. */
const ANSWER_MS = 15_000;
/** How long the token of `join --local` may be used, which is used at once: the least that a plane allows, so that little is left lying if we fail in between. */
const USED_AT_ONCE_MS = 60_000;
/** The largest answer is a header and a signature. */
const MAX_ANSWER_BYTES = 64 * 1024;

export interface JoinPlane {
  readonly url: string;
  /** The text that the operator was given. */
  readonly token: string;
  /** `$PORTCULLIS_HOME`. */
  readonly home: string;
  /** What operators see; null = the machine's name. */
  readonly name: string | null;
}

/** Enrols this host with a plane. Refuses where it is enrolled already, the token is damaged, or the plane is not the one that it pins. */
export async function joinPlane({ url, token: text, home, name }: JoinPlane): Promise<JoinOutcome> {
  const taken = alreadyEnrolled(home);
  if (taken !== null) return taken;
  const plane = planeUrl(url);
  if (!plane.ok) return refused(plane.problem);
  const token = readJoinToken(text);
  if (!token.ok) return refused(token.message);
  const signer = signerOf(makeSeed(home));
  const shown = (name ?? hostname()).slice(0, 128);
  const statement = { token: token.value.token, name: shown, publicKey: signer.publicKey };
  const request: JoinRequest = { ...statement, signature: signHeader(signer.sign, 'join', joinStatement(statement, token.value.log)) };
  const answer = await post(new URL('v1/join', plane.base), request, {});
  return answer.ok ? accept(answer.text, token.value, signer.publicKey, { url: plane.base.href, home, name: shown }) : answer;
}

/** Enrols this host with the plane that `serve` announced on this machine, as its admin: makes a token and uses it. What refuses it without the plane does so before there is a token. */
export async function joinLocal(home: string, name: string | null = null): Promise<JoinOutcome> {
  const taken = alreadyEnrolled(home);
  if (taken !== null) return taken;
  const file = join(home, 'plane.json');
  const text = readIfThere(file);
  if (text === null) return refused(`no plane is announced on this machine (${file} is not there). Start one with \`portcullis serve\`, or join with --plane and --token-file`);
  const announced = shape.readJson(announcement, text, file);
  if (!announced.ok) return refused(announced.message);
  const { url, tokens, log, publicKey } = announced.value;
  const admin = readIfThere(tokens.admin)?.trim() ?? '';
  if (admin === '') return refused(`the plane's admin token cannot be read (${tokens.admin}): join as the user who runs the plane`);
  const plane = planeUrl(url);
  if (!plane.ok) return refused(plane.problem);
  const known = await isThatPlane(plane.base, { url, log, publicKey }, file);
  if (known !== null) return known;
  const answer = await post(new URL('v1/join-tokens', plane.base), { reason: 'join --local', ttlMs: USED_AT_ONCE_MS }, { authorization: `Bearer ${admin}` });
  if (!answer.ok) return answer;
  const made = readMadeToken(answer.text);
  return made === null ? refused('the plane answered with something that is no join token') : joinPlane({ url, token: made, home, name });
}

/** Why this host cannot join: it has, or what it has is damaged. Null where it has not. */
function alreadyEnrolled(home: string): Extract<JoinOutcome, { ok: false }> | null {
  const found = readEnrolment(home);
  switch (found.kind) {
    case 'enrolled':
      return refused(`this host is enrolled already, as ${found.enrolment.host} at ${found.enrolment.url}. To join another plane, remove ${join(home, 'host.json')} and host.key`);
    case 'broken':
      return refused(found.problem);
    case 'none':
      return null;
    default:
      return found satisfies never;
  }
}

/** What `serve` writes; fields beyond these are its own business. */
const announcement: Shape<ExpectedIdentity & { readonly tokens: { readonly admin: string } }> = (value, at) => {
  const { url, log, publicKey, tokens } = fieldsOf(value);
  const { admin } = fieldsOf(tokens);
  const complete = typeof url === 'string' && typeof log === 'string' && typeof publicKey === 'string' && typeof admin === 'string';
  return complete ? { ok: true, value: { url, log, publicKey, tokens: { admin } } } : shape.invalid(at, 'no announcement of a plane');
};

function fieldsOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>) : {};
}

/** After a plane has ended, anybody may take its port: null where the announced plane itself listens. */
async function isThatPlane(base: URL, expected: ExpectedIdentity, file: string): Promise<Extract<JoinOutcome, { ok: false }> | null> {
  const nonce = randomBytes(32).toString('base64url');
  const asked = await send(new URL(`v1/identity?nonce=${nonce}`, base), { method: 'GET' });
  if (!asked.ok && asked.why === 'unreachable') return asked;
  const checked = asked.ok ? checkIdentity(asked.text, nonce, expected) : ({ ok: false, message: asked.problem } as const);
  return checked.ok ? null : refused(`what listens at ${base.origin} is not the plane that ${file} names (${checked.message}); it was sent no token. Start the plane again with \`portcullis serve\``);
}

function readMadeToken(text: string): string | null {
  try {
    const { token } = JSON.parse(text) as { token?: unknown };
    return typeof token === 'string' ? token : null;
  } catch {
    return null;
  }
}

function accept(text: string, pinned: JoinToken, publicKey: string, own: { readonly url: string; readonly home: string; readonly name: string }): JoinOutcome {
  const answer = readJoinAnswer(text);
  if (!answer.ok) return refused(`the plane's answer cannot be read: ${answer.message}`);
  const { header, signature, signed, rotations } = answer.value;
  const passed = followRotations(pinned.log, pinned.publicKey, rotations ?? []);
  const planeKey = passed.ok ? (passed.value.at(-1) ?? pinned.publicKey) : pinned.publicKey;
  if (verifierOf(planeKey)?.('joined', header, signature) !== true) return refused('the answer is not signed with the key that the join token pins, nor with one that has replaced it: this is not the plane that the token is from');
  if (signed.log !== pinned.log || signed.publicKey !== publicKey) return refused('the plane answered for another log or another key');
  writeEnrolment(own.home, { url: own.url, log: signed.log, planeKey, formerKeys: [], recoveryKeySha256: pinned.recoveryKeySha256, host: signed.host, name: own.name, formerLogs: [] });
  return { ok: true, host: signed.host, log: signed.log, url: own.url };
}

type Posted = { readonly ok: true; readonly text: string } | Extract<JoinOutcome, { ok: false }>;

function post(url: URL, body: object, headers: Readonly<Record<string, string>>): Promise<Posted> {
  return send(url, { method: 'POST', headers: { 'content-type': 'application/json', ...headers }, body: JSON.stringify(body) });
}

async function send(url: URL, request: Pick<RequestInit, 'method' | 'headers' | 'body'>): Promise<Posted> {
  let status: number;
  let text: string;
  try {
    const response = await fetch(url, { ...request, redirect: 'error', signal: AbortSignal.timeout(ANSWER_MS) });
    status = response.status;
    text = await readAtMost(response, MAX_ANSWER_BYTES);
  } catch (error) {
    return { ok: false, why: 'unreachable', problem: `${url.origin} cannot be reached: ${reasonOf(error)}` };
  }
  if (status >= 200 && status < 300) return { ok: true, text };
  return refused(messageOf(text) ?? `${url.origin} answered ${status}`);
}

async function readAtMost(response: Response, bytes: number): Promise<string> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of response.body ?? []) {
    const part = chunk as Uint8Array;
    size += part.length;
    if (size > bytes) throw new Error(`the answer is longer than ${bytes} bytes`);
    chunks.push(part);
  }
  return Buffer.concat(chunks).toString('utf8');
}

/** The API's errors are `{ error: { code, message } }`. */
function messageOf(text: string): string | null {
  try {
    const { error } = JSON.parse(text) as { error?: { message?: unknown } };
    return typeof error?.message === 'string' ? error.message : null;
  } catch {
    return null;
  }
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? error.cause.message : error.message;
}

function refused(problem: string): Extract<JoinOutcome, { ok: false }> {
  return { ok: false, why: 'refused', problem };
}

function readIfThere(file: string): string | null {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return null;
  }
}

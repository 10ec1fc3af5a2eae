/**
 * Enrolment on the plane's side: the token that an operator hands to a host, and the one request with which the host uses it up. The host
 * proves that it holds the key it registers; the answer is signed with the key that the token pinned, or one that has replaced it.
 */
import { canonicalJson, digestOf, encodeJoinToken, joinRequest, joinStatement, makeSecretToken, openSecretToken, signHeader, verifierOf } from '@portcullis/policy-core';
import type { JoinAnswer, JoinedHeader, SignBytes } from '@portcullis/policy-core';
import type { Refusal } from './domain/command.ts';
import type { PlaneState } from './domain/state.ts';
import type { Plane } from './plane.ts';

/** A join token as it is made: the text is shown once, the rest is recorded. */
export interface NewJoinToken {
  readonly id: string;
  /** `portcullis-join.v1.…`, which pins the plane's key, the log and the recovery key. */
  readonly text: string;
  readonly secretSha256: string;
}

const ID_LENGTH = 12;
const ID_ALPHABET = 'abcdefghijklmnopqrstuvwxyz234567';
const SECRET_BYTES = 32;

/** Makes a join token for the plane in this state. `random` gives so many random bytes. */
export function makeJoinToken(state: PlaneState, random: (bytes: number) => Uint8Array): NewJoinToken {
  const id = [...random(ID_LENGTH)].map((byte) => ID_ALPHABET[byte % ID_ALPHABET.length]).join('');
  const token = makeSecretToken(id, random(SECRET_BYTES));
  const opened = openSecretToken(token);
  if (opened === null) throw new Error('a join token that was just made cannot be read');
  const text = encodeJoinToken({ token, log: state.log, publicKey: state.publicKey, recoveryKeySha256: state.recoveryKeySha256 });
  return { id, text, secretSha256: opened.secretSha256 };
}

export type Joined = { readonly ok: true; readonly body: JoinAnswer } | { readonly ok: false; readonly refusal: Refusal };

/** Answers POST /v1/join. The host's id is the digest of its key, so that a key is enrolled once, whatever it calls itself. */
export function join(plane: Plane, sign: SignBytes, body: unknown, nowMs: number): Joined {
  const request = joinRequest(body, '');
  if (!request.ok) return refused('invalid', `This is no request to join: ${request.message}.`);
  const { token, name, publicKey, signature } = request.value;
  const secret = openSecretToken(token);
  const verify = verifierOf(publicKey);
  const { log } = plane.state();
  if (secret === null || verify === null || !verify('join', joinStatement({ token, name, publicKey }, log), signature)) {
    return refused('invalid', 'The request does not prove that the host holds its key, or the token is for another plane. Make a new token here.');
  }
  const host = hostId(publicKey);
  const executed = plane.execute(
    { kind: 'enrol', token: secret.id, secretSha256: secret.secretSha256, host, name, publicKey },
    { nowMs, actor: { kind: 'host', id: host }, auth: { method: 'join-token', ref: secret.id }, reason: null, idem: null, cause: null },
  );
  if (!executed.ok) return executed;
  const enrolled = executed.state.hosts.get(host);
  if (enrolled === undefined) return refused('unavailable', 'The host was enrolled and is not known. Look at `portcullis hosts`.');
  const header = canonicalJson({ log, host, publicKey, labels: enrolled.labels } satisfies JoinedHeader);
  const { rotations } = executed.state;
  return { ok: true, body: { header, signature: signHeader(sign, 'joined', header), ...(rotations.length === 0 ? {} : { rotations }) } };
}

/** A short name for a key: 64 bits of its digest tell a fleet's hosts apart, and the plane refuses a second host of one name. */
function hostId(publicKey: string): string {
  return `h-${digestOf(Buffer.from(publicKey, 'base64')).slice(0, 16)}`;
}

function refused(code: Refusal['code'], message: string): Joined {
  return { ok: false, refusal: { code, message } };
}

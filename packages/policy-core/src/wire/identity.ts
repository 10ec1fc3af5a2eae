/**
 * Who listens at an address. Before a token goes to a plane that `plane.json` names, whatever listens there signs a number of the asker's
 * choice with the plane's key: after a plane has ended, anybody may take its port. The address is signed too, so that an impostor cannot
 * pass the question on to a plane that has moved elsewhere.
 */
import { canonicalJson } from '../canonical.ts';
import { MAX_NAME_CHARS } from './limits.ts';
import type { Read, Shape } from './shape.ts';
import { formed, invalid, object, readJson, text } from './shape.ts';
import { signHeader, verifierOf } from './signed.ts';
import type { SignBytes } from './signed.ts';
import { followRotations, rotationList } from './succession.ts';
import type { Rotation } from './succession.ts';

/** 32 random bytes, base64url. */
export const IDENTITY_NONCE = /^[A-Za-z0-9_-]{43}$/;

/** What is signed, as kind `identity`. */
export interface IdentityHeader {
  readonly log: string;
  readonly nonce: string;
  /** Where this plane has announced itself. */
  readonly url: string;
}

/** The answer of GET /v1/identity?nonce=…; `header` is an IdentityHeader. */
export interface IdentityProof {
  readonly header: string;
  readonly signature: string;
  /** How the plane's key came to be another than the asker knows. */
  readonly rotations: readonly Rotation[];
}

/** What the asker knows of the plane: its log, a key that it has or had, its address. */
export interface ExpectedIdentity {
  readonly log: string;
  readonly publicKey: string;
  readonly url: string;
}

const MAX_HEADER_CHARS = 4096;
const proofShape: Shape<IdentityProof> = object<IdentityProof>({ header: text(MAX_HEADER_CHARS), signature: formed(/^[A-Za-z0-9+/]{86}==$/, 'an Ed25519 signature in base64'), rotations: rotationList });
const headerShape: Shape<IdentityHeader> = object<IdentityHeader>({ log: text(MAX_NAME_CHARS), nonce: formed(IDENTITY_NONCE, 'a nonce'), url: text(MAX_HEADER_CHARS) });

/** The plane's answer. */
export function proveIdentity(sign: SignBytes, identity: IdentityHeader, rotations: readonly Rotation[]): IdentityProof {
  const header = canonicalJson({ log: identity.log, nonce: identity.nonce, url: identity.url } satisfies IdentityHeader);
  return { header, signature: signHeader(sign, 'identity', header), rotations };
}

/** Whether the text is the expected plane's answer to `nonce`; where it is not, why. */
export function checkIdentity(source: string, nonce: string, { log, publicKey, url }: ExpectedIdentity): Read<null> {
  const read = readJson(proofShape, source, 'proof');
  if (!read.ok) return read;
  const { header, signature, rotations } = read.value;
  const followed = followRotations(log, publicKey, rotations);
  if (!followed.ok) return followed;
  if (verifierOf(followed.value.at(-1) ?? publicKey)?.('identity', header, signature) !== true) return invalid('proof', "not signed with the plane's key");
  const said = readJson(headerShape, header, 'proof.header');
  if (!said.ok) return said;
  if (said.value.nonce !== nonce) return invalid('proof', 'the answer to another question');
  if (said.value.log !== log || said.value.url !== url) return invalid('proof', `signed by the plane of ${JSON.stringify(said.value.log)} at ${JSON.stringify(said.value.url)}`);
  return { ok: true, value: null };
}

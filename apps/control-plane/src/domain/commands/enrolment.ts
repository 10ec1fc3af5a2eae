/** Who belongs to the fleet: single-use join tokens, and hosts with their keys and labels (W8). */
import { timingSafeEqual } from 'node:crypto';
import { compileSelector } from '@portcullis/policy-core';
import type { Labels, Restriction } from '@portcullis/policy-core';
import type { Command, Meta } from '../command.ts';
import type { PlaneState } from '../state.ts';
import type { Decided } from './answer.ts';
import { recorded, refused } from './answer.ts';
import { badLabels, badName } from './limits.ts';

/** A join token is used soon or made again; what lies around longer is found by somebody else. */
export const MAX_JOIN_TOKEN_TTL_MS = 24 * 60 * 60 * 1000;
/** Tokens that wait for their host: enough to enrol a data centre in one go. */
export const MAX_OPEN_JOIN_TOKENS = 10_000;
/** Enrolled hosts that are not revoked. */
export const MAX_HOSTS = 100_000;

/** Ids are made outside, of these characters, so that they fit in a command line, a URL and a file name. */
const ID = /^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/;
const SHA256 = /^[0-9a-f]{64}$/;
/** Base64 of 32 bytes. */
const PUBLIC_KEY = /^[A-Za-z0-9+/]{43}=$/;

export function createJoinToken(state: PlaneState, command: Extract<Command, { kind: 'create-join-token' }>, meta: Meta): Decided {
  const bad = badLabels(command.labels);
  if (bad !== undefined) return refused('invalid', bad);
  if (!ID.test(command.token) || !SHA256.test(command.secretSha256)) return refused('invalid', 'the token id or the hash of its secret is malformed');
  const ttl = command.expiresAtMs - meta.nowMs;
  if (!(ttl > 0 && ttl <= MAX_JOIN_TOKEN_TTL_MS)) return refused('invalid', 'a join token lives for more than nothing and at most 24 hours: choose another --ttl');
  if (state.joinTokens.has(command.token)) return refused('already-done', `there is a join token ${command.token} already`);
  let open = 0;
  for (const token of state.joinTokens.values()) if (token.state === 'open' && token.expiresAtMs > meta.nowMs) open++;
  if (open >= MAX_OPEN_JOIN_TOKENS) return refused('limit', `${MAX_OPEN_JOIN_TOKENS} join tokens are open: revoke some, or wait until they expire`);
  const { token, secretSha256, labels, expiresAtMs } = command;
  return recorded({ type: 'JoinTokenCreated', token, secretSha256, labels, expiresAtMs });
}

export function revokeJoinToken(state: PlaneState, { token }: Extract<Command, { kind: 'revoke-join-token' }>): Decided {
  const known = state.joinTokens.get(token);
  if (known === undefined) return refused('not-found', `there is no join token ${token}`);
  switch (known.state) {
    case 'used':
      return refused('used', `the join token ${token} has been used; revoke the host that it enrolled instead`);
    case 'revoked':
      return refused('already-done', `the join token ${token} has been revoked already`);
    case 'open':
      return recorded({ type: 'JoinTokenRevoked', token });
  }
}

/**
 * Uses a join token up. The token and its secret are checked before anything is said about it. A host that asks again with
 * the same key, because the answer was lost, is told yes and nothing is recorded.
 */
export function enrol(state: PlaneState, command: Extract<Command, { kind: 'enrol' }>, meta: Meta): Decided {
  const token = state.joinTokens.get(command.token);
  if (token === undefined || !sameHash(token.secretSha256, command.secretSha256)) return refused('not-found', 'no such join token: check what was pasted, or create a new one');
  const owner = [...state.hosts.values()].find((host) => host.publicKey === command.publicKey);
  if (owner?.revoked === true) return refused('forbidden', 'this key belongs to a host that was revoked: let the host make a new one');
  if (owner !== undefined) return token.state === 'used' ? recorded() : refused('already-done', `this key is enrolled already, as host ${owner.host}; the token was not used`);
  if (token.state === 'used') return refused('used', 'this join token has been used: create a new one for each host');
  if (token.state === 'revoked') return refused('expired', 'this join token has been revoked: create a new one');
  if (token.expiresAtMs <= meta.nowMs) return refused('expired', 'this join token has expired: create a new one');
  const bad = badName(command.name, 'a host');
  if (bad !== undefined) return refused('invalid', bad);
  if (!ID.test(command.host) || !PUBLIC_KEY.test(command.publicKey)) return refused('invalid', 'the host id or its public key (base64 of 32 bytes) is malformed');
  if (state.hosts.has(command.host)) return refused('invalid', `there is a host ${command.host} already`);
  if (state.hosts.size >= MAX_HOSTS) return refused('limit', `${MAX_HOSTS} hosts are the most that one plane keeps`);
  const { host, name, publicKey } = command;
  return recorded({ type: 'HostEnrolled', host, name, publicKey, labels: token.labels, token: command.token });
}

/** Taking a host out of an active restriction lets it do more, so that needs `confirm`. */
export function relabel(state: PlaneState, { host: id, labels, confirm }: Extract<Command, { kind: 'relabel' }>): Decided {
  const host = state.hosts.get(id);
  if (host === undefined) return refused('not-found', `there is no host ${id}`);
  if (host.revoked) return refused('invalid', `the host ${id} has been revoked`);
  const bad = badLabels(labels);
  if (bad !== undefined) return refused('invalid', bad);
  if (sameLabels(host.labels, labels)) return refused('already-done', `the host ${id} has exactly these labels`);
  const left = [...state.restrictions.values()].find(({ restriction }) => selectsLabels(restriction, host.labels) && !selectsLabels(restriction, labels));
  if (left !== undefined && !confirm) return refused('needs-confirmation', `with these labels ${id} would leave the restriction ${left.restriction.id}: lift that, or repeat with --confirm`);
  return recorded({ type: 'HostRelabelled', host: id, labels });
}

export function revokeHost(state: PlaneState, { host: id }: Extract<Command, { kind: 'revoke-host' }>): Decided {
  const host = state.hosts.get(id);
  if (host === undefined) return refused('not-found', `there is no host ${id}`);
  return host.revoked ? refused('already-done', `the host ${id} has been revoked already`) : recorded({ type: 'HostRevoked', host: id });
}

/** Which servers run on a host is the proxies' claim, so only the labels count here. */
function selectsLabels({ selector }: Restriction, labels: Labels): boolean {
  return compileSelector({ server: [], labels: selector.labels })({ server: '', labels });
}

function sameLabels(a: Labels, b: Labels): boolean {
  const entries = Object.entries(a);
  return entries.length === Object.keys(b).length && entries.every(([name, value]) => Object.hasOwn(b, name) && b[name] === value);
}

function sameHash(a: string, b: string): boolean {
  return SHA256.test(a) && SHA256.test(b) && timingSafeEqual(Buffer.from(a, 'hex'), Buffer.from(b, 'hex'));
}

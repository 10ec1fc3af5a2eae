/**
 * The plane's cuts: what each audience must enforce at the head, encoded and signed once however many proxies there are. A change
 * touches only the cuts that it concerns; a frame is made when the first socket needs it and shared as one Buffer.
 */
import { createHash } from 'node:crypto';
import {
  canonicalJson, cutKey, cutOf, digestOf, identityOf, mentionsOf, policiesBody, restrictionsBody, selectorOf, selectPolicies, selectRestrictions, signedFrame, signHeader,
} from '@portcullis/policy-core';
import type { AdvanceHeader, Cut, Mentions, Policy, ProxyIdentity, Restriction, RestrictHeader, SignBytes, SnapshotHeader } from '@portcullis/policy-core';
import type { Lane, Want } from '../domain/link.ts';
import type { PlaneState } from '../domain/state.ts';

export interface Cuts {
  /** Moves to a new head. */
  update(state: PlaneState, policies: ReadonlyMap<string, Policy>): void;
  /** What a proxy must enforce. `identity` is remembered by object: pass the same one until its labels change. */
  of(identity: ProxyIdentity): Wanted;
  /** How many frames were signed so far; each is signed once per cut and version at most. */
  readonly signed: number;
}

/** A cut at the head. */
export interface Wanted extends Want {
  frame(lane: Lane): Buffer;
}

interface Content {
  readonly digest: string;
  /** The body as a JSON string, quoted once. */
  readonly quoted: string;
}

interface Audience {
  readonly cut: Cut;
  readonly identity: ProxyIdentity;
  policies: readonly Policy[];
  policiesContent: Content | null;
  restrictionsContent: Content;
  wanted: Wanted | null;
  /** The head at which somebody last asked for it. */
  usedAt: number;
  /** False once it is forgotten: an identity that still points here asks anew. */
  live: boolean;
}

interface Head {
  readonly state: PlaneState;
  readonly policies: ReadonlyMap<string, Policy>;
  readonly restrictions: readonly Restriction[];
  readonly mentions: Mentions;
}

/** Starts with a head; nothing is cut before somebody asks. */
export function makeCuts(sign: SignBytes, state: PlaneState, policies: ReadonlyMap<string, Policy>): Cuts {
  let head = headOf(state, policies);
  let audiences = new Map<string, Audience>();
  let contents = new Map<string, Content>();
  let known = new WeakMap<ProxyIdentity, Audience>();
  const encoder = makeEncoder(sign);

  function update(next: PlaneState, nextPolicies: ReadonlyMap<string, Policy>): void {
    const before = head;
    head = headOf(next, nextPolicies);
    if (!sameMentions(before.mentions, head.mentions)) {
      audiences = new Map();
      known = new WeakMap();
      contents = new Map();
      return;
    }
    const changed = changedPolicies(before.policies, nextPolicies);
    const used = new Map<string, Content>();
    for (const [key, audience] of audiences) {
      audience.live = audience.usedAt === before.state.version;
      if (audience.live) move(audience, changed, head);
      // Nobody asked for it at the last head: its proxies are gone. Whoever returns is cut anew.
      else audiences.delete(key);
      if (audience.policiesContent !== null) used.set(contentKey(audience.policies), audience.policiesContent);
    }
    contents = used;
  }

  function of(identity: ProxyIdentity): Wanted {
    let audience = known.get(identity);
    if (audience === undefined || !audience.live) {
      audience = audienceOf(identity);
      known.set(identity, audience);
    }
    audience.usedAt = head.state.version;
    audience.policiesContent ??= sharedContent(contents, audience.policies);
    audience.wanted ??= encoder.wanted(head.state, audience.cut, audience.policiesContent, audience.restrictionsContent);
    return audience.wanted;
  }

  function audienceOf(identity: ProxyIdentity): Audience {
    const cut = cutOf(identity, head.mentions);
    const key = cutKey(cut);
    const found = audiences.get(key);
    if (found !== undefined) return found;
    const made = makeAudience(cut, head);
    audiences.set(key, made);
    return made;
  }

  return {
    update,
    of,
    get signed() {
      return encoder.signed;
    },
  };
}

function makeAudience(cut: Cut, head: Head): Audience {
  const identity = identityOf(cut);
  return {
    cut,
    identity,
    policies: selectPolicies(head.policies.values(), identity),
    policiesContent: null,
    restrictionsContent: restrictionsContent(head, identity),
    wanted: null,
    usedAt: head.state.version,
    live: true,
  };
}

/** Makes frames of a cut at a head, each when it is first needed. */
function makeEncoder(sign: SignBytes) {
  let signed = 0;

  function encode(lane: Lane, header: SnapshotHeader | RestrictHeader | AdvanceHeader, content: Content | null): Buffer {
    signed += 1;
    const text = canonicalJson(header);
    const frame = signedFrame(lane, text, signHeader(sign, lane, text));
    return Buffer.from(content === null ? frame : `${frame.slice(0, -1)},"body":${content.quoted}}`, 'utf8');
  }

  function wanted(at: PlaneState, cut: Cut, policies: Content, restrictions: Content): Wanted {
    const frames = new Map<Lane, Buffer>();
    const common = { log: at.log, cut, version: at.version };
    const make: Readonly<Record<Lane, () => Buffer>> = {
      restrict: () => encode('restrict', { ...common, digest: restrictions.digest, after: at.policiesVersion }, restrictions),
      snapshot: () => encode('snapshot', { ...common, digest: policies.digest, restrictions: at.restrictionsVersion }, policies),
      advance: () => encode('advance', { ...common, policies: policies.digest, restrictions: restrictions.digest }, null),
    };
    const frame = (lane: Lane): Buffer => {
      const made = frames.get(lane) ?? make[lane]();
      frames.set(lane, made);
      return made;
    };
    return { version: at.version, policies: policies.digest, restrictions: restrictions.digest, restrictionsVersion: at.restrictionsVersion, frame };
  }

  return {
    wanted,
    get signed() {
      return signed;
    },
  };
}

function sharedContent(contents: Map<string, Content>, policies: readonly Policy[]): Content {
  const key = contentKey(policies);
  const content = contents.get(key) ?? contentOfBody(policiesBody(policies));
  contents.set(key, content);
  return content;
}

function headOf(state: PlaneState, policies: ReadonlyMap<string, Policy>): Head {
  const restrictions = [...state.restrictions.values()].map(({ restriction }) => restriction);
  return { state, policies, restrictions, mentions: mentionsOf(policies.values(), restrictions) };
}

/** Moves one audience to the new head, looking only at what changed. */
function move(audience: Audience, changed: Changed, head: Head): void {
  const selects = (policy: Policy): boolean => selectorOf(policy.match)(audience.identity);
  if (audience.policies.some((policy) => changed.gone.has(policy)) || changed.come.some(selects)) {
    const kept = audience.policies.filter((policy) => !changed.gone.has(policy));
    audience.policies = selectPolicies([...kept, ...changed.come], audience.identity);
    audience.policiesContent = null;
  }
  audience.restrictionsContent = restrictionsContent(head, audience.identity);
  audience.wanted = null;
}

interface Changed {
  readonly gone: ReadonlySet<Policy>;
  readonly come: readonly Policy[];
}

function changedPolicies(before: ReadonlyMap<string, Policy>, after: ReadonlyMap<string, Policy>): Changed {
  const gone = new Set<Policy>();
  const come: Policy[] = [];
  for (const [id, policy] of before) if (after.get(id) !== policy) gone.add(policy);
  for (const [id, policy] of after) if (before.get(id) !== policy) come.push(policy);
  return { gone, come };
}

function restrictionsContent(head: Head, identity: ProxyIdentity): Content {
  return contentOfBody(restrictionsBody(selectRestrictions(head.restrictions, identity)));
}

function contentOfBody(body: string): Content {
  return { digest: digestOf(body), quoted: JSON.stringify(body) };
}

const policyDigests = new WeakMap<Policy, string>();

/** Names a selection by its policies' digests, so that cuts which select the same share one text. */
function contentKey(policies: readonly Policy[]): string {
  const hash = createHash('sha256');
  for (const policy of policies) {
    const known = policyDigests.get(policy) ?? digestOf(canonicalJson(policy));
    policyDigests.set(policy, known);
    hash.update(known);
  }
  return hash.digest('hex');
}

function sameMentions(a: Mentions, b: Mentions): boolean {
  return a.all === b.all && a.labels.size === b.labels.size && [...a.labels].every((label) => b.labels.has(label));
}

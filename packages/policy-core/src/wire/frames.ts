/**
 * The frames between plane and proxy (DESIGN section 6): JSON texts, one per WebSocket message. A signed frame is
 * `{frame, header, signature}`; `header` is a JSON text inside a string, signed exactly as it stands, and binds a body by its digest.
 * The proxy's hello is signed by the host's key in the same manner. Nothing unknown passes (W2).
 */
import { digestOf } from '../canonical.ts';
import type { Labels } from '../selector.ts';
import { decisionRow } from './decision-row.ts';
import type { DecisionRow } from './decision-row.ts';
import {
  LINK_PROTOCOL, MAX_BATCH_ROWS, MAX_DOWN_BYTES, MAX_HEADER_CHARS, MAX_LABELS, MAX_NACK_PROBLEMS, MAX_NAME_CHARS, MAX_NOTE_CHARS, MAX_PROBLEM_CHARS, MAX_PROOF_HASHES, MAX_UPSTREAM_CHARS,
} from './limits.ts';
import type { Fault, Read, Shape } from './shape.ts';
import { boolean, exactly, formed, invalid, list, mapping, nullable, object, oneOf, readJson, tagged, text, whole } from './shape.ts';
import type { SignedKind, Verify } from './signed.ts';
import { restorationList, rotationList } from './succession.ts';
import type { Restoration, Rotation } from './succession.ts';

/** The canonical audience of a snapshot: the server name, and the labels that matter with the host's values (null = the host has none). */
export interface Cut {
  readonly server: string;
  readonly labels: Readonly<Record<string, string | null>>;
}

/** One part at one version, by the name of its content. */
export interface Mark {
  readonly version: number;
  readonly digest: string;
}

/** The head of the log's tree as a proxy remembers it: how many events, and the root over them (base64). */
export interface TreeMark {
  readonly size: number;
  readonly root: string;
}

/** The head of the log's tree, and what shows that nothing before it was changed. It needs no signature around it: the note carries the log's. */
export interface ShownHead {
  /** The size from which the proof leads; 0 where the proxy knows none. */
  readonly from: number;
  /** A C2SP checkpoint. */
  readonly note: string;
  /** RFC 6962 consistency proof, base64 hashes. */
  readonly proof: readonly string[];
}

interface Signed {
  readonly header: string;
  readonly signature: string;
}

/** Made for one connection: it answers the proxy's own nonce, so it cannot be a replay. */
export interface WelcomeHeader {
  readonly log: string;
  readonly host: string;
  readonly server: string;
  readonly boot: string;
  readonly nonce: string;
  readonly labels: Labels;
  /** The head, and what this proxy must enforce at it. */
  readonly version: number;
  readonly policies: string;
  readonly restrictions: string;
  /** The plane's clock, milliseconds since 1970. */
  readonly time: number;
}

export interface SnapshotHeader {
  readonly log: string;
  readonly cut: Cut;
  readonly version: number;
  readonly digest: string;
  /** The version whose restrictions these policies were published under: an older set does not go with them. */
  readonly restrictions: number;
}

export interface RestrictHeader {
  readonly log: string;
  readonly cut: Cut;
  readonly version: number;
  readonly digest: string;
  /** The version whose policies this set was decided on: what it lifts waits for them (W6). */
  readonly after: number;
}

/** At `version` this cut wants exactly these digests. */
export interface AdvanceHeader {
  readonly log: string;
  readonly cut: Cut;
  readonly version: number;
  readonly policies: string;
  readonly restrictions: string;
}

/** "This head is current at plane time `time`", one statement for all. */
export interface LeaseHeader {
  readonly log: string;
  readonly version: number;
  readonly time: number;
}

/** Signed by the host's key; `nonce` is the plane's, `answer` the one that the welcome must repeat. */
export interface HelloHeader {
  readonly protocol: typeof LINK_PROTOCOL;
  readonly log: string;
  readonly host: string;
  readonly server: string;
  readonly upstream: string;
  readonly boot: string;
  readonly nonce: string;
  readonly answer: string;
  readonly counter: number;
  readonly build: string;
  /** Words of which a plane knows some, as PLANE_USER. */
  readonly features: readonly string[];
  readonly policies: Mark | null;
  readonly restrictions: Mark | null;
  /** As in Held. */
  readonly pending: boolean;
  /** The newest head of the log's tree that it has seen; what it is told must go on from there. */
  readonly checkpoint: TreeMark | null;
}

/** A feature of a proxy that can read the admin token of its plane, as the agents can that it guards. */
export const PLANE_USER = 'plane-user';

export const PARTS = ['policies', 'restrictions'] as const;
export type PartName = (typeof PARTS)[number];

export type NackKind = 'unsupported' | 'invalid' | 'transient';

export type DownFrame =
  /** `restorations`: left out where the log was never restored. Each carries its own signature. */
  | { readonly frame: 'challenge'; readonly protocol: typeof LINK_PROTOCOL; readonly log: string; readonly nonce: string; readonly restorations?: readonly Restoration[] }
  | ({ readonly frame: 'welcome'; readonly signed: WelcomeHeader; readonly rotations: readonly Rotation[]; readonly shown: ShownHead } & Signed)
  | ({ readonly frame: 'snapshot'; readonly signed: SnapshotHeader; readonly body: string } & Signed)
  | ({ readonly frame: 'restrict'; readonly signed: RestrictHeader; readonly body: string } & Signed)
  | ({ readonly frame: 'advance'; readonly signed: AdvanceHeader } & Signed)
  | ({ readonly frame: 'heartbeat'; readonly signed: LeaseHeader } & Signed)
  | ({ readonly frame: 'checkpoint' } & ShownHead)
  /** Every row of the boot up to and including `n` that was sent on this connection is stored. */
  | { readonly frame: 'decisions-ack'; readonly boot: string; readonly n: number }
  | { readonly frame: 'goodbye'; readonly reason: string; readonly retryAfterMs: readonly number[] };

/** What a proxy holds, verified, persisted and swapped in (W9). */
export interface Held {
  readonly policies: Mark | null;
  readonly restrictions: Mark | null;
  /** The policies that the restrictions were decided on have not arrived: what was lifted still holds. */
  readonly pending: boolean;
  /** Allowed calls that have no answer yet. */
  readonly inFlight: number;
}

/** What a proxy says of itself, and how far it has listened: whatever came before the lease of this plane time was taken, or was lost (W7). */
export interface Report extends Held {
  /** Null before the first lease of this connection. */
  readonly heard: number | null;
}

export type UpFrame =
  | ({ readonly frame: 'hello'; readonly signed: HelloHeader } & Signed)
  | ({ readonly frame: 'ack' } & Report)
  | { readonly frame: 'nack'; readonly part: PartName | 'link'; readonly digest: string | null; readonly kind: NackKind; readonly problems: readonly string[] }
  | ({ readonly frame: 'heartbeat'; readonly freshness: 'fresh' | 'stale' | 'expired' } & Report)
  | { readonly frame: 'decisions'; readonly rows: readonly DecisionRow[] }
  | { readonly frame: 'goodbye' };

const name = text(MAX_NAME_CHARS);
const digest = formed(/^[0-9a-f]{64}$/, 'a SHA-256 in hex');
const nonce = formed(/^[A-Za-z0-9_-]{43}$/, '32 bytes in base64url');
const signature = formed(/^[A-Za-z0-9+/]{86}==$/, 'an Ed25519 signature in base64');
const hash = formed(/^[A-Za-z0-9+/]{43}=$/, '32 bytes in base64');
const shownHead = { from: whole(), note: text(MAX_NOTE_CHARS), proof: list(hash, MAX_PROOF_HASHES) };
const mark = nullable(object<Mark>({ version: whole(), digest }));
const cut = object<Cut>({ server: name, labels: mapping(nullable(name), MAX_LABELS) });

const welcomeHeader = object<WelcomeHeader>({
  log: name, host: name, server: name, boot: name, nonce, labels: mapping(name, MAX_LABELS), version: whole(), policies: digest, restrictions: digest, time: whole(),
});
const snapshotHeader = object<SnapshotHeader>({ log: name, cut, version: whole(), digest, restrictions: whole() });
const restrictHeader = object<RestrictHeader>({ log: name, cut, version: whole(), digest, after: whole() });
const advanceHeader = object<AdvanceHeader>({ log: name, cut, version: whole(), policies: digest, restrictions: digest });
const leaseHeader = object<LeaseHeader>({ log: name, version: whole(), time: whole() });
const helloHeader = object<HelloHeader>({
  protocol: exactly(LINK_PROTOCOL), log: name, host: name, server: name, upstream: text(MAX_UPSTREAM_CHARS), boot: name, nonce, answer: nonce, counter: whole(1),
  build: name, features: list(name, 32), policies: mark, restrictions: mark, pending: boolean,
  checkpoint: nullable(object<TreeMark>({ size: whole(1), root: hash })),
});

const headerText = text(MAX_HEADER_CHARS);

function signedShape(frame: string): Shape<RawSigned> {
  return object<RawSigned>({ frame: exactly(frame), header: headerText, signature });
}
function bodiedShape(frame: string): Shape<RawSigned> {
  return object<RawSigned & { readonly body: string }>({ frame: exactly(frame), header: headerText, signature, body: text(MAX_DOWN_BYTES) });
}

interface RawSigned {
  readonly frame: string;
  readonly header: string;
  readonly signature: string;
  readonly body?: string;
  readonly rotations?: readonly Rotation[];
  readonly shown?: ShownHead;
}

interface RawWelcome extends RawSigned {
  readonly shown: ShownHead;
}

/** A field that is left out where it would be empty. */
function optionally<T extends object>(field: string, without: Shape<T>, withIt: Shape<T>): Shape<T> {
  return (value, at) => (typeof value === 'object' && value !== null && Object.hasOwn(value, field) ? withIt : without)(value, at);
}

const challenge = { frame: exactly('challenge'), protocol: exactly(LINK_PROTOCOL), log: name, nonce };
const welcome = { frame: exactly('welcome'), header: headerText, signature, shown: object<ShownHead>(shownHead) };

const rawDown = tagged<DownFrame | RawSigned>('frame', {
  challenge: optionally<DownFrame | RawSigned>('restorations', object<Extract<DownFrame, { frame: 'challenge' }>>(challenge), object({ ...challenge, restorations: restorationList })),
  welcome: optionally<DownFrame | RawSigned>('rotations', object<RawWelcome>(welcome), object<RawWelcome>({ ...welcome, rotations: rotationList })),
  snapshot: bodiedShape('snapshot'),
  restrict: bodiedShape('restrict'),
  advance: signedShape('advance'),
  heartbeat: signedShape('heartbeat'),
  checkpoint: object({ frame: exactly('checkpoint'), ...shownHead }),
  'decisions-ack': object({ frame: exactly('decisions-ack'), boot: name, n: whole() }),
  goodbye: object({ frame: exactly('goodbye'), reason: text(MAX_PROBLEM_CHARS), retryAfterMs: list(whole(), 2) }),
});

const report = { policies: mark, restrictions: mark, pending: boolean, inFlight: whole(), heard: nullable(whole()) };
const rawUp = tagged<Exclude<UpFrame, { frame: 'hello' }> | RawSigned>('frame', {
  hello: signedShape('hello'),
  ack: object({ frame: exactly('ack'), ...report }),
  nack: object({
    frame: exactly('nack'),
    part: oneOf([...PARTS, 'link']),
    digest: nullable(digest),
    kind: oneOf(['unsupported', 'invalid', 'transient']),
    problems: list(text(MAX_PROBLEM_CHARS), MAX_NACK_PROBLEMS),
  }),
  heartbeat: object({ frame: exactly('heartbeat'), freshness: oneOf(['fresh', 'stale', 'expired']), ...report }),
  decisions: object({ frame: exactly('decisions'), rows: list(decisionRow, MAX_BATCH_ROWS) }),
  goodbye: object({ frame: exactly('goodbye') }),
});

/**
 * A frame from the plane, its signature and its body's digest verified with the plane's key. A welcome may name keys that replaced it:
 * `successor` gives the verifier of the last of them, or why they are not followed.
 */
export function readDown(source: string, verify: Verify, successor?: (rotations: readonly Rotation[]) => Read<Verify>): Read<DownFrame> {
  const raw = readJson(rawDown, source);
  if (!raw.ok) return raw;
  const frame = raw.value;
  if (!isSigned(frame)) return { ok: true, value: frame };
  switch (frame.frame) {
    case 'welcome': {
      const { rotations = [], shown } = frame;
      if (shown === undefined) return invalid('shown', 'is missing');
      const last = rotations.length === 0 || successor === undefined ? ({ ok: true, value: verify } as const) : successor(rotations);
      return last.ok ? opened(frame, 'welcome', welcomeHeader, last.value, (signed) => ({ ...parts(frame), frame: 'welcome', signed, rotations, shown })) : last;
    }
    case 'snapshot':
      return bodied(frame, 'snapshot', snapshotHeader, verify, (signed, body) => ({ ...parts(frame), frame: 'snapshot', signed, body }));
    case 'restrict':
      return bodied(frame, 'restrict', restrictHeader, verify, (signed, body) => ({ ...parts(frame), frame: 'restrict', signed, body }));
    case 'advance':
      return opened(frame, 'advance', advanceHeader, verify, (signed) => ({ ...parts(frame), frame: 'advance', signed }));
    default:
      return opened(frame, 'lease', leaseHeader, verify, (signed) => ({ ...parts(frame), frame: 'heartbeat', signed }));
  }
}

/**
 * A frame from a proxy. A hello is read only: whose key must have signed it is known once `signed.host` is, so the caller
 * verifies it, as a statement of kind `connect`.
 */
export function readUp(source: string): Read<UpFrame> {
  const raw = readJson(rawUp, source);
  if (!raw.ok) return raw;
  const frame = raw.value;
  if (!isSigned(frame)) return { ok: true, value: frame };
  const header = readJson(helloHeader, frame.header, 'header');
  return header.ok ? { ok: true, value: { ...parts(frame), frame: 'hello', signed: header.value } } : header;
}

/** The text of a frame that carries no signature. */
export function plainFrame(frame: Exclude<UpFrame, { frame: 'hello' }> | Extract<DownFrame, { frame: 'challenge' | 'checkpoint' | 'decisions-ack' | 'goodbye' }>): string {
  return JSON.stringify(frame);
}

/** The text of a welcome, with the head of the tree and the rotations of the plane's key. */
export function welcomeFrame(header: string, sig: string, shown: ShownHead, rotations: readonly Rotation[]): string {
  return JSON.stringify({ frame: 'welcome', header, signature: sig, shown, ...(rotations.length === 0 ? {} : { rotations }) });
}

/** The text of a signed frame. */
export function signedFrame(frame: string, header: string, sig: string, body?: string): string {
  return JSON.stringify(body === undefined ? { frame, header, signature: sig } : { frame, header, signature: sig, body });
}

function isSigned(frame: object): frame is RawSigned {
  return 'header' in frame && 'signature' in frame;
}

function parts(frame: RawSigned): Signed {
  return { header: frame.header, signature: frame.signature };
}

/** The signature before anything else: what an unknown key says is not even read. */
function opened<H, F>(frame: RawSigned, kind: SignedKind, shape: Shape<H>, verify: Verify, build: (signed: H) => F): Read<F> {
  if (!verify(kind, frame.header, frame.signature)) return forged(frame.frame);
  const header = readJson(shape, frame.header, 'header');
  return header.ok ? { ok: true, value: build(header.value) } : header;
}

function bodied<H extends { readonly digest: string }, F>(
  frame: RawSigned,
  kind: SignedKind,
  shape: Shape<H>,
  verify: Verify,
  build: (signed: H, body: string) => F,
): Read<F> {
  const body = frame.body ?? '';
  const read = opened(frame, kind, shape, verify, (signed) => signed);
  if (!read.ok) return read;
  if (digestOf(body) !== read.value.digest) return invalid('body', 'its digest is not the one that the header was signed with');
  return { ok: true, value: build(read.value, body) };
}

function forged(frame: string): Fault {
  return invalid('signature', `not the plane's signature over this ${frame}`);
}

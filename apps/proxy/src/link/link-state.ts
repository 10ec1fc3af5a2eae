/**
 * How this proxy stands with its plane, for whoever asks on this host: a refused proxy enforces what it has, and nobody at its side would know.
 * The transitions are pure; the link tells each change to `onState`.
 */
import { CLOSE_REASONS, shape } from '@portcullis/policy-core';
import type { CloseReason, Shape } from '@portcullis/policy-core';

/** `sinceMs` is when this began, in milliseconds since 1970. */
export type LinkState =
  | { readonly kind: 'connected'; readonly sinceMs: number }
  /** Not linked, and trying for ever; `problem` is what the last try came to, null where none has ended yet. */
  | { readonly kind: 'connecting'; readonly sinceMs: number; readonly problem: string | null }
  /** The plane's door said no; `planeLog` is the log it speaks for, where that is not the one this host trusts. */
  | { readonly kind: 'refused'; readonly sinceMs: number; readonly reason: CloseReason; readonly planeLog: string | null };

export const linkState: Shape<LinkState> = shape.tagged<LinkState>('kind', {
  connected: shape.object<Extract<LinkState, { kind: 'connected' }>>({ kind: shape.exactly('connected'), sinceMs: shape.whole() }),
  connecting: shape.object<Extract<LinkState, { kind: 'connecting' }>>({ kind: shape.exactly('connecting'), sinceMs: shape.whole(), problem: shape.nullable(shape.text(4096)) }),
  refused: shape.object<Extract<LinkState, { kind: 'refused' }>>({ kind: shape.exactly('refused'), sinceMs: shape.whole(), reason: shape.oneOf(CLOSE_REASONS), planeLog: shape.nullable(shape.text(256)) }),
});

/** Reasons with which the door turns a proxy away; the others end a link that may be begun again at once. */
const TURNED_AWAY: ReadonlySet<CloseReason> = new Set<CloseReason>(['unauthorised', 'revoked', 'other-log', 'other-history', 'unsupported-protocol', 'too-many', 'bad-frame', 'hello-timeout']);

/** Whoever was turned away for what it is comes back slowly. */
export const SLOW_REASONS: ReadonlySet<CloseReason> = new Set<CloseReason>(['revoked', 'unauthorised', 'other-log', 'other-history', 'unsupported-protocol']);

export interface Loss {
  readonly reason: CloseReason | null;
  /** What the socket or the link itself said. */
  readonly problem: string | null;
  readonly planeLog: string | null;
}

/** A connection, or the try at one, has ended. The same trouble again keeps the time at which it began. */
export function afterLoss(before: LinkState, { reason, problem, planeLog }: Loss, nowMs: number): LinkState {
  if (reason !== null && TURNED_AWAY.has(reason)) {
    const same = before.kind === 'refused' && before.reason === reason && before.planeLog === planeLog;
    return { kind: 'refused', sinceMs: same ? before.sinceMs : nowMs, reason, planeLog };
  }
  return { kind: 'connecting', sinceMs: before.kind === 'connecting' ? before.sinceMs : nowMs, problem: problem ?? (reason === null ? 'the connection ended' : ENDED[reason] ?? reason) };
}

const ENDED: Readonly<Partial<Record<CloseReason, string>>> = {
  slow: 'the plane ended the link because this proxy read or acknowledged too slowly',
  silent: 'the plane ended the link because it heard nothing from this proxy',
  'going-away': 'the plane went away',
  replaced: 'another connection of this proxy took over',
};

/** What the door's answer means here, and what to do. */
export function refusalAdvice(reason: CloseReason, planeLog: string | null): string {
  switch (reason) {
    case 'revoked':
      return 'this host is revoked: if it is to come back, have an operator make a join token, remove host.json and host.key here, and run portcullis-proxy join';
    case 'unauthorised':
      return 'the plane does not know this host or its key: have an operator make a join token, remove host.json and host.key here, and run portcullis-proxy join';
    case 'other-log':
      return `the plane speaks for the log ${planeLog ?? 'of another plane'}: if this host is to follow it there, run portcullis-proxy trust ${planeLog ?? 'LOG'}`;
    case 'other-history':
      return 'this host has seen events of the log that the plane does not have: it came back from a backup, or its log was altered. Its operators see this host and what to do; nothing is to be done here until they say so';
    case 'unsupported-protocol':
      return 'plane and proxy speak different versions of their protocol: bring both to the same release';
    case 'too-many':
      return 'this host has too many proxies connected: end those that nobody uses';
    case 'bad-frame':
    case 'hello-timeout':
      return 'the plane did not understand this proxy: bring both to the same release, and look at what stands between them';
    case 'slow':
    case 'silent':
    case 'going-away':
    case 'replaced':
      return ENDED[reason] ?? reason;
    default:
      return reason satisfies never;
  }
}

/**
 * Who was turned away at the door, and why. A proxy that the plane refuses goes on under what it has, and on the plane nobody would know of it:
 * operators are to see it beside the fleet, with what to do. What was proved is kept apart from what anybody on the network may claim.
 */
import type { CloseReason, HelloHeader } from '@portcullis/policy-core';
import type { TurnedAway } from './fleet.ts';
import { otherHistory } from './view.ts';

/** Proxies of enrolled hosts; a fleet that is turned away as a whole has one cause. */
const MAX_PROVED = 200;
/** Claims cost their sender nothing: they push out each other, and never what was proved. */
const MAX_CLAIMED = 50;
/** Refused proxies knock at least every half minute, revoked ones at longer intervals. */
const KEPT_MS = 3_600_000;

/** Somebody at the door. */
export interface Knock {
  readonly reason: CloseReason;
  /** What it said, if it could be read. */
  readonly hello: HelloHeader | null;
  /** Whether it holds the key of the host that it says it is. */
  readonly proved: boolean;
  /** Its address; null where there is none. */
  readonly from: string | null;
}

export interface TurnedAwayBook {
  /** True where this is news. */
  note(knock: Knock, nowMs: number): boolean;
  /** A proxy came in: nothing that was said of it before matters. */
  admitted(proxy: { readonly host: string; readonly server: string }): void;
  /** The latest first. */
  list(ours: { readonly log: string; readonly size: number; readonly nameOf: (host: string) => string | null }, nowMs: number): readonly TurnedAway[];
}

interface Noted extends Knock {
  readonly count: number;
  readonly firstMs: number;
  readonly lastMs: number;
}

export function turnedAwayBook(): TurnedAwayBook {
  const proved = new Map<string, Noted>();
  const claimed = new Map<string, Noted>();
  return {
    note: (knock, nowMs) => {
      const [book, limit] = knock.proved ? [proved, MAX_PROVED] : [claimed, MAX_CLAIMED];
      const key = JSON.stringify([knock.hello?.host ?? null, knock.hello?.server ?? null, knock.proved ? null : knock.from, knock.reason]);
      const before = book.get(key);
      const known = before !== undefined && nowMs - before.lastMs <= KEPT_MS ? before : undefined;
      // Again at the end, so that the first is the one that was silent for longest.
      book.delete(key);
      book.set(key, { ...knock, count: (known?.count ?? 0) + 1, firstMs: known?.firstMs ?? nowMs, lastMs: nowMs });
      for (const oldest of book.keys()) if (book.size > limit) book.delete(oldest);
      return known === undefined;
    },
    admitted: ({ host, server }) => {
      for (const book of [proved, claimed]) for (const [key, { hello }] of book) if (hello?.host === host && hello.server === server) book.delete(key);
    },
    list: (ours, nowMs) =>
      [...proved.values(), ...claimed.values()]
        .filter(({ lastMs }) => nowMs - lastMs <= KEPT_MS)
        .sort((a, b) => b.lastMs - a.lastMs)
        .map((noted) => viewOf(noted, ours)),
  };
}

function viewOf({ reason, hello, proved, from, count, firstMs, lastMs }: Noted, { log, size, nameOf }: { readonly log: string; readonly size: number; readonly nameOf: (host: string) => string | null }): TurnedAway {
  const host = hello?.host ?? null;
  return { host, hostName: host !== null && proved ? nameOf(host) : null, server: hello?.server ?? null, proved, from, reason, message: messageOf(reason, hello, proved, { log, size }), count, firstMs, lastMs };
}

/** What is the matter and what to do. */
function messageOf(reason: CloseReason, hello: HelloHeader | null, proved: boolean, own: { readonly log: string; readonly size: number }): string {
  switch (reason) {
    case 'other-log':
      if (!proved) return `follows the log ${hello?.log ?? '?'}, and its key is not known here: if it belongs to this plane, join it anew (remove host.json and host.key there, then portcullis-proxy join)`;
      return `follows the log ${hello?.log ?? '?'}: if this plane goes on from it, run on the host: portcullis-proxy trust ${own.log}`;
    case 'other-history':
      return otherHistory(hello?.checkpoint?.size ?? 0, own.size);
    case 'revoked':
      return 'its host is revoked, and keeps its last policies: to let it back in, join it anew (remove host.json and host.key there, then portcullis-proxy join)';
    case 'unauthorised':
      return 'its host is not enrolled here, or its key is another: join it anew (remove host.json and host.key there, then portcullis-proxy join)';
    case 'unsupported-protocol':
      return 'it says what this version of the plane does not know: bring plane and proxy to the same version';
    case 'too-many':
      return 'its host has too many proxies connected already: end those that nobody uses';
    case 'bad-frame':
    case 'hello-timeout':
      return 'it did not say what a proxy says: something else connects to the address of this plane, or a proxy of another version';
    case 'slow':
    case 'silent':
    case 'going-away':
    case 'replaced':
      return reason;
    default:
      return reason satisfies never;
  }
}

/**
 * Whether what a proxy holds is known to be current (P3). The plane signs "this head is current at time t"; the time since t is reckoned
 * from the welcome's anchor by the larger of two clocks, the monotonic one (which nobody sets) and the wall clock (which counts
 * while the machine sleeps), and is never reduced. Heartbeats alone keep nothing fresh: what is held must be that head.
 */
import { linkLimits } from '@portcullis/policy-core';

export interface Clocks {
  readonly monoMs: number;
  readonly wallMs: number;
}

interface Lease {
  readonly version: number;
  /** As the plane signed it. */
  readonly time: number;
  /** The same, and not later than plane time was reckoned to be when it arrived. */
  readonly asOf: number;
}

/**
 * A lease may be dated so much ahead of plane time as reckoned here, and counts from the earlier of the two: clocks run differently. What is
 * dated further ahead means that the plane's clock was set; it counts for nothing, and a new anchor is due.
 */
const LEAD_MS = linkLimits.HEARTBEAT_MS;

export interface Freshness {
  /** Plane time at a moment of ours that was not later. */
  readonly anchor: (Clocks & { readonly planeMs: number }) | null;
  readonly lease: Lease | null;
  /** Plane time at which what is held was last known to be current; null before that was ever known to this process. */
  readonly confirmed: number | null;
  /** The plane's time as reckoned last: it never goes back. */
  readonly planeMs: number;
  /** What an earlier process left behind: stale for so long when this one started. */
  readonly before: Clocks & { readonly staleMs: number };
}

/** A process that has just started is stale until it is welcomed, for as long as its predecessor was and the time since. */
export function startStale(staleMs: number, now: Clocks): Freshness {
  return { anchor: null, lease: null, confirmed: null, planeMs: 0, before: { ...now, staleMs: Math.max(1, staleMs) } };
}

/**
 * A welcome says what the time is there; `asked` is when the hello left, so the age can only be overrated. What was known stays as old as
 * it is, whatever the plane's clock says now.
 */
export function anchored(state: Freshness, welcome: { readonly version: number; readonly time: number }, asked: Clocks): Freshness {
  const { version, time } = welcome;
  const confirmed = state.confirmed === null ? null : time - Math.max(0, planeNow(state, asked) - state.confirmed);
  return { ...state, anchor: { ...asked, planeMs: time }, planeMs: time, confirmed, lease: { version, time, asOf: time } };
}

/** A lease replaces an older one; one that is not newer is an echo, and ignored. */
export function leased(state: Freshness, lease: { readonly version: number; readonly time: number }, now: Clocks): Freshness {
  if (state.anchor === null || (state.lease !== null && lease.time <= state.lease.time) || isAhead(state, lease, now)) return state;
  const { version, time } = lease;
  return { ...state, lease: { version, time, asOf: Math.min(time, planeNow(state, now)) } };
}

/** Whether a lease is dated so far ahead that the plane's clock must have been set since the welcome. */
export function isAhead(state: Freshness, lease: { readonly time: number }, now: Clocks): boolean {
  return state.anchor !== null && lease.time > planeNow(state, now) + LEAD_MS;
}

/** To be told after every adoption and every lease: the version that is enforced exactly, or null. */
export function holding(state: Freshness, version: number | null): Freshness {
  if (state.lease === null || version === null || version < state.lease.version) return state;
  return { ...state, confirmed: Math.max(state.confirmed ?? state.lease.asOf, state.lease.asOf) };
}

/**
 * Takes note of the time, so that no clock that is set back makes anything younger. Where the two clocks have parted (a sleep, a clock that was
 * set) both are reckoned from where they are now: else the wall clock, set back by so much and asleep for as long, would have stood still.
 */
export function ticked(state: Freshness, now: Clocks): Freshness {
  const planeMs = planeNow(state, now);
  const anchor = state.anchor === null || !haveParted(state.anchor, now) ? state.anchor : { ...now, planeMs };
  const before = haveParted(state.before, now) ? { ...now, staleMs: state.before.staleMs + elapsed(state.before, now) } : state.before;
  return { ...state, planeMs, anchor, before };
}

/** More than two clocks ever drift apart between two looks at them. */
const PARTED_MS = 1_000;

function haveParted(since: Clocks, now: Clocks): boolean {
  return Math.abs(now.monoMs - since.monoMs - (now.wallMs - since.wallMs)) > PARTED_MS;
}

/** For how long what is held has not been known to be current, in milliseconds; 0 = fresh. */
export function staleMs(state: Freshness, now: Clocks): number {
  if (state.anchor === null || state.confirmed === null) return Math.max(1, state.before.staleMs + elapsed(state.before, now));
  const age = planeNow(state, now) - state.confirmed;
  return age <= linkLimits.FRESH_MS ? 0 : age;
}

/** Age of the newest lease: more than a few heartbeats right after one arrived means that a clock was moved, and a new anchor is due. */
export function leaseAgeMs(state: Freshness, now: Clocks): number {
  return state.lease === null ? 0 : Math.max(0, planeNow(state, now) - state.lease.asOf);
}

function planeNow(state: Freshness, now: Clocks): number {
  return state.anchor === null ? state.planeMs : Math.max(state.planeMs, state.anchor.planeMs + elapsed(state.anchor, now));
}

function elapsed(since: Clocks, now: Clocks): number {
  return Math.max(0, now.monoMs - since.monoMs, now.wallMs - since.wallMs);
}

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

export interface Freshness {
  /** Plane time at a moment of ours that was not later. */
  readonly anchor: (Clocks & { readonly planeMs: number }) | null;
  readonly lease: { readonly version: number; readonly time: number } | null;
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

/** A welcome says what the time is there; `asked` is when the hello left, so the age can only be overrated. */
export function anchored(state: Freshness, welcome: { readonly version: number; readonly time: number }, asked: Clocks): Freshness {
  return { ...state, anchor: { ...asked, planeMs: welcome.time }, planeMs: welcome.time, lease: { version: welcome.version, time: welcome.time } };
}

/** A lease replaces an older one; one that is not newer is an echo, and ignored. */
export function leased(state: Freshness, lease: { readonly version: number; readonly time: number }): Freshness {
  if (state.anchor === null || (state.lease !== null && lease.time <= state.lease.time)) return state;
  return { ...state, lease: { version: lease.version, time: lease.time } };
}

/** To be told after every adoption and every lease: the version that is enforced exactly, or null. */
export function holding(state: Freshness, version: number | null): Freshness {
  if (state.lease === null || version === null || version < state.lease.version) return state;
  return { ...state, confirmed: Math.max(state.confirmed ?? 0, state.lease.time) };
}

/** Takes note of the time, so that no clock that is set back makes anything younger. */
export function ticked(state: Freshness, now: Clocks): Freshness {
  const planeMs = planeNow(state, now);
  return planeMs > state.planeMs ? { ...state, planeMs } : state;
}

/** For how long what is held has not been known to be current, in milliseconds; 0 = fresh. */
export function staleMs(state: Freshness, now: Clocks): number {
  if (state.anchor === null || state.confirmed === null) return Math.max(1, state.before.staleMs + elapsed(state.before, now));
  const age = planeNow(state, now) - state.confirmed;
  return age <= linkLimits.FRESH_MS ? 0 : age;
}

/** Age of the newest lease: more than a few heartbeats right after one arrived means that a clock was moved, and a new anchor is due. */
export function leaseAgeMs(state: Freshness, now: Clocks): number {
  return state.lease === null ? 0 : Math.max(0, planeNow(state, now) - state.lease.time);
}

function planeNow(state: Freshness, now: Clocks): number {
  return state.anchor === null ? state.planeMs : Math.max(state.planeMs, state.anchor.planeMs + elapsed(state.anchor, now));
}

function elapsed(since: Clocks, now: Clocks): number {
  return Math.max(0, now.monoMs - since.monoMs, now.wallMs - since.wallMs);
}

/** Restrictions that end by themselves: the plane records the end when its time has come, so that proxies never look at a clock for it. */
import type { Meta } from './domain/command.ts';
import type { PlaneState } from './domain/state.ts';
import type { Plane } from './plane.ts';

/** Longest that a timer of Node can wait. */
const MAX_TIMER_MS = 2 ** 31 - 1;
/** After a refusal (a full disk, say) it is tried again. */
const RETRY_MS = 5_000;

export interface Expiry {
  readonly close: () => void;
}

/** Watches the restrictions in force and ends each when its time has come. */
export function expireRestrictions(plane: Plane, now: () => number): Expiry {
  let timer: NodeJS.Timeout | undefined;
  let closed = false;
  const schedule = (state: PlaneState, least: number): void => {
    clearTimeout(timer);
    const next = Math.min(...ends(state).map(({ atMs }) => atMs));
    if (closed || !Number.isFinite(next)) return;
    timer = setTimeout(endDue, Math.min(Math.max(next - now(), least), MAX_TIMER_MS));
  };
  const endDue = (): void => {
    const nowMs = now();
    let refused = false;
    for (const { id } of ends(plane.state()).filter(({ atMs }) => atMs <= nowMs)) {
      refused = !plane.execute({ kind: 'expire', restriction: id }, metaAt(nowMs)).ok || refused;
    }
    schedule(plane.state(), refused ? RETRY_MS : 0);
  };
  const stop = plane.onRecorded((_recorded, state) => schedule(state, 0));
  schedule(plane.state(), 0);
  return {
    close: () => {
      closed = true;
      clearTimeout(timer);
      stop();
    },
  };
}

function ends(state: PlaneState): readonly { readonly id: string; readonly atMs: number }[] {
  return [...state.restrictions.values()].flatMap(({ restriction }) => (restriction.expiresAtMs === null ? [] : [{ id: restriction.id, atMs: restriction.expiresAtMs }]));
}

function metaAt(nowMs: number): Meta {
  return { nowMs, actor: { kind: 'plane', id: 'plane' }, auth: { method: 'none', ref: null }, reason: null, idem: null, cause: null };
}

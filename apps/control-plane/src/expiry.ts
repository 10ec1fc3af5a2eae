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
    for (const { id, since } of ends(plane.state()).filter(({ atMs }) => atMs <= nowMs)) {
      refused = !plane.execute({ kind: 'expire', restriction: id }, metaAt(nowMs, idOf(plane, since))).ok || refused;
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

function ends(state: PlaneState): readonly { readonly id: string; readonly since: number; readonly atMs: number }[] {
  return [...state.restrictions.values()].flatMap(({ restriction, since }) => (restriction.expiresAtMs === null ? [] : [{ id: restriction.id, since, atMs: restriction.expiresAtMs }]));
}

/** Null where the log cannot be read just now: that must not end the process, and the refusal of the command says it. */
function idOf({ history }: Plane, seq: number): string | null {
  try {
    return history.at(seq)?.id ?? null;
  } catch {
    return null;
  }
}

/** What was imposed for a time is what led to its end. */
function metaAt(nowMs: number, cause: string | null): Meta {
  return { nowMs, actor: { kind: 'plane', id: 'plane' }, auth: { method: 'none', ref: null }, reason: null, idem: null, cause };
}

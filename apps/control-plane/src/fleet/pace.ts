/** Pace: many sockets are served a few per turn, and many changes are told as one. */

import type { Stop, Timers } from '../timers.ts';

/** Things served in one turn of the event loop, so that a restriction or an answer never waits for all of them. */
const SERVED_PER_TURN = 200;
/** Whoever watches is told at most once in this time: thousands of answers arrive within a few milliseconds. */
const CHANGE_MS = 20;

export interface Queue<T> {
  /** What is waiting already keeps its place. */
  readonly add: (items: Iterable<T>) => void;
  readonly stop: () => void;
}

export interface Changes {
  readonly note: () => void;
  readonly listen: (listener: () => void) => () => void;
  readonly stop: () => void;
}

/** Serves what is added, in order, a few per turn of the event loop. */
export function makeQueue<T>(serve: (item: T) => void, timers: Pick<Timers, 'soon'>): Queue<T> {
  const waiting = new Set<T>();
  let scheduled = false;
  let stopped = false;
  function turn(): void {
    scheduled = false;
    let served = 0;
    for (const item of waiting) {
      waiting.delete(item);
      serve(item);
      served += 1;
      if (served >= SERVED_PER_TURN) break;
    }
    schedule();
  }
  function schedule(): void {
    if (scheduled || stopped || waiting.size === 0) return;
    scheduled = true;
    timers.soon(turn);
  }
  return {
    add: (items) => {
      for (const item of items) waiting.add(item);
      schedule();
    },
    stop: () => {
      stopped = true;
    },
  };
}

/** Tells listeners that something changed, not more often than they can use it: `afterMs` after the first change that they were not told of. */
export function makeChanges(timers: Pick<Timers, 'after'>, afterMs: number = CHANGE_MS): Changes {
  const listeners = new Set<() => void>();
  let stop: Stop | null = null;
  return {
    note: () => {
      stop ??= timers.after(afterMs, () => {
        stop = null;
        for (const listener of listeners) listener();
      });
    },
    listen: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    stop: () => stop?.(),
  };
}

/**
 * What the plane could not take (a full disk, a busy log) is put to it again until it does. Only the newest: an older one would bring
 * back what has been replaced since.
 */
import { eventLoop } from './timers.ts';
import type { Stop, Timers } from './timers.ts';

/** A log that somebody else holds is held for a moment: what waits for it should not wait much longer… */
export const FIRST_RETRY_MS = 250;
/** …but a disk that is full stays so for minutes, and asking costs the whole offer each time. */
export const LAST_RETRY_MS = 10_000;

export interface PutAgain<T> {
  /** From now on this is the newest; nothing older is put again. To be told before it is put. */
  readonly replace: (item: T) => void;
  /** The plane took one, whichever: nothing is put again but by a later refusal. */
  readonly taken: () => void;
  /** The plane could not take this one: it is put again, each time after twice as long, if nothing has replaced it. */
  readonly refused: (item: T) => void;
  /** Nothing is put again from here on. */
  readonly stop: () => void;
}

/** `put` is called from a timer; how it went is told by `taken` or `refused`. */
export function putAgain<T>(put: (item: T) => void, timers: Pick<Timers, 'after'> = eventLoop): PutAgain<T> {
  let newest: T | undefined;
  let delayMs = FIRST_RETRY_MS;
  let stopTimer: Stop = () => undefined;
  let stopped = false;
  return {
    replace: (item) => {
      stopTimer();
      newest = item;
    },
    taken: () => {
      stopTimer();
      delayMs = FIRST_RETRY_MS;
    },
    refused: (item) => {
      if (stopped || item !== newest) return;
      stopTimer();
      stopTimer = timers.after(delayMs, () => put(item));
      delayMs = Math.min(2 * delayMs, LAST_RETRY_MS);
    },
    stop: () => {
      stopped = true;
      stopTimer();
    },
  };
}

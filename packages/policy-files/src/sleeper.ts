/** A sleep that can be shortened. */

export interface Sleeper {
  /** Resolves at `until`, or earlier where `noLaterThan` said so meanwhile, or at once after `wake`. */
  readonly until: (until: number) => Promise<void>;
  readonly noLaterThan: (at: number) => void;
  readonly wake: () => void;
}

/** Times are those of `now`, in milliseconds. One sleep at a time. */
export function sleeper(now: () => number): Sleeper {
  let timer: NodeJS.Timeout | undefined;
  let end: (() => void) | undefined;
  let due = Infinity;
  const wake = () => {
    clearTimeout(timer);
    due = Infinity;
    end?.();
    end = undefined;
  };
  const arm = (at: number) => {
    clearTimeout(timer);
    due = at;
    // A timer may fire a fraction of a millisecond early; the sleeper then finds nothing due and would only spin.
    timer = setTimeout(wake, Math.max(0, Math.ceil(at - now())));
  };
  return {
    until: (at) =>
      new Promise((resolve) => {
        end = resolve;
        arm(at);
      }),
    noLaterThan: (at) => {
      if (end !== undefined && at < due) arm(at);
    },
    wake,
  };
}

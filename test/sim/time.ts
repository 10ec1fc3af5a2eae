/**
 * Virtual time, and machines that live in it: each with a monotonic clock that stops while it sleeps, a wall clock that can be set, and
 * processes whose timers die with them. One queue for everything, so that a run is one order of events.
 */

export interface Time {
  /** True milliseconds since the world began; nobody in it can see them. */
  now(): number;
  after(ms: number, action: () => void): void;
  /** Runs the next thing; false where nothing is left. */
  step(): boolean;
}

interface Due {
  readonly at: number;
  readonly order: number;
  readonly action: () => void;
}

export function makeTime(): Time {
  const heap: Due[] = [];
  let now = 0;
  let order = 0;
  const before = (a: number, b: number): boolean => heap[a]!.at < heap[b]!.at || (heap[a]!.at === heap[b]!.at && heap[a]!.order < heap[b]!.order);
  const swap = (a: number, b: number): void => void ([heap[a], heap[b]] = [heap[b]!, heap[a]!]);
  const rise = (index: number): void => {
    for (let child = index; child > 0; ) {
      const parent = (child - 1) >> 1;
      if (!before(child, parent)) return;
      swap(child, parent);
      child = parent;
    }
  };
  const sink = (): void => {
    for (let parent = 0; ; ) {
      let least = parent;
      for (const child of [2 * parent + 1, 2 * parent + 2]) if (child < heap.length && before(child, least)) least = child;
      if (least === parent) return;
      swap(parent, least);
      parent = least;
    }
  };
  return {
    now: () => now,
    after: (ms, action) => {
      heap.push({ at: now + Math.max(0, ms), order: order++, action });
      rise(heap.length - 1);
    },
    step: () => {
      const next = heap[0];
      if (next === undefined) return false;
      const last = heap.pop()!;
      if (heap.length > 0) {
        heap[0] = last;
        sink();
      }
      now = next.at;
      next.action();
      return true;
    },
  };
}

export interface Machine {
  readonly name: string;
  monoMs(): number;
  wallMs(): number;
  /** Sets the wall clock, forwards or back. */
  jump(ms: number): void;
  /** Sleeps: timers and the monotonic clock stop, the wall clock goes on. */
  suspend(): void;
  resume(): void;
  readonly suspended: boolean;
  /** Runs `action` now, or when the machine wakes. */
  awake(action: () => void): void;
  /** When its wall clock was changed or it woke last, in true time. */
  readonly disturbedAt: number;
  /** When it woke last, in true time. */
  readonly wokeAt: number;
  /** When its wall clock was set back last, on its monotonic one. */
  readonly setBackAtMono: number;
  start(): Process;
}

/** Something that runs on a machine until it is killed. */
export interface Process {
  readonly alive: boolean;
  readonly machine: Machine;
  after(ms: number, action: () => void): () => void;
  every(ms: number, action: () => void): () => void;
  kill(): void;
}

/** The wall clocks of the world begin here: 5 January 2026, noon. */
const EPOCH = Date.UTC(2026, 0, 5, 12);

export function makeMachine(name: string, time: Time, wallSkewMs: number): Machine {
  let asleepSince: number | null = null;
  let slept = 0;
  let offset = EPOCH + wallSkewMs;
  let disturbedAt = Number.NEGATIVE_INFINITY;
  let wokeAt = Number.NEGATIVE_INFINITY;
  let setBackAtMono = Number.NEGATIVE_INFINITY;
  const waiting: (() => void)[] = [];
  const monoMs = (): number => (asleepSince ?? time.now()) - slept;
  const awake = (action: () => void): void => {
    if (asleepSince === null) action();
    else waiting.push(action);
  };
  const machine: Machine = {
    name,
    monoMs,
    wallMs: () => Math.floor(offset + time.now()),
    jump: (ms) => {
      offset += ms;
      if (ms < 0) setBackAtMono = monoMs();
      disturbedAt = time.now();
    },
    suspend: () => void (asleepSince ??= time.now()),
    resume: () => {
      if (asleepSince === null) return;
      slept += time.now() - asleepSince;
      asleepSince = null;
      disturbedAt = wokeAt = time.now();
      for (const action of waiting.splice(0)) action();
    },
    get suspended() {
      return asleepSince !== null;
    },
    get disturbedAt() {
      return disturbedAt;
    },
    get wokeAt() {
      return wokeAt;
    },
    get setBackAtMono() {
      return setBackAtMono;
    },
    awake,
    start: () => startProcess(machine, time),
  };
  return machine;
}

function startProcess(machine: Machine, time: Time): Process {
  let alive = true;
  const after = (ms: number, action: () => void): (() => void) => {
    let open = true;
    const due = machine.monoMs() + Math.max(0, ms);
    const look = (): void => {
      if (!open || !alive) return;
      const left = due - machine.monoMs();
      // A machine that slept meanwhile has not counted the time.
      if (left > 1e-6) return time.after(left, () => machine.awake(look));
      open = false;
      action();
    };
    time.after(ms, () => machine.awake(look));
    return () => void (open = false);
  };
  return {
    machine,
    get alive() {
      return alive;
    },
    after,
    every: (ms, action) => {
      let stop = (): void => undefined;
      const again = (): void => {
        stop = after(ms, () => {
          again();
          action();
        });
      };
      again();
      return () => stop();
    },
    kill: () => void (alive = false),
  };
}

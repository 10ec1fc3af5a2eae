/** What happens later. Handed in, so that a simulated world can be the clock; by default it is the event loop. */
export interface Timers {
  after(ms: number, action: () => void): Stop;
  every(ms: number, action: () => void): Stop;
}

/** Stops a timer; one that is over does not mind. */
export type Stop = () => void;

export const eventLoop: Timers = {
  after: (ms, action) => {
    const timer = setTimeout(action, ms);
    return () => clearTimeout(timer);
  },
  every: (ms, action) => {
    const timer = setInterval(action, ms);
    return () => clearInterval(timer);
  },
};

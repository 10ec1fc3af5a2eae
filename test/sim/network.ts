/**
 * Sockets between proxies and the plane, as `ws` shows them, over a network that is slow, loses connections without a word, and lets somebody
 * in the middle touch what the plane says (liar.ts). Frames of one direction keep their order unless the one in the middle changes it.
 */
import { EventEmitter } from 'node:events';
import type { WebSocket } from 'ws';
import type { Random } from '../random.ts';
import type { Process, Time } from './time.ts';

export type Direction = 'down' | 'up';

export interface Connection {
  readonly id: number;
  /** Whose it is; `null` for an intruder's. */
  readonly proxy: string | null;
  readonly plane: End;
  readonly client: End;
  /** Nothing passes any more, and nobody is told. */
  dead: boolean;
  /** What the plane says waits until then: the reader is slow. */
  stalledUntil: number;
  /** Somebody in the middle swallowed, changed or added a frame. */
  tampered: boolean;
  readonly openedAt: number;
}

export interface End extends EventEmitter {
  readyState: number;
  bufferedAmount: number;
  isPaused: boolean;
  send(data: string | Uint8Array): void;
  close(code?: number, reason?: string): void;
  terminate(): void;
  pause(): void;
  resume(): void;
}

/** One frame on its way; `sentAt` is true time, and stays with a copy that is shown again later. */
export interface Frame {
  readonly text: string;
  readonly sentAt: number;
  /** As the plane or the proxy said it at that time, even if it is shown again. */
  readonly honest: boolean;
}

export interface NetworkOptions {
  readonly time: Time;
  readonly random: Random;
  /** Whether packets pass between a proxy's machine and the plane. */
  readonly reachable: (client: Process) => boolean;
  /** The plane's process and where its door is; null while it is down. */
  readonly plane: () => { readonly process: Process; readonly greet: (socket: WebSocket) => void } | null;
  /** What becomes of a frame on its way: any number of frames, each with an extra delay. */
  readonly meddle: (connection: Connection, direction: Direction, frame: Frame) => readonly (Frame & { readonly delay: number })[];
  readonly sent: (connection: Connection, direction: Direction, frame: Frame) => void;
  readonly delivered: (connection: Connection, direction: Direction, frame: Frame) => void;
  /** Milliseconds on the way. */
  readonly latency: () => number;
}

export interface Network {
  readonly connections: Set<Connection>;
  connect(client: Process, proxy: string | null): End;
  /** The process has ended: its ends answer nothing; the other side hears of it if packets pass. */
  ended(process: Process): void;
  /** Cuts a connection so that both ends learn of it. */
  reset(connection: Connection): void;
}

const CONNECTING = 0;
const OPEN = 1;
const CLOSING = 2;
const CLOSED = 3;
const ABNORMAL = 1006;
/** How long an attempt that nobody answers is waited for, and how often it is repeated meanwhile. */
const HANDSHAKE_MS = 10_000;
const KNOCK_MS = 1_000;

interface Side {
  readonly end: End;
  readonly process: Process;
  /** What arrives is kept while the end is paused. */
  readonly inbox: (() => void)[];
  /** Frames that left in this order arrive in it. */
  arrives: number;
}

export function makeNetwork(options: NetworkOptions): Network {
  const { time, random } = options;
  const connections = new Set<Connection>();
  const sides = new Map<Connection, { readonly plane: Side; readonly client: Side }>();
  let ids = 0;

  function connect(client: Process, proxy: string | null): End {
    const end = makeEnd(CONNECTING);
    const fail = (): void => {
      if (end.readyState !== CONNECTING) return;
      end.emit('error', new Error('no answer'));
      closed(end, ABNORMAL, '');
    };
    end.terminate = () => void time.after(0, () => client.alive && fail());
    client.after(HANDSHAKE_MS, fail);
    const knock = (): void => {
      if (end.readyState !== CONNECTING) return;
      const at = options.plane();
      if (!options.reachable(client)) client.after(KNOCK_MS, knock);
      else if (at === null) client.after(options.latency(), fail);
      else establish(client, end, proxy, at);
    };
    // Whoever called has not begun to listen yet.
    client.after(0, knock);
    return end;
  }

  function establish(client: Process, end: End, proxy: string | null, { process, greet }: NonNullable<ReturnType<NetworkOptions['plane']>>): void {
    const connection: Connection = { id: ids++, proxy, plane: makeEnd(OPEN), client: end, dead: false, stalledUntil: 0, tampered: false, openedAt: time.now() };
    const both = { plane: side(connection.plane, process), client: side(end, client) };
    sides.set(connection, both);
    connections.add(connection);
    wire(connection, 'down', both.plane, both.client);
    wire(connection, 'up', both.client, both.plane);
    time.after(options.latency() * 2, () => {
      if (connection.dead || !process.alive || !client.alive || end.readyState !== CONNECTING) return lose(connection);
      end.readyState = OPEN;
      process.machine.awake(() => process.alive && greet(connection.plane as unknown as WebSocket));
    });
  }

  function side(end: End, process: Process): Side {
    return { end, process, inbox: [], arrives: 0 };
  }

  /** Makes one end's methods; `from` speaks, `to` hears. */
  function wire(connection: Connection, direction: Direction, from: Side, to: Side): void {
    const { end } = from;
    end.send = (data) => {
      if (end.readyState !== OPEN || !from.process.alive) return;
      const frame: Frame = { text: typeof data === 'string' ? data : Buffer.from(data).toString('utf8'), sentAt: time.now(), honest: true };
      options.sent(connection, direction, frame);
      for (const { delay, ...one } of options.meddle(connection, direction, frame)) carry(connection, direction, from, to, one, delay);
    };
    end.close = (code = 1005, reason = '') => {
      if (end.readyState >= CLOSING) return;
      end.readyState = CLOSING;
      hand(connection, from, to, 0, () => heardClose(connection, to, from, code, reason));
    };
    end.terminate = () => {
      if (end.readyState === CLOSED) return;
      end.readyState = CLOSING;
      time.after(0, () => from.process.machine.awake(() => from.process.alive && closed(end, ABNORMAL, '')));
      hand(connection, from, to, 0, () => closed(to.end, ABNORMAL, ''));
    };
    end.pause = () => void (end.isPaused = true);
    end.resume = () => {
      end.isPaused = false;
      // One after the other, as long as nobody pauses again.
      while (!paused(end) && from.inbox.length > 0) from.inbox.shift()!();
    };
  }

  function carry(connection: Connection, direction: Direction, from: Side, to: Side, frame: Frame, delay: number): void {
    from.end.bufferedAmount += frame.text.length;
    hand(connection, from, to, delay, () => {
      from.end.bufferedAmount -= frame.text.length;
      if (to.end.readyState === CLOSED) return;
      const emit = (): void => {
        options.delivered(connection, direction, frame);
        to.end.emit('message', Buffer.from(frame.text), false);
      };
      if (to.end.isPaused) to.inbox.push(emit);
      else emit();
    });
  }

  /** Brings something to the other end, after what left before it. */
  function hand(connection: Connection, from: Side, to: Side, delay: number, arrive: () => void): void {
    const stalled = to.end === connection.client ? connection.stalledUntil : 0;
    const ready = Math.max(time.now() + options.latency(), stalled);
    // Somebody in the middle may hold one frame back; what leaves later then overtakes it.
    const at = delay > 0 ? ready + delay : Math.max(ready, from.arrives);
    if (delay === 0) from.arrives = at;
    time.after(at - time.now(), () => {
      if (connection.dead) return;
      if (!options.reachable(clientOf(connection))) return void (connection.dead = true);
      to.process.machine.awake(() => {
        if (to.process.alive) arrive();
      });
    });
  }

  function clientOf(connection: Connection): Process {
    return sides.get(connection)!.client.process;
  }

  function heardClose(connection: Connection, hearer: Side, closer: Side, code: number, reason: string): void {
    const answered = hearer.end.readyState === CLOSING;
    closed(hearer.end, code, reason);
    if (!answered) hand(connection, hearer, closer, 0, () => closed(closer.end, code, reason));
    else closed(closer.end, code, reason);
  }

  /** Without a word to anybody. */
  function lose(connection: Connection): void {
    connection.dead = true;
    connections.delete(connection);
  }

  return {
    connections,
    connect,
    reset: (connection) => {
      const both = sides.get(connection)!;
      lose(connection);
      for (const { end, process } of [both.plane, both.client]) time.after(random.below(20), () => process.machine.awake(() => process.alive && closed(end, ABNORMAL, '')));
    },
    ended: (process) => {
      for (const connection of [...connections]) {
        const both = sides.get(connection)!;
        const other = both.plane.process === process ? both.client : both.client.process === process ? both.plane : null;
        if (other === null || connection.dead) continue;
        connection.dead = true;
        // Who cannot be reached finds out later.
        if (!options.reachable(both.client.process)) continue;
        lose(connection);
        time.after(options.latency(), () => other.process.machine.awake(() => other.process.alive && closed(other.end, ABNORMAL, '')));
      }
    },
  };

  function closed(end: End, code: number, reason: string): void {
    if (end.readyState === CLOSED) return;
    end.readyState = CLOSED;
    for (const connection of connections) if (connection.plane.readyState === CLOSED && connection.client.readyState === CLOSED) connections.delete(connection);
    end.emit('close', code, Buffer.from(reason));
  }
}

function makeEnd(readyState: number): End {
  const end = new EventEmitter();
  const nothing = (): void => undefined;
  return Object.assign(end, { readyState, bufferedAmount: 0, isPaused: false, send: nothing, close: nothing, terminate: nothing, pause: nothing, resume: nothing });
}

/** Asked anew each time: what is handed over may pause its end. */
function paused(end: { readonly isPaused: boolean }): boolean {
  return end.isPaused;
}

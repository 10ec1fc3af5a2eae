/**
 * The relay between our own standard streams and a child's: what `portcullis-proxy -- command` is. The child is started before
 * anything else happens. Either side that stops reading stops the other from being read; neither can make us hold more than
 * one chunk and our own small answers.
 */
import type { Readable, Writable } from 'node:stream';
import { startChild } from '../upstream/child.ts';
import type { Child, ExitStatus } from '../upstream/child.ts';
import { createFraming } from './framing.ts';
import type { FramingEvents } from './framing.ts';
import type { Gate } from './gate.ts';
import type { RelayLimits } from './limits.ts';
import { flush, pump } from './pump.ts';
import { createSession } from './session.ts';
import type { Session } from './session.ts';

export interface StdioRelay {
  readonly command: string;
  readonly args: readonly string[];
  /** Or how to make one: asked for once the child is on its way, because starting the server is what takes long. */
  readonly gate: Gate | (() => Promise<Gate>);
  readonly stdin: Readable;
  readonly stdout: Writable;
  readonly stderr: Writable;
  readonly env: NodeJS.ProcessEnv;
  readonly limits: RelayLimits;
  /** Where signals come from: the process, but in tests. */
  readonly signals?: SignalSource;
}

export interface SignalSource {
  on(signal: NodeJS.Signals, listener: (signal: NodeJS.Signals) => void): unknown;
  off(signal: NodeJS.Signals, listener: (signal: NodeJS.Signals) => void): unknown;
}

/** After the agent's end of input with nothing left to answer. The official clients wait as long before they send SIGTERM. */
const EOF_GRACE_MS = 2_000;
/** After a signal. Clients that probe a server kill it one second after SIGTERM, and we must be gone with it. */
const SIGNAL_GRACE_MS = 300;
/** How long requests that were sent before the end of input may still be answered: half of the official clients' timeout. */
const DRAIN_MS = 30_000;
const FORWARDED_SIGNALS: readonly NodeJS.Signals[] = ['SIGINT', 'SIGTERM', 'SIGHUP'];

/**
 * Runs until the child has ended and its output is written. Resolves to the status that our process should end with; the
 * caller then exits, since our standard input may still be open.
 */
export async function runStdioRelay(relay: StdioRelay): Promise<ExitStatus> {
  const child = startChild(relay);
  const { stdin, stdout, limits } = relay;
  const onSignal = (signal: NodeJS.Signals): void => child.stop({ signal, graceMs: SIGNAL_GRACE_MS });
  const signals = relay.signals ?? process;
  for (const signal of FORWARDED_SIGNALS) signals.on(signal, onSignal);
  // Whoever stops us before there is anything to judge by does not wait for that.
  const gate = typeof relay.gate === 'function' ? await Promise.race([relay.gate(), child.ended.then(() => null)]) : relay.gate;
  if (gate === null) {
    for (const signal of FORWARDED_SIGNALS) signals.off(signal, onSignal);
    return child.ended;
  }
  const session = createSession(gate, limits, {
    toClient: (bytes) => {
      if (stdout.writable) stdout.write(bytes);
    },
    toServer: (bytes) => {
      if (child.stdin.writable) child.stdin.write(bytes);
    },
  });
  const shutdown = createShutdown(child, session);

  // A broken pipe on either side is the end of the session, not a fault of ours.
  stdout.on('error', shutdown.now);
  child.stdin.on('error', shutdown.now);
  stdin.on('error', shutdown.drain);
  child.stdout.on('error', shutdown.now);

  const up = pump(stdin, createFraming(limits.maxLineBytes, session.client), [
    { sink: child.stdin, full: () => child.stdin.writableNeedDrain },
    { sink: stdout, full: () => stdout.writableLength > limits.maxUnreadBytes },
  ]);
  stdin.on('end', shutdown.drain);
  const fromServer: FramingEvents = {
    line: (line) => {
      session.server.line(line);
      shutdown.check();
    },
    tooLong: (ends) => {
      session.server.tooLong(ends);
      shutdown.check();
    },
  };
  const down = pump(child.stdout, createFraming(limits.maxLineBytes, fromServer), [
    { sink: stdout, full: () => stdout.writableNeedDrain },
    { sink: child.stdin, full: () => child.stdin.writableLength > limits.maxUnreadBytes },
  ]);
  const status = await child.ended;
  for (const signal of FORWARDED_SIGNALS) signals.off(signal, onSignal);
  shutdown.cancel();
  up.stop();
  down.stop();
  session.upstreamGone(`The upstream server has ended (${status.signal ?? `exit code ${status.code}`})`);
  session.close();
  await flush(stdout);
  return status;
}

/* Ending */

interface Shutdown {
  /** The agent will send nothing more: what it has asked may still be answered. */
  readonly drain: () => void;
  /** To be called when an answer may have come. */
  readonly check: () => void;
  /** Nobody reads any more. */
  readonly now: () => void;
  readonly cancel: () => void;
}

function createShutdown(child: Child, session: Session): Shutdown {
  let draining: NodeJS.Timeout | null = null;
  const now = (): void => child.stop({ graceMs: EOF_GRACE_MS });
  const check = (): void => {
    if (draining !== null && session.unanswered() === 0) now();
  };
  return {
    now,
    check,
    drain: () => {
      child.stdin.end();
      draining ??= setTimeout(now, DRAIN_MS);
      check();
    },
    cancel: () => {
      if (draining !== null) clearTimeout(draining);
    },
  };
}

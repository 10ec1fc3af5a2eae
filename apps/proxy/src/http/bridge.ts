/** The relay between our own standard streams and a Streamable HTTP upstream: what `portcullis-proxy --upstream URL` is. */
import { constants } from 'node:os';
import { Writable } from 'node:stream';
import type { Readable } from 'node:stream';
import { createFraming } from '../relay/framing.ts';
import type { Gate } from '../relay/gate.ts';
import type { RelayLimits } from '../relay/limits.ts';
import type { Message } from '../relay/message.ts';
import { flush, pump } from '../relay/pump.ts';
import { createSession } from '../relay/session.ts';
import type { SignalSource } from '../relay/stdio.ts';
import type { ExitStatus } from '../upstream/child.ts';
import { createRemote } from '../upstream/remote.ts';
import type { RemoteTarget } from '../upstream/remote.ts';
import { roomIn } from './answer.ts';
import { createCarrier } from './carrier.ts';
import { createParamHeaders, declaresHeadersWrongly } from './param-headers.ts';

export interface HttpBridge {
  readonly target: RemoteTarget;
  readonly gate: Gate;
  readonly stdin: Readable;
  readonly stdout: Writable;
  readonly limits: RelayLimits;
  /** Where signals come from: the process, but in tests. */
  readonly signals?: SignalSource;
}

interface Outgoing {
  readonly line: Buffer;
  readonly messages: readonly Message[];
}

/** Messages that may wait for the upstream to take the one before; then the agent is not read any more. */
const MAX_QUEUED = 16;
/** How long requests that were sent before the end of input may still be answered: half of the official clients' timeout. */
const DRAIN_MS = 30_000;
/** How long the upstream may take to end the session. Clients kill what does not end in 2 s. */
const FAREWELL_MS = 1_000;
/** The same after a signal. Clients that probe a server kill it one second after SIGTERM. */
const SIGNAL_FAREWELL_MS = 300;
const SIGNALS: readonly NodeJS.Signals[] = ['SIGINT', 'SIGTERM', 'SIGHUP'];

/** Runs until the agent goes. Resolves to the status that our process should end with. */
export async function runHttpBridge({ target, gate, stdin, stdout, limits, signals = process }: HttpBridge): Promise<ExitStatus> {
  const params = createParamHeaders();
  const outgoing = new Writable({
    objectMode: true,
    highWaterMark: MAX_QUEUED,
    write: ({ line, messages }: Outgoing, _encoding, taken) => void carrier.carry(line, messages).finally(taken),
  });
  const session = createSession(
    gate,
    limits,
    {
      toClient: (bytes, messages) => {
        carrier.answered(messages);
        if (stdout.writable) stdout.write(bytes);
        ending.check();
      },
      toServer: (bytes, messages) => {
        if (!outgoing.writable) return;
        outgoing.write({ line: typeof bytes === 'string' ? Buffer.from(bytes) : bytes, messages } satisfies Outgoing);
      },
    },
    // A client on HTTP, which the bridge is, must not offer tools whose headers are declared wrongly.
    { learnTools: params.learn, withholds: declaresHeadersWrongly },
  );
  const carrier = createCarrier({
    remote: createRemote(target),
    limits,
    session: () => session,
    params,
    refuse: (what, detail) => gate.refuse({ what, detail }),
    room: () => roomIn(stdout),
  });
  const ending = createEnding(() => session.unanswered());
  for (const signal of SIGNALS) signals.on(signal, ending.signalled);
  stdout.on('error', ending.now);
  stdin.on('error', ending.drain);
  const input = pump(stdin, createFraming(limits.maxLineBytes, session.client), [
    { sink: outgoing, full: () => outgoing.writableNeedDrain },
    { sink: stdout, full: () => stdout.writableLength > limits.maxUnreadBytes },
  ]);
  stdin.on('end', () => outgoing.end(ending.drain));

  const signal = await ending.over;
  for (const one of SIGNALS) signals.off(one, ending.signalled);
  input.stop();
  await carrier.stop(signal === null ? FAREWELL_MS : SIGNAL_FAREWELL_MS);
  session.close();
  await flush(stdout);
  return { code: signal === null ? 0 : 128 + constants.signals[signal], signal };
}

function createEnding(unanswered: () => number) {
  let resolve: (signal: NodeJS.Signals | null) => void = () => undefined;
  const over = new Promise<NodeJS.Signals | null>((settle) => (resolve = settle));
  let draining = false;
  let timer: NodeJS.Timeout | null = null;
  const end = (signal: NodeJS.Signals | null): void => {
    if (timer !== null) clearTimeout(timer);
    resolve(signal);
  };
  const check = (): void => {
    if (draining && unanswered() === 0) end(null);
  };
  return {
    over,
    /** To be called when an answer may have come. */
    check,
    /** The agent will send nothing more: what it has asked may still be answered. */
    drain: () => {
      draining = true;
      timer ??= setTimeout(() => end(null), DRAIN_MS);
      check();
    },
    /** Nobody reads any more. */
    now: () => end(null),
    signalled: (signal: NodeJS.Signals) => end(signal),
  };
}

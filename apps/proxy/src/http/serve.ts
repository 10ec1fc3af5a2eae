/** `portcullis-proxy --listen`: the listener with what stands behind it, until a signal ends both. */
import type { Writable } from 'node:stream';
import type { Listen, Upstream } from '../endpoints.ts';
import type { Gate } from '../relay/gate.ts';
import type { RelayLimits } from '../relay/limits.ts';
import type { SignalSource } from '../relay/stdio.ts';
import type { ExitStatus } from '../upstream/child.ts';
import { createChildFront, DEFAULT_IDLE } from './child-front.ts';
import type { IdleLimits } from './child-front.ts';
import { startListener } from './listener.ts';
import type { Front, Listener } from './listener.ts';
import { createRemoteFront } from './remote-front.ts';

export interface ListenerRun {
  readonly upstream: Upstream;
  readonly listen: Listen;
  readonly gate: Gate;
  /** What children get, without our own variables. */
  readonly env: NodeJS.ProcessEnv;
  readonly stderr: Writable;
  readonly limits: RelayLimits;
  readonly tell: (line: string) => void;
  readonly idle?: IdleLimits;
  /** Where signals come from: the process, but in tests. */
  readonly signals?: SignalSource;
}

const SIGNALS: readonly NodeJS.Signals[] = ['SIGINT', 'SIGTERM', 'SIGHUP'];

/** Resolves once it was told to end, or could not begin (exit code 1, and a line that says why). */
export async function runListener(run: ListenerRun): Promise<ExitStatus> {
  const signals = run.signals ?? process;
  let finish: () => void = () => undefined;
  const told = new Promise<void>((resolve) => (finish = resolve));
  for (const signal of SIGNALS) signals.on(signal, finish);
  const front = frontOf(run);
  let listener: Listener;
  try {
    listener = await startListener({ at: run.listen, names: run.listen.names, token: run.listen.token, front, gate: run.gate, limits: run.limits });
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? '';
    run.tell(`cannot listen on ${run.listen.host}:${run.listen.port}: ${code === 'EADDRINUSE' ? 'something else does; choose another port' : code === 'EACCES' ? 'ports below 1024 need rights' : code || String(error)}`);
    await front.close();
    return { code: 1, signal: null };
  }
  run.tell(`listening on ${listener.url}`);
  await told;
  for (const signal of SIGNALS) signals.off(signal, finish);
  await listener.close();
  return { code: 0, signal: null };
}

function frontOf({ upstream, listen, gate, env, stderr, limits, idle }: ListenerRun): Front {
  switch (upstream.kind) {
    case 'child':
      return createChildFront({ command: upstream.command, args: upstream.args, env, stderr, gate, limits, idle: idle ?? DEFAULT_IDLE });
    case 'remote':
      return createRemoteFront({ target: upstream.target, gate, limits, ownToken: listen.token !== null });
  }
}

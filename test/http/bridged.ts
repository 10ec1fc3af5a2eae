/** The bridge from stdio to an HTTP upstream, in this process, with both standard streams in the test's hands. */
import { EventEmitter } from 'node:events';
import { PassThrough } from 'node:stream';
import { runHttpBridge } from '../../apps/proxy/src/http/bridge.ts';
import { DEFAULT_LIMITS } from '../../apps/proxy/src/relay/limits.ts';
import type { RelayLimits } from '../../apps/proxy/src/relay/limits.ts';
import { createPolicyGate } from '../relay/policy-gate.ts';
import type { PolicyGate } from '../relay/policy-gate.ts';
import { until } from '../world/process.ts';
import type { Message } from './upstream.ts';

export interface Bridged {
  readonly gate: PolicyGate;
  readonly stdin: PassThrough;
  readonly stdout: PassThrough;
  readonly signals: EventEmitter;
  /** Every line that the agent has got. */
  readonly lines: string[];
  send(...messages: readonly (object | string)[]): void;
  /** The message with this id, or that `which` chooses, once it has come. */
  next(which: number | string | ((message: Message) => boolean)): Promise<Message>;
  readonly ended: Promise<{ readonly code: number }>;
  /** Ends the input and waits for the end. */
  close(): Promise<{ readonly code: number }>;
}

/** Nobody's patience is tested here; machines are busy. */
export const PATIENCE_MS = 20_000;

export function bridge(url: string, policy = 'version: "1"\n', headers: Readonly<Record<string, string>> = {}, limits: Partial<RelayLimits> = {}): Bridged {
  const gate = createPolicyGate(policy);
  const [stdin, stdout] = [new PassThrough(), new PassThrough()];
  const signals = new EventEmitter();
  const ended = runHttpBridge({ target: { url: new URL(url), headers }, gate, stdin, stdout, limits: { ...DEFAULT_LIMITS, ...limits }, signals });
  const lines: string[] = [];
  let rest = '';
  stdout.on('data', (chunk: Buffer) => {
    const parts = (rest + chunk.toString('utf8')).split('\n');
    rest = parts.pop() ?? '';
    lines.push(...parts);
  });
  const taken = new Set<number>();
  return {
    gate,
    stdin,
    stdout,
    signals,
    lines,
    send: (...messages) => messages.forEach((message) => stdin.write(typeof message === 'string' ? message : `${JSON.stringify(message)}\n`)),
    next: (which) => {
      const chosen = typeof which === 'function' ? which : (message: Message): boolean => message.id === which;
      return until(`a message like ${String(which)}`, () => {
        for (const [at, line] of lines.entries()) {
          if (taken.has(at)) continue;
          const message = JSON.parse(line) as Message;
          if (!chosen(message)) continue;
          taken.add(at);
          return message;
        }
        return undefined;
      }, PATIENCE_MS);
    },
    ended,
    close: () => {
      stdin.end();
      return ended;
    },
  };
}

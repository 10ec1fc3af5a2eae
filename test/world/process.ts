/** Child processes of a world: started with a clean environment, stopped for certain, their output kept for failures. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';

export const ROOT = join(import.meta.dirname, '..', '..');
export const PORTCULLIS = join(ROOT, 'apps/control-plane/bin/portcullis.js');
export const PORTCULLIS_PROXY = join(ROOT, 'apps/proxy/bin/portcullis-proxy.js');

/** How much of a child's output is kept: enough for a stack, not for a flood. */
const KEPT_OUTPUT_BYTES = 256 * 1024;

export interface Running {
  readonly child: ChildProcess;
  readonly output: () => string;
  readonly exited: Promise<number>;
  /** Sends the signal and waits for the end; kills after `graceMs`. */
  readonly stop: (signal?: NodeJS.Signals, graceMs?: number) => Promise<number>;
}

export interface Finished {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** The environment every child of a world gets: no PORTCULLIS_* of the person who runs it. */
export function cleanEnvironment(extra: Readonly<Record<string, string>>): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(([name]) => !name.startsWith('PORTCULLIS_'));
  return { ...Object.fromEntries(kept), ...extra };
}

export function start(command: string, args: readonly string[], env: Readonly<Record<string, string>>, cwd?: string): Running {
  const child = spawn(command, [...args], { env: cleanEnvironment(env), stdio: ['pipe', 'pipe', 'pipe'], ...(cwd === undefined ? {} : { cwd }) });
  const chunks: string[] = [];
  let kept = 0;
  const keep = (chunk: Buffer): void => {
    if (kept > KEPT_OUTPUT_BYTES) return;
    kept += chunk.length;
    chunks.push(chunk.toString('utf8'));
  };
  child.stdout.on('data', keep);
  child.stderr.on('data', keep);
  const exited = once(child, 'exit').then(([code]: unknown[]) => (typeof code === 'number' ? code : -1));
  return {
    child,
    output: () => chunks.join(''),
    exited,
    stop: async (signal = 'SIGTERM', graceMs = 5_000) => {
      if (child.exitCode === null && child.signalCode === null) {
        child.kill(signal);
        const timer = setTimeout(() => child.kill('SIGKILL'), graceMs);
        await exited;
        clearTimeout(timer);
      }
      return child.exitCode ?? -1;
    },
  };
}

/** Runs to the end; never throws for an exit code. */
export async function run(command: string, args: readonly string[], env: Readonly<Record<string, string>>, options: { readonly cwd?: string; readonly input?: string } = {}): Promise<Finished> {
  const child = spawn(command, [...args], { env: cleanEnvironment(env), stdio: ['pipe', 'pipe', 'pipe'], ...(options.cwd === undefined ? {} : { cwd: options.cwd }) });
  const stdout: Buffer[] = [];
  const stderr: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => stdout.push(chunk));
  child.stderr.on('data', (chunk: Buffer) => stderr.push(chunk));
  child.stdin.on('error', () => undefined);
  child.stdin.end(options.input ?? '');
  const [code] = (await once(child, 'close')) as [number | null];
  return { code: code ?? -1, stdout: Buffer.concat(stdout).toString('utf8'), stderr: Buffer.concat(stderr).toString('utf8') };
}

/** Polls until the question is answered; the error names it. */
export async function until<T>(what: string, ask: () => T | undefined | false | Promise<T | undefined | false>, timeoutMs = 10_000, everyMs = 5): Promise<T> {
  const end = performance.now() + timeoutMs;
  for (;;) {
    const answer = await ask();
    if (answer !== undefined && answer !== false) return answer;
    if (performance.now() > end) throw new Error(`waited ${timeoutMs} ms for: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, everyMs));
  }
}

/** Starts the relay as a process, around a server that is given as a script, and talks to it line by line. */
import { spawn } from 'node:child_process';
import type { ChildProcessWithoutNullStreams } from 'node:child_process';
import { mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { build } from 'esbuild';
import type { PolicyGate } from './policy-gate.ts';

/** Bundles the fixture once; returns its path. */
export async function buildProxy(): Promise<string> {
  const outfile = join(mkdtempSync(join(tmpdir(), 'portcullis-relay-')), 'proxy-fixture.mjs');
  await build({
    entryPoints: [join(import.meta.dirname, 'proxy-fixture.ts')],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'esm',
    conditions: ['portcullis-source'],
    logLevel: 'error',
    // Packages in CommonJS ask for built-in modules at run time.
    banner: { js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);" },
  });
  return outfile;
}

export interface Proxied {
  readonly process: ChildProcessWithoutNullStreams;
  send(message: object | string): void;
  /** The next line that is a message with this id, or the next line at all. Rejects when the process ends first. */
  next(id?: number | string): Promise<Record<string, unknown>>;
  readonly stderr: () => string;
  readonly ended: Promise<{ readonly code: number | null; readonly signal: NodeJS.Signals | null }>;
  /** What the gate was asked, once the process has ended. */
  record(): { readonly judged: PolicyGate['judged']; readonly refused: PolicyGate['refused'] };
}

export function startProxy(fixture: string, command: readonly string[], env: NodeJS.ProcessEnv = {}): Proxied {
  const recordFile = join(mkdtempSync(join(tmpdir(), 'portcullis-relay-')), 'record.json');
  const child = spawn(process.execPath, [fixture, '--', ...command], { env: { ...process.env, RECORD: recordFile, ...env } });
  const arrived: Record<string, unknown>[] = [];
  const waiting = new Set<() => void>();
  const wake = (): void => {
    for (const check of waiting) check();
  };
  createInterface({ input: child.stdout }).on('line', (line) => {
    arrived.push(JSON.parse(line) as Record<string, unknown>);
    wake();
  });
  let stderr = '';
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
  child.stdin.on('error', () => undefined);
  let over = false;
  const ended = new Promise<{ code: number | null; signal: NodeJS.Signals | null }>((resolve) => {
    child.on('close', (code, signal) => {
      over = true;
      wake();
      resolve({ code, signal });
    });
  });
  return {
    process: child,
    send: (message) => void child.stdin.write(typeof message === 'string' ? message : `${JSON.stringify(message)}\n`),
    next: (id) =>
      new Promise((resolve, reject) => {
        const check = (): void => {
          const at = arrived.findIndex((message) => id === undefined || message['id'] === id);
          const [message] = at < 0 ? [] : arrived.splice(at, 1);
          if (message === undefined && !over) return;
          waiting.delete(check);
          if (message === undefined) reject(new Error(`the proxy ended before it answered ${String(id)}: ${stderr}`));
          else resolve(message);
        };
        waiting.add(check);
        check();
      }),
    stderr: () => stderr,
    ended,
    record: () => JSON.parse(readFileSync(recordFile, 'utf8')) as ReturnType<Proxied['record']>,
  };
}

/** A server as a script for `node -e`: `answer(message)` is called with each request that has an id. */
export function script(answer: string): string[] {
  return [process.execPath, '-e', `
    const say = (message) => process.stdout.write(JSON.stringify(message) + '\\n');
    const reply = (id, result) => say({ jsonrpc: '2.0', id, result });
    require('node:readline').createInterface({ input: process.stdin }).on('line', (line) => {
      const message = JSON.parse(line);
      ${answer}
    });
  `];
}

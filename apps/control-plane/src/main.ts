/** The process: streams, signals, exit code. Everything else is told what it may touch. */
import process from 'node:process';
import { run } from './cli/program.ts';
import type { Terminal } from './cli/terminal.ts';

const CLEAR_LINE = '\r\u001b[K';

const interrupted = new AbortController();
let showing = false;
let reading = false;

const terminal: Terminal = {
  out: (text) => write(process.stdout, text),
  err: (text) => write(process.stderr, text),
  progress: (text) => {
    if (!process.stderr.isTTY) return;
    process.stderr.write(`${CLEAR_LINE}${text}`);
    showing = text !== '';
  },
  get input() {
    // Opened only by a command that reads: an open terminal or pipe would keep the process alive.
    reading = true;
    return process.stdin;
  },
  env: process.env,
  cwd: process.cwd(),
  interactive: process.stdin.isTTY && process.stderr.isTTY,
  now: () => Date.now(),
  signal: interrupted.signal,
};

function write(stream: NodeJS.WriteStream, text: string): void {
  if (showing) process.stderr.write(CLEAR_LINE);
  showing = false;
  stream.write(`${text}\n`);
}

/** A reader that has seen enough (`| head`) ends us quietly. */
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  process.exit(error.code === 'EPIPE' ? 0 : 5);
});

/** The first signal asks to stop, the second does not ask. */
for (const [signal, code] of [['SIGINT', 130], ['SIGTERM', 143]] as const) {
  process.on(signal, () => {
    if (interrupted.signal.aborted) process.exit(code);
    interrupted.abort();
  });
}

process.exitCode = await run(process.argv.slice(2), terminal);
if (reading) process.stdin.destroy();

/** The process: streams, signals, exit code. Everything else is told what it may touch. */
import process from 'node:process';
import { isatty } from 'node:tty';
import { run } from './cli/program.ts';
import type { Terminal } from './cli/terminal.ts';

/** What an interrupted command may take to write what it has said. */
const LINGER_MS = 2_000;
const CLEAR_LINE = '\r\u001b[K';

const interrupted = new AbortController();
let showing = false;
/** Standard input, once a command has asked for it. */
const opened: { input?: typeof process.stdin } = {};

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
    opened.input = process.stdin;
    return process.stdin;
  },
  env: process.env,
  cwd: process.cwd(),
  interactive: isatty(0) && isatty(2),
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

/** The first signal asks to stop, the second does not wait for it. */
for (const [signal, code] of [['SIGINT', 130], ['SIGTERM', 143]] as const) {
  process.on(signal, () => {
    if (interrupted.signal.aborted) process.exit(code);
    interrupted.abort();
  });
}

process.exitCode = await run(process.argv.slice(2), terminal);
opened.input?.destroy();
// Whoever was told to stop stops: a timer that nobody waits for ends the process only where something else still holds it.
if (interrupted.signal.aborted) setTimeout(() => process.exit(), LINGER_MS).unref();

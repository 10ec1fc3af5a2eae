/**
 * The upstream as a child process. It gets our environment without our secrets, our standard error and our process group (so
 * that a closing terminal reaches it), and it never outlives us: first its input ends, then it is asked, then it is killed.
 */
import * as system from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { constants } from 'node:os';
import { PassThrough } from 'node:stream';
import type { Readable, Writable } from 'node:stream';

export interface ChildCommand {
  readonly command: string;
  readonly args: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  /** Where the child's standard error goes; our own is handed down as it is. */
  readonly stderr: Writable;
}

/** What our process should end with, too. */
export interface ExitStatus {
  /** 128 + n where a signal ended the child, 127 where it was not found, 126 where it could not be started. */
  readonly code: number;
  readonly signal: NodeJS.Signals | null;
}

export interface Child {
  readonly stdin: Writable;
  readonly stdout: Readable;
  /** Settles when the child has ended and its output is read; never rejects. */
  readonly ended: Promise<ExitStatus>;
  /** Ends the child's input and, where a signal is given, sends it; what still runs after `graceMs` is terminated, then killed. */
  stop(request: { readonly signal?: NodeJS.Signals; readonly graceMs: number }): void;
}

/** Between SIGTERM and SIGKILL. Clients that probe kill us one second after SIGTERM. */
const KILL_AFTER_TERM_MS = 400;
/** How long output may be silent after the child ended: a grandchild that inherited the pipe may hold it open for ever. */
const SILENT_AFTER_EXIT_MS = 500;
/** Everything that begins so is ours, keys and tokens among it. */
const OWN_VARIABLE = /^PORTCULLIS_/i;

/**
 * On Windows most servers are started through `.cmd` files (npx among them), which Node does not start without a shell since CVE-2024-27980, and
 * whose arguments a shell reads anew: cross-spawn finds the file and quotes for that. Elsewhere it would only cost its loading.
 */
const { spawn } = process.platform === 'win32' ? (await import('cross-spawn')).default : system;

/** Starts the child at once. A command that cannot be started shows in `ended`, after one line on `stderr`. */
export function startChild(command: ChildCommand): Child {
  let child: ChildProcess;
  try {
    child = spawn(command.command, [...command.args], {
      env: Object.fromEntries(Object.entries(command.env).filter(([name]) => !OWN_VARIABLE.test(name))),
      stdio: ['pipe', 'pipe', command.stderr === process.stderr ? 'inherit' : 'pipe'],
      windowsHide: true,
    });
  } catch (error) {
    // Some faults (no directory in the path, arguments too long) are thrown, others come as events.
    return neverStarted(sayFault(error as NodeJS.ErrnoException, command));
  }
  const { stdin, stdout } = child;
  if (stdin === null || stdout === null) throw new Error('a child that is spawned with pipes has pipes');
  child.stderr?.pipe(command.stderr, { end: false });
  const ended = waitForEnd(child, command);
  return { stdin, stdout, ended, stop: createLadder(child, stdin) };
}

function neverStarted(status: ExitStatus): Child {
  const [stdin, stdout] = [new PassThrough(), new PassThrough()];
  stdin.resume();
  stdout.end();
  return { stdin, stdout, ended: Promise.resolve(status), stop: () => stdin.end() };
}

function waitForEnd(child: ChildProcess, command: ChildCommand): Promise<ExitStatus> {
  return new Promise((resolve) => {
    child.on('error', (error: NodeJS.ErrnoException) => {
      // Only a child that never ran has no pid; a failed kill comes here too and ends nothing.
      if (child.pid !== undefined) return;
      resolve(sayFault(error, command));
    });
    child.on('exit', () => closeSilentOutput(child));
    child.on('close', (code, signal) => resolve({ code: signal === null ? (code ?? 1) : 128 + constants.signals[signal], signal }));
  });
}

/** Tells in one line why there is no child, and what a shell would end with. */
function sayFault(error: NodeJS.ErrnoException, { command, stderr }: ChildCommand): ExitStatus {
  const missing = error.code === 'ENOENT' || error.code === 'ENOTDIR';
  const reason = missing ? 'no such command; give its full path or mend PATH' : error.code === 'EACCES' ? 'it is not executable' : error.message;
  stderr.write(`portcullis-proxy: cannot start ${command}: ${reason}\n`);
  return { code: missing ? 127 : 126, signal: null };
}

/** `close` waits for the pipes; what nobody writes to any more is closed. Output that waits for a slow reader is not silent. */
function closeSilentOutput(child: ChildProcess): void {
  const output = child.stdout;
  if (output === null || output.destroyed) return;
  const arm = (): NodeJS.Timeout => setTimeout(() => {
    if (output.isPaused()) timer = arm();
    else {
      output.destroy();
      child.stderr?.destroy();
    }
  }, SILENT_AFTER_EXIT_MS);
  let timer = arm();
  output.on('data', () => timer.refresh());
  child.once('close', () => clearTimeout(timer));
}

function createLadder(child: ChildProcess, stdin: Writable): Child['stop'] {
  let termAt = Infinity;
  let timer: NodeJS.Timeout | null = null;
  child.once('exit', () => {
    if (timer !== null) clearTimeout(timer);
    termAt = -Infinity;
  });
  const terminate = (): void => {
    child.kill('SIGTERM');
    timer = setTimeout(() => child.kill('SIGKILL'), KILL_AFTER_TERM_MS);
  };
  return ({ signal, graceMs }) => {
    stdin.end();
    if (signal !== undefined) child.kill(signal);
    // A later, shorter patience counts; a longer one does not.
    const at = performance.now() + graceMs;
    if (at >= termAt) return;
    termAt = at;
    if (timer !== null) clearTimeout(timer);
    timer = setTimeout(terminate, graceMs);
  };
}

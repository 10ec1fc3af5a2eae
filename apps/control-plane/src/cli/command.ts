/** What every command that talks to a plane shares: its options, how it reports that something did not work. */
import { connect } from './connection.ts';
import type { Answered, As, Connection, Failure } from './connection.ts';
import { EXIT } from './exit.ts';
import type { ExitCode } from './exit.ts';
import { printable } from './printable.ts';
import type { Terminal } from './terminal.ts';
import { wrapped } from './wrap.ts';

export interface PlaneOptions {
  readonly json?: boolean;
  readonly as?: As;
}

/** Runs `act` against the plane; what it cannot reach is reported here. */
export async function withPlane(options: PlaneOptions, terminal: Terminal, act: (plane: Connection) => Promise<ExitCode>): Promise<ExitCode> {
  const connected = connect(terminal, options.as ?? 'responder');
  return connected.ok ? act(connected.value) : fail(connected.failure, options, terminal);
}

/** Prints what was answered, or says why nothing was. Each of `lines` stays one line, whatever names and reasons are in it. */
export function show<T>(answered: Answered<T>, options: PlaneOptions, terminal: Terminal, lines: (value: T) => readonly string[]): ExitCode {
  if (!answered.ok) return fail(answered.failure, options, terminal);
  print(answered.value, options, terminal, lines);
  return EXIT.ok;
}

export function print<T>(value: T, options: PlaneOptions, terminal: Terminal, lines: (value: T) => readonly string[]): void {
  terminal.out(options.json === true ? JSON.stringify(value) : rendered(value, lines).map(printable).join('\n'));
}

/** An answer in the plane's own form with something in it that this version of the commands does not know. */
export class UnknownAnswer extends Error {}

function rendered<T>(value: T, lines: (value: T) => readonly string[]): readonly string[] {
  try {
    return lines(value);
  } catch (error) {
    throw new UnknownAnswer(`The plane's answer holds what this version of portcullis cannot show (${error instanceof Error ? error.message : String(error)}). Use the plane's version, or --json.`);
  }
}

/** Says why it did not work, on standard error, with the next thing to try. */
export function fail({ exit, message, code }: Failure, options: PlaneOptions, terminal: Terminal): ExitCode {
  return complain(exit, code ?? 'unreachable', message + (code === 'forbidden' ? forbiddenHint(options, terminal) : ''), options, terminal);
}

/** A complaint on standard error, as the one line of JSON that --json promises or as lines for people; each is plain already. */
export function complain(exit: ExitCode, code: string, message: string | readonly string[], options: PlaneOptions, terminal: Terminal): ExitCode {
  const lines = typeof message === 'string' ? [message] : message;
  const shown = typeof message === 'string' ? [message] : message.flatMap((line) => wrapped(line));
  terminal.err(options.json === true ? JSON.stringify({ error: { code, message: lines.map((line) => line.trim()).join(' ') } }) : shown.join('\n'));
  return exit;
}

/** Whose token was too weak decides what helps: --as chooses between this machine's own tokens only. */
function forbiddenHint(options: PlaneOptions, { env }: Terminal): string {
  if ((env['PORTCULLIS_URL'] ?? '') !== '') return ' The token is that of PORTCULLIS_TOKEN; ask whoever has such a role, or an admin for a token with it.';
  return (options.as ?? 'responder') === 'responder' ? ' Add --as admin if you may decide this.' : '';
}

/** What every command that talks to a plane shares: its options, how it reports that something did not work. */
import { connect } from './connection.ts';
import type { Answered, As, Connection, Failure } from './connection.ts';
import { EXIT } from './exit.ts';
import type { ExitCode } from './exit.ts';
import { printable } from './printable.ts';
import type { Terminal } from './terminal.ts';

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
export function fail(failure: Failure, options: PlaneOptions, terminal: Terminal): ExitCode {
  const { exit, message, code } = failure;
  const hint = code === 'forbidden' && (options.as ?? 'responder') === 'responder' ? ' Add --as admin if you may decide this.' : '';
  terminal.err(options.json === true ? JSON.stringify({ error: { code: code ?? 'unreachable', message: message + hint } }) : message + hint);
  return exit;
}

/** The command line: every command, its options, its help. What the commands do is in files of their own. */
import { readFileSync } from 'node:fs';
import { Command, CommanderError } from 'commander';
import { addAccessCommands } from './commands-access.ts';
import { addFleetCommands } from './commands-fleet.ts';
import { addHistoryCommands } from './commands-history.ts';
import { addPolicyCommands } from './commands-policy.ts';
import { UnknownAnswer } from './command.ts';
import { EXIT, EXIT_HELP } from './exit.ts';
import type { ExitCode } from './exit.ts';
import { printable } from './printable.ts';
import type { Terminal } from './terminal.ts';

/** What a group of commands is added to, and what it runs with. */
export interface Setting {
  readonly program: Command;
  readonly terminal: Terminal;
  /** Takes the exit code of the command that ran. */
  readonly exit: (code: ExitCode) => void;
}

/** Runs one command line; the outcome is the exit code. Errors are said on standard error, never thrown. */
export async function run(args: readonly string[], terminal: Terminal): Promise<ExitCode> {
  let exit: ExitCode = EXIT.ok;
  const program = programFor(terminal, (code) => (exit = code));
  try {
    await program.parseAsync([...args], { from: 'user' });
    return exit;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
    if (error instanceof UnknownAnswer) {
      terminal.err(printable(error.message));
      return EXIT.unreachable;
    }
    terminal.err(`portcullis failed: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
    return EXIT.failed;
  }
}

/** The whole command line; exported for the test that holds its help against docs/cli.md. */
export function programFor(terminal: Terminal, exit: (code: ExitCode) => void): Command {
  const program = new Command('portcullis')
    .description("Policies for AI agents' MCP tool calls: written in files, enforced on every host.")
    .version(`portcullis ${ownVersion()}`, '--version', 'print which version this is')
    .exitOverride()
    .configureOutput({ writeOut: (text) => terminal.out(text.trimEnd()), writeErr: (text) => terminal.err(text.trimEnd()) })
    .showHelpAfterError('(add --help for what can be said here)')
    .addHelpText('after', EXIT_HELP);
  const setting: Setting = { program, terminal, exit };
  addPolicyCommands(setting);
  addFleetCommands(setting);
  addHistoryCommands(setting);
  addAccessCommands(setting);
  return program;
}

/** As package.json says, which lies beside the sources and beside what is built of them. */
function ownVersion(): string {
  const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as { readonly version: string };
  return version;
}

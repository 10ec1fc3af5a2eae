/** The command line: every command, its options, its help. What the commands do is in files of their own. */
import { Command, CommanderError } from 'commander';
import { check } from './check.ts';
import type { CheckOptions } from './check.ts';
import { evaluateCalls } from './eval.ts';
import type { EvalOptions } from './eval.ts';
import { EXIT, EXIT_HELP } from './exit.ts';
import type { ExitCode } from './exit.ts';
import { schema } from './schema.ts';
import type { Terminal } from './terminal.ts';

/** Runs one command line; the outcome is the exit code. Errors are said on standard error, never thrown. */
export async function run(args: readonly string[], terminal: Terminal): Promise<ExitCode> {
  let exit: ExitCode = EXIT.ok;
  const program = programFor(terminal, (code) => (exit = code));
  try {
    await program.parseAsync([...args], { from: 'user' });
    return exit;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
    terminal.err(`portcullis failed: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
    return EXIT.failed;
  }
}

function programFor(terminal: Terminal, exit: (code: ExitCode) => void): Command {
  const program = new Command('portcullis')
    .description("Policies for AI agents' MCP tool calls: written in files, enforced on every host.")
    .exitOverride()
    .configureOutput({ writeOut: (text) => terminal.out(text.trimEnd()), writeErr: (text) => terminal.err(text.trimEnd()) })
    .showHelpAfterError('(add --help for what can be said here)')
    .addHelpText('after', EXIT_HELP);
  addPolicyCommands(program, terminal, exit);
  return program;
}

function addPolicyCommands(program: Command, terminal: Terminal, exit: (code: ExitCode) => void): void {
  program
    .command('check')
    .description('check policy files and run the tests inside them; needs no plane')
    .argument('[paths...]', 'files and directories (default: policies)')
    .option('--json', 'print {"ok","problems","tests"}')
    .option('--watch', 'check again whenever a file changes')
    .action(async (paths: string[], options: CheckOptions) => exit(await check(paths, options, terminal)));
  program
    .command('eval')
    .description('decide calls by one policy file, one JSON call a line in, one decision a line out; needs no plane')
    .requiredOption('--policy <file>', 'the policy')
    .option('--calls <file>', 'where the calls are; - for standard input', '-')
    .option('--json', 'for symmetry: the output is JSON already')
    .action(async (options: EvalOptions) => exit(await evaluateCalls(options, terminal)));
  program
    .command('schema')
    .description('print the JSON Schema of policy files, for editors')
    .option('--json', 'for symmetry: the output is JSON already')
    .action(() => exit(schema(terminal)));
}

/**
 * Commands that work on files alone, and `serve`. What each needs is loaded when it runs: a lockdown must not wait for a YAML parser,
 * a database or an HTTP server to load.
 */
import type { ServeOptions } from '../config.ts';
import type { CheckOptions } from './check.ts';
import type { EvalOptions } from './eval.ts';
import { collect } from './arguments.ts';
import type { Setting } from './program.ts';

export function addPolicyCommands({ program, terminal, exit }: Setting): void {
  program
    .command('serve')
    .description('run the plane: watch policies, record every change, keep every proxy up to date')
    .option('--policies <dir>', 'the policy directory', 'policies')
    .option('--data <dir>', 'where the log, its keys and the decisions are kept', 'data')
    .option('--listen <host:port>', 'where to listen; beyond this machine only with TLS', '127.0.0.1:7420')
    .option('--removals <how>', '`accept`: publish removals that loosen without waiting for `portcullis confirm`')
    .option('--tls-cert <file>', 'certificate chain, PEM')
    .option('--tls-key <file>', 'its key, PEM')
    .option('--public-name <name>', 'a host name under which the plane may be asked (repeatable)', collect)
    .option('--poll', 'use no file events: for mounts where they never arrive')
    .option('--json', 'print happenings as JSON, one a line')
    .action(async (options: ServeOptions) => {
      const { serve } = await import('../serve.ts');
      exit(await serve(options, terminal));
    });
  program
    .command('check')
    .description('check policy files and run the tests inside them; needs no plane')
    .argument('[paths...]', 'files and directories (default: policies)')
    .option('--json', 'print {"ok","problems","tests"}')
    .option('--watch', 'check again whenever a file changes')
    .action(async (paths: string[], options: CheckOptions) => {
      const { check } = await import('./check.ts');
      exit(await check(paths, options, terminal));
    });
  program
    .command('eval')
    .description('decide calls by one policy file, one JSON call a line in, one decision a line out; needs no plane')
    .requiredOption('--policy <file>', 'the policy')
    .option('--calls <file>', 'where the calls are; - for standard input', '-')
    .option('--json', 'for symmetry: the output is JSON already')
    .action(async (options: EvalOptions) => {
      const { evaluateCalls } = await import('./eval.ts');
      exit(await evaluateCalls(options, terminal));
    });
  program
    .command('schema')
    .description('print the JSON Schema of policy files, for editors')
    .option('--json', 'for symmetry: the output is JSON already')
    .action(async () => {
      const { schema } = await import('./schema.ts');
      exit(schema(terminal));
    });
}

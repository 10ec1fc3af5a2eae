/** Commands about the past, and about the files' changes. */
import type { Command } from 'commander';
import { collect, eventType, wholeNumber } from './arguments.ts';
import { confirm, holdList, holdRelease, rollback } from './changes.ts';
import type { DecisionOptions, RollbackOptions } from './changes.ts';
import type { ExportOptions, VerifyOptions } from './audit.ts';
import type { PlaneOptions } from './command.ts';
import { asking, EXPECT } from './commands-fleet.ts';
import { logErase, logRestore } from './keeping.ts';
import type { EraseOptions, RestoreOptions } from './keeping.ts';
import { diff, log, logOne, show } from './log.ts';
import type { DiffOptions, LogOptions } from './log.ts';
import type { Setting } from './program.ts';

export function addHistoryCommands({ program, terminal, exit }: Setting): void {
  const logCommand = program.command('log').description('what was recorded, newest first');
  addAudit({ program: logCommand, terminal, exit });
  addKeeping({ program: logCommand, terminal, exit });
  asking(logCommand)
    .option('--limit <n>', 'so many events (default 20, at most 1000)', wholeNumber)
    .option('--before <seq>', 'events before this one', wholeNumber)
    .option('--from <seq>', 'not further back than this', wholeNumber)
    .option('--type <name>', 'events of this type only (repeatable); a wrong one lists them', eventType)
    .option('--policy <id>', 'about this policy only')
    .option('--actor <who>', 'by this actor only: a name, an id or its beginning')
    .argument('[seq]', 'one event, in full', wholeNumber)
    .action(async (seq: number | undefined, options: LogOptions) => exit(await (seq === undefined ? log(options, terminal) : logOne(seq, options, terminal))));
  asking(program.command('show').description('what was in force at a version, or the text of one of its policies'))
    .argument('<version>', 'a version; another seq means the last version before it', wholeNumber)
    .argument('[policy]', 'a policy id')
    .action(async (version: number, policy: string | undefined, options: PlaneOptions) => exit(await show(version, policy, options, terminal)));
  asking(program.command('diff').description('what changed between two versions, by meaning'))
    .argument('<from>', 'a version', wholeNumber)
    .argument('<to>', 'a version', wholeNumber)
    .option('--text', "as the files' lines")
    .action(async (from: number, to: number, options: DiffOptions) => exit(await diff(from, to, options, terminal)));
  addDecisions({ program, terminal, exit });
}

function addAudit({ program, terminal, exit }: Setting): void {
  program
    .command('export')
    .description('write the log as a C2SP directory that anybody can verify; needs no plane')
    .requiredOption('--out <dir>', 'an empty directory, or an earlier export of the same log')
    .option('--data <dir>', "the plane's data directory (default: that of this machine's plane)")
    .option('--json', 'print JSON')
    .action(async (options: ExportOptions, command: Command) => {
      const { logExport } = await import('./audit.ts');
      exit(await logExport(merged(options, command), terminal));
    });
  program
    .command('verify')
    .description('check that the log is as it was signed; needs no plane')
    .argument('[dir]', "an exported directory (default: the log of the plane's data directory)")
    .option('--data <dir>', "the plane's data directory (default: that of this machine's plane)")
    .option('--checkpoint <file>', 'a checkpoint kept earlier, which the log must contain (repeatable)', collect)
    .option('--key <file>', "the plane's verifier key, from elsewhere (repeatable: one that was signed by nobody, too)", collect)
    .option('--accept-unsigned-restoration', 'take the log\'s word where it came back from a backup and the recovery key was lost')
    .option('--json', 'print JSON')
    .action(async (directory: string | undefined, options: VerifyOptions, command: Command) => {
      const { logVerify } = await import('./audit.ts');
      exit(await logVerify(directory, merged(options, command), terminal));
    });
}

function addKeeping({ program, terminal, exit }: Setting): void {
  asking(program.command('erase').description('erase reasons and names, of one event or of one operator or host; the log stays as valid as before'))
    .argument('[seq]', 'the event', wholeNumber)
    .option('--actor <id>', 'everything that this operator or host gave as a reason, and its name')
    .requiredOption('--reason <text>', 'why')
    .action(async (seq: number | undefined, options: EraseOptions, command: Command) => exit(await logErase(seq, { ...merged(options, command), ...as(command) }, terminal)));
  program
    .command('restore')
    .description('go on from a backup, under another log that hosts follow; needs a plane that does not run')
    .option('--recovery-key <file>', 'the recovery key, from where it is kept')
    .option('--without-recovery-key', 'it is lost: each host has to be told, with portcullis-proxy trust')
    .option('--data <dir>', "the plane's data directory (default: that of this machine's plane)")
    .requiredOption('--reason <text>', 'why')
    .option('--json', 'print JSON')
    .action(async (options: RestoreOptions, command: Command) => exit(await logRestore(merged(options, command), terminal)));
}

/** As with --json: `log` takes --as, too. */
function as(command: Command): Pick<PlaneOptions, 'as'> {
  const given = [command, command.parent].find((one) => one?.getOptionValueSource('as') === 'cli');
  return given === undefined || given === null ? {} : { as: given.getOptionValue('as') as NonNullable<PlaneOptions['as']> };
}

/** `log` takes --json too, and commander gives the option to whichever it meets first. */
function merged<Options extends object>(options: Options, command: Command): Options {
  return { ...options, ...(command.optsWithGlobals()['json'] === true ? { json: true } : {}) };
}

function addDecisions({ program, terminal, exit }: Setting): void {
  asking(program.command('confirm').description('let a waiting removal through'))
    .argument('<change>', 'as `portcullis status` shows it')
    .option('--reason <text>', 'why')
    .option('--expect <version>', EXPECT, wholeNumber)
    .action(async (change: string, options: DecisionOptions) => exit(await confirm(change, options, terminal)));
  asking(program.command('rollback').description("put an earlier version's policies in force again, as a new version"))
    .argument('<version>', 'the version to return to', wholeNumber)
    .requiredOption('--reason <text>', 'why')
    .option('--expect <version>', EXPECT, wholeNumber)
    .option('--write-back', 'restore the files on disk as well')
    .action(async (to: number, options: RollbackOptions) => exit(await rollback(to, options, terminal)));
  const hold = program.command('hold').description('content that a rollback withdrew');
  asking(hold.command('list').description('what is held, by whom, why')).action(async (options: PlaneOptions) => exit(await holdList(options, terminal)));
  asking(hold.command('release').description('let the held content of one policy publish again'))
    .argument('<policy>', 'a policy id')
    .option('--reason <text>', 'why')
    .option('--expect <version>', EXPECT, wholeNumber)
    .action(async (policy: string, options: DecisionOptions) => exit(await holdRelease(policy, options, terminal)));
}

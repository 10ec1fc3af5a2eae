/** Commands about now: the fleet, and the gate. */
import { Option } from 'commander';
import type { Command } from 'commander';
import { collect, duration, labelGlob, moment, wholeNumber } from './arguments.ts';
import type { PlaneOptions } from './command.ts';
import type { Setting } from './program.ts';
import { lift, lockdown, restrict } from './restrictions.ts';
import type { LiftOptions, RestrictOptions } from './restrictions.ts';
import { enforced, hosts, proxies, status } from './status.ts';
import type { EnforcedOptions, FleetOptions, StatusOptions } from './status.ts';
import { tail } from './tail.ts';
import type { TailOptions } from './tail.ts';

/** Longest page that the plane gives out at once. */
const MAX_PAGE = 1_000;

/** What was decided on one state of things is not to be done to another. */
export const EXPECT = 'refuse if the head is another version by now';

/** What every command takes that asks a plane. */
export function asking(command: Command): Command {
  return command.option('--json', 'print JSON').addOption(new Option('--as <who>', "which of this machine's local tokens to use").choices(['responder', 'admin']).default('responder'));
}

export function addFleetCommands({ program, terminal, exit }: Setting): void {
  asking(program.command('status').description('the plane and its fleet at a glance'))
    .option('--all', 'also proxies that are offline and were not seen for over a day')
    .option('--wait <version>', 'wait until every connected proxy enforces this version; exit 1 and name the stragglers otherwise', wholeNumber)
    .option('--timeout <duration>', 'how long to wait (default 10s)', duration)
    .action(async (options: StatusOptions) => exit(await status(options, terminal)));
  asking(program.command('proxies').description('the proxies: what each enforces, when it was seen'))
    .option('--all', 'also those that are offline and were not seen for over a day')
    .action(async (options: FleetOptions) => exit(await proxies(options, terminal)));
  asking(program.command('hosts').description('every enrolled host')).action(async (options: PlaneOptions) => exit(await hosts(options, terminal)));
  asking(program.command('enforced').description('what proxies enforced at a moment'))
    .requiredOption('--at <moment>', '2026-01-05T12:00:00Z for example', moment)
    .option('--host <host>', 'on this host only, by name or id')
    .option('--server <name>', 'of this server only')
    .action(async (options: EnforcedOptions) => exit(await enforced(options, terminal)));
  asking(program.command('tail').description('decisions as proxies report them, until Ctrl-C'))
    .option('--host <host>', 'of this host only, by name or id')
    .option('--server <name>', 'of this server only')
    .option('--tool <name>', 'about this tool only')
    .addOption(new Option('--decision <which>', 'allowed or denied calls only').choices(['allow', 'deny']))
    .option('--last <n>', 'begin with so many past decisions, at most 1000', (text) => Math.min(wholeNumber(text), MAX_PAGE))
    .action(async (options: TailOptions) => exit(await tail(options, terminal)));
  addGate({ program, terminal, exit });
}

function addGate({ program, terminal, exit }: Setting): void {
  const selecting = (command: Command): Command =>
    asking(command)
      .requiredOption('--reason <text>', 'why; the agents are told')
      .option('--server <glob>', 'proxies of these servers only (repeatable)', collect)
      .option('--label <key=glob>', 'hosts with this label only (repeatable)', labelGlob)
      .option('--ttl <duration>', 'ends by itself: 30m, 1h, 2d', duration)
      .option('--timeout <duration>', 'how long to wait for the fleet (default 10s)', duration);
  selecting(program.command('lockdown').description('deny everything, now; exit 0 when every connected proxy enforces it')).action(async (options: RestrictOptions) => exit(await lockdown(options, terminal)));
  selecting(program.command('restrict').description('deny some tools, or all but reading, now'))
    .option('--tool <glob>', 'deny these tools (repeatable)', collect)
    .option('--read-only', 'deny all, or of --tool all, but what policies list under read_only')
    .action(async (options: RestrictOptions) => exit(await restrict(options, terminal)));
  asking(program.command('lift').description('end a restriction; says what becomes possible again and asks'))
    .argument('<id>', 'as `portcullis status` shows it')
    .requiredOption('--reason <text>', 'why')
    .option('--yes', 'do not ask')
    .option('--expect <version>', EXPECT, wholeNumber)
    .option('--timeout <duration>', 'how long to wait for the fleet (default 10s)', duration)
    .action(async (id: string, options: LiftOptions) => exit(await lift(id, options, terminal)));
}

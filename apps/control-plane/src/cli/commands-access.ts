/** Commands about who has access. They need the admin token: `--as admin`. */
import { Option } from 'commander';
import { ROLES } from '../domain/events.ts';
import type { Role } from '../domain/events.ts';
import { hostRelabel, joinTokenCreate, joinTokenList, revoke, tokenCreate, tokenList } from './access.ts';
import type { JoinTokenOptions, RelabelOptions } from './access.ts';
import { duration, hostLabel } from './arguments.ts';
import type { ReasonOptions } from './changes.ts';
import type { PlaneOptions } from './command.ts';
import { asking } from './commands-fleet.ts';
import { keyRotate } from './keeping.ts';
import type { RotateOptions } from './keeping.ts';
import type { Setting } from './program.ts';
import { hosts } from './status.ts';

export function addAccessCommands(setting: Setting): void {
  addJoinTokens(setting);
  addTokens(setting);
  addHosts(setting);
  addKey(setting);
}

function addJoinTokens({ program, terminal, exit }: Setting): void {
  const joinToken = program.command('join-token').description('tokens with which hosts join');
  asking(joinToken.command('create').description('make one, for one host'))
    .option('--label <key=value>', 'what the host will carry (repeatable)', hostLabel)
    .option('--ttl <duration>', 'how long it may be used (default 1h, at most 24h)', duration)
    .option('--reason <text>', 'why')
    .action(async (options: JoinTokenOptions) => exit(await joinTokenCreate(options, terminal)));
  asking(joinToken.command('list').description('all of them, without their secrets')).action(async (options: PlaneOptions) => exit(await joinTokenList(options, terminal)));
  asking(joinToken.command('revoke').description('take an unused one back'))
    .argument('<id>')
    .option('--reason <text>', 'why')
    .action(async (id: string, options: ReasonOptions) => exit(await revoke('join-tokens', id, options, terminal)));
}

function addTokens({ program, terminal, exit }: Setting): void {
  const token = program.command('token').description("operators' tokens");
  asking(token.command('create').description('make one'))
    .addOption(new Option('--role <role>', 'what it may do').choices(ROLES).makeOptionMandatory())
    .option('--name <text>', 'whose it is', 'operator')
    .option('--reason <text>', 'why')
    .action(async (options: ReasonOptions & { readonly role: Role; readonly name: string }) => exit(await tokenCreate(options.name, options.role, options, terminal)));
  asking(token.command('list').description('all of them, without their secrets')).action(async (options: PlaneOptions) => exit(await tokenList(options, terminal)));
  asking(token.command('revoke').description('make one useless'))
    .argument('<id>')
    .option('--reason <text>', 'why')
    .action(async (id: string, options: ReasonOptions) => exit(await revoke('tokens', id, options, terminal)));
}

function addHosts({ program, terminal, exit }: Setting): void {
  const host = program.command('host').description('enrolled hosts');
  asking(host.command('list').description('every enrolled host')).action(async (options: PlaneOptions) => exit(await hosts(options, terminal)));
  asking(host.command('relabel').description('replace all labels of a host'))
    .argument('<id>')
    .option('--label <key=value>', 'what it carries from now on (repeatable; none = no labels)', hostLabel)
    .option('--confirm', 'also where this takes the host out of an active restriction')
    .option('--reason <text>', 'why')
    .action(async (id: string, options: RelabelOptions) => exit(await hostRelabel(id, options, terminal)));
  asking(host.command('revoke').description('shut a host out; it keeps what it has and gets nothing new'))
    .argument('<id>')
    .option('--reason <text>', 'why')
    .action(async (id: string, options: ReasonOptions) => exit(await revoke('hosts', id, options, terminal)));
}

function addKey({ program, terminal, exit }: Setting): void {
  const key = program.command('key').description("the plane's signing key");
  asking(key.command('rotate').description('make a new one, signed by the old one; proxies follow'))
    .requiredOption('--reason <text>', 'why')
    .action(async (options: RotateOptions) => exit(await keyRotate(options, terminal)));
}

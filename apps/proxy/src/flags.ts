/**
 * The options of `portcullis-proxy`: what each takes, and which command it belongs to. An option that is mistyped, stands where it means nothing, comes
 * twice or lacks its value is refused by name, with what to write: a proxy that starts without what its user asked for would look as if it had it.
 * Node's own parser: a proxy starts with every agent session, and an argument library would be a good part of that start.
 */
import { parseArgs } from 'node:util';
import { nearest } from '@portcullis/policy-core/suggestion';

export type CommandName = 'wrap' | 'join' | 'trust' | 'status' | 'doctor';

interface Flag {
  /** What follows it, as the help has it; null for a switch. */
  readonly takes: string | null;
  readonly of: readonly CommandName[];
  /** It may come more than once. */
  readonly many?: boolean;
}

const FLAGS = {
  server: { takes: 'NAME', of: ['wrap'] },
  upstream: { takes: 'URL', of: ['wrap'] },
  header: { takes: "'NAME: VALUE'", of: ['wrap'], many: true },
  listen: { takes: 'HOST:PORT', of: ['wrap'] },
  'public-name': { takes: 'NAME', of: ['wrap'], many: true },
  policy: { takes: 'FILE|DIR', of: ['wrap'] },
  plane: { takes: 'URL', of: ['join'] },
  'token-file': { takes: 'FILE', of: ['join'] },
  local: { takes: null, of: ['join'] },
  name: { takes: 'NAME', of: ['join'] },
  json: { takes: null, of: ['status', 'doctor'] },
} as const satisfies Readonly<Record<string, Flag>>;

export type FlagName = keyof typeof FLAGS;

const COMMANDS: ReadonlySet<string> = new Set<CommandName>(['join', 'trust', 'status', 'doctor']);
const OPTIONS = Object.fromEntries(Object.entries(FLAGS).map(([name, { takes }]) => [name, { type: takes === null ? 'boolean' : 'string' } as const]));
const KNOWN: ReadonlyMap<string, Flag> = new Map(Object.entries(FLAGS));

export type Words =
  | { readonly kind: 'words'; readonly command: CommandName; readonly rest: readonly string[]; readonly value: (flag: FlagName) => string | undefined; readonly all: (flag: FlagName) => readonly string[]; readonly has: (flag: FlagName) => boolean }
  | { readonly kind: 'help' }
  | { readonly kind: 'version' }
  | { readonly kind: 'wrong'; readonly message: string };

/** Reads the words before `--`; `wrapped` are those after it, for what to write instead. */
export function readWords(own: readonly string[], wrapped: readonly string[] | null): Words {
  const { tokens } = parseArgs({ args: [...own], options: OPTIONS, strict: false, allowPositionals: true, tokens: true });
  const positionals = tokens.flatMap((token) => (token.kind === 'positional' ? [token.value] : []));
  const given = tokens.flatMap((token) => (token.kind === 'option' ? [token] : []));
  if (given.some(({ rawName }) => rawName === '--help' || rawName === '-h')) return { kind: 'help' };
  if (given.some(({ rawName }) => rawName === '--version' || rawName === '-V')) return { kind: 'version' };
  const [first] = positionals;
  // A mistyped option makes its value look like a command: the option is what to speak of.
  const command = first === undefined ? 'wrap' : COMMANDS.has(first) ? (first as CommandName) : null;
  const values = new Map<string, readonly string[]>();
  for (const { name, rawName, value, inlineValue } of given) {
    const flag = rawName.startsWith('--') ? KNOWN.get(name) : undefined;
    if (flag === undefined) return wrong(unknownOption(rawName, command));
    if (values.has(name) && flag.many !== true) return wrong(`${rawName} is given twice: give it once.`);
    const problem = valueProblem(rawName, flag, value, inlineValue === true);
    if (problem !== null) return wrong(problem);
    if (command !== null && !flag.of.includes(command)) return wrong(`${rawName} means nothing ${placeOf(command)}: it belongs ${flag.of.map(placeOf).join(' and ')}.`);
    values.set(name, [...(values.get(name) ?? []), value ?? '']);
  }
  if (command === null) return wrong(unknownCommand(first ?? '', positionals, own, wrapped));
  if (command !== 'wrap' && wrapped !== null) return wrong(`\`${command}\` and \`-- COMMAND\` do not go together: \`${command}\` runs no server.`);
  return { kind: 'words', command, rest: positionals.slice(1), value: (flag) => values.get(flag)?.[0], all: (flag) => values.get(flag) ?? [], has: (flag) => values.has(flag) };
}

function valueProblem(rawName: string, { takes }: Flag, value: string | undefined, inline: boolean): string | null {
  if (takes === null) return value === undefined ? null : `${rawName} takes no value: write ${rawName} alone.`;
  if (value === undefined || value === '') return `${rawName} needs a value: write ${rawName} ${takes}.`;
  if (!inline && value.startsWith('-') && value !== '-') return `${rawName} needs a value, and ${JSON.stringify(value)} looks like another option: write ${rawName} ${takes}, or ${rawName}=${value} if that is what you mean.`;
  return null;
}

function unknownOption(rawName: string, command: CommandName | null): string {
  const meant = nearest(rawName.replace(/^-+/, ''), [...KNOWN.keys(), 'help', 'version']);
  const hint = meant === null ? '' : ` Did you mean --${meant}?`;
  return `${rawName} is no option of portcullis-proxy.${hint}${command === 'wrap' || command === null ? ' Options of the MCP server come after `--`, with its command.' : ''}`;
}

function unknownCommand(first: string, positionals: readonly string[], own: readonly string[], wrapped: readonly string[] | null): string {
  const meant = nearest(first, COMMANDS);
  const hint = meant === null ? '' : ` Did you mean \`${meant}\`?`;
  if (wrapped !== null) return `\`${first}\` stands before \`--\` and is no command of portcullis-proxy.${hint} The MCP server's whole command comes after \`--\`.`;
  const options = own.slice(0, own.indexOf(first));
  return `\`${first}\` is no command of portcullis-proxy.${hint} To run an MCP server behind it, write \`portcullis-proxy ${[...options, '--', ...positionals].join(' ')}\`.`;
}

function placeOf(command: CommandName): string {
  return command === 'wrap' ? 'before `-- COMMAND`' : `with \`${command}\``;
}

function wrong(message: string): Words {
  return { kind: 'wrong', message };
}

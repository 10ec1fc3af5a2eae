/**
 * The command line of `portcullis-proxy`, read into a plan. Node's own parser: a proxy starts with every agent session, and an argument
 * library would be a good part of that start.
 */
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { claimOf, refusedServerName, type Claim } from './claim.ts';

export type Plan =
  | { readonly kind: 'wrap'; readonly claim: Claim; readonly command: string; readonly args: readonly string[]; readonly home: string }
  | { readonly kind: 'join'; readonly url: string; readonly tokenFile: string; readonly name: string | null; readonly home: string }
  | { readonly kind: 'join-local'; readonly name: string | null; readonly home: string }
  | { readonly kind: 'trust'; readonly log: string; readonly home: string }
  | { readonly kind: 'status'; readonly json: boolean; readonly home: string }
  | { readonly kind: 'help' }
  | { readonly kind: 'version' }
  | { readonly kind: 'usage'; readonly message: string };

/** Exit codes, as docs/cli.md has them. The wrapped server's own code is mirrored. */
export const EXIT = { ok: 0, refused: 1, usage: 2, unreachable: 3 } as const;

export const HELP = `portcullis-proxy: stands between an agent and an MCP server, and lets through what the policies allow.

Usage:
  portcullis-proxy [--server NAME] -- COMMAND [ARG …]   run an MCP server over stdio behind this proxy
  portcullis-proxy join --plane URL --token-file FILE   enrol this host (FILE may be - for standard input)
  portcullis-proxy join --local                         enrol with the plane that runs on this machine
  portcullis-proxy trust LOG                            follow the plane to another log, after it came back from a backup
  portcullis-proxy status [--json]                      what is in force here, for which servers, since when

Options:
  --server NAME   the name that policies speak about (default: made from the command)
  --name NAME     with join: what operators see for this host (default: the machine's name)
  --help, --version

Environment:
  PORTCULLIS_HOME   where enrolment and last good versions are kept (default: ~/.portcullis)

The wrapped server gets the whole environment but PORTCULLIS_*. Its exit code is this program's.
Exit codes: 0 ok · 1 refused · 2 wrong usage · 3 the plane cannot be reached · 127 the command cannot be started
`;

/** Reads the words after the program's name. Never throws: what is wrong is a plan of kind `usage`. */
export function readPlan(argv: readonly string[], env: NodeJS.ProcessEnv): Plan {
  const home = resolve(env['PORTCULLIS_HOME'] ?? join(homedir(), '.portcullis'));
  const separator = argv.indexOf('--');
  const own = separator < 0 ? argv : argv.slice(0, separator);
  const wrapped = separator < 0 ? null : argv.slice(separator + 1);
  try {
    const { values, positionals } = parseArgs({
      args: [...own],
      allowPositionals: true,
      strict: true,
      options: {
        server: { type: 'string' },
        plane: { type: 'string' },
        'token-file': { type: 'string' },
        local: { type: 'boolean' },
        name: { type: 'string' },
        json: { type: 'boolean' },
        help: { type: 'boolean', short: 'h' },
        version: { type: 'boolean', short: 'V' },
      },
    });
    if (values.help === true) return { kind: 'help' };
    if (values.version === true) return { kind: 'version' };
    const [command, ...more] = positionals;
    if (command === undefined) return wrap(values.server, wrapped, home);
    if (wrapped !== null) return usage(`\`${command}\` and \`-- COMMAND\` do not go together.`);
    if (command === 'trust') return trust(more, home);
    if (more.length > 0) return usage(`\`${more.join(' ')}\` is one word too many after \`${command}\`.`);
    switch (command) {
      case 'join':
        return join_(values, home);
      case 'status':
        return { kind: 'status', json: values.json === true, home };
      default:
        return usage(`\`${command}\` is no command of portcullis-proxy. To run a server behind it, write \`portcullis-proxy -- ${[command, ...more].join(' ')}\`.`);
    }
  } catch (problem) {
    return usage(problem instanceof Error ? problem.message : String(problem));
  }
}

function wrap(server: string | undefined, wrapped: readonly string[] | null, home: string): Plan {
  const [command, ...args] = wrapped ?? [];
  if (command === undefined) return usage('which MCP server? Write its command after `--`, for instance `portcullis-proxy --server files -- npx -y @modelcontextprotocol/server-filesystem /srv/project`.');
  const refused = server === undefined ? null : refusedServerName(server);
  if (refused !== null) return usage(`--server ${JSON.stringify(server)}: ${refused}.`);
  return { kind: 'wrap', claim: claimOf([command, ...args], server), command, args, home };
}

function join_(values: { readonly plane?: string; readonly 'token-file'?: string; readonly local?: boolean; readonly name?: string }, home: string): Plan {
  const name = values.name ?? null;
  if (values.local === true) {
    if (values.plane !== undefined || values['token-file'] !== undefined) return usage('--local finds the plane and makes the token itself: leave --plane and --token-file out.');
    return { kind: 'join-local', name, home };
  }
  if (values.plane === undefined || values['token-file'] === undefined) return usage('join takes --plane URL and --token-file FILE, or --local on the plane\'s own machine.');
  return { kind: 'join', url: values.plane, tokenFile: values['token-file'], name, home };
}

function trust([log, ...more]: readonly string[], home: string): Plan {
  if (log === undefined || more.length > 0) return usage('trust takes the one log that this host is to follow from now on, as the plane names it: portcullis-proxy trust portcullis.local/0a1b2c3d');
  return { kind: 'trust', log, home };
}

function usage(message: string): Plan {
  return { kind: 'usage', message };
}

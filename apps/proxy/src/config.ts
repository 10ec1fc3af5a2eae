/** The command line of `portcullis-proxy`, read into a plan. */
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { claimOf, claimOfUrl, refusedServerName, type Claim } from './claim.ts';
import { readListen, readRemote, type Listen, type Upstream } from './endpoints.ts';
import { readWords, type Words } from './flags.ts';

export type Plan =
  | { readonly kind: 'wrap'; readonly claim: Claim; readonly upstream: Upstream; readonly listen: Listen | null; readonly policy: string | null; readonly home: string }
  | { readonly kind: 'join'; readonly url: string; readonly tokenFile: string; readonly name: string | null; readonly home: string }
  | { readonly kind: 'join-local'; readonly name: string | null; readonly home: string }
  | { readonly kind: 'trust'; readonly log: string; readonly home: string }
  | { readonly kind: 'status' | 'doctor'; readonly json: boolean; readonly home: string }
  | { readonly kind: 'help' }
  | { readonly kind: 'version' }
  | { readonly kind: 'usage'; readonly message: string };

/** Exit codes, as docs/cli.md has them. The wrapped server's own code is mirrored. */
export const EXIT = { ok: 0, refused: 1, usage: 2, unreachable: 3 } as const;

export const HELP = `portcullis-proxy: stands between an agent and an MCP server, and lets through what the policies allow.

Usage:
  portcullis-proxy [--server NAME] -- COMMAND [ARG …]   run an MCP server over stdio behind this proxy
  portcullis-proxy [--server NAME] --upstream URL       stand in front of an MCP server that speaks Streamable HTTP
  portcullis-proxy --listen HOST:PORT …                 serve Streamable HTTP, in front of either
  portcullis-proxy --policy FILE|DIR …                  either of them without a plane, under these policies
  portcullis-proxy join --plane URL --token-file FILE   enrol this host (FILE may be - for standard input)
  portcullis-proxy join --local                         enrol with the plane that runs on this machine
  portcullis-proxy trust LOG                            follow the plane to another log, after it came back from a backup
  portcullis-proxy status [--json]                      what is in force here, for which servers, since when
  portcullis-proxy doctor [--json]                      what is wrong on this host, and what to do

Options:
  --server NAME   the name that policies speak about (default: made from the command or URL)
  --listen H:P    where to serve Streamable HTTP instead of stdio, for instance 127.0.0.1:8931 (port 0: any)
  --public-name N with --listen: a host name, besides localhost, under which agents may call
  --header 'K: V' with --upstream: sent with every request; write secrets as \${VARIABLE}, which is read from the environment
  --policy PATH   a policy file, or a directory of them, watched while the proxy runs; refused on an enrolled host
  --name NAME     with join: what operators see for this host (default: the machine's name)
  --help, --version

Environment:
  PORTCULLIS_HOME           where enrolment and last good versions are kept (default: ~/.portcullis)
  PORTCULLIS_LISTEN_TOKEN   with --listen: the bearer token that agents must send

The wrapped server gets the whole environment but PORTCULLIS_*. Its exit code is this program's.
Exit codes: 0 ok · 1 refused · 2 wrong usage · 3 the plane cannot be reached · 127 the command cannot be started
`;

/** Reads the words after the program's name. Never throws: what is wrong is a plan of kind `usage`. */
export function readPlan(argv: readonly string[], env: NodeJS.ProcessEnv): Plan {
  const named = env['PORTCULLIS_HOME'] ?? '';
  const home = named === '' ? join(homedir(), '.portcullis') : resolve(named);
  const separator = argv.indexOf('--');
  const wrapped = separator < 0 ? null : argv.slice(separator + 1);
  const words = readWords(separator < 0 ? argv : argv.slice(0, separator), wrapped);
  switch (words.kind) {
    case 'help':
    case 'version':
      return words;
    case 'wrong':
      return usage(words.message);
    case 'words':
      return planOf(words, wrapped, home, env);
  }
}

type Understood = Extract<Words, { kind: 'words' }>;

function planOf(words: Understood, wrapped: readonly string[] | null, home: string, env: NodeJS.ProcessEnv): Plan {
  const { command, rest } = words;
  if (command === 'trust') return trust(rest, home);
  if (rest.length > 0) return usage(`\`${rest.join(' ')}\` is one word too many after \`${command}\`: it takes options only.`);
  switch (command) {
    case 'wrap':
      return wrap(words, wrapped, home, env);
    case 'join':
      return joinPlan(words, home);
    case 'status':
    case 'doctor':
      return { kind: command, json: words.has('json'), home };
  }
}

function wrap(words: Understood, wrapped: readonly string[] | null, home: string, env: NodeJS.ProcessEnv): Plan {
  const [server, named] = [words.value('server'), words.value('policy')];
  const policy = named === undefined ? null : resolve(named);
  const refused = server === undefined ? null : refusedServerName(server);
  if (refused !== null) return usage(`--server ${JSON.stringify(server)}: ${refused}. Write --server NAME, the name that policies speak about.`);
  const listen = readListen(words.value('listen') ?? null, words.all('public-name'), { child: wrapped !== null, credentials: words.has('header') }, env);
  if (!listen.ok) return usage(listen.message);
  const url = words.value('upstream');
  if (url !== undefined) {
    if (wrapped !== null) return usage('--upstream URL and `-- COMMAND` do not go together: one proxy guards one server.');
    const remote = readRemote(url, words.all('header'), env);
    return remote.ok ? { kind: 'wrap', claim: claimOfUrl(remote.value.url, server), upstream: { kind: 'remote', target: remote.value }, listen: listen.value, policy, home } : usage(remote.message);
  }
  if (words.has('header')) return usage('--header means nothing without --upstream URL: a command gets its credentials from the environment.');
  const [command, ...args] = wrapped ?? [];
  if (command === undefined) return usage('which MCP server? Write its command after `--`, for instance `portcullis-proxy --server files -- npx -y @modelcontextprotocol/server-filesystem /srv/project`.');
  if (command === '') return usage('the command after `--` is empty: is a variable not set?');
  return { kind: 'wrap', claim: claimOf([command, ...args], server), upstream: { kind: 'child', command, args }, listen: listen.value, policy, home };
}

function joinPlan({ value, has }: Understood, home: string): Plan {
  const name = value('name') ?? null;
  const [plane, tokenFile] = [value('plane'), value('token-file')];
  if (has('local')) {
    const other = plane !== undefined ? '--plane' : tokenFile !== undefined ? '--token-file' : null;
    if (other !== null) return usage(`--local and ${other} do not go together: --local finds the plane of this machine and makes the token itself.`);
    return { kind: 'join-local', name, home };
  }
  if (plane === undefined && tokenFile === undefined) return usage('join which plane? Write `portcullis-proxy join --plane URL --token-file FILE`, or `portcullis-proxy join --local` on the plane\'s own machine.');
  if (plane === undefined) return usage('join needs --plane URL too, the address of the plane that made the token.');
  if (tokenFile === undefined) return usage('join needs --token-file FILE too (- for standard input): an operator makes it with `portcullis join-token create`.');
  return { kind: 'join', url: plane, tokenFile, name, home };
}

function trust([log, ...more]: readonly string[], home: string): Plan {
  if (log === undefined) return usage('trust which log? Write the one that this host is to follow from now on, as `portcullis-proxy status` or the plane names it: portcullis-proxy trust portcullis.local/0a1b2c3d');
  if (more.length > 0) return usage(`trust takes one log: \`${more.join(' ')}\` is one word too many.`);
  return { kind: 'trust', log, home };
}

function usage(message: string): Plan {
  return { kind: 'usage', message };
}

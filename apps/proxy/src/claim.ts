/**
 * What a proxy says of itself in hello: the server's name, and what that name really is on this host. Both are claims, shown to
 * operators side by side (W8); `match.upstream` is checked here, against the words that are really executed.
 */
import { isIP } from 'node:net';
import { basename } from 'node:path';

export interface Claim {
  readonly server: string;
  /** The command line as it is executed, words joined by spaces: what `match.upstream` is held against. Never leaves the host. */
  readonly upstream: string;
  /** The same without what looks like a secret: what the plane is told. */
  readonly shown: string;
}

/** A server name is a file's stem in the policy directory: it must be readable there and in a table. */
export const SERVER_NAME_MAX_LENGTH = 100;

/** Long enough for any honest command line, short enough for a hello. */
const SHOWN_MAX_LENGTH = 512;

const REDACTED = '***';

/** Options whose value is a secret by their name: `--api-key x`, `--token=x`, `GITHUB_TOKEN=x`. */
const SECRET_NAME = /(token|secret|passw(or)?d|passphrase|api[-_]?key|access[-_]?key|private[-_]?key|credential|authorization|bearer|dsn|connection[-_]?string)/i;

/** `scheme://user:password@host` anywhere in a word. */
const USER_INFO = /([a-z][a-z0-9+.-]*:\/\/)[^/?#\s]*@/gi;

/** Query strings carry keys often and identify an upstream never. */
const QUERY = /([a-z][a-z0-9+.-]*:\/\/[^?\s]*)\?\S*/gi;

/** Well-known shapes of credentials, wherever they stand. */
const SECRET_SHAPE = /\b(gh[pousr]_|github_pat_|xox[abposr]-|sk[-_](live|test|ant|proj)?[-_]?|rk_live_|AKIA|eyJ[A-Za-z0-9_-]{8,}\.)[A-Za-z0-9._-]{8,}/g;

/**
 * Takes the words after `--` and the name given by `--server`, if any.
 * Without a name, one is made from the program or package: `npx -y @modelcontextprotocol/server-filesystem@1` is `filesystem`.
 */
export function claimOf(words: readonly string[], named: string | undefined): Claim {
  return { server: named ?? nameOf(words), upstream: words.join(' '), shown: withoutSecrets(words) };
}

/** The same for a URL. Its origin is all that is claimed: paths and queries may hold keys. */
export function claimOfUrl(url: URL, named: string | undefined): Claim {
  const labels = url.hostname.replace(/^\[|\]$/g, '').split('.');
  const telling = isIP(labels.join('.')) === 0 ? labels.slice(0, Math.max(1, labels.length - 1)).filter((label) => !HOST_WORDS.has(label)) : [];
  const made = telling.at(-1) ?? 'server';
  return { server: named ?? (refusedServerName(made) === null ? made : 'server'), upstream: url.origin, shown: url.origin };
}

/** Labels of host names that are no name. */
const HOST_WORDS: ReadonlySet<string> = new Set(['www', 'api', 'mcp', 'app', 'co', 'com', 'localhost']);

/** Refuses names that could not stand in a file name or would garble a table; null = fine. */
export function refusedServerName(name: string): string | null {
  if (name.length === 0 || name.length > SERVER_NAME_MAX_LENGTH) return `a server name has 1 to ${SERVER_NAME_MAX_LENGTH} characters`;
  if (!/^[A-Za-z0-9][A-Za-z0-9._@/-]*$/.test(name)) return 'a server name begins with a letter or digit and has ASCII letters (others look alike), digits, `.`, `_`, `-`, `@` and `/`';
  if (name.split('/').some((part) => part === '' || part === '.' || part === '..')) return 'a server name has no empty part, `.` or `..` between its slashes';
  return null;
}

/** Programs that start another one: the name is in what they start. */
const LAUNCHERS: ReadonlySet<string> = new Set(['npx', 'node', 'uvx', 'uv', 'pipx', 'python', 'python3', 'bunx', 'bun', 'deno', 'docker', 'podman', 'env', 'sh', 'bash', 'cmd']);
/** Words of launchers that are no name. */
const LAUNCHER_WORDS: ReadonlySet<string> = new Set(['run', 'exec', 'tool', 'x', 'dlx', 'dist', 'build', 'index', 'main', 'server', 'cli', 'bin', 'src']);

function nameOf(words: readonly string[]): string {
  const [program, ...rest] = words;
  const candidates = program !== undefined && !LAUNCHERS.has(stem(program)) ? [program] : rest.filter((word) => !word.startsWith('-') && !word.includes('='));
  for (const candidate of candidates) {
    const parts = candidate.replace(/(?<=.)@[^/]*$/, '').split(/[\\/]/).filter((part) => part !== '').reverse();
    const name = parts.map(stem).find((part) => part !== '' && !LAUNCHER_WORDS.has(part) && !LAUNCHERS.has(part));
    const short = name?.replace(/^(mcp-)?server-/, '').replace(/-mcp(-server)?$|-server$/, '');
    if (short !== undefined && refusedServerName(short) === null) return short;
  }
  return 'server';
}

function stem(word: string): string {
  return basename(word).replace(/\.(exe|cmd|m?[jt]s|cjs|py)$/i, '');
}

function withoutSecrets(words: readonly string[]): string {
  let secretFollows = false;
  const shown = words.map((word) => {
    if (secretFollows) {
      secretFollows = false;
      return REDACTED;
    }
    const assignment = /^(-{0,2}[\w.-]+)([=:])\s*(.*)$/s.exec(word);
    if (assignment !== null && SECRET_NAME.test(assignment[1] ?? '')) return `${assignment[1] ?? ''}${assignment[2] ?? ''}${REDACTED}`;
    secretFollows = word.startsWith('-') && SECRET_NAME.test(word);
    return word.replace(USER_INFO, `$1${REDACTED}@`).replace(QUERY, `$1?${REDACTED}`).replace(SECRET_SHAPE, REDACTED);
  });
  return shown.join(' ').replace(/[\p{Cc}\p{Cf}]/gu, '�').slice(0, SHOWN_MAX_LENGTH);
}

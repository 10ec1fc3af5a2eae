/** `portcullis join-token`, `token`, `host`: who has access. */
import type { Recorded, Role } from '../domain/events.ts';
import type { JoinToken, OperatorToken } from '../domain/state.ts';
import { because, doneLines } from './changes.ts';
import type { ReasonOptions } from './changes.ts';
import { show, withPlane } from './command.ts';
import type { PlaneOptions } from './command.ts';
import type { ExitCode } from './exit.ts';
import { labelsText } from './happening.ts';
import { moment, table } from './table.ts';
import type { Terminal } from './terminal.ts';

interface Done {
  readonly version: number;
  readonly recorded: readonly Recorded[];
}

export interface JoinTokenOptions extends ReasonOptions {
  readonly label?: Readonly<Record<string, string>>;
  readonly ttl?: number;
}

interface MadeToken {
  readonly id: string;
  readonly token: string;
  readonly expiresAtMs?: number;
}

/** Prints the token alone on standard output, so that it can go straight into a file; what to do with it goes to standard error. */
export async function joinTokenCreate(options: JoinTokenOptions, terminal: Terminal): Promise<ExitCode> {
  return withPlane(options, terminal, async (plane) => {
    const { label, ttl, reason } = options;
    const made = await plane.send<MadeToken>('POST', '/v1/join-tokens', { labels: label ?? {}, ...(ttl === undefined ? {} : { ttlMs: ttl }), ...because(reason) });
    if (made.ok && options.json !== true) {
      terminal.err(`Join token ${made.value.id}: for one host, until ${moment(made.value.expiresAtMs ?? terminal.now())}. It is shown this once.`);
      terminal.err(`On the host, with the token in FILE: npx --no portcullis-proxy join --plane ${plane.url} --token-file FILE`);
    }
    return show(made, options, terminal, ({ token }) => [token]);
  });
}

export async function joinTokenList(options: PlaneOptions, terminal: Terminal): Promise<ExitCode> {
  return withPlane(options, terminal, async (plane) =>
    show(await plane.get<{ readonly tokens: readonly JoinToken[] }>('/v1/join-tokens'), options, terminal, ({ tokens }) =>
      tokens.length === 0
        ? ['There are no join tokens.']
        : table(
            [
              { title: 'token', cell: (one) => one.token },
              { title: 'state', cell: (one) => (one.state === 'open' && one.expiresAtMs <= terminal.now() ? 'expired' : one.state) },
              { title: 'until', cell: (one) => moment(one.expiresAtMs) },
              { title: 'labels', cell: (one) => labelsText(one.labels).trim(), least: 8 },
            ],
            tokens,
          ),
    ),
  );
}

export async function tokenCreate(name: string, role: Role, options: ReasonOptions, terminal: Terminal): Promise<ExitCode> {
  return withPlane(options, terminal, async (plane) => {
    const made = await plane.send<MadeToken>('POST', '/v1/tokens', { name, role, ...because(options.reason) });
    if (made.ok && options.json !== true) terminal.err(`Operator token ${made.value.id} (${role}). It is shown this once; its user sets PORTCULLIS_URL=${plane.url} and PORTCULLIS_TOKEN to it.`);
    return show(made, options, terminal, ({ token }) => [token]);
  });
}

export async function tokenList(options: PlaneOptions, terminal: Terminal): Promise<ExitCode> {
  return withPlane(options, terminal, async (plane) =>
    show(await plane.get<{ readonly tokens: readonly OperatorToken[] }>('/v1/tokens'), options, terminal, ({ tokens }) =>
      table(
        [
          { title: 'token', cell: (one) => one.token },
          { title: 'name', cell: (one) => one.name, least: 12 },
          { title: 'role', cell: (one) => one.role },
          { title: 'made', cell: (one) => moment(one.createdAtMs) },
          { title: 'state', cell: (one) => (one.revoked ? 'revoked' : 'valid') },
        ],
        tokens,
      ),
    ),
  );
}

/** Revokes a join token, an operator token or a host: `path` is which. */
export async function revoke(path: 'join-tokens' | 'tokens' | 'hosts', id: string, options: ReasonOptions, terminal: Terminal): Promise<ExitCode> {
  return withPlane(options, terminal, async (plane) => show(await plane.send<Done>('POST', `/v1/${path}/${encodeURIComponent(id)}/revoke`, because(options.reason)), options, terminal, doneLines));
}

export interface RelabelOptions extends ReasonOptions {
  readonly label?: Readonly<Record<string, string>>;
  readonly confirm?: boolean;
}

/** Replaces all labels of a host. */
export async function hostRelabel(host: string, options: RelabelOptions, terminal: Terminal): Promise<ExitCode> {
  return withPlane(options, terminal, async (plane) => {
    const body = { labels: options.label ?? {}, confirm: options.confirm === true, ...because(options.reason) };
    return show(await plane.send<Done>('PATCH', `/v1/hosts/${encodeURIComponent(host)}`, body), options, terminal, doneLines);
  });
}

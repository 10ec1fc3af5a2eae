/** From the command line to the plane: which one, with which token, and what its answers mean for the exit code. */
import { discoveryFile, portcullisHome, readDiscovery, readSecret } from '../discovery.ts';
import { EXIT } from './exit.ts';
import type { ExitCode } from './exit.ts';
import { printable } from './printable.ts';
import type { Terminal } from './terminal.ts';

/** The plane answers from memory; `wait` is the slowest route and ends after 25 s. */
const REQUEST_TIMEOUT_MS = 40_000;

export type As = 'responder' | 'admin';

/** Why a command cannot go on: said on standard error, and the exit code. */
export interface Failure {
  readonly exit: ExitCode;
  readonly message: string;
  /** The plane's error code; null where the plane did not answer. */
  readonly code: string | null;
}

export type Answered<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly failure: Failure };

/** The plane as the commands use it. */
export interface Connection {
  readonly url: string;
  get<T>(path: string, query?: Query): Promise<Answered<T>>;
  send<T>(method: 'POST' | 'PATCH', path: string, body: object): Promise<Answered<T>>;
  /** The data of each message of an event stream, until the plane or the signal ends it. */
  stream(path: string, query: Query, onMessage: (event: string, data: unknown) => void, signal: AbortSignal): Promise<Answered<null>>;
}

export type Query = Readonly<Record<string, string | number | undefined>>;

/** Finds the plane: PORTCULLIS_URL and PORTCULLIS_TOKEN, else the one that runs on this machine. */
export function connect(terminal: Pick<Terminal, 'env' | 'signal'>, as: As): Answered<Connection> {
  const place = locate(terminal, as);
  return place.ok ? { ok: true, value: connection(place.value.url, place.value.token, terminal.signal) } : place;
}

function locate({ env }: Pick<Terminal, 'env'>, as: As): Answered<{ readonly url: string; readonly token: string }> {
  const url = env['PORTCULLIS_URL'];
  const token = env['PORTCULLIS_TOKEN'];
  if (url !== undefined && url !== '') {
    if (token === undefined || token === '') return fail(EXIT.usage, 'PORTCULLIS_URL is set, PORTCULLIS_TOKEN is not. Set it to an operator token (`portcullis token create`).');
    return safeUrl(url) ? { ok: true, value: { url: url.replace(/\/+$/, ''), token: token.trim() } } : fail(EXIT.usage, 'PORTCULLIS_URL must be an https:// URL; http:// is for this machine alone, because the token would travel in the clear.');
  }
  const home = portcullisHome(env);
  const discovery = readDiscovery(home);
  if (discovery === undefined) {
    return fail(EXIT.unreachable, `No plane runs on this machine (${discoveryFile(home)} is not there). Start one with \`portcullis serve\`, or set PORTCULLIS_URL and PORTCULLIS_TOKEN.`);
  }
  const file = discovery.tokens[as];
  const local = readSecret(file)?.trim();
  if (local === undefined || local === '') return fail(EXIT.forbidden, `The ${as} token cannot be read from ${file}. Restart \`portcullis serve\`: it makes a new one.`);
  return { ok: true, value: { url: discovery.url, token: local } };
}

function safeUrl(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol, hostname } = new URL(text);
  return protocol === 'https:' || (protocol === 'http:' && /^(localhost|127(\.\d+){3}|\[::1\])$/.test(hostname));
}

function connection(url: string, token: string, interrupted: AbortSignal): Connection {
  const ask = async (path: string, init: RequestInit): Promise<Answered<Response>> => {
    try {
      const headers = { authorization: `Bearer ${token}`, ...(init.body === undefined ? {} : { 'content-type': 'application/json' }) };
      return { ok: true, value: await fetch(url + path, { ...init, headers, redirect: 'error' }) };
    } catch (error) {
      if (interrupted.aborted) return fail(EXIT.interrupted, 'Interrupted.');
      return fail(EXIT.unreachable, `The plane at ${url} does not answer: ${causeOf(error)}. Is \`portcullis serve\` running?`);
    }
  };
  const json = async <T>(path: string, init: RequestInit): Promise<Answered<T>> => {
    const answered = await ask(path, { ...init, signal: AbortSignal.any([AbortSignal.timeout(REQUEST_TIMEOUT_MS), interrupted]) });
    return answered.ok ? read<T>(answered.value) : answered;
  };
  return {
    url,
    get: (path, query) => json(path + queryText(query ?? {}), { method: 'GET' }),
    send: (method, path, body) => json(path, { method, body: JSON.stringify(body) }),
    stream: async (path, query, onMessage, signal) => {
      const answered = await ask(path + queryText(query), { method: 'GET', signal });
      if (!answered.ok) return signal.aborted ? { ok: true, value: null } : answered;
      if (!answered.value.ok || answered.value.body === null) return read<null>(answered.value);
      try {
        await readMessages(answered.value.body, onMessage);
      } catch (error) {
        if (!signal.aborted) return fail(EXIT.unreachable, `The plane at ${url} hung up: ${causeOf(error)}.`);
      }
      return { ok: true, value: null };
    },
  };
}


async function read<T>(response: Response): Promise<Answered<T>> {
  let body: unknown;
  try {
    body = await response.json();
  } catch {
    return fail(EXIT.failed, `What answers at ${response.url} is no plane (HTTP ${response.status}, not JSON). Check PORTCULLIS_URL.`);
  }
  // The plane's own answers are not checked again here: both come from one source tree.
  if (response.ok) return { ok: true, value: body as T };
  const { code, message } = errorOf(body) ?? { code: null, message: `HTTP ${response.status}` };
  return { ok: false, failure: { exit: exitOf(response.status), message: printable(message), code } };
}

function errorOf(body: unknown): { readonly code: string; readonly message: string } | undefined {
  const { error } = (body ?? {}) as { readonly error?: { readonly code?: unknown; readonly message?: unknown } };
  return typeof error?.code === 'string' && typeof error.message === 'string' ? { code: error.code, message: error.message } : undefined;
}

function exitOf(status: number): ExitCode {
  if (status === 401 || status === 403) return EXIT.forbidden;
  if (status === 503) return EXIT.no;
  return status >= 500 ? EXIT.failed : EXIT.no;
}

function fail<T>(exit: ExitCode, message: string): Answered<T> {
  return { ok: false, failure: { exit, message, code: null } };
}

function causeOf(error: unknown): string {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  if (cause instanceof Error && 'code' in cause && typeof cause.code === 'string') return cause.code;
  return cause instanceof Error ? cause.message : String(cause);
}

function queryText(query: Query): string {
  const given = Object.entries(query).flatMap(([key, value]) => (value === undefined ? [] : [[key, String(value)] satisfies [string, string]]));
  return given.length === 0 ? '' : `?${new URLSearchParams(given).toString()}`;
}

async function readMessages(body: ReadableStream<Uint8Array>, onMessage: (event: string, data: unknown) => void): Promise<void> {
  const decoder = new TextDecoder();
  let rest = '';
  for await (const chunk of body) {
    const blocks = (rest + decoder.decode(chunk, { stream: true })).split('\n\n');
    rest = blocks.pop() ?? '';
    for (const block of blocks) {
      const field = (name: string): string | undefined => block.split('\n').find((line) => line.startsWith(`${name}: `))?.slice(name.length + 2);
      const data = field('data');
      if (data !== undefined) onMessage(field('event') ?? 'message', JSON.parse(data));
    }
  }
}

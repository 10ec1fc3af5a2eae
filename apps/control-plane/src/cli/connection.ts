/** From the command line to the plane: which one, with which token, and what its answers mean for the exit code. */
import type { IncomingMessage } from 'node:http';
import { discoveryFile, portcullisHome, readDiscovery, readSecret } from '../discovery.ts';
import type { Discovery } from '../discovery.ts';
import { misfit } from './answers.ts';
import { exchange, Impostor, textOf } from './exchange.ts';
import type { Question } from './exchange.ts';
import { EXIT } from './exit.ts';
import type { ExitCode } from './exit.ts';
import { printable } from './printable.ts';
import type { Terminal } from './terminal.ts';

/** The plane answers from memory; `wait` is the slowest route and ends after 25 s. */
const REQUEST_TIMEOUT_MS = 40_000;
/** A `diff` of every text of a large directory. */
const MAX_ANSWER_BYTES = 512 * 1024 * 1024;
/** A decision is some hundred bytes; arguments are not part of it. */
const MAX_MESSAGE_CHARS = 1024 * 1024;

export type As = 'responder' | 'admin';

/** Why a command cannot go on: said on standard error, and the exit code. */
export interface Failure {
  readonly exit: ExitCode;
  readonly message: string;
  /** The plane's error code; null where the plane did not answer. */
  readonly code: string | null;
  /** Set where no plane was there at all, so that asking again later may help. */
  readonly away?: true;
}

export type Answered<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly failure: Failure };

/** The plane as the commands use it. */
export interface Connection {
  readonly url: string;
  get<T>(path: string, query?: Query): Promise<Answered<T>>;
  send<T>(method: 'POST' | 'PATCH', path: string, body: object): Promise<Answered<T>>;
  /** The data of each message of an event stream, until the plane or the signal ends it; `onOpen` is called once it has begun. */
  stream(path: string, query: Query, listener: Listener, signal: AbortSignal): Promise<Answered<null>>;
}

export interface Listener {
  readonly onOpen: () => void;
  readonly onMessage: (event: string, data: unknown) => void;
}

export type Query = Readonly<Record<string, string | number | undefined>>;

/** Where the plane is and with what it is asked; `discovery` where it is the one that this machine announces. */
interface Place {
  readonly url: string;
  readonly token: string;
  /** Where the token is from: a variable or a file. */
  readonly tokenFrom: string;
  readonly discovery: Discovery | null;
  /** Where `discovery` was read. */
  readonly file: string;
}

/** Finds the plane: PORTCULLIS_URL and PORTCULLIS_TOKEN, else the one that runs on this machine. */
export function connect(terminal: Pick<Terminal, 'env' | 'signal'>, as: As): Answered<Connection> {
  const place = locate(terminal, as);
  return place.ok ? { ok: true, value: connection(place.value, terminal.signal) } : place;
}

function locate({ env }: Pick<Terminal, 'env'>, as: As): Answered<Place> {
  const url = env['PORTCULLIS_URL'];
  const token = env['PORTCULLIS_TOKEN'];
  const home = portcullisHome(env);
  const file = discoveryFile(home);
  if (url !== undefined && url !== '') {
    if (token === undefined || token === '') return fail(EXIT.usage, 'PORTCULLIS_URL is set, PORTCULLIS_TOKEN is not. Set it to an operator token (`portcullis token create`).');
    if (!safeUrl(url)) return fail(EXIT.usage, 'PORTCULLIS_URL must be an https:// URL; http:// is for this machine alone, because the token would travel in the clear.');
    if (!VISIBLE.test(token.trim())) return fail(EXIT.usage, 'PORTCULLIS_TOKEN holds what no operator token has in it (blanks or other characters). Set it to the one line that `portcullis token create` printed.');
    return { ok: true, value: { url: url.replace(/\/+$/, ''), token: token.trim(), tokenFrom: 'PORTCULLIS_TOKEN', discovery: null, file } };
  }
  const discovery = readDiscovery(home);
  if (discovery === undefined) {
    return away(`No plane runs on this machine (${file} is not there). Start one with \`portcullis serve\`, or set PORTCULLIS_URL and PORTCULLIS_TOKEN.`);
  }
  const secret = discovery.tokens[as];
  const local = readSecret(secret)?.trim();
  if (local === undefined || local === '') return fail(EXIT.forbidden, `The ${as} token cannot be read from ${secret}. Restart \`portcullis serve\`: it makes a new one.`);
  return { ok: true, value: { url: discovery.url, token: local, tokenFrom: secret, discovery, file } };
}

/** What a header may carry, and a token has. */
const VISIBLE = /^[\x21-\x7e]+$/;

function safeUrl(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol, hostname } = new URL(text);
  return protocol === 'https:' || (protocol === 'http:' && /^(localhost|127(\.\d+){3}|\[::1\])$/.test(hostname));
}

function connection(place: Place, interrupted: AbortSignal): Connection {
  const { url, token, discovery } = place;
  const json = async <T>(method: Question['method'], path: string, query: string, body: string | null): Promise<Answered<T>> => {
    const end = new AbortController();
    const stop = (): void => end.abort(new Error('interrupted'));
    const timer = setTimeout(() => end.abort(new Error(`nothing came for ${REQUEST_TIMEOUT_MS / 1000} s`)), REQUEST_TIMEOUT_MS);
    interrupted.addEventListener('abort', stop, { once: true });
    if (interrupted.aborted) stop();
    try {
      const response = await exchange(question(method, path + query, body), end.signal);
      return understood<T>(place, `${method} ${path}`, response.statusCode ?? 0, await textOf(response, MAX_ANSWER_BYTES));
    } catch (error) {
      return interrupted.aborted ? fail(EXIT.interrupted, 'Interrupted.') : unreachable(place, error);
    } finally {
      clearTimeout(timer);
      interrupted.removeEventListener('abort', stop);
    }
  };
  const question = (method: Question['method'], path: string, body: string | null): Question => ({
    method,
    url: new URL(url + path),
    headers: { authorization: `Bearer ${token}`, ...(body === null ? {} : { 'content-type': 'application/json' }) },
    body,
    expected: discovery,
  });
  return {
    url,
    get: (path, query) => json('GET', path, queryText(query ?? {}), null),
    send: (method, path, body) => json(method, path, '', JSON.stringify(body)),
    stream: async (path, query, { onOpen, onMessage }, signal) => {
      try {
        const response = await exchange(question('GET', path + queryText(query), null), signal);
        const { statusCode: status = 0, headers } = response;
        if (status !== 200) return understood<null>(place, `GET ${path}`, status, await textOf(response, MAX_ANSWER_BYTES));
        if (headers['content-type']?.startsWith('text/event-stream') !== true) {
          response.destroy();
          return noPlane(place, `to GET ${path}, no stream`);
        }
        onOpen();
        const problem = await readMessages(response, onMessage);
        return problem === null ? { ok: true, value: null } : noPlane(place, problem);
      } catch (error) {
        return signal.aborted ? { ok: true, value: null } : unreachable(place, error);
      }
    },
  };
}

/** An answer that is ours, with what it says; anything else is no plane. */
function understood<T>(place: Place, asked: string, status: number, text: string): Answered<T> {
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    return noPlane(place, `HTTP ${status}, not JSON`);
  }
  if (status >= 200 && status < 300) {
    const fault = misfit(asked, body);
    // What `misfit` has checked is what the commands build on; T says it in full.
    return fault === null ? { ok: true, value: body as T } : noPlane(place, `to ${asked}, ${fault}`);
  }
  const error = errorOf(body);
  if (error === undefined) return noPlane(place, `HTTP ${status}`);
  const message = error.code === 'unauthorized' ? unknownToken(place) : error.message;
  return { ok: false, failure: { exit: exitOf(status), message: printable(message), code: error.code } };
}

/** The plane says the same of every token that it does not know; which one it was sent is known here. */
function unknownToken({ url, tokenFrom, discovery }: Place): string {
  if (discovery !== null) return `The plane at ${url} does not know the token in ${tokenFrom}: somebody revoked it or changed the file. Restart \`portcullis serve\`, which makes a new one.`;
  return `The plane at ${url} does not know the token in ${tokenFrom}: it was revoked, is another plane's, or is not whole. An admin makes a new one with \`portcullis token create --role ROLE\`.`;
}

function noPlane({ url, discovery }: Place, why: string): Answered<never> {
  const next = discovery === null ? 'Check PORTCULLIS_URL, and that plane and command are of the same version.' : 'Are plane and command of the same version?';
  return fail(EXIT.unreachable, printable(`What answers at ${url} does not answer as a plane (${why}). ${next}`));
}

/** Why nobody answered, or nobody who may be told a token. */
function unreachable({ url, discovery, file }: Place, error: unknown): Answered<never> {
  if (discovery !== null && !isRunning(discovery.pid)) {
    const other = error instanceof Impostor ? ` Something else listens at ${url}; no token was sent to it.` : '';
    return away(`No plane runs on this machine: ${file} is left over from one that ended (process ${discovery.pid}).${other} Start a plane with \`portcullis serve\`, or set PORTCULLIS_URL and PORTCULLIS_TOKEN.`);
  }
  if (error instanceof Impostor) {
    return away(printable(`What listens at ${url} is not the plane that ${file} names: ${error.message}. No token was sent to it. Find out what it is; \`portcullis serve\` announces a plane anew.`));
  }
  return away(printable(`The plane at ${url} does not answer: ${causeOf(error)}. Is \`portcullis serve\` running?`));
}

/** Whether there is a process of this number; another user's counts. */
function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
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

/** No plane is there; nobody was told anything. */
function away(message: string): Answered<never> {
  return { ok: false, failure: { exit: EXIT.unreachable, message, code: null, away: true } };
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

/** Reads an event stream to its end; the problem is the first message that is none of ours. */
async function readMessages(body: IncomingMessage, onMessage: (event: string, data: unknown) => void): Promise<string | null> {
  let rest = '';
  body.setEncoding('utf8');
  for await (const chunk of body as AsyncIterable<string>) {
    const blocks = (rest + chunk).split('\n\n');
    rest = blocks.pop() ?? '';
    if (rest.length > MAX_MESSAGE_CHARS) return `a message of more than ${MAX_MESSAGE_CHARS} characters`;
    for (const block of blocks) {
      const problem = readMessage(block, onMessage);
      if (problem !== null) return problem;
    }
  }
  return null;
}

function readMessage(block: string, onMessage: (event: string, data: unknown) => void): string | null {
  const field = (name: string): string | undefined => block.split('\n').find((line) => line.startsWith(`${name}: `))?.slice(name.length + 2);
  const [event, text] = [field('event') ?? 'message', field('data')];
  if (text === undefined) return null;
  let data: unknown;
  try {
    data = JSON.parse(text);
  } catch {
    return 'a message that is not JSON';
  }
  const fault = misfit(`STREAM ${event}`, data);
  if (fault === null) onMessage(event, data);
  return fault;
}

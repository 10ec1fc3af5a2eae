/**
 * What a proxy stands in front of, as its command line says: a command, or a URL with what to send there. Secrets come from the
 * environment (`--header 'Authorization: Bearer ${TOKEN}'`), because a command line can be read by every user of the machine.
 */
import { BlockList, isIP } from 'node:net';
import type { RemoteTarget } from './upstream/remote.ts';

export type Upstream =
  | { readonly kind: 'child'; readonly command: string; readonly args: readonly string[] }
  | { readonly kind: 'remote'; readonly target: RemoteTarget };

export type Read<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly message: string };

/** Headers that are ours or the connection's to set: with another value a request would mean two things. */
const OWN_HEADER = /^(host|connection|content-.*|transfer-encoding|te|trailer|upgrade|keep-alive|proxy-.*|accept|accept-encoding|expect|last-event-id|mcp-.*)$/;
/** RFC 9110, section 5.6.2. */
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const MAX_HEADERS = 32;
const LOOPBACK = new BlockList();
LOOPBACK.addSubnet('127.0.0.0', 8, 'ipv4');
LOOPBACK.addAddress('::1', 'ipv6');

/** Reads `--upstream URL` and every `--header`. Credentials go over TLS, or not beyond this machine. */
export function readRemote(url: string, headers: readonly string[], env: NodeJS.ProcessEnv): Read<RemoteTarget> {
  const parsed = URL.canParse(url) ? new URL(url) : null;
  if (parsed === null || !/^https?:$/.test(parsed.protocol)) return wrong(`--upstream ${JSON.stringify(url)} is no http or https URL: write for instance --upstream https://mcp.example.com/mcp.`);
  if (parsed.username !== '' || parsed.password !== '') return wrong('--upstream has a user or password in it: leave them out and write --header \'Authorization: Basic ${CREDENTIALS}\'.');
  parsed.hash = '';
  const read = readHeaders(headers, env);
  if (!read.ok) return read;
  if (parsed.protocol === 'http:' && headers.length > 0 && !isLoopbackName(parsed.hostname)) {
    return wrong(`--header and the unencrypted --upstream ${parsed.origin} do not go together: the credentials could be read on their way. Write an https URL.`);
  }
  return { ok: true, value: { url: parsed, headers: read.value } };
}

/** Where agents may call over HTTP, and who they must say they are. */
export interface Listen {
  readonly host: string;
  readonly port: number;
  readonly names: readonly string[];
  readonly token: string | null;
}

/** A token that can be guessed is none. */
const LEAST_TOKEN_CHARACTERS = 16;

/**
 * Reads `--listen HOST:PORT` and every `--public-name`; null where there is none. Beyond loopback whoever reaches the port reaches
 * what stands behind it: there a name must be given and, where we hold the credentials, a token.
 */
export function readListen(at: string | null, names: readonly string[], behind: { readonly child: boolean; readonly credentials: boolean }, env: NodeJS.ProcessEnv): Read<Listen | null> {
  const token = env['PORTCULLIS_LISTEN_TOKEN'] ?? '';
  if (at === null) return names.length === 0 ? { ok: true, value: null } : wrong('--public-name means nothing without --listen HOST:PORT.');
  const [, host = '', digits = ''] = /^(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+):([0-9]{1,5})$/.exec(at) ?? [];
  const port = Number(digits);
  if (host === '' || port > 65_535) return wrong(`--listen ${JSON.stringify(at)} is no host and port: write for instance --listen 127.0.0.1:8931.`);
  const bad = names.find((name) => !/^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$/.test(name));
  if (bad !== undefined) return wrong(`--public-name ${JSON.stringify(bad)} is no host name: write it without scheme and port.`);
  if (token !== '' && (token.length < LEAST_TOKEN_CHARACTERS || /\s/.test(token))) return wrong(`PORTCULLIS_LISTEN_TOKEN needs at least ${LEAST_TOKEN_CHARACTERS} characters and no white space.`);
  if (!isLoopbackName(host)) {
    if (names.length === 0) return wrong(`--listen ${at} can be reached from elsewhere: say with --public-name under which name agents call, so that no other is answered.`);
    if (token === '' && (behind.child || behind.credentials)) return wrong(`--listen ${at} can be reached from elsewhere, and whoever reaches it uses ${behind.child ? 'this server' : 'these credentials'}: set PORTCULLIS_LISTEN_TOKEN.`);
  }
  return { ok: true, value: { host: host.replace(/^\[|\]$/g, ''), port, names, token: token === '' ? null : token } };
}

/** Whether a host name of a URL means this machine, whatever a resolver says. */
export function isLoopbackName(hostname: string): boolean {
  const name = hostname.replace(/^\[|\]$/g, '').toLowerCase();
  const family = isIP(name);
  return family === 0 ? name === 'localhost' || name.endsWith('.localhost') : LOOPBACK.check(name, family === 6 ? 'ipv6' : 'ipv4');
}

function readHeaders(headers: readonly string[], env: NodeJS.ProcessEnv): Read<Readonly<Record<string, string>>> {
  const found = new Map<string, string>();
  if (headers.length > MAX_HEADERS) return wrong(`--header is given ${headers.length} times: at most ${MAX_HEADERS} are sent.`);
  for (const header of headers) {
    const colon = header.indexOf(':');
    const name = header.slice(0, Math.max(0, colon)).trim().toLowerCase();
    if (colon < 0 || !TOKEN.test(name)) return wrong('--header has no name and value: write --header \'NAME: VALUE\', with secrets as ${VARIABLE}.');
    if (OWN_HEADER.test(name)) return wrong(`--header ${name} is set by the proxy or by the agent's requests: leave it out.`);
    if (found.has(name)) return wrong(`--header ${name} is given twice: give it once.`);
    const missing: string[] = [];
    const value = header.slice(colon + 1).trim().replace(/\$\{([A-Za-z_][A-Za-z0-9_]*)\}/g, (_, variable: string) => {
      const secret = env[variable] ?? '';
      if (secret === '') missing.push(variable);
      return secret.trim();
    });
    if (missing.length > 0) return wrong(`--header ${name} names ${missing.join(' and ')}, which the environment does not have: set it where the agent starts this proxy.`);
    if (!/^[\t\x20-\x7e\x80-\xff]*$/.test(value)) return wrong(`--header ${name} has a value that no header can carry (a line end, or characters outside Latin-1).`);
    found.set(name, value);
  }
  return { ok: true, value: Object.fromEntries(found) };
}

function wrong(message: string): { readonly ok: false; readonly message: string } {
  return { ok: false, message };
}
